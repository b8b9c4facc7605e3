package control_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/control"
)

// streams are those of every server here.
var streams = map[string]control.Stream{
	"all": func(_ context.Context, w io.Writer) error { _, err := w.Write(make([]byte, 1<<20)); return err },
	"half": func(_ context.Context, w io.Writer) error {
		_, _ = w.Write(make([]byte, 1<<20))
		return errors.New("disk")
	},
	"nought": func(context.Context, io.Writer) error { return errors.New("there is nothing") },
}

// TestStreams reads what a server writes: all of it, or an error.
func TestStreams(t *testing.T) {
	folder := t.TempDir()
	var b bytes.Buffer
	if err := control.Fetch(t.Context(), folder, "all", &b); !errors.Is(err, control.ErrNobody) {
		t.Errorf("Fetch before a server runs = %v; want ErrNobody", err)
	}
	serve(t, folder, nil)
	if err := control.Fetch(t.Context(), folder, "all", &b); err != nil || b.Len() != 1<<20 {
		t.Errorf("Fetch = %v with %d bytes; want 1 MiB", err, b.Len())
	}
	if err := control.Fetch(t.Context(), folder, "half", io.Discard); err == nil {
		t.Error("Fetch of what breaks off = nil error")
	}
	if err := control.Fetch(t.Context(), folder, "nought", io.Discard); err == nil || err.Error() != "there is nothing" {
		t.Errorf("Fetch of what fails = %v; want what the server says", err)
	}
}

// serve answers commands over a folder until the test ends, and returns how to end it before.
func serve(t *testing.T, folder string, commands map[string]control.Command) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	listener, err := control.Listen(folder)
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- control.Serve(ctx, listener, commands, streams) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
		done <- nil
	}
	t.Cleanup(stop)
	return stop
}

func TestCommands(t *testing.T) {
	folder := t.TempDir()
	if _, err := control.Call(t.Context(), folder, "greet", nil); !errors.Is(err, control.ErrNobody) {
		t.Errorf("Call before a server runs = %v; want ErrNobody", err)
	}
	commands := map[string]control.Command{
		"greet": func(_ context.Context, arguments url.Values) (string, error) {
			return "hello " + arguments.Get("name"), nil
		},
		"fail": func(context.Context, url.Values) (string, error) { return "", errors.New("it is locked") },
	}
	stop := serve(t, folder, commands)
	if said, err := control.Call(t.Context(), folder, "greet", url.Values{"name": {"ann & bob"}}); err != nil || said != "hello ann & bob" {
		t.Errorf("Call greet = %q, %v; want hello ann & bob", said, err)
	}
	if said, err := control.Call(t.Context(), folder, "fail", nil); err == nil || err.Error() != "it is locked" || said != "" {
		t.Errorf("Call fail = %q, %v; want it is locked", said, err)
	}
	if _, err := control.Call(t.Context(), folder, "unknown", nil); err == nil {
		t.Error("Call of an unknown command = nil error")
	}
	info, err := os.Stat(filepath.Join(folder, "control.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode = %v, %v; want 0600", info.Mode(), err)
	}
	stop()
	if _, err := control.Call(t.Context(), folder, "greet", nil); !errors.Is(err, control.ErrNobody) {
		t.Errorf("Call after the server ended = %v; want ErrNobody", err)
	}
}

// TestSocketLeftBehind begins over a socket that a killed server left.
func TestSocketLeftBehind(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "control.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, folder, map[string]control.Command{"greet": func(context.Context, url.Values) (string, error) { return "hello", nil }})
	if said, err := control.Call(t.Context(), folder, "greet", nil); err != nil || said != "hello" {
		t.Errorf("Call = %q, %v; want hello", said, err)
	}
}

// TestFolderWithALongName finds nobody where no socket can be, so that a command opens the data itself, and says to a server why it takes none.
func TestFolderWithALongName(t *testing.T) {
	folder := filepath.Join(t.TempDir(), strings.Repeat("long", 50))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Call(t.Context(), folder, "greet", nil); !errors.Is(err, control.ErrNobody) {
		t.Errorf("Call = %v; want ErrNobody", err)
	}
	if _, err := control.Listen(folder); err == nil || !strings.Contains(err.Error(), "too long for a socket") {
		t.Errorf("Listen = %v; want that the path is too long", err)
	}
}

// TestNoAnswer asks a server that goes away. What it was asked, with a credential to explain, is not for whoever reads the error.
func TestNoAnswer(t *testing.T) {
	folder := t.TempDir()
	serve(t, folder, map[string]control.Command{"explain": func(context.Context, url.Values) (string, error) { panic(http.ErrAbortHandler) }})
	_, err := control.Call(t.Context(), folder, "explain", url.Values{"credential": {"hush"}})
	if err == nil || !strings.Contains(err.Error(), "did not answer") || strings.Contains(err.Error(), "hush") {
		t.Errorf("Call = %v; want an error without the credential", err)
	}
}
