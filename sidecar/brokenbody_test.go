package sidecar

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestBrokenBody sends bodies that cannot be read to their end. That is told as what it is, and raises no alarm about the app.
func TestBrokenBody(t *testing.T) {
	app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			panic(http.ErrAbortHandler) // as an app that cannot use half a body
		}
	})
	v := serve(t, app, func(o *Options) { o.Guard.Public = []string{"/*"} })
	for _, tt := range []struct{ name, rest, want string }{
		{"no chunk", "Transfer-Encoding: chunked\r\n\r\n!\r\n", "HTTP/1.1 400 "},
		{"a line feed alone", "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n", "HTTP/1.1 400 "},
		{"an end too early", "Content-Length: 9\r\n\r\nhalf", "HTTP/1.1 40"}, // 408 where the server knows first that the client is gone
		{"an end in a chunk", "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", "HTTP/1.1 40"},
	} {
		conn, err := net.Dial("tcp", v.app.Addr().String())
		v.must(err)
		v.must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
		_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: app\r\n%s", tt.rest)
		v.must(err)
		v.must(conn.(*net.TCPConn).CloseWrite())
		if text, err := io.ReadAll(conn); !strings.HasPrefix(string(text), tt.want) {
			t.Errorf("%s = %.40q, %v; want %s", tt.name, text, err, tt.want)
		}
		_ = conn.Close()
	}
	if all := v.logged.FilterMessage("upstream failed").Len(); all > 0 {
		t.Errorf("the log says %d times that the app failed", all)
	}
}
