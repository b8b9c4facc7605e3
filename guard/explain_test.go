package guard_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// TestExplain asks what would become of requests.
func TestExplain(t *testing.T) {
	w := newWorld()
	w.knows("a.b.good", member(func(*core.Identity) {}))
	g := w.guard(t, guard.Options{Settings: guard.Settings{From: []guard.Source{guard.SourceCookie, guard.SourceAPIKey}, Public: []string{"/open"},
		Rules: []guard.Rule{{Paths: []string{"/admin/*"}, Policy: guard.Policy{Require: []string{"fly"}}}}}, Keys: keys{"k": {Realm: realmID, User: "usr_robot"},
		"bound": {Realm: realmID, User: "usr_robot", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}})
	for _, tt := range []struct {
		method, address, credential string
		want                        []string
	}{
		{"GET", "/", "", []string{"GET /: deny, 401 no_credential", "Decided by what holds where no rule matches.", "nobody who is known"}},
		{"post", "https://app.example.com/x", "a.b.good", []string{"POST /x: allow", "usr_ann (human, ann), shown as cookie", "permissions [pay,read,write]"}},
		{"GET", "/admin/x", "a.b.good", []string{"deny, 403 missing_permission", `Decided by rule 1, {"path":["/admin/*"],"require":["fly"]}.`, "usr_ann"}},
		{"GET", "/ADMIN/x", "a.b.good", []string{"deny, 403", "Decided by what holds where no rule matches for the path as it is spelled, and by rule 1, {"}},
		{"GET", "/open#there", "", []string{"allow", `Decided by public, {"path":["/open"],"public":true}. Anybody may pass.`}},
		{"GET", "https://app.example.com", "", []string{"GET /: deny, 401"}},
		{"GET", "//admin/x", "a.b.good", []string{"GET //admin/x: deny, 400 ambiguous_path"}},
		{"GET", "//open:x", "", []string{"GET //open:x: deny, 400 ambiguous_path"}},
		{"CONNECT", "/open", "a.b.good", []string{"405 no_proxy", "No rule decides: the method"}},
		{"TRACE", "/open", "a.b.good", []string{"405 trace", "No rule decides: the method"}},
		{"GET", "/x;y", "a.b.good", []string{"400 ambiguous_path", "No rule decides", "semicolon"}},
		{"GET", "/wiki/Acme%20Inc.", "", []string{"400 ambiguous_path", "names that end in a dot", "since it has a segment that"}},
		{"GET", "/wiki/C%23", "", []string{"400 ambiguous_path", "since it has a backslash, semicolon, question mark or number sign"}},
		{"GET", "/files/a%2Fb", "", []string{"400 ambiguous_path", "since it has an escaped slash"}},
		{"GET", "/", "k", []string{"allow", "usr_robot", "shown as api_key"}},
		{"GET", "/", "bound", []string{"403 api_key_address", "bound to addresses, and nobody shows it here"}},
	} {
		got, err := g.Explain(t.Context(), tt.method, tt.address, tt.credential)
		for _, want := range tt.want {
			if err != nil || !strings.Contains(got, want) {
				t.Errorf("Explain(%s %s, %q) = %q, %v; want %q", tt.method, tt.address, tt.credential, got, err, want)
			}
		}
	}
	if got, err := g.Explain(t.Context(), "GET", "/", "k"); err != nil || strings.Contains(got, "signed in") {
		t.Errorf("Explain with an API key = %q, %v; want nothing about a sign-in", got, err)
	}
	if _, err := g.Explain(t.Context(), "GET X", "/", ""); err == nil {
		t.Error("Explain takes a method with a space")
	}
	g = w.guard(t, guard.Options{Settings: guard.Settings{Policy: guard.Policy{Require: []string{"fly"}}}})
	if got, err := g.Explain(t.Context(), "GET", "/", "a.b.good"); err != nil || !strings.Contains(got, `Decided by what holds where no rule matches, {"require":["fly"]}.`) {
		t.Errorf("Explain where all need a permission = %q, %v; want which", got, err)
	}
}

// TestExplainLack says which permissions are missing, and in which org, of several rules that ask for some.
func TestExplainLack(t *testing.T) {
	w := newWorld()
	w.knows("a.b.good", member(func(*core.Identity) {}))
	for _, tt := range []struct {
		asked guard.Policy
		want  string // after what else there is
	}{
		{guard.Policy{Require: []string{"pay", "fly", "dive"}}, `. It lacks [fly,dive].` + "\n"},
		{guard.Policy{Require: []string{"fly"}, Org: "org_a"}, `. It lacks [fly] in org_a.` + "\n"},
		{guard.Policy{Require: []string{"pay"}, RequireAny: []string{"fly", "dive"}}, `. It has none of [fly,dive].` + "\n"},
		{guard.Policy{Require: []string{"pay"}, MFA: true}, "Z.\n"},
	} {
		g := w.guard(t, guard.Options{Settings: guard.Settings{Policy: guard.Policy{Require: []string{"pay"}}, Rules: []guard.Rule{{Paths: []string{"/x"}, Policy: tt.asked}}}})
		for _, address := range []string{"/x", "/X"} {
			if got, err := g.Explain(t.Context(), "GET", address, "a.b.good"); err != nil || !strings.HasSuffix(got, tt.want) {
				t.Errorf("Explain(GET %s) where %+v is asked = %q, %v; want %q in the end", address, tt.asked, got, err, tt.want)
			}
		}
	}
}

// TestExplainManyRules says why several rules decide, and that there are too many.
func TestExplainManyRules(t *testing.T) {
	var many []guard.Rule
	for _, ending := range []string{"a", "b", "c", "d", "e", "f"} {
		many = append(many, guard.Rule{Paths: []string{"/x." + ending}, Policy: guard.Policy{Require: []string{ending}}})
	}
	g := newWorld().guard(t, guard.Options{Settings: guard.Settings{Rules: append(many, guard.Rule{Methods: []string{"GET"}, Policy: guard.Policy{MFA: true}})}})
	for address, want := range map[string]string{"/x": "No rule decides: there are more than 5 for what an app may take the path for, of which one is ", "/y": "what follows a file, what is encoded, nor the method"} {
		if got, err := g.Explain(t.Context(), "FOO", address, ""); err != nil || !strings.Contains(got, want) {
			t.Errorf("Explain(FOO %s) = %q, %v; want %q", address, got, err, want)
		}
	}
}

// TestExplainRealm says that the realm is not there, or cannot be read, whatever is shown.
func TestExplainRealm(t *testing.T) {
	outside := newElsewhere(t).settings()
	for err, want := range map[error]string{core.ErrRealmNotFound: `There is no realm "default", by id or by name`, core.ErrUnavailable: "The realm cannot be read"} {
		w := newWorld()
		w.realmErr = err
		g := w.guard(t, guard.Options{})
		for _, shown := range []string{"", "a.b.good"} {
			if got, err := g.Explain(t.Context(), "GET", "/", shown); err != nil || !strings.Contains(got, want) {
				t.Errorf("Explain with %q = %q, %v; want %q", shown, got, err, want)
			}
		}
		for settings, want := range map[*guard.Settings]string{
			{}: "so that every credential gets 503", {Issuers: outside}: "so that every credential but those of issuers elsewhere gets 503",
			{Issuers: outside, Assertion: "app"}: "so that every credential gets 503",
		} {
			g := w.guard(t, guard.Options{Settings: *settings, Asserter: &asserter{w: w}})
			if got, err := g.Explain(t.Context(), "GET", "/", ""); err != nil || !strings.Contains(got, want) {
				t.Errorf("Explain with %d issuers and the assertion %q = %q, %v; want %q", len(settings.Issuers), settings.Assertion, got, err, want)
			}
		}
	}
}

// TestExplainToken says more of a token that is not valid than whoever shows one is told.
func TestExplainToken(t *testing.T) {
	w := newWorld()
	token := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	said := map[string]string{
		token(`{"aud":"rlm_2","exp":1}`):            `It says that it is for "rlm_2", and this guard lets in whom the realm rlm_1 knows.`,
		token(`{"aud":["rlm_1"],"exp":1}`):          `It says that it is for "[rlm_1]"`,
		token(`{"aud":"rlm_1","exp":1764500000}`):   "It says that it ended at 2025-11-30T10:53:20Z.",
		token(`{"aud":"rlm_1","exp":1e300}`):        "It says that it is for this realm, and good until 36812-",
		token(`{"aud":"rlm_1","exp":1893456000.5}`): "good until 2030-01-01T00:00:00Z. Then its signature is not the realm's, or its session is not there",
		token(`[]`):          "It is no session token.",
		token(`{"exp":"x"}`): "It is no session token.",
		"a.%.c":              "It is no session token.",
	}
	for _, from := range [][]guard.Source{{guard.SourceBearer}, {guard.SourceBearer, guard.SourceAPIKey}} {
		g := w.guard(t, guard.Options{Settings: guard.Settings{From: from}, Keys: keys{}})
		for shown, want := range said {
			if got, err := g.Explain(t.Context(), "GET", "/", shown); err != nil || !strings.Contains(got, "401 invalid_token") || !strings.Contains(got, want) {
				t.Errorf("Explain with %v, %q = %q, %v; want %q", from, shown, got, err, want)
			}
		}
	}
	g := w.guard(t, guard.Options{})
	if got, err := g.Explain(t.Context(), "GET", "/", "ak_key"); err != nil || !strings.Contains(got, "only where from names api_key") {
		t.Errorf("Explain with an API key = %q, %v; want where they are taken", got, err)
	}
	if got, err := g.Explain(t.Context(), "GET", "/", ""); err != nil || strings.Contains(got, "It says") {
		t.Errorf("Explain without a token = %q, %v; want nothing about one", got, err)
	}
}

// TestExplainReadsAsServersDo asks what would become of drawn requests, and holds that against what becomes of the same over the wire.
func TestExplainReadsAsServersDo(t *testing.T) {
	w := newWorld()
	w.knows("a.b.good", member(func(*core.Identity) {}))
	g := w.guard(t, guard.Options{Settings: guard.Settings{Public: []string{"/open"}, Policy: guard.Policy{Require: []string{"read"}},
		Rules: []guard.Rule{{Paths: []string{"/admin/*"}, Policy: guard.Policy{Require: []string{"fly"}}}, {Methods: []string{"DELETE"}, Policy: guard.Policy{MFA: true}}}}})
	pieces := rapid.SampledFrom([]string{"/", "//", "admin", "ADMIN", "open", "x", "%", "%2f", "%61", "%C3%A9", "é", ".", "..", ";", ":", "@", "?", "#", "\\", "*", "=", "a:b", "[", "%00"})
	rapid.Check(t, func(t *rapid.T) {
		method := rapid.SampledFrom([]string{"GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "PATCH"}).Draw(t, "method")
		target := "/" + strings.Join(rapid.SliceOfN(pieces, 0, 6).Draw(t, "pieces"), "")
		token := rapid.SampledFrom([]string{"", "a.b.good", "a.b.bad"}).Draw(t, "token")
		sent, _, _ := strings.Cut(target, "#") // which no client sends
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + sent + " HTTP/1.1\r\nHost: app.example.com\r\n\r\n")))
		said, refused := g.Explain(t.Context(), method, target, token)
		if (err != nil) != (refused != nil) {
			t.Fatalf("Explain(%s %q) = %v; a server reads it: %v", method, target, refused, err)
		}
		if err != nil {
			return
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		v := g.Judge(r)
		want := fmt.Sprintf("%s %s: %s", method, r.URL.EscapedPath(), v.Decision)
		if v.Decision != guard.Allow {
			want += fmt.Sprintf(", %d %s.", v.Refusal.Status, v.Refusal.Reason)
		}
		if first, _, _ := strings.Cut(said, "\n"); !strings.HasPrefix(first, want) {
			t.Fatalf("Explain(%s %q) = %q, want %q", method, target, first, want)
		}
	})
}
