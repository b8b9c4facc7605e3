package caddymodule

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(linger{})
	httpcaddyfile.RegisterHandlerDirective("linger", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) { return linger{}, nil })
}

// linger is a handler that gives all of its answer, and waits until the request is ended.
type linger struct{}

func (linger) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.linger", New: func() caddy.Module { return new(linger) }}
}

func (linger) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	w.Header().Set("Content-Length", "5")
	_, err := io.WriteString(w, "whole")
	err = errors.Join(err, http.NewResponseController(w).Flush())
	<-r.Context().Done()
	return err
}

// TestConnectionEndsWithItsSession ends a session while its request is under way and all of the answer is out: that the connection is
// closed, and does not wait for the next request, shows that the guard ends it and no context of the request's own.
func TestConnectionEndsWithItsSession(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `route {
		postern_api /v1/*
		postern_auth
		linger
	}`))
	conn, err := net.Dial("tcp", w.site)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", w.site, p.tokens.Valid)
	if err := errors.Join(err, conn.SetDeadline(time.Now().Add(30*time.Second))); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); string(body) != "whole" || err != nil {
		t.Fatalf("the answer = %d %q, %v; want whole", resp.StatusCode, body, err)
	}
	if got := w.do("DELETE", "/v1/users/me", p.tokens.Valid, ""); got.status >= 300 {
		t.Fatalf("DELETE /v1/users/me = %+v", got)
	}
	if rest, err := io.ReadAll(answers); len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("then came %q, %v; want the connection closed", rest, err)
	}
}
