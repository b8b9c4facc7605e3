package sidecar

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/hosttest"
)

// TestParting has one end of a WebSocket end it, and the other stay open and silent. Both connections must be closed all the same.
func TestParting(t *testing.T) {
	for _, who := range []string{"the app", "the client"} {
		left, gone := make(chan struct{}), make(chan struct{}) // the client, and the app
		app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			defer close(gone)
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			if who == "the app" {
				_ = conn.(*net.TCPConn).CloseWrite()
			}
			text, err := io.ReadAll(conn)
			if err != nil || string(text) != "bye" {
				t.Errorf("where %s ends it, the app is told %q, %v; want bye, and the end", who, text, err)
			}
			<-left
			for err == nil { // until it shows that nobody is there any more
				_, err = conn.Write([]byte("x"))
			}
		})
		v := serve(t, app, func(o *Options) { o.SlowClient, o.Guard.Public = time.Second, []string{"/*"} })
		conn := v.dial()
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbye")
		v.must(err)
		r := bufio.NewReader(conn)
		_, err = http.ReadResponse(r, nil)
		v.must(err)
		if who == "the client" {
			v.must(conn.(*net.TCPConn).CloseWrite())
		}
		if _, err := io.Copy(io.Discard, r); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("where %s ends it, the client waits for 30 seconds; want its end", who)
		}
		close(left)
		hosttest.Within(t, "the app's connection is closed", gone)
	}
}
