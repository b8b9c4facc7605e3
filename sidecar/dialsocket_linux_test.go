package sidecar

import (
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestFullSocket asks an app at a socket where no more may wait to be accepted: a request waits until there is room, as over TCP, and not for ever.
func TestFullSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		app, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer app.Close()
		letWait(t, app, 0)
		for err == nil { // one or two, until no more may wait
			var conn net.Conn
			if conn, err = net.Dial("unix", path); err == nil {
				defer conn.Close()
			}
		}
		dial := func() (time.Duration, error) {
			begun := time.Now()
			conn, err := dialerOf(path)(t.Context(), "tcp", "app:80")
			if err == nil {
				err = conn.Close()
			}
			return time.Since(begun), err
		}
		if took, err := dial(); !errors.Is(err, syscall.EAGAIN) || took != dialFor {
			t.Errorf("an app that accepts nobody = %v after %v; want EAGAIN after %v", err, took, dialFor)
		}
		accept := time.AfterFunc(time.Second, func() {
			if conn, err := app.Accept(); err == nil {
				_ = conn.Close()
			}
		})
		defer accept.Stop()
		if took, err := dial(); err != nil || took < time.Second || took > 2*time.Second {
			t.Errorf("an app that accepts after a second = %v after %v; want a connection soon after", err, took)
		}
	})
}

// letWait has so many connections wait to be accepted, and about one more.
func letWait(t *testing.T, l net.Listener, most int) {
	t.Helper()
	under, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	failed := under.Control(func(fd uintptr) { err = syscall.Listen(int(fd), most) })
	if err := errors.Join(failed, err); err != nil {
		t.Fatal(err)
	}
}
