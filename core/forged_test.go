package core_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
)

// TestTokensThatAreNotOurs signs, with a realm's own key, what Postern never did: a service of an HS256 realm has that key, and may leak it
// or be careless with it. The signature is good each time, so each claim must be looked at for its own sake.
func TestTokensThatAreNotOurs(t *testing.T) {
	each(t, func(w *world) {
		realm := w.realmOf(core.RealmSettings{TokenAlg: jose.HS256})
		token := w.people(realm.ID, 2)
		published, err := w.Realms.NewestJWTKey(w.ctx, realm.ID)
		w.must(err)
		key, err := jose.NewSecret([]byte(published.Key))
		w.must(err)
		other, err := w.Users.Get(w.ctx, realm.ID, "user001@example.com")
		w.must(err)
		now := w.clock.Now().Unix()
		for _, c := range []struct {
			name   string
			typ    string         // "" = as session tokens have it
			change map[string]any // nil = to be left out
			good   bool
		}{
			{name: "as it was", good: true},
			{name: "another kind", typ: "assertion+jwt"},
			{name: "no kind that we know", typ: "JWT"},
			{name: "another realm", change: map[string]any{"aud": w.realm.ID}},
			{name: "no realm", change: map[string]any{"aud": nil}},
			{name: "several realms", change: map[string]any{"aud": []core.RealmID{realm.ID}}},
			{name: "another issuer", change: map[string]any{"iss": w.realm.Issuer}},
			{name: "no issuer", change: map[string]any{"iss": nil}},
			{name: "no jti", change: map[string]any{"jti": nil}},
			{name: "no exp", change: map[string]any{"exp": nil}},
			{name: "an exp that is a text", change: map[string]any{"exp": "4102444800"}},
			{name: "an exp that is now", change: map[string]any{"exp": now}},
			{name: "no iat", change: map[string]any{"iat": nil}},
			{name: "an iat tomorrow", change: map[string]any{"iat": now + 24*60*60}},
			{name: "no gen", change: map[string]any{"gen": nil}},
			{name: "a gen that is to come", change: map[string]any{"gen": 7}},
			{name: "another user's session", change: map[string]any{"sub": other.ID}},
			{name: "no user", change: map[string]any{"sub": nil}},
			{name: "no session", change: map[string]any{"sid": nil}},
			{name: "a session that is none", change: map[string]any{"sid": "kss_" + strings.Repeat("0", 22)}},
		} {
			err := w.resign(realm.ID, key, token, c.typ, c.change)
			if c.good {
				w.must(err)
				continue
			}
			w.refused("a token with "+c.name, err, core.ErrInvalidToken)
		}
		w.clock.Advance(6 * time.Hour)
		w.refused("a token that is six hours old", w.resign(realm.ID, key, token, "", nil), core.ErrInvalidToken)
	})
}

// resign changes claims of a token, signs it again, and resolves it.
func (w *world) resign(realm core.RealmID, key *jose.PrivateKey, token, typ string, change map[string]any) error {
	w.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	w.must(err)
	claims := map[string]any{}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	w.must(d.Decode(&claims))
	for name, value := range change {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	text, err = json.Marshal(claims)
	w.must(err)
	if typ == "" {
		typ = "session+jwt"
	}
	forged, err := key.Sign(typ, text)
	w.must(err)
	_, err = w.Sessions.Resolve(w.ctx, realm, forged)
	return err
}
