package sidecar

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-auth/postern/internal/redistest"
)

// TestSlowTaker has a client take nothing of an answer that does not end. It has to be let go, also where the connection served
// another request before, and where it is a WebSocket's.
func TestSlowTaker(t *testing.T) {
	ended := make(chan string, 2)
	pour := func(w io.Writer) {
		for chunk := make([]byte, 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			pour(w)
			ended <- r.URL.Path
		case "/socket":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			pour(conn)
			ended <- r.URL.Path
		}
	})
	v := serve(t, app, func(o *Options) { o.SlowClient, o.Guard.Public = time.Second, []string{"/*"} })
	for path, status := range map[string]int{"/endless": 200, "/socket": 101} {
		conn := v.dial()
		answers := bufio.NewReader(conn)
		ask := func(path string, want int) {
			_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", path)
			v.must(err)
			if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != want {
				t.Fatalf("GET %s = %v, %v; want %d", path, resp, err, want)
			}
		}
		ask("/", 200)
		ask(path, status)
		redistest.Eventually(t, "the answer to "+path+" is given up", func() bool { return len(ended) > 0 })
		if got := <-ended; got != path {
			t.Errorf("the answer to %s was given up; want %s", got, path)
		}
	}
}

// TestPatientConnOverTime writes to somebody who takes a little every ten seconds for an hour, and then nothing more.
func TestPatientConnOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		const takes = 360
		go func() { _, _ = io.CopyN(io.Discard, theirs, takes) }()
		conn := newPatientConn(ours, time.Minute)
		for i := range takes {
			if _, err := conn.Write([]byte("x")); err != nil {
				t.Fatalf("Write %d = %v; want nil", i, err)
			}
			if left := time.Until(conn.set); left < 45*time.Second || left > time.Minute {
				t.Fatalf("Write %d waits for %v; want 45s to 1m", i, left)
			}
			time.Sleep(10 * time.Second)
		}
		begun := time.Now()
		_, err := conn.Write([]byte("x"))
		if waited := time.Since(begun); !errors.Is(err, os.ErrDeadlineExceeded) || waited < 45*time.Second || waited > time.Minute {
			t.Errorf("a write that nobody takes = %v after %v; want os.ErrDeadlineExceeded after 45s to 1m", err, waited)
		}
	})
}

// TestPatientConnIsTold holds that a deadline which somebody asks for is kept, and that ours is there again when they no longer do.
func TestPatientConnIsTold(t *testing.T) {
	for _, writes := range []int{0, 1} { // before anything is asked for
		ours, theirs := net.Pipe()
		defer ours.Close()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		conn := newPatientConn(ours, time.Hour)
		write := func() error { _, err := conn.Write([]byte("x")); return err }
		for range writes {
			if err := write(); err != nil {
				t.Fatalf("Write = %v; want nil", err)
			}
		}
		for _, ask := range []func(time.Time) error{conn.SetWriteDeadline, conn.SetDeadline} {
			if err := ask(time.Now().Add(-time.Second)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := write(); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("after %d writes, Write past the deadline = %v; want os.ErrDeadlineExceeded", writes, err)
				}
			}
			if err := ask(time.Time{}); err != nil {
				t.Fatal(err)
			}
			if err := write(); err != nil || conn.set.IsZero() {
				t.Errorf("Write without a deadline = %v with deadline %v; want nil, and a deadline of ours", err, conn.set)
			}
		}
	}
}
