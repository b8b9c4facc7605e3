package sidecar

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/hosttest"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestStop lets a request under way finish, and tells whoever watches meanwhile that no other will be served.
func TestStop(t *testing.T) {
	arrived, leave := make(chan struct{}), make(chan struct{})
	app := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-leave
	})
	v := serve(t, app, func(o *Options) { o.AdminListen, o.Guard.Public = "127.0.0.1:0", []string{"/*"} })
	release := sync.OnceFunc(func() { close(leave) })
	t.Cleanup(release) // or the server would wait, where the test has ended early
	answer, stopped := v.begin(v.GuardURL()), make(chan struct{})
	hosttest.Within(t, "the app is asked", arrived)
	go func() {
		v.stop()
		close(stopped)
	}()
	redistest.Eventually(t, "who watches is told that the server stops", func() bool {
		resp, body := v.ask(plain(t, nil), "GET", urlOf("http", v.admin)+"/readyz", "", nil)
		return resp.StatusCode == http.StatusServiceUnavailable && body == "stopping\n"
	})
	release()
	if got := hosttest.Within(t, "the request under way is answered", answer); got != "200 " {
		t.Errorf("the request under way = %s; want 200", got)
	}
	hosttest.Within(t, "the server has stopped", stopped)
}

// TestStopCuts ends a stream that would go on for ever, which is no failure of the server: the test world holds that Run returns none.
func TestStopCuts(t *testing.T) {
	gone := make(chan struct{})
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	v := serve(t, app, func(o *Options) { o.Drain, o.Guard.Public = time.Millisecond, []string{"/*"} })
	resp, err := plain(t, nil).Get(v.GuardURL())
	v.must(err)
	defer resp.Body.Close()
	v.stop()
	hosttest.Within(t, "the stream is cut", gone)
	if n := v.logged.FilterMessage("requests that took longer than drain were cut").Len(); n != 1 {
		t.Errorf("%d lines say that a request was cut; want 1", n)
	}
}

// TestStopWaitsForWebSockets lets an open WebSocket go on while the server stops, so that its two ends can finish what they are at. Where they do
// not, it is cut once drain is over.
func TestStopWaitsForWebSockets(t *testing.T) {
	for name, drain := range map[string]time.Duration{"ends by itself": time.Minute, "does not end": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			v := serve(t, hosttest.App(), func(o *Options) { o.Drain, o.Guard.Public = drain, []string{"/*"} })
			conn := v.dial()
			_, err := io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			v.must(err)
			said := bufio.NewReader(conn)
			resp, err := http.ReadResponse(said, nil)
			v.must(err)
			if resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("the handshake = %d; want 101", resp.StatusCode)
			}
			stopped := make(chan struct{})
			go func() {
				v.stop()
				close(stopped)
			}()
			redistest.Eventually(t, "the server accepts nobody any more", func() bool {
				other, err := net.Dial("tcp", v.app.Addr().String())
				if err == nil {
					other.Close()
				}
				return err != nil
			})
			cut := 1
			if drain == time.Minute {
				cut = 0
				_, err = io.WriteString(conn, "still there?")
				v.must(err)
				if _, err := io.ReadFull(said, make([]byte, len("still there?"))); err != nil {
					t.Errorf("while the server stops the WebSocket says %v; want what was sent", err)
				}
				select {
				case <-stopped:
					t.Error("the server has stopped; want it to wait for the WebSocket")
				default:
				}
				v.must(conn.Close())
			} else if _, err := said.ReadByte(); err != io.EOF {
				t.Errorf("after drain the WebSocket says %v; want its end", err)
			}
			hosttest.Within(t, "the server has stopped", stopped)
			if n := v.logged.FilterMessage("WebSockets that took longer than drain were cut").Len(); n != cut {
				t.Errorf("%d lines say that WebSockets were cut; want %d", n, cut)
			}
		})
	}
}
