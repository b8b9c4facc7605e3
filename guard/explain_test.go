package guard_test

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// TestExplain asks what would become of requests.
func TestExplain(t *testing.T) {
	w := newWorld()
	w.knows("a.b.good", member(func(*core.Identity) {}))
	g := w.guard(t, guard.Options{Settings: guard.Settings{From: []guard.Source{guard.SourceCookie, guard.SourceAPIKey}, Public: []string{"/open"},
		Rules: []guard.Rule{{Paths: []string{"/admin/*"}, Policy: guard.Policy{Require: []string{"fly"}}}}}, Keys: keys{"k": {Realm: realmID, User: "usr_robot"}}})
	for _, tt := range []struct {
		method, address, credential string
		want                        []string
	}{
		{"GET", "/", "", []string{"GET /: deny, 401 no_credential", "Decided by what holds where no rule matches.", "nobody who is known"}},
		{"post", "https://app.example.com/x", "a.b.good", []string{"POST /x: allow", "usr_ann (human, ann), shown as cookie", "permissions [pay,read,write]"}},
		{"GET", "/admin/x", "a.b.good", []string{"deny, 403 missing_permission", "Decided by rule 1.", "usr_ann"}},
		{"GET", "/ADMIN/x", "a.b.good", []string{"deny, 403", "Decided by what holds where no rule matches for the path as it is spelled, and by rule 1"}},
		{"GET", "/open", "", []string{"allow", "Decided by public. Anybody may pass."}},
		{"TRACE", "/open", "a.b.good", []string{"405 trace", "No rule decides: the method"}},
		{"GET", "/x;y", "a.b.good", []string{"400 ambiguous_path", "No rule decides"}},
		{"GET", "/", "k", []string{"allow", "usr_robot", "shown as api_key"}},
	} {
		got, err := g.Explain(t.Context(), tt.method, tt.address, tt.credential)
		for _, want := range tt.want {
			if err != nil || !strings.Contains(got, want) {
				t.Errorf("Explain(%s %s, %q) = %q, %v; want %q", tt.method, tt.address, tt.credential, got, err, want)
			}
		}
	}
	if _, err := g.Explain(t.Context(), "GET X", "/", ""); err == nil {
		t.Error("Explain takes a method with a space")
	}
}
