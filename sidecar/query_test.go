package sidecar

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestQueryPassesAsItIs asks with queries that url.ParseQuery does not read whole: the app may read them otherwise.
func TestQueryPassesAsItIs(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Target", r.RequestURI) })
	v := serve(t, app, func(o *Options) { o.Guard.Public = []string{"/*"} })
	for _, target := range []string{"/?q=a;b&z=1&a=2", "/?q=100%&a=2", "/?q=%u20AC", "/?", "/?b=2&a=1", "/?" + strings.Repeat("x&", 10001), "/?q=\xff#x"} {
		conn, err := net.Dial("tcp", v.app.Addr().String())
		v.must(err)
		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: app\r\n\r\n", target)
		v.must(err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		v.must(err)
		if got := resp.Header.Get("X-Target"); got != target {
			t.Errorf("GET %.40q = %d, and asks the app for %.40q; want the same", target, resp.StatusCode, got)
		}
		_ = resp.Body.Close()
		_ = conn.Close()
	}
}
