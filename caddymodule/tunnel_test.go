package caddymodule

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/proctest"
)

// tunnel sends the site a CONNECT over HTTP/2, behind which comes a request in somebody's name, POST /hidden, as Caddy would pass it to an app,
// and returns the status of the answer.
func (w *world) tunnel(header http.Header) int {
	w.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: protocols}
	defer transport.CloseIdleConnections()
	hidden := "POST /hidden HTTP/1.1\r\nHost: app\r\nX-Postern-User-Id: usr_admin\r\nContent-Length: 0\r\n\r\n"
	r := (&http.Request{Method: http.MethodConnect, URL: &url.URL{Scheme: "https", Host: w.site}, Host: w.site, Header: header,
		Body: io.NopCloser(strings.NewReader(hidden)), ContentLength: -1}).WithContext(w.Context())
	resp, err := transport.RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestNoTunnel sends requests in somebody's name after a CONNECT, which Caddy would pass to the app as they are: to a guard that lets its client in,
// to one on whose public path it is, and where error routes ask the app.
func TestNoTunnel(t *testing.T) {
	w := newWorld(t)
	asked := make(chan string, 100)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Method + " " + r.URL.Path }))
	t.Cleanup(app.Close)
	w.app = app.Listener.Addr().String()
	p := w.settle()
	for _, site := range []string{"postern_auth", "postern_auth {\n\tpublic /\n}", "postern_auth {\n\tpublic {\n\tmethod CONNECT\n}\n}", "postern_auth {\n\toptional\n}\nhandle_errors {\n\treverse_proxy APP\n}"} {
		w.site = proctest.Free(t) // where no former configuration listens yet
		w.loadTLS(w.config("grace_period 1s", site+"\nreverse_proxy APP"))
		if status := w.tunnel(http.Header{"Authorization": {"Bearer " + p.tokens.Valid}}); status != http.StatusMethodNotAllowed {
			t.Errorf("with %s: %d, want 405", site, status)
		}
	}
	app.Close() // once it has answered all that it was asked
	close(asked)
	for what := range asked {
		t.Errorf("the app was asked for %s", what)
	}
}
