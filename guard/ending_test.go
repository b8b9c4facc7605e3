package guard_test

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// TestEndings asks for paths with an ending that many an app drops, or adds: what a rule asks for is asked for there, too.
func TestEndings(t *testing.T) {
	w := newWorld()
	w.knows("reader", member(func(who *core.Identity) { who.Orgs = who.Orgs[:1] }))
	w.knows("payer", member(func(*core.Identity) {}))
	pay := guard.Policy{Require: []string{"pay"}}
	rules := []guard.Rule{{Paths: []string{"/admin/*", "/about.html", "/feed/*", "/secret"}, Policy: pay}, {Paths: []string{"/feed.xml"}, Public: true}}
	g := w.guard(t, guard.Options{Settings: guard.Settings{Public: []string{"/", "/favicon.ico", "/secret.js", "/assets/*"}, Rules: rules}})
	optional := w.guard(t, guard.Options{Settings: guard.Settings{Optional: true, Rules: rules}})
	for _, tt := range []struct {
		path, token      string
		status, optional int
	}{
		{"/admin.json", "reader", 403, 403}, {"/admin.json", "payer", 200, 200}, {"/admin.json", "", 401, 401}, {"/ADMIN.Html", "reader", 403, 403}, {"/admin.json/", "reader", 403, 403},
		{"/admin.json/x", "reader", 403, 403}, {"/admin.json/x", "payer", 200, 200}, {"/x/admin.json/x", "reader", 200, 200}, {"/administration.json", "", 401, 200}, {"/.admin", "", 401, 200}, {"/x/.admin", "reader", 200, 200},
		{"/about", "reader", 403, 403}, {"/about", "payer", 200, 200}, {"/about.html", "reader", 403, 403}, {"/about.txt", "", 401, 401},
		{"/feed.xml", "", 200, 200}, {"/feed.json", "reader", 403, 403}, {"/FEED.xml", "reader", 403, 403},
		{"/", "", 200, 200}, {"/favicon.ico", "", 200, 200}, {"/favicon", "", 401, 200}, {"/favicon.png", "", 401, 200}, {"/assets/admin.css", "", 200, 200},
		{"/secret.js", "", 200, 401}, {"/SECRET", "reader", 403, 403}, {"/secret.css", "reader", 403, 403},
	} {
		for _, one := range []struct {
			guard  *guard.Guard
			status int
		}{{g, tt.status}, {optional, tt.optional}} {
			r := request("GET", tt.path)
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			if resp, _ := serve(one.guard, r); resp.StatusCode != one.status {
				t.Errorf("GET %s as %q = %d, want %d (optional: %t)", tt.path, tt.token, resp.StatusCode, one.status, one.guard == optional)
			}
		}
	}
	want := "for the path as it is spelled, and by rule 1, {"
	if got, err := g.Explain(t.Context(), "GET", "/admin.json", "reader"); err != nil || !strings.Contains(got, want) || !strings.Contains(got, "ending") {
		t.Errorf("Explain says %q, %v; want %q, and why", got, err, want)
	}
}

// TestEndingInARule has a rule with an ending come before one that asks for more: what is for /admin.css leads past nothing that is for /admin.
func TestEndingInARule(t *testing.T) {
	w := newWorld()
	w.knows("reader", member(func(who *core.Identity) { who.Orgs = who.Orgs[:1] }))
	w.knows("payer", member(func(*core.Identity) {}))
	pay := guard.Policy{Require: []string{"pay"}}
	g := w.guard(t, guard.Options{Settings: guard.Settings{Optional: true, Rules: []guard.Rule{{Paths: []string{"/admin.css", "/about.html"}}, {Paths: []string{"/admin/*", "/about"}, Policy: pay}}}})
	for _, tt := range []struct {
		path, token string
		want        guard.Decision
	}{
		{"/admin.css", "reader", guard.Allow}, {"/admin.css", "", guard.Deny}, {"/about.html", "reader", guard.Allow},
		{"/admin.json", "reader", guard.Deny}, {"/ADMIN.json", "reader", guard.Deny}, {"/admin.json/", "reader", guard.Deny}, {"/admin.json", "payer", guard.Allow},
		{"/admin", "reader", guard.Deny}, {"/about.txt", "reader", guard.Deny}, {"/about.txt", "payer", guard.Allow}, {"/other.json", "", guard.Allow},
	} {
		r := request("GET", tt.path)
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		if v := g.Judge(r); v.Decision != tt.want {
			t.Errorf("GET %s as %q: %s, want %s", tt.path, tt.token, v.Decision, tt.want)
		}
	}
	if got, err := g.Explain(t.Context(), "GET", "/admin.json", "reader"); err != nil || !strings.Contains(got, "by rule 2, {") || !strings.Contains(got, "by rule 1, {") {
		t.Errorf("Explain says %q, %v; want both rules", got, err)
	}
}

// TestWhatIsBelowAnyComesFirst has a rule for what is below any user before the one for users, of which a slash at the end makes no page below.
func TestWhatIsBelowAnyComesFirst(t *testing.T) {
	w := newWorld()
	w.knows("reader", member(func(who *core.Identity) { who.Orgs = who.Orgs[:1] }))
	w.knows("payer", member(func(*core.Identity) {}))
	pay := guard.Policy{Require: []string{"pay"}}
	g := w.guard(t, guard.Options{Settings: guard.Settings{Public: []string{"/buckets/*/*"}, Rules: []guard.Rule{
		{Paths: []string{"/users/*/*"}}, {Methods: []string{"DELETE"}, Paths: []string{"/teams/*/*"}},
		{Paths: []string{"/teams/7/*"}, Policy: guard.Policy{Require: []string{"fly"}}}, // hidden by the one before, so that it hides nothing either
		{Paths: []string{"/users/*", "/buckets/*", "/teams/*"}, Policy: pay},
	}}})
	for path, want := range map[string][]guard.Decision{ // for nobody, a reader, a payer
		"/users/7": {guard.Deny, guard.Deny, guard.Allow}, "/users/7/": {guard.Deny, guard.Deny, guard.Allow}, "/USERS/7": {guard.Deny, guard.Deny, guard.Allow},
		"/users/7.json/": {guard.Deny, guard.Deny, guard.Allow}, "/users/7/avatar": {guard.Deny, guard.Allow, guard.Allow}, "/users/7/avatar/": {guard.Deny, guard.Allow, guard.Allow},
		"/teams/7": {guard.Deny, guard.Deny, guard.Allow}, "/TEAMS/7": {guard.Deny, guard.Deny, guard.Allow}, "/teams/7/x": {guard.Deny, guard.Allow, guard.Allow},
		"/buckets/b": {guard.Deny, guard.Deny, guard.Allow}, "/buckets/b/": {guard.Deny, guard.Deny, guard.Allow}, "/buckets/b/x": {guard.Allow, guard.Allow, guard.Allow},
	} {
		for i, token := range []string{"", "reader", "payer"} {
			r := request("DELETE", path)
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			if v := g.Judge(r); v.Decision != want[i] {
				t.Errorf("DELETE %s as %q: %s, want %s", path, token, v.Decision, want[i])
			}
		}
	}
}

// TestWhatIsBelowComesFirst has rules for all that follows a path come before one for the path itself, which holds however that is spelled.
func TestWhatIsBelowComesFirst(t *testing.T) {
	w := newWorld()
	w.knows("reader", member(func(who *core.Identity) { who.Orgs = who.Orgs[:1] }))
	w.knows("payer", member(func(*core.Identity) {}))
	rules := []guard.Rule{{Paths: []string{"/users/*"}}, {Paths: []string{"/users", "/invite"}, Policy: guard.Policy{Require: []string{"pay"}}}, {Paths: []string{"/*"}}}
	g := w.guard(t, guard.Options{Settings: guard.Settings{Public: []string{"/invite/*", "/docs/*"}, Rules: rules}})
	for _, tt := range []struct {
		path, token string
		want        guard.Decision
	}{
		{"/users", "reader", guard.Deny}, {"/users/", "reader", guard.Deny}, {"/USERS", "reader", guard.Deny}, {"/users.json", "reader", guard.Deny}, {"/users/", "payer", guard.Allow},
		{"/users/7", "reader", guard.Allow}, {"/users/7.json", "reader", guard.Allow}, {"/invite/", "", guard.Deny}, {"/Invite", "reader", guard.Deny}, {"/invite.json", "reader", guard.Deny},
		{"/invite/", "payer", guard.Allow}, {"/invite/7", "", guard.Allow}, {"/docs/", "", guard.Allow}, {"/docs/x", "", guard.Allow}, {"/docs", "", guard.Deny}, {"/docs", "reader", guard.Allow},
	} {
		r := request("GET", tt.path)
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		if v := g.Judge(r); v.Decision != tt.want {
			t.Errorf("GET %s as %q: %s, want %s", tt.path, tt.token, v.Decision, tt.want)
		}
	}
}
