package guard

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestGatekeepers removes what other programs that stand before apps tell them, and nothing that only resembles it.
func TestGatekeepers(t *testing.T) {
	for _, name := range []string{"Remote-User", "REMOTE_USER", "Remote_groups", "X-Forwarded-User", "X-Forwarded.Email", "X-Auth-Request-Access-Token",
		"X-Authentik-Meta-Jwks", "X-Webauth-User", "X-Remote-Extra-Scopes"} {
		h := http.Header{name: {"evil"}}
		if new(Names).strip(h); len(h) != 0 {
			t.Errorf("%s comes through", name)
		}
	}
	for _, name := range []string{"", "R", "Remote-Users", "Remote-Addr", "X-Forwarded-For", "X-Forwarded-Userid", "X-Auth-Request-", "X-Auth-Requester", "X-Webauth"} {
		h := http.Header{name: {"kept"}}
		if new(Names).strip(h); len(h) != 1 {
			t.Errorf("%q is taken for another program's", name)
		}
	}
}

// TestGatekeepersAreFolded holds each name to the form that names are compared in.
func TestGatekeepersAreFolded(t *testing.T) {
	for i, name := range gatekeepers {
		shortest := strings.TrimSuffix(name, "-") + strings.Repeat("-x", strings.Count(name[len(name)-1:], "-"))
		if !foldsTo(name, name) || len(shortest) < len("remote-user") || slices.Contains(gatekeepers[:i], name) {
			t.Errorf("%s is not folded, too short to be looked at, or there twice", name)
		}
	}
}
