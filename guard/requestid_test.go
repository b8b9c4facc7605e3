package guard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/guard"
)

// TestRefusalHasAnID tells whoever is refused, in each form, the id that the host's log has.
func TestRefusalHasAnID(t *testing.T) {
	g := newWorld().guard(t, guard.Options{RequestID: func(r *http.Request) string { return "id-of" + strings.ReplaceAll(r.URL.Path, "/", "-") }})
	for name, headers := range map[string][]string{
		"problem": {"Accept", "*/*"},
		"jsonapi": {"Accept", "application/vnd.api+json"},
		"page":    {"Accept", "text/html"},
		"grpc":    {"Content-Type", "application/grpc"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/a", nil)
			r.Header.Set(headers[0], headers[1])
			r.Header.Set("X-Request-Id", "of-the-client")
			resp, _ := serve(g, r)
			if got := resp.Header["X-Request-Id"]; len(got) != 1 || got[0] != "id-of-a" {
				t.Errorf("X-Request-Id = %q, want id-of-a", got)
			}
			if body, _ := io.ReadAll(resp.Body); name == "page" && !strings.Contains(string(body), "id-of-a") {
				t.Errorf("the page does not tell the id: %s", body)
			}
		})
	}
}

// TestRefusalIsLoggedWithItsID holds that a guard without a host that names requests tells the id that its own log has, and no client's.
func TestRefusalIsLoggedWithItsID(t *testing.T) {
	seen, logged := observer.New(zap.DebugLevel)
	g := newWorld().guard(t, guard.Options{Logger: zap.New(seen)})
	ids := map[string]bool{}
	for range 2 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Request-Id", "of-the-client")
		resp, _ := serve(g, r)
		ids[resp.Header.Get("X-Request-Id")] = true
	}
	lines := logged.FilterMessage("request refused").All()
	if len(ids) != 2 || ids[""] || ids["of-the-client"] || len(lines) != 2 {
		t.Fatalf("two refusals had the ids %v and %d lines in the log; want two of each", ids, len(lines))
	}
	for _, line := range lines {
		if id, _ := line.ContextMap()["request_id"].(string); !ids[id] {
			t.Errorf("the log has %q, which nobody was told", id)
		}
	}
}

// TestForwardAuthTakesTheProxysID takes over the id that a trusted proxy gave a request, if it can be one, and nobody else's.
func TestForwardAuthTakesTheProxysID(t *testing.T) {
	g := newWorld().guard(t, guard.Options{})
	h := g.ForwardAuth(func(remote string) bool { return strings.HasPrefix(remote, "10.") })
	tests := []struct {
		name, from, uri string
		sent            []string
		taken           bool
	}{
		{"trusted", "10.0.0.1:1", "/a", []string{"7f3a-01"}, true},
		{"misdescribed", "10.0.0.1:1", "", []string{"7f3a-01"}, true},
		{"a stranger", "192.0.2.1:1", "/a", []string{"7f3a-01"}, false},
		{"two", "10.0.0.1:1", "/a", []string{"7f3a-01", "7f3a-02"}, false},
		{"markup", "10.0.0.1:1", "/a", []string{"<b>"}, false},
		{"long", "10.0.0.1:1", "/a", []string{strings.Repeat("x", 65)}, false},
		{"a secret", "10.0.0.1:1", "/a", []string{"kpw_0123456789012345678901xx"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/caddy", nil)
			r.RemoteAddr = tt.from
			for name, value := range map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.example.com", "X-Forwarded-Method": "GET", "X-Forwarded-Uri": tt.uri} {
				r.Header.Set(name, value)
			}
			r.Header["X-Request-Id"] = tt.sent
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			got := w.Header().Get("X-Request-Id")
			if w.Code < 400 || got == "" || (got == tt.sent[0]) != tt.taken {
				t.Errorf("%d with the id %q; taken over: want %t", w.Code, got, tt.taken)
			}
		})
	}
}
