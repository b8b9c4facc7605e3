package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/postern-auth/postern/internal/proctest"
)

// TestLogOfSurplus has an app go on after its answer. net/http says so in a log of its own, and quotes what came: the log stays one of JSON, and
// has nothing of that.
func TestLogOfSurplus(t *testing.T) {
	app := listening(t)
	go func() {
		for conn, err := app.Accept(); err == nil; conn, err = app.Accept() {
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and a secret")
			}
		}
	}()
	listen := proctest.Free(t)
	t.Setenv("POSTERN_PUBLIC", "/open")
	r := served(t, "--listen", listen, "--api-listen", "off", "--upstream", "http://"+app.Addr().String(), "--data", filepath.Join(t.TempDir(), "data"))
	r.until(t, `"serving"`)
	if status, body := fetch(t, "http://"+listen+"/open", ""); status != http.StatusOK || body != "ok" {
		t.Errorf("an answer with more after it = %d %q; want 200 ok", status, body)
	}
	line := strings.TrimSpace(r.until(t, "\n"))
	var said struct{ Level, Msg string }
	if err := json.Unmarshal([]byte(line), &said); err != nil || said.Level != "warn" || !strings.HasPrefix(said.Msg, "the app sent more than its answer") {
		t.Errorf("the log says %q; want a warning in JSON that the app sent more than its answer", line)
	}
	if strings.Contains(line, "secret") {
		t.Errorf("the log says %q, which the app sent to somebody", line)
	}
	r.interrupt(t)
}

// TestNobodyReadsTheLog stops a server when whoever read its log has gone: the request under way is served to its end.
func TestNobodyReadsTheLog(t *testing.T) {
	app, entered, finish := lingering(t)
	log, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	listen, admin := proctest.Free(t), proctest.Free(t)
	t.Setenv("POSTERN_PUBLIC", "/open")
	r := &running{stdout: bufio.NewReader(log), cmd: exec.Command(program, "serve", "--listen", listen, "--api-listen", "off", "--admin-listen", admin,
		"--upstream", app, "--data", filepath.Join(t.TempDir(), "data"))}
	r.cmd.Stderr = theirs
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	_ = theirs.Close()
	r.until(t, `"serving"`)
	answer := underWay(t, "http://"+listen+"/open", entered)
	_ = log.Close()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for over := r.soon(); ; { // it is told that it stops, and tells so
		if status, _, err := tried("http://" + admin + "/readyz"); err != nil || status == http.StatusServiceUnavailable {
			over()
			break
		}
	}
	close(finish)
	if got := <-answer; got != "200 done <nil>" {
		t.Errorf("a request under way at the stop = %q; want 200 done", got)
	}
	if err := r.wait(); err != nil {
		t.Errorf("after SIGTERM: %v; want exit code 0", err)
	}
}

// lingering returns the address of an app that says so when it is asked, and answers when it is let.
func lingering(t *testing.T) (url string, entered <-chan struct{}, finish chan<- struct{}) {
	t.Helper()
	l, asked, let := listening(t), make(chan struct{}), make(chan struct{})
	app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-let
		_, _ = io.WriteString(w, "done")
	})}
	go func() { _ = app.Serve(l) }()
	t.Cleanup(func() { _ = app.Close() })
	return "http://" + l.Addr().String(), asked, let
}

// underWay asks for what an app answers late, and returns when it has been asked. The channel gets what became of that.
func underWay(t *testing.T, url string, entered <-chan struct{}) <-chan string {
	t.Helper()
	answer := make(chan string, 1)
	go func() {
		status, body, err := tried(url)
		answer <- fmt.Sprint(status, " ", body, " ", err)
	}()
	select {
	case <-entered:
	case got := <-answer:
		t.Fatalf("the guard answered %q; want the app to be asked", got)
	}
	return answer
}

// listening returns an address of an app.
func listening(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// tried asks for an address.
func tried(url string) (status int, body string, err error) {
	res, err := http.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}
