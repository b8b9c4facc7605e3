package sidecar

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-auth/postern/guard"
)

// TestPagesLinks holds that the page to sign in leads to where the settings say.
func TestPagesLinks(t *testing.T) {
	v := serve(t, http.NotFoundHandler(), func(o *Options) { o.ForgotURL, o.SignUpURL = "/forgot", "https://example.com/join" })
	resp, err := http.Get(v.GuardURL() + "/auth/sign-in")
	v.must(err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	v.must(err)
	for _, want := range []string{`<a href="/forgot">`, `<a href="https://example.com/join">`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page to sign in lacks %s: %s", want, page)
		}
	}
}

// TestPagesWithoutCookies holds that no browser is sent to sign in where the cookie that it would get counts for nothing.
func TestPagesWithoutCookies(t *testing.T) {
	for _, tt := range []struct {
		from []guard.Source
		want int
	}{
		{nil, http.StatusSeeOther},
		{[]guard.Source{guard.SourceCookie}, http.StatusSeeOther},
		{[]guard.Source{guard.SourceBearer, guard.SourceAPIKey}, http.StatusUnauthorized},
	} {
		v := serve(t, http.NotFoundHandler(), func(o *Options) { o.Guard.From = tt.from })
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.GuardURL()+"/page", nil)
		v.must(err)
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		resp, err := http.DefaultTransport.RoundTrip(r)
		v.must(err)
		_ = resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("from %v: a browser that navigates gets %d, want %d", tt.from, resp.StatusCode, tt.want)
		}
	}
}
