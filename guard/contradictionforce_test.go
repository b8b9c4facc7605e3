package guard

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/issuer"
	"github.com/postern-auth/postern/internal/jose"
)

// drawnPolicies ask for everything, or for anything less.
var drawnPolicies = rapid.Custom(func(t *rapid.T) Policy {
	names := rapid.SampledFrom([][]string{nil, nil, {"read"}, {"a:*", "pay"}})
	p := Policy{
		UserType: rapid.SampledFrom([]core.UserType{"", core.UserHuman, core.UserAPI}).Draw(t, "type"), Org: rapid.SampledFrom([]core.OrgID{"", "", "org_1"}).Draw(t, "org"),
		Require: names.Draw(t, "all"), RequireAny: names.Draw(t, "any"), EmailVerified: rapid.Bool().Draw(t, "email"), MFA: rapid.Bool().Draw(t, "mfa"),
		VouchedBy: rapid.SampledFrom([][]string{nil, {"postern"}, {"a"}, {"a", "postern"}}).Draw(t, "vouched by"),
	}
	if rapid.Bool().Draw(t, "within") {
		p.SignedInWithin = new(Duration(time.Minute))
	}
	return p
})

// drawnIssuers say more or less of their users.
var drawnIssuers = rapid.Custom(func(t *rapid.T) Issuer {
	i := Issuer{Name: "a", Issuer: "https://a.example", Audience: []string{"b"}, Claims: map[string]string{},
		UserType: rapid.SampledFrom([]core.UserType{"", core.UserHuman, core.UserAPI}).Draw(t, "its type"),
		Emails:   rapid.SampledFrom([]Emails{"", EmailsAll, EmailsTrusted}).Draw(t, "emails")}
	for told, claim := range map[string]string{"permissions": "/may/do", "email": "", "email_verified": "", "signed_in_at": ""} {
		if rapid.Bool().Draw(t, told) {
			i.Claims[told] = claim
		}
	}
	if rapid.Bool().Draw(t, "no amr") {
		i.MFAMethods = []string{}
	}
	if rapid.Bool().Draw(t, "acr") {
		i.MFAClasses = []string{"gold"}
	}
	return i
})

// everybody returns those of whom one is what a policy asks for, if anybody is: who is as much as can be, by the sources and the issuers.
func (c *compiled) everybody(t *rapid.T, now time.Time) []core.Identity {
	orgs := []core.OrgAccess{{Org: "org_1", Permissions: []string{"read", "a:*", "pay"}}}
	all := []core.Identity{{Realm: "rl_1", Type: core.UserAPI, Credential: "crd_1", EmailVerified: true, Orgs: orgs}} // a token may stand for a key
	if c.sources == (sourceSet{key: true}) {
		return all
	}
	all = append(all, core.Identity{Realm: "rl_1", Type: core.UserHuman, MFA: true, SignedInAt: now, EmailVerified: true, Orgs: orgs})
	claims, err := json.Marshal(map[string]any{"sub": "1", "email": "a@example.com", "email_verified": true, "auth_time": now.Unix(), "amr": []string{"mfa"}, "acr": "gold", "may": map[string]any{"do": orgs[0].Permissions}})
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	token, err := jose.ParseForeign(text([]byte(`{"alg":"EdDSA","typ":"JWT","kid":"1"}`)) + "." + text(claims) + "." + text(make([]byte, 64)))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range c.issuers {
		who, err := o.identity(&issuer.Proven{Claims: token.Unverified(), Expires: now.Add(time.Hour)}, now)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, who)
	}
	return all
}

// TestContradictionsByForce draws policies, and holds what is said of them against what becomes of all sorts of users: one is refused if, and only
// if, it lets nobody in.
func TestContradictionsByForce(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	rapid.Check(t, func(t *rapid.T) {
		s := Settings{From: rapid.SliceOfNDistinct(rapid.SampledFrom([]Source{SourceBearer, SourceCookie, SourceAPIKey}), 1, 3, rapid.ID).Draw(t, "from"), Policy: drawnPolicies.Draw(t, "policy")}
		if s.From[0] != SourceAPIKey || len(s.From) > 1 {
			s.Issuers = rapid.SliceOfN(drawnIssuers, 0, 1).Draw(t, "issuers")
		}
		if len(s.Issuers) == 0 && slices.Contains(s.VouchedBy, "a") {
			s.VouchedBy = nil
		}
		c, err := s.compile()
		p := s.ready()
		admits := slices.ContainsFunc(c.everybody(t, now), func(who core.Identity) bool { return p.judge(&who, now) == nil })
		if admits != (err == nil) {
			t.Fatalf("it lets somebody in: %t; what is said of it: %v", admits, err)
		}
	})
}
