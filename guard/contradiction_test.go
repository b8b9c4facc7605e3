package guard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// TestContradictions holds settings that let nobody in, or do nothing, against what is said of them. "" = they are good.
func TestContradictions(t *testing.T) {
	within := guard.Duration(time.Minute)
	key, both := []guard.Source{guard.SourceAPIKey}, []guard.Source{guard.SourceAPIKey, guard.SourceBearer}
	elsewhere := []guard.Issuer{{Name: "a", Issuer: "https://a.example", Audience: []string{"b"}, Claims: map[string]string{"permissions": "groups"}}}
	for _, tt := range []struct {
		name     string
		settings guard.Settings
		want     string
	}{
		{"a list with commas", guard.Settings{Policy: guard.Policy{Require: []string{"app:read,", "app:write"}}}, `require: "app:read," is no permission`},
		{"a list in one", guard.Settings{Policy: guard.Policy{RequireAny: []string{"app:read,app:write"}}}, `require_any: "app:read,app:write" is no permission`},
		{"a space", guard.Settings{Rules: []guard.Rule{{Paths: []string{"/a"}, Policy: guard.Policy{Require: []string{"app read"}}}}}, `rule 1: require: "app read" is no permission`},
		{"what an issuer calls so", guard.Settings{Issuers: elsewhere, Policy: guard.Policy{Require: []string{"Domain Users"}}}, ""},
		{"a comma after what an issuer calls so", guard.Settings{Issuers: elsewhere, Policy: guard.Policy{Require: []string{"Domain Users,"}}}, `"Domain Users," is no permission`},

		{"a key's second factor", guard.Settings{Policy: guard.Policy{UserType: core.UserAPI, MFA: true}}, "user_type api contradicts mfa"},
		{"a key's sign-in", guard.Settings{Rules: []guard.Rule{{Paths: []string{"/a"}, Policy: guard.Policy{UserType: core.UserAPI, SignedInWithin: &within}}}}, "rule 1: user_type api contradicts"},
		{"keys alone", guard.Settings{From: key, Policy: guard.Policy{MFA: true}}, "from names api_key alone"},
		{"people by keys alone", guard.Settings{From: key, Policy: guard.Policy{UserType: core.UserHuman}}, "which people do not have"},
		{"keys and tokens", guard.Settings{From: both, PassToken: true, APIKeyHeader: "X-Key", Policy: guard.Policy{MFA: true, UserType: core.UserHuman}}, ""},
		{"an issuer's programs", guard.Settings{Issuers: elsewhere, Policy: guard.Policy{UserType: core.UserAPI, MFA: true}}, ""},

		{"no bearer to pass on", guard.Settings{From: key, PassToken: true}, "pass_token: there is no bearer token"},
		{"a header for nothing", guard.Settings{APIKeyHeader: "X-Key"}, "api_key_header: API keys are taken only"},
		{"a slip says nothing of the rest", guard.Settings{From: []guard.Source{"api_key", "bearrer"}, PassToken: true}, `there is no source "bearrer"`},
	} {
		err := tt.settings.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: Validate = %v; want %q alone", tt.name, err, tt.want)
		}
	}
	all := guard.Settings{From: []guard.Source{"query"}, Policy: guard.Policy{Require: []string{"a b"}, MFA: true}}.Validate()
	if all == nil || strings.Count(all.Error(), "\n") != 1 || !strings.Contains(all.Error(), `"query"`) || !strings.Contains(all.Error(), `"a b" is no permission`) {
		t.Errorf("Validate with two slips = %v; want both, and nothing else", all)
	}
}
