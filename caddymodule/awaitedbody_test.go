package caddymodule

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// announced sends a request whose body waits to be told to come, and then comes if it is. It returns the answer.
func (w *world) announced(path, token, body string) *http.Response {
	w.Helper()
	conn, err := net.Dial("tcp", w.site)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // Caddy's server waits for a minute
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", path, w.site, token, len(body))
	in := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			w.Fatalf("POST %s, whose body waits: %v", path, err)
		}
		if resp.StatusCode != http.StatusContinue {
			return resp
		}
		fmt.Fprint(conn, body)
	}
}

// TestAnnouncedBody has clients wait to be told to send a body. Who is refused without it must not wait for the answer, and the connection
// ends; where the body is read, it lives on.
func TestAnnouncedBody(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `postern_pages
	postern_api
	postern_auth {
		rule /spoken {
			require fly
		}
	}
	error /failed 404
	reverse_proxy APP
	handle_errors 403 404 {
		respond "spoken" {err.status_code}
	}`))
	for _, tt := range []struct {
		path, token string
		status      int
		ends        bool
	}{
		{"/page", "x.y.z", http.StatusUnauthorized, true},
		{"/spoken", p.tokens.Valid, http.StatusForbidden, true},
		{"/failed", p.tokens.Valid, http.StatusNotFound, true},
		{"/page", p.tokens.Valid, http.StatusOK, false},
		{"/v1/realms", "", http.StatusForbidden, true},
		{"/v1/users", "", http.StatusUnprocessableEntity, false},
		{"/auth/nothing", "", http.StatusNotFound, true},
	} {
		if resp := w.announced(tt.path, tt.token, `{"data":{"type":"user","attributes":{}}}`); resp.StatusCode != tt.status || resp.Close != tt.ends {
			t.Errorf("POST %s, whose body waits = %d, the connection ends: %t; want %d, %t", tt.path, resp.StatusCode, resp.Close, tt.status, tt.ends)
		}
	}
}
