package main_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/proctest"
)

// TestHangup has a server read its configuration again: one that is good, one that is not, and one that is again.
func TestHangup(t *testing.T) {
	file, data := filepath.Join(t.TempDir(), "postern.yaml"), filepath.Join(t.TempDir(), "data")
	write := func(more string) {
		if err := os.WriteFile(file, []byte("upstream: http://127.0.0.1:1\nlisten: 127.0.0.1:0\ndata: "+data+"\n"+more), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	r := served(t, "--config", file)
	r.until(t, `"serving"`)
	for _, step := range []struct{ more, want string }{
		{"public: [/open/*]\n", "goes on with new settings"},
		{"publik: [/open/*]\n", "line 4: there is no setting publik; did you mean public?"},
		{"drain: 5s\n", "drain cannot change while the server runs"},
		{"", "goes on with new settings"},
	} {
		write(step.more)
		if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		r.until(t, step.want)
	}
	r.interrupt(t)
}

// TestHangupWhileItStarts asks a server to read its configuration again that is still waiting for its store, here a Redis that says nothing.
// That must not end it: it goes on to say what is wrong.
func TestHangupWhileItStarts(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if err := silent.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("5a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := served(t, "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--data", t.TempDir(), "--redis", "redis://"+silent.Addr().String(), "--master-key-file", key)
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.until(t, "cannot use Redis")
	if err := r.wait(); err == nil || r.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("the server ended with %v; want exit code 1", err)
	}
}

// TestHangupWhileItStops asks a server to read its configuration again that lets the last request finish.
func TestHangupWhileItStops(t *testing.T) {
	app, entered, finish := lingering(t)
	listen := proctest.Free(t)
	t.Setenv("POSTERN_PUBLIC", "/open")
	r := served(t, "--listen", listen, "--api-listen", "off", "--upstream", app, "--data", filepath.Join(t.TempDir(), "data"))
	r.until(t, `"serving"`)
	answer := underWay(t, "http://"+listen+"/open", entered)
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.until(t, `"stopping"`)
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	close(finish)
	if got := <-answer; got != "200 done <nil>" {
		t.Errorf("a request under way at SIGTERM and SIGHUP = %q; want 200 done", got)
	}
	if err := r.wait(); err != nil {
		t.Errorf("after SIGTERM and SIGHUP: %v; want exit code 0", err)
	}
}
