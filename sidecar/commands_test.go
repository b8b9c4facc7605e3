package sidecar

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/postern-auth/postern/internal/hosttest"
)

// TestCommandsWait has a command come once a server is open, as soon as 'postern dev' has said so, and before it serves anything: it waits for
// the server, and does not find the data in use by somebody who takes no commands.
func TestCommandsWait(t *testing.T) {
	s, err := Open(t.Context(), Options{Upstream: "http://127.0.0.1:1", Listen: "127.0.0.1:0", Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", filepath.Join(s.o.Data, "control.sock"))
	if err != nil {
		s.close()
		t.Fatalf("nobody takes commands of an open server: %v", err)
	}
	_ = conn.Close()
	explained, ended := make(chan error, 1), make(chan error, 1)
	go func() { _, err := Explain(t.Context(), s.o, "GET", "/", ""); explained <- err }()
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- s.Run(ctx) }()
	if err := hosttest.Within(t, "the server explains", explained); err != nil {
		t.Errorf("Explain = %v; want the server's answer", err)
	}
	stop()
	if err := hosttest.Within(t, "the server has stopped", ended); err != nil {
		t.Errorf("Run = %v", err)
	}
}
