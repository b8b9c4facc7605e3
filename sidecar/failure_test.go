package sidecar

import (
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/internal/redistest"
)

// TestRequestIDs follows the id of a request: the access log, the app, and whoever is told of a failure have the same one. A proxy's is taken
// over where the proxy is trusted, a client's never.
func TestRequestIDs(t *testing.T) {
	tests := []struct {
		name    string
		trusted []string
		log     bool
		sent    string
		taken   bool
	}{
		{"a client's", nil, true, "of-the-client", false},
		{"none", nil, true, "", false},
		{"a trusted proxy's", []string{"private"}, true, "7f3a-01", true},
		{"a trusted proxy's, of no use", []string{"private"}, true, "7f 3a", false},
		{"a client's, without a log", nil, false, "of-the-client", false},
		{"a trusted proxy's, without a log", []string{"private"}, false, "7f3a-01", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var told string // to the app
			app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told = r.Header.Get("X-Request-Id") })
			v := serve(t, app, func(o *Options) {
				o.AccessLog, o.TrustedProxies, o.APIMount, o.Guard.Public = tt.log, tt.trusted, mountAll, []string{"/open"}
			})
			for _, path := range []string{"/", "/v1/users", "/open"} {
				r, err := http.NewRequest(http.MethodGet, v.GuardURL()+path, nil)
				v.must(err)
				if tt.sent != "" {
					r.Header.Set("X-Request-Id", tt.sent)
				}
				resp, err := http.DefaultTransport.RoundTrip(r)
				v.must(err)
				v.must(resp.Body.Close())
				id := resp.Header.Get("X-Request-Id")
				if path == "/open" {
					id = told
				}
				if tt.log {
					redistest.Eventually(t, "the line is there", func() bool { return v.logged.FilterMessage("request").Len() > 0 })
					lines := v.logged.FilterMessage("request").TakeAll()
					if got := lines[len(lines)-1].ContextMap()["request_id"]; got != id {
						t.Errorf("%s: the log has the id %v, and who was told %q", path, got, id)
					}
				}
				if passed := !tt.log && path == "/open"; id == "" || (id == tt.sent) != (tt.taken || passed) {
					t.Errorf("%s: id %q; want the one that was sent: %t", path, id, tt.taken || passed)
				}
			}
		})
	}
}

// TestFailuresOfTheProxy tells of an app that is away in the form that each caller reads, with the id of the request.
func TestFailuresOfTheProxy(t *testing.T) {
	v := serve(t, http.NotFoundHandler(), func(o *Options) { o.Upstream, o.Guard.Public = "http://127.0.0.1:1", []string{"/*"} })
	for accept, want := range map[string]string{
		"*/*":                      "application/problem+json",
		"application/vnd.api+json": "application/vnd.api+json",
		"text/html":                "text/html; charset=utf-8",
	} {
		r, err := http.NewRequest(http.MethodGet, v.GuardURL()+"/", nil)
		v.must(err)
		r.Header.Set("Accept", accept)
		resp, err := http.DefaultTransport.RoundTrip(r)
		v.must(err)
		body := new(strings.Builder)
		v.must(resp.Write(body))
		id := resp.Header.Get("X-Request-Id")
		if resp.StatusCode != http.StatusBadGateway || resp.Header.Get("Content-Type") != want || resp.Header.Get("Cache-Control") != "no-store" || id == "" {
			t.Errorf("%s: got %d %v; want 502 as %s, with an id", accept, resp.StatusCode, resp.Header, want)
		}
		if !strings.Contains(body.String(), "app behind this address does not answer") || accept == "text/html" && strings.Count(body.String(), id) != 2 {
			t.Errorf("%s: got %s; want what is wrong, and on a page the id", accept, body)
		}
		if lines := v.logged.FilterMessage("upstream failed").FilterField(zap.String("request_id", id)).All(); len(lines) != 1 {
			t.Errorf("%s: %d lines of the log have the id %s; want one, with why the app is away", accept, len(lines), id)
		}
	}
}
