package guard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/postern-auth/postern/guard"
)

// TestPreflightShowsNoPage asks apps that take OPTIONS for GET as a browser does before a request to another origin: their headers come, and nothing
// of the page.
func TestPreflightShowsNoPage(t *testing.T) {
	allows := func(w http.ResponseWriter) { w.Header().Set("Access-Control-Allow-Origin", "https://other.example") }
	files := http.FileServerFS(fstest.MapFS{"page": {Data: []byte("a secret page")}})
	for name, app := range map[string]http.HandlerFunc{
		"a file server": func(w http.ResponseWriter, r *http.Request) {
			allows(w)
			files.ServeHTTP(w, r)
		},
		"a program that flushes": func(w http.ResponseWriter, _ *http.Request) {
			allows(w)
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "a secret page")
			_ = http.NewResponseController(w).Flush()
		},
		"one that copies": func(w http.ResponseWriter, _ *http.Request) {
			allows(w)
			w.Header().Set("Trailer", "X-Secret")
			w.WriteHeader(http.StatusOK)
			_, _ = io.Copy(w, strings.NewReader("a secret page"))
			w.Header().Set("X-Secret", "a secret page")
		},
	} {
		g := newWorld().guard(t, guard.Options{})
		upstream := httptest.NewServer(app)
		defer upstream.Close()
		address, err := url.Parse(upstream.URL)
		if err != nil {
			t.Fatal(err)
		}
		for how, h := range map[string]http.Handler{"Handler": g.Handler(app), "ProxyHandler": g.ProxyHandler(httputil.NewSingleHostReverseProxy(address))} {
			server := httptest.NewServer(h)
			defer server.Close()
			r, err := http.NewRequest(http.MethodOptions, server.URL+"/page", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", "https://other.example")
			r.Header.Set("Access-Control-Request-Method", "PUT")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || len(body) > 0 || len(resp.Trailer) > 0 || resp.StatusCode != http.StatusOK || resp.Header.Get("Access-Control-Allow-Origin") != "https://other.example" {
				t.Errorf("%s, %s: %d %v %q, %v; want its headers alone", name, how, resp.StatusCode, resp.Header, body, err)
			}
			_ = resp.Body.Close()
		}
	}
}
