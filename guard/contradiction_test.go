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
	programs := []guard.Issuer{{Name: "a", Issuer: "https://a.example", Audience: []string{"b"}, UserType: core.UserAPI}}
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
		{"an issuer's programs", guard.Settings{Issuers: programs, Policy: guard.Policy{UserType: core.UserAPI, MFA: true}}, ""},
		{"an issuer's people", guard.Settings{Issuers: programs, Policy: guard.Policy{VouchedBy: []string{"a"}, UserType: core.UserHuman}}, "user_type: as it is set up here, no user of the issuer a could satisfy this"},
		{"an issuer's orgs", guard.Settings{Issuers: elsewhere, Rules: []guard.Rule{{Paths: []string{"/a"}, Policy: guard.Policy{VouchedBy: []string{"a"}, Org: "org_1"}}}}, "rule 1: org: as it is set up here"},
		{"our own, beside an issuer", guard.Settings{Issuers: elsewhere, Policy: guard.Policy{VouchedBy: []string{"postern"}, Require: []string{"Domain Users"}}}, `require: "Domain Users" is no permission`},
		{"a rule's issuer", guard.Settings{Rules: []guard.Rule{{Paths: []string{"/a"}, Policy: guard.Policy{VouchedBy: []string{"b"}}}}}, `rule 1: vouched_by: there is no issuer "b"`},

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
	all = guard.Settings{From: key, Policy: guard.Policy{UserType: core.UserHuman, MFA: true, SignedInWithin: &within}}.Validate()
	for _, want := range []string{"mfa asks for a sign-in", "signed_in_within asks for a sign-in", "user_type is human"} {
		if all == nil || strings.Count(all.Error(), "\n") != 2 || !strings.Contains(all.Error(), want) {
			t.Errorf("Validate of what keys are not, thrice = %v; want %q among all three", all, want)
		}
	}
}

// TestComplaintsInOneOrder has the same settings judged again and again: all is said at once, and the same each time.
func TestComplaintsInOneOrder(t *testing.T) {
	s := guard.Settings{
		CopyHeaders: map[string]string{"x-a": "nothing", "X-A": "id", "Host": "naught", "X_B": "id"},
		Issuers: []guard.Issuer{{Name: "a", Issuer: "https://a.example", Audience: []string{"b"},
			Claims: map[string]string{"who": "sub", "what": "sub", "custom.": "sub"}, RequireClaims: map[string][]string{"": {"x"}, "hd": nil, "tid": nil}}},
	}
	first := s.Validate()
	if first == nil || strings.Count(first.Error(), "\n") != 11-1 {
		t.Fatalf("Validate = %v; want 11 complaints", first)
	}
	for range 20 {
		if again := s.Validate(); again.Error() != first.Error() {
			t.Fatalf("Validate = %v\nand then %v", first, again)
		}
	}
}
