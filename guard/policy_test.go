package guard_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// member returns ann with permissions in orgs.
func member(change func(*core.Identity)) core.Identity {
	who := ann
	who.Orgs = []core.OrgAccess{{Org: "org_a", Permissions: []string{"read", "write"}}, {Org: "org_b", Permissions: []string{"pay"}}}
	who.SignedInAt = newWorld().now.Add(-time.Hour)
	change(&who)
	return who
}

// TestPolicy asks for more than a user has.
func TestPolicy(t *testing.T) {
	nothing := func(*core.Identity) {}
	tests := []struct {
		name   string
		policy guard.Policy
		change func(*core.Identity)
		reason string
	}{
		{"type", guard.Policy{UserType: core.UserHuman}, nothing, ""},
		{"another type", guard.Policy{UserType: core.UserAPI}, nothing, "wrong_user_type"},
		{"permissions", guard.Policy{Require: []string{"read", "pay"}}, nothing, ""},
		{"one is missing", guard.Policy{Require: []string{"read", "fly"}}, nothing, "missing_permission"},
		{"any", guard.Policy{RequireAny: []string{"fly", "pay"}}, nothing, ""},
		{"none of any", guard.Policy{RequireAny: []string{"fly", "swim"}}, nothing, "missing_permission"},
		{"all and any", guard.Policy{Require: []string{"fly"}, RequireAny: []string{"pay"}}, nothing, "missing_permission"},
		{"all, and none of any", guard.Policy{Require: []string{"read"}, RequireAny: []string{"fly", "swim"}}, nothing, "missing_permission"},
		{"of an org", guard.Policy{Org: "org_a", Require: []string{"read"}}, nothing, ""},
		{"of another org", guard.Policy{Org: "org_a", Require: []string{"pay"}}, nothing, "missing_permission"},
		{"member", guard.Policy{Org: "org_b"}, nothing, ""},
		{"no member", guard.Policy{Org: "org_c"}, nothing, "not_a_member"},
		{"narrowed", guard.Policy{Require: []string{"read"}}, func(who *core.Identity) { who.Only = []string{"write"} }, "missing_permission"},
		{"narrowed to it", guard.Policy{Require: []string{"read"}}, func(who *core.Identity) { who.Only = []string{"read"} }, ""},
		{"narrowed to nothing", guard.Policy{RequireAny: []string{"read"}}, func(who *core.Identity) { who.Only = []string{} }, "missing_permission"},
		{"e-mail", guard.Policy{EmailVerified: true}, nothing, "email_not_verified"},
		{"verified", guard.Policy{EmailVerified: true}, func(who *core.Identity) { who.EmailVerified = true }, ""},
		{"no second factor", guard.Policy{MFA: true}, nothing, "mfa_required"},
		{"second factor", guard.Policy{MFA: true}, func(who *core.Identity) { who.MFA = true }, ""},
		{"fresh", guard.Policy{SignedInWithin: new(guard.Duration(time.Hour))}, nothing, ""},
		{"too old", guard.Policy{SignedInWithin: new(guard.Duration(time.Hour - 1))}, nothing, "sign_in_too_old"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.knows("good", member(tt.change))
			v := w.guard(t, guard.Options{Settings: guard.Settings{Policy: tt.policy}}).Judge(with("good"))
			if v.Refusal.Reason != tt.reason {
				t.Fatalf("Judge = %s %+v, want %q", v.Decision, v.Refusal, tt.reason)
			}
			if _, known := v.Candidate(); known != (tt.reason != "") {
				t.Errorf("Candidate is known: %t", known)
			}
			if _, in := v.Identity(); in != (tt.reason == "") {
				t.Errorf("Identity is in: %t", in)
			}
		})
	}
}

// TestStepUp asks for another sign-in where that would help, and a key for none.
func TestStepUp(t *testing.T) {
	w := newWorld()
	w.knows("good", member(func(*core.Identity) {}))
	for _, tt := range []struct {
		policy             guard.Policy
		challenge, address string
	}{
		{guard.Policy{MFA: true}, `acr_values="mfa"`, "/login?acr_values=mfa&return_to=%2Fx"},
		{guard.Policy{SignedInWithin: new(guard.Duration(time.Minute))}, "max_age=60", "/login?max_age=60&return_to=%2Fx"},
	} {
		g := w.guard(t, guard.Options{Settings: guard.Settings{Policy: tt.policy, LoginURL: "/login", From: []guard.Source{guard.SourceBearer, guard.SourceAPIKey}}, Keys: keys{"k": {Realm: realmID, User: "usr_robot", Credential: "crd_1"}}})
		resp, _ := serve(g, with("good"))
		if resp.StatusCode != 401 || !strings.Contains(resp.Header.Get("WWW-Authenticate"), `error="insufficient_user_authentication", `+tt.challenge) {
			t.Errorf("%d %q, want 401 and %s", resp.StatusCode, resp.Header.Get("WWW-Authenticate"), tt.challenge)
		}
		resp, _ = serve(g, request("GET", "/x", "Authorization", "Bearer good", "Accept", "text/html"))
		if got := resp.Header.Get("Location"); resp.StatusCode != 303 || got != tt.address {
			t.Errorf("a browser gets %d %q, want 303 %s", resp.StatusCode, got, tt.address)
		}
		resp, _ = serve(g, request("GET", "/x", "X-Api-Key", "k"))
		if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 403 || !strings.Contains(string(text), "which an API key is not") {
			t.Errorf("an API key gets %d %s, want 403 and why", resp.StatusCode, text)
		}
	}
}

// TestRules holds which rule decides.
func TestRules(t *testing.T) {
	w := newWorld()
	w.knows("reader", member(func(who *core.Identity) { who.Orgs = who.Orgs[:1] }))
	w.knows("payer", member(func(*core.Identity) {}))
	g := w.guard(t, guard.Options{Settings: guard.Settings{
		Public: []string{"/open/*", "/log-in"},
		Policy: guard.Policy{Require: []string{"read"}},
		Rules: []guard.Rule{
			{Paths: []string{"/admin/open"}, Methods: []string{"GET"}, Public: true},
			{Paths: []string{"/admin/*", "/users/*/money"}, Policy: guard.Policy{Require: []string{"pay"}}},
			{Methods: []string{"DELETE"}, Policy: guard.Policy{Require: []string{"fly"}}},
			{Paths: []string{"/socket/*"}, Methods: []string{"GET"}, Policy: guard.Policy{Require: []string{"fly"}}},
			{Paths: []string{"/any/*"}},
		},
	}})
	for _, tt := range []struct {
		method, path, token string
		status              int
	}{
		{"GET", "/", "reader", 200}, {"GET", "/", "", 401}, {"GET", "/open/x", "", 200}, {"GET", "/open", "", 401}, {"GET", "/open/", "", 200},
		{"GET", "/admin/x", "reader", 403}, {"GET", "/admin/x", "payer", 200}, {"GET", "/admin", "reader", 403}, {"GET", "/admin/", "reader", 403},
		{"GET", "/ADMIN/x", "reader", 403}, {"GET", "/AdMiN", "reader", 403}, {"GET", "/adm%69n/x", "reader", 400}, {"GET", "/administration", "reader", 200},
		{"GET", "/ad%C4%B1min/x", "reader", 200}, {"GET", "/%6fpen/x", "", 400}, {"GET", "/ope%4E/x", "reader", 400}, {"GET", "/a%2Db%5fc", "reader", 200}, {"GET", "/open/a%2db%5F", "", 200}, {"GET", "/log%2Din", "reader", 200}, {"GET", "/log%2Din", "", 401}, {"GET", "/log%5FIN/", "reader", 200}, {"GET", "/LOG%2din/", "reader", 200}, {"GET", "/LOG%2din/", "", 401}, {"GET", "/log-in", "", 200}, {"GET", "/a%30", "reader", 400}, {"GET", "/%7Eann", "reader", 200}, {"GET", "/a%2Bb%40c", "reader", 200}, {"GET", "/admin/open", "", 200}, {"HEAD", "/admin/open", "", 200}, {"POST", "/admin/open", "reader", 403},
		{"GET", "/admin/OPEN", "reader", 403}, {"GET", "/users/7/money", "reader", 403}, {"GET", "/users/7/money/", "reader", 403}, {"GET", "/users/7/8/money", "reader", 200},
		{"GET", "/users//money", "reader", 400}, {"GET", "/admin%2fx", "reader", 400}, {"GET", "/x/../admin", "reader", 400}, {"GET", "/x;/admin", "reader", 400},
		{"GET", "/x%5cadmin", "reader", 400}, {"GET", "/x%00", "reader", 400}, {"GET", "/%2e%2e/admin", "reader", 400}, {"GET", "/x%2ephp", "reader", 400}, {"GET", "/x%252e", "reader", 400}, {"GET", "/x%ff", "reader", 400},
		{"DELETE", "/x", "payer", 403}, {"DELETE", "/admin/x", "payer", 200}, {"delete", "/x", "payer", 403}, {"CONNECT", "/socket/x", "payer", 403}, {"CONNECT", "/", "payer", 200}, {"POST", "/socket/x", "payer", 200}, {"GET", "/any/x", "payer", 200}, {"GET", "http://example.com", "reader", 200},
	} {
		r := request(tt.method, tt.path)
		if tt.method == "CONNECT" { // as a WebSocket begins
			r.ProtoMajor, r.Proto = 3, "websocket"
		}
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		if resp, _ := serve(g, r); resp.StatusCode != tt.status {
			t.Errorf("%s %s as %q = %d, want %d", tt.method, tt.path, tt.token, resp.StatusCode, tt.status)
		}
	}
}

// TestExactPaths holds that a host with rules of its own has no path judged public that some application reads otherwise.
func TestExactPaths(t *testing.T) {
	g := newWorld().guard(t, guard.Options{})
	for path, want := range map[string]guard.Decision{"/log-in": guard.Allow, "/a%20b": guard.Allow, "/a%40b": guard.Allow, "/log%2din": guard.Deny, "/log%5Fin": guard.Deny, "/a%2fb": guard.Deny} {
		if v := g.JudgePublic(request("GET", path)); v.Decision != want {
			t.Errorf("JudgePublic of %s = %s %s, want %s", path, v.Decision, v.Refusal.Reason, want)
		}
	}
}

// TestAges refuses ages that ask for nothing, or for what cannot be, in whatever way a host reads them. A placeholder of Caddy has them
// written and read once more.
func TestAges(t *testing.T) {
	for text, ok := range map[string]bool{`{}`: true, `{"signed_in_within":"15m"}`: true, `{"signed_in_within":"87840h"}`: true, `{"signed_in_within":"0s"}`: false, `{"signed_in_within":"0"}`: false,
		`{"signed_in_within":"-1s"}`: false, `{"signed_in_within":"999ms"}`: false, `{"signed_in_within":"87841h"}`: false, `{"require_any":[]}`: false, `{"vouched_by":[]}`: false, `{"require":[]}`: true} {
		var once, twice guard.Policy
		if err := json.Unmarshal([]byte(text), &once); err != nil {
			t.Fatal(err)
		}
		written, err := json.Marshal(once)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(written, &twice); err != nil {
			t.Fatal(err)
		}
		for _, p := range []guard.Policy{once, twice} {
			if err := p.Validate(); (err == nil) != ok {
				t.Errorf("Validate(%s) = %v, want taken: %t", text, err, ok)
			}
		}
	}
}

// TestPermissionsOfAKey tells what the user may do and the key is for, in an org or in none.
func TestPermissionsOfAKey(t *testing.T) {
	who := core.Identity{Only: []string{"read", "fly"}, Orgs: []core.OrgAccess{{Org: "org_b", Permissions: []string{"read", "pay"}}, {Org: "org_a", Permissions: []string{"read"}}, {Permissions: []string{"fly"}}}}
	for field, want := range map[string]string{"permissions": "fly,read", "org_permissions": "org_a:read,org_b:read", "orgs": "org_a,org_b"} {
		if got, _ := guard.FieldOf(field, &who); got != want {
			t.Errorf("FieldOf(%q) = %q, want %q", field, got, want)
		}
	}
}
