package core_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
)

// TestAssert checks an assertion as an application would: under the published key that it names, with nothing of ours.
func TestAssert(t *testing.T) {
	for _, alg := range []jose.Alg{jose.EdDSA, jose.HS256} {
		each(t, func(w *world) {
			realm, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "shop", Settings: core.RealmSettings{TokenAlg: alg}}, core.Request{})
			w.must(err)
			now := w.Now()
			who := core.Identity{Realm: realm.ID, User: "usr_1", Session: "kss_1", Type: core.UserHuman, Username: "ann", Email: "ann@example.com", MFA: true,
				Name: "Ann Döe", FirstName: "Ann", LastName: "Döe", ArbitraryID: "42", Reference: "acct-7",
				SignedInAt: now.Add(-time.Hour), Only: []string{"read"}, Orgs: []core.OrgAccess{{Org: "org_1", Permissions: []string{"read", "write"}}}}
			token, expires, err := w.Realms.Assert(w.ctx, who, "https://app.example.com")
			w.must(err)
			if life := expires.Sub(now); life > time.Minute || life < 58*time.Second {
				t.Errorf("it is good for %s, want a minute", life)
			}
			claims := openAssertion(w, realm.ID, token)
			want := map[string]any{"iss": realm.Issuer, "sub": "usr_1", "aud": "https://app.example.com", "iat": float64(now.Unix()), "exp": float64(now.Unix() + 60),
				"realm": string(realm.ID), "sid": "kss_1", "auth_time": float64(now.Add(-time.Hour).Unix()), "amr": []any{"mfa"}, "user_type": "human",
				"preferred_username": "ann", "email": "ann@example.com", "email_verified": false,
				"name": "Ann Döe", "given_name": "Ann", "family_name": "Döe", "arbitrary_id": "42", "reference": "acct-7",
				"orgs": []any{map[string]any{"id": "org_1", "permissions": []any{"read"}}}}
			if claims["jti"] == "" {
				t.Error("it has no jti")
			}
			delete(claims, "jti")
			if !reflect.DeepEqual(claims, want) {
				t.Errorf("claims = %v, want %v", claims, want)
			}
			_, err = w.Sessions.Resolve(w.ctx, realm.ID, token)
			w.refused("an assertion as a session token", err, core.ErrInvalidToken)
			_, _, err = w.Realms.Assert(w.ctx, core.Identity{Realm: realm.ID, Username: strings.Repeat("x", 9000)}, "a")
			w.refused("an assertion that is too long", err, core.ErrTokenTooLong)
		})
	}
}

// openAssertion verifies an assertion and returns its claims.
func openAssertion(w *world, realm core.RealmID, token string) map[string]any {
	w.Helper()
	set, err := w.Realms.KeySet(w.ctx, realm)
	w.must(err)
	var keys struct {
		Keys []struct{ Kid, Kty, Crv, Alg, X string }
	}
	w.must(json.Unmarshal(set, &keys))
	parts := strings.Split(token, ".")
	var header struct{ Alg, Kid, Typ string }
	var claims map[string]any
	for i, into := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		w.must(err)
		w.must(json.Unmarshal(text, into))
	}
	if header.Alg != "EdDSA" || header.Typ != "assertion+jwt" {
		w.Fatalf("header = %+v", header)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	w.must(err)
	for _, key := range keys.Keys {
		if key.Kid != header.Kid || key.Kty != "OKP" || key.Crv != "Ed25519" || key.Alg != "EdDSA" {
			continue
		}
		public, err := base64.RawURLEncoding.DecodeString(key.X)
		w.must(err)
		if !ed25519.Verify(public, []byte(parts[0]+"."+parts[1]), signature) {
			w.Fatal("the signature is wrong")
		}
		return claims
	}
	w.Fatalf("no published key is %q: %s", header.Kid, set)
	return nil
}
