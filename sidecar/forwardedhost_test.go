package sidecar

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/hosttest"
)

// TestForwardedHost has a proxy in front ask by a name of its own and say which the browser asked for. A page of that host may change things
// with a cookie, and sign people in, where the proxy is trusted; nobody else may say where a request was sent to.
func TestForwardedHost(t *testing.T) {
	const own, elsewhere = "https://app.example.com", "https://evil.example"
	tests := []struct {
		name      string
		forwarded []string // X-Forwarded-Host
		origin    string
		trusted   int // status where the proxy is trusted
		stranger  int // and where nobody is
	}{
		{"a page of the site", []string{"app.example.com"}, own, 200, 403},
		{"a page of another site", []string{"app.example.com"}, elsewhere, 403, 403},
		{"a page of the proxy's own name", []string{"app.example.com"}, "https://app.internal", 403, 200},
		{"no host is said", nil, own, 403, 403},
		{"no host is said, and the proxy's own name", nil, "https://app.internal", 200, 200},
		{"a claim of the client's before it", []string{"evil.example", "app.example.com"}, elsewhere, 403, 403},
		{"a claim of the client's in it", []string{"evil.example, app.example.com"}, elsewhere, 403, 403},
		{"a host that is none", []string{"app.example.com/evil.example"}, own, 403, 403},
	}
	for _, trusts := range []bool{true, false} {
		v := serve(t, hosttest.App(), func(o *Options) {
			if trusts {
				o.TrustedProxies = []string{"127.0.0.1"}
			}
		})
		token := v.signIn(v.parts.Core, v.realm.ID, "ann").Token
		for _, tt := range tests {
			want := tt.stranger
			if trusts {
				want = tt.trusted
			}
			h := http.Header{"Origin": {tt.origin}, "X-Forwarded-Host": tt.forwarded, "X-Forwarded-Proto": {"https"}}
			h.Set("Cookie", "__Host-postern="+token)
			if got := v.post("/", h, ""); got != want {
				t.Errorf("POST, %s (trusted: %t) = %d; want %d", tt.name, trusts, got, want)
			}
			h.Del("Cookie")
			h.Set("Content-Type", "application/x-www-form-urlencoded")
			if want == 200 {
				want = 303
			}
			if got := v.post("/auth/sign-in", h, url.Values{"username": {"ann"}, "password": {password}}.Encode()); got != want {
				t.Errorf("signing in, %s (trusted: %t) = %d; want %d", tt.name, trusts, got, want)
			}
		}
	}
}

// post sends a request by the name that a proxy in front has for the guarded address, and returns the status.
func (v *served) post(path string, h http.Header, body string) int {
	v.Helper()
	r, err := http.NewRequestWithContext(v.Context(), "POST", v.GuardURL()+path, strings.NewReader(body))
	v.must(err)
	r.Header, r.Host = h.Clone(), "app.internal"
	resp, err := plain(v.T, nil).Transport.RoundTrip(r)
	v.must(err)
	v.must(resp.Body.Close())
	return resp.StatusCode
}
