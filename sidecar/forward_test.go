package sidecar

import (
	"net/http"
	"strings"
	"testing"
)

// TestForwardAuth runs a sidecar without an app, which proxies ask and browsers sign in at.
func TestForwardAuth(t *testing.T) {
	v := serve(t, http.NotFoundHandler(), func(o *Options) {
		o.Upstream, o.ForwardAuthListen, o.TrustedProxies = "", "127.0.0.1:0", []string{"127.0.0.1"}
	})
	in := v.signIn(v.parts.Core, v.realm.ID, "ann")
	ask := func(at string, headers ...string) *http.Response {
		r, err := http.NewRequest(http.MethodGet, at, nil)
		v.must(err)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		v.must(err)
		v.must(resp.Body.Close())
		return resp
	}
	described := []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.example.com", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a", "X-Forwarded-For", "203.0.113.9"}
	if resp := ask(v.ForwardAuthURL()+"/traefik", append(described, "Authorization", "Bearer "+in.Token)...); resp.StatusCode != 200 || resp.Header.Get("X-Postern-Username") != "ann" {
		t.Errorf("with a token: %d as %q; want 200 as ann", resp.StatusCode, resp.Header.Get("X-Postern-Username"))
	}
	if resp := ask(v.ForwardAuthURL()+"/caddy", append(described, "Accept", "text/html")...); resp.StatusCode != 303 || resp.Header.Get("Location") != "/auth/sign-in?return_to=%2Fa" {
		t.Errorf("a browser: %d to %q; want 303 to the sign-in page", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp := ask(v.GuardURL() + "/auth/sign-in"); resp.StatusCode != 200 {
		t.Errorf("the sign-in page: %d; want 200", resp.StatusCode)
	}
	if resp := ask(v.GuardURL() + "/a"); resp.StatusCode != 404 {
		t.Errorf("the app that is not here: %d; want 404", resp.StatusCode)
	}
	o := v.o
	o.TrustedProxies = []string{"10.0.0.1"}
	v.must(v.Reload(t.Context(), o))
	if resp := ask(v.ForwardAuthURL()+"/traefik", append(described, "Authorization", "Bearer "+in.Token)...); resp.StatusCode != 403 {
		t.Errorf("from an address that is trusted no more: %d; want 403", resp.StatusCode)
	}
}

// TestForwardAuthNeedsTrust refuses an address for proxies where none is trusted, and no upstream without one.
func TestForwardAuthNeedsTrust(t *testing.T) {
	o := Options{Data: t.TempDir(), ForwardAuthListen: "127.0.0.1:0"}
	if err := o.validate(); err == nil || !strings.Contains(err.Error(), "trusted_proxies") || strings.Contains(err.Error(), "upstream") {
		t.Errorf("validate = %v; want a complaint about trusted_proxies alone", err)
	}
	o = Options{Data: t.TempDir()}
	if err := o.validate(); err == nil || !strings.Contains(err.Error(), "upstream") {
		t.Errorf("validate = %v; want a complaint about upstream", err)
	}
}
