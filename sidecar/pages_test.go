package sidecar

import (
	"io"
	"net/http"
	"strings"
	"testing"
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
