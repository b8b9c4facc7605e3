package guard_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/hosttest"
)

// TestTrailersThatNobodyAnnounced sends identity after the body, beside a trailer that was announced: net/http keeps both.
func TestTrailersThatNobodyAnnounced(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{Settings: guard.Settings{Public: []string{"/open/*"}, CopyHeaders: map[string]string{"Remote-User": "username"}}})
	for name, behind := range map[string]func(http.Handler) http.Handler{"Handler": g.Handler, "ProxyHandler": g.ProxyHandler} {
		seen := make(chan http.Header, 1)
		app := httptest.NewServer(behind(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			seen <- r.Trailer
		})))
		defer app.Close()
		for _, announced := range []string{"X-Sum", "X-Sum, X-Postern-User-Id, Remote-User", "X-Postern-User-Id", ""} {
			for path, token := range map[string]string{"/page": "good", "/open/page": "bad"} {
				conn, err := net.Dial("tcp", app.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\nTrailer: %s\r\n\r\n4\r\nbody\r\n0\r\n"+
					"X-Sum: 42\r\nX-Postern-User-Id: evil\r\nx_postern.email: evil\r\nremote_user: evil\r\n\r\n", path, token, announced)
				got := hosttest.Within(t, "the handler is asked", seen)
				_ = conn.Close()
				for trailer := range got {
					if trailer != "X-Sum" {
						t.Errorf("%s, %s, with %q announced: the handler saw the trailer %s", name, path, announced, trailer)
					}
				}
				if announced == "X-Sum" && got.Get("X-Sum") != "42" {
					t.Errorf("%s, %s: trailers = %v; want X-Sum kept", name, path, got)
				}
			}
		}
	}
}

// TestOnlyWebSocketsUpgrade asks for other protocols, over which requests would pass unseen.
func TestOnlyWebSocketsUpgrade(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	for _, wished := range [][]string{{"h2c"}, {"H2C"}, {"websocket, h2c"}, {"h2c", "websocket"}, {"websocket", "h2c"}, {"tls/1.0"}, {""}, {"websocket/13"}} {
		r := with("good")
		r.Header["Upgrade"], r.Header["Http2-Settings"] = wished, []string{"AAMAAABkAAQAAP__"}
		_, seen := serve(g, r)
		if seen == nil || seen.Header["Upgrade"] != nil || seen.Header["Http2-Settings"] != nil {
			t.Errorf("Upgrade: %q passes on as %v; want it removed", wished, seen)
		}
	}
	r := with("good")
	r.Header.Set("Upgrade", "WebSocket")
	if _, seen := serve(g, r); seen == nil || seen.Header.Get("Upgrade") != "WebSocket" {
		t.Errorf("a WebSocket passes on as %v; want it kept", seen)
	}
}
