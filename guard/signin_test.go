package guard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// TestPageLeadsOn holds that whoever is refused with a page can go on from there: to sign in beside a form that would be lost, and as somebody
// else where that might help.
func TestPageLeadsOn(t *testing.T) {
	for _, tt := range []struct {
		name, login, method, cookie string
		policy                      guard.Policy
		status                      int
		link                        string // "" = none
	}{
		{"a form of nobody's", "/in", "POST", "", guard.Policy{}, 401, `<a href="/in?return_to=%2F" target="_blank">Sign in</a>`},
		{"a form that takes another sign-in", "/in", "POST", "good", guard.Policy{MFA: true}, 401, `<a href="/in?acr_values=mfa&amp;return_to=%2F" target="_blank">Sign in</a>`},
		{"a form, without a place to sign in", "", "POST", "", guard.Policy{}, 401, ""},
		{"a page without a place to sign in", "", "GET", "", guard.Policy{}, 401, ""},
		{"a permission too few", "/in", "GET", "good", guard.Policy{Require: []string{"app:admin"}}, 403, `<a href="/in?return_to=%2Fa%3Fb%3D%2522">Sign in as somebody else</a>`},
		{"a permission too few for a form", "/in", "POST", "good", guard.Policy{Require: []string{"app:admin"}}, 403, `<a href="/in?return_to=%2F">Sign in as somebody else</a>`},
		{"another type of user", "/in", "GET", "good", guard.Policy{UserType: core.UserAPI}, 403, `<a href="/in?return_to=%2Fa%3Fb%3D%2522">Sign in as somebody else</a>`},
		{"a permission too few, without a place to sign in", "", "GET", "good", guard.Policy{Require: []string{"app:admin"}}, 403, ""},
		{"a form from elsewhere", "/in", "POST", "good elsewhere", guard.Policy{}, 403, ""},
		{"a form from elsewhere, without a cookie", "/in", "POST", " elsewhere", guard.Policy{}, 401, ""},
		{"where one signs in", "/a", "GET", "", guard.Policy{}, 401, ""},
	} {
		w := newWorld()
		w.knows("good", ann)
		r := httptest.NewRequest(tt.method, "https://example.com/a?b=%22", nil)
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		token, elsewhere := strings.CutSuffix(tt.cookie, " elsewhere")
		if elsewhere {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}
		if token != "" {
			r.AddCookie(&http.Cookie{Name: "__Host-postern", Value: token})
		}
		resp, seen := serve(w.guard(t, guard.Options{Settings: guard.Settings{LoginURL: tt.login, Policy: tt.policy}}), r)
		page, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != tt.status || seen != nil || !strings.Contains(string(page), tt.link) || strings.Contains(string(page), "<a ") != (tt.link != "") {
			t.Errorf("%s = %d with the page %s; want %d and %q", tt.name, resp.StatusCode, page, tt.status, tt.link)
		}
		if strings.Contains(string(page), "<title>This form came from elsewhere</title>") != elsewhere || strings.Contains(string(page), "Authorization") {
			t.Errorf("%s: the page says %s; want that the form came from elsewhere: %t", tt.name, page, elsewhere)
		}
	}
}

// TestFrameLeadsOn holds that a frame whose session is over shows a page, which leads to sign in beside it: the page to sign in lets itself be
// shown in no frame.
func TestFrameLeadsOn(t *testing.T) {
	r := httptest.NewRequest("GET", "https://example.com/a", nil)
	for name, value := range map[string]string{"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"} {
		r.Header.Set(name, value)
	}
	resp, _ := serve(newWorld().guard(t, guard.Options{Settings: guard.Settings{LoginURL: "/in"}}), r)
	page, _ := io.ReadAll(resp.Body)
	policy := resp.Header.Get("Content-Security-Policy")
	if resp.StatusCode != 401 || !strings.Contains(string(page), `<a href="/in?return_to=%2Fa" target="_blank">Sign in</a>`) || strings.Contains(string(page), "form") ||
		!strings.Contains(policy, "frame-ancestors 'self'") {
		t.Errorf("in a frame: %d with the page %s under %s", resp.StatusCode, page, policy)
	}
}

// TestLoginURL reads where to sign in: what is no such place is said to be none, and ends no server that reads its settings again.
func TestLoginURL(t *testing.T) {
	for text, good := range map[string]bool{
		"": true, "/login": true, "/auth/sign-in?lang=en": true, "https://login.example.com": true, "https://login.example.com:8443/a?b=c": true,
		"not%zz": false, "https://login.example.com/%zz": false, "https://[::1": false, "http://a b/": false, ":": false, "/a\x00": false, "login": false, "//login.example.com": false,
		"https://": false, "javascript:alert(1)": false, "https://ann@login.example.com/": false, "https://login.example.com/#a": false,
	} {
		err := guard.Settings{LoginURL: text}.Validate()
		if good != (err == nil) || !good && !strings.Contains(err.Error(), "login_url must be") {
			t.Errorf("login_url %q: %v; want it to be taken: %t", text, err, good)
		}
	}
}
