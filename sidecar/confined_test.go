package sidecar

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestUpstreamPathIsNotLeft holds that an app which has a path is asked for nothing beside it, however that is spelled.
func TestUpstreamPathIsNotLeft(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Path", r.RequestURI) })
	v := serve(t, app, func(o *Options) { o.Upstream += "/shop/" })
	token := v.signIn(v.parts.Core, v.realm.ID, "ann").Token
	for path, want := range map[string]string{
		"/": "/shop/", "/a?b=/../c": "/shop/a?b=/../c", "/a%20b": "/shop/a%20b",
		"/../admin": "", "/%2e%2e/admin": "", "/..%2fadmin": "", "/a/../../admin": "", "/..;/admin": "", `/..\admin`: "", "/%252e%252e/admin": "",
	} {
		said, err := Explain(t.Context(), v.o, "GET", path, token)
		if err != nil || strings.Contains(said, "gets 400 ambiguous_path: the path may lead out") != (want == "") {
			t.Errorf("Explain GET %s = %q, %v; want it to say whether that is passed on", path, said, err)
		}
		conn := v.dial()
		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer %s\r\n\r\n", path, token)
		v.must(err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		v.must(err)
		if got := resp.Header.Get("X-Path"); got != want || want == "" && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("GET %s = %d, and asks the app for %q; want %q", path, resp.StatusCode, got, want)
		}
		_ = resp.Body.Close()
		_ = conn.Close()
	}
}
