package guard_test

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/guard"
)

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
