package failure_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/failure"
)

// FuzzSentID holds that an id is taken as it was sent or not at all, and means itself in a header, a log, a page and an address's path.
func FuzzSentID(f *testing.F) {
	for _, seed := range []string{"", "7f3a-01", "Root=1-67891233-abcdef012345678912345678", "a b", "<b>", "x\r\nSet-Cookie: a=b", "é", strings.Repeat("x", 65), "kpw_0123456789012345678901xx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		id := failure.SentID(http.Header{"X-Request-Id": {sent}})
		switch {
		case id == "":
		case id != sent || len(id) > 64:
			t.Errorf("SentID(%q) = %q; want it whole, or none", sent, id)
		case html.EscapeString(id) != id || strings.ContainsAny(id, " \"\\") || core.LooksLikeSecret(id):
			t.Errorf("SentID takes %q, which is more than an id", id)
		default:
			if back, err := url.PathUnescape(id); err != nil || back != id {
				t.Errorf("SentID takes %q, which an address reads as %q", id, back)
			}
		}
		if both := failure.SentID(http.Header{"X-Request-Id": {sent, sent}}); both != "" {
			t.Errorf("SentID of two = %q; want none", both)
		}
	})
}

// TestSentID takes the ids of common proxies.
func TestSentID(t *testing.T) {
	for _, id := range []string{
		"0f4f7b1c9f0d4a55b7a2f3c1e6d8a901",         // nginx
		"b2c7e7a6-5a55-4b0a-9d0d-2f6d3c1b9e11",     // Envoy, Caddy, Heroku
		"Root=1-67891233-abcdef012345678912345678", // an AWS load balancer
		"host/4rX2kP9q-000123",                     // Go's chi
	} {
		if got := failure.SentID(http.Header{"X-Request-Id": {id}}); got != id {
			t.Errorf("SentID(%q) = %q; want it taken", id, got)
		}
	}
}
