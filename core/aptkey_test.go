package core_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
)

// TestAPTKeysRetire ends what a leaked key vouched for, and nothing else.
func TestAPTKeysRetire(t *testing.T) {
	each(t, func(w *world) {
		kept := w.provided("kept")
		leaked, err := jose.Generate(jose.EdDSA, rand.Reader)
		w.must(err)
		public, err := leaked.Public().MarshalPEM()
		w.must(err)
		key, err := w.APTKeys.Add(w.ctx, w.realm.ID, "leaked", public, "", core.Request{})
		w.must(err)
		now := w.clock.Now().Unix()
		apt := func(id string) core.APTCall {
			return core.APTCall{Token: signed(t, leaked, map[string]any{"exp": now + 60, "iat": now, "jti": rand.Text(),
				"user": map[string]any{"environment_guid": w.realm.EnvironmentGUID, "arbitrary_id": id}})}
		}
		in, err := w.APTs.Create(w.ctx, apt("stolen"))
		w.must(err)

		retired := core.StateRetired
		_, err = w.APTKeys.Update(w.ctx, w.realm.ID, key.ID, core.APTKeyChange{State: &retired}, core.Request{})
		w.must(err)
		w.must(w.knows(in.Token))
		_, err = w.APTs.Create(w.ctx, apt("more"))
		w.refused("Create by a retired key", err, core.ErrInvalidToken)

		end := func() {
			_, err := w.APTKeys.Update(w.ctx, w.realm.ID, key.ID, core.APTKeyChange{EndSessions: true}, core.Request{})
			w.must(err)
		}
		end()
		w.refused("Resolve what a leaked key vouched for", w.knows(in.Token), core.ErrInvalidToken)
		w.must(w.knows(kept.Token))

		// The key stays until a session, made when sessions might go unseen for 28 days, would be over by itself.
		_, err = w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.SessionIdle = 3600 }}, core.Request{})
		w.must(err)
		until := w.clock.Now().Add(28*24*time.Hour + time.Hour)
		w.clock.Advance(28 * 24 * time.Hour)
		end() // again, which does not put it off
		err = w.APTKeys.Delete(w.ctx, w.realm.ID, key.ID, core.Request{})
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindConflict || !strings.Contains(e.Detail, until.UTC().Format(time.RFC3339)) {
			t.Errorf("Delete of a key that ended its sessions = %v; want a conflict until %s, or they would rise again", err, until.UTC())
		}
		w.clock.Advance(time.Hour)
		w.must(w.APTKeys.Delete(w.ctx, w.realm.ID, key.ID, core.Request{}))
		w.refused("Resolve after that", w.knows(in.Token), core.ErrInvalidToken)
	})
}

// TestAPTKeyBounds holds how many keys may be active, and what is no key.
func TestAPTKeyBounds(t *testing.T) {
	each(t, func(w *world) {
		add := func(alg jose.Alg) (*core.APTKey, error) {
			key, _, err := w.APTKeys.Generate(w.ctx, w.realm.ID, string(alg), alg, core.Request{})
			return key, err
		}
		for _, alg := range []jose.Alg{jose.EdDSA, jose.ES256, jose.EdDSA, jose.EdDSA} { // one is there
			_, err := add(alg)
			w.must(err)
		}
		_, err := add(jose.EdDSA)
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindConflict {
			t.Errorf("a sixth active key = %v; want a conflict", err)
		}
		list, err := w.APTKeys.List(w.ctx, w.realm.ID)
		if err != nil || len(list) != 5 {
			t.Fatalf("List = %d keys, %v; want 5", len(list), err)
		}
		w.must(w.APTKeys.Delete(w.ctx, w.realm.ID, list[4].ID, core.Request{}))
		_, err = w.APTKeys.Get(w.ctx, w.realm.ID, list[4].ID)
		w.refused("Get after Delete", err, core.ErrAPTKeyNotFound)
		_, err = add(jose.EdDSA)
		w.must(err)
		private, _, err := providerKey()
		w.must(err)
		if _, err := w.APTKeys.Add(w.ctx, w.realm.ID, "oops", private, "", core.Request{}); err == nil {
			t.Error("Add of a private key = nil; want a refusal")
		}
	})
}

// TestAPTDemands turns on what an environment may demand of APTs.
func TestAPTDemands(t *testing.T) {
	each(t, func(w *world) {
		create := func(named bool, jti bool) error {
			private, _, err := providerKey()
			w.must(err)
			key, err := jose.ParsePrivateKey(private)
			w.must(err)
			user := map[string]any{"environment_guid": w.realm.EnvironmentGUID}
			id := rand.Text()
			if named {
				user["arbitrary_id"] = id
			}
			claims := map[string]any{"exp": w.clock.Now().Unix() + 60, "iat": w.clock.Now().Unix(), "user": user}
			if jti {
				claims["jti"] = id
			}
			_, err = w.APTs.Create(w.ctx, core.APTCall{Token: signed(t, key, claims), ArbitraryID: &id})
			return err
		}
		demand := func(jti, id bool) {
			_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) {
				s.APTRequireJTI, s.APTRequireArbitraryID = jti, id
			}}, core.Request{})
			w.must(err)
		}
		w.must(create(false, false))
		demand(true, false)
		w.refused("Create without jti", create(false, false), core.ErrInvalidToken)
		w.must(create(false, true))
		demand(false, true)
		w.refused("Create without arbitrary_id", create(false, true), core.ErrInvalidToken)
		w.must(create(true, false))
	})
}

// TestEncryptedAPTs encrypts APTs to the keys that a realm publishes, in each of its choices.
func TestEncryptedAPTs(t *testing.T) {
	each(t, func(w *world) {
		choose := func(choice core.APTEncryption) {
			_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.APTEncryption = choice }}, core.Request{})
			w.must(err)
		}
		recipients := func() []*jose.EncryptionKey {
			text, err := w.Realms.KeySet(w.ctx, w.realm.ID)
			w.must(err)
			var set struct{ Keys []json.RawMessage }
			w.must(json.Unmarshal(text, &set))
			var found []*jose.EncryptionKey
			for _, raw := range set.Keys {
				if k, err := jose.ParseEncryptionKey(raw); err == nil {
					found = append(found, k)
				}
			}
			return found
		}
		create := func(token string) error {
			id := rand.Text()
			_, err := w.APTs.Create(w.ctx, core.APTCall{Token: token, ArbitraryID: &id, EnvironmentGUID: &w.realm.EnvironmentGUID})
			return err
		}
		if got := recipients(); len(got) != 0 {
			t.Errorf("a realm that takes no encrypted APTs publishes %d keys for them; want none", len(got))
		}
		choose(core.APTEncryptionAccept)
		keys := recipients()
		if len(keys) != 2 {
			t.Fatalf("%d keys to encrypt to; want RSA-OAEP-256 and ECDH-ES", len(keys))
		}
		sealed := func(k *jose.EncryptionKey) string {
			text, err := jose.Encrypt(w.apt(""), k, "")
			w.must(err)
			return text
		}
		named := func(apt, environment string) core.APTCall { // with the environment in the header, and nothing beside it
			text, err := jose.Encrypt(apt, keys[0], environment)
			w.must(err)
			return core.APTCall{Token: text}
		}
		for _, k := range keys {
			w.must(create(sealed(k)))
		}
		w.must(create(w.apt("")))
		again := sealed(keys[0])
		w.must(create(again))
		w.refused("Create with an encrypted APT that was used", create(again), core.ErrInvalidToken)
		_, err := w.APTs.Create(w.ctx, core.APTCall{Token: sealed(keys[0]), ArbitraryID: ptr("x")})
		w.refused("Create with an encrypted APT and no environment", err, core.ErrInvalidToken)
		w.must(create(named(w.apt(""), w.realm.EnvironmentGUID).Token))
		w.provided("bob")
		w.must(w.APTs.Delete(w.ctx, named(w.apt("bob"), w.realm.EnvironmentGUID)))
		other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other", Settings: core.RealmSettings{APTEncryption: core.APTEncryptionAccept}}, core.Request{})
		w.must(err)
		w.provided("cat")
		w.refused("Delete with another environment in the header", w.APTs.Delete(w.ctx, named(w.apt("cat"), other.EnvironmentGUID)), core.ErrInvalidToken)
		w.refused("Delete with no such environment in the header", w.APTs.Delete(w.ctx, named(w.apt("cat"), "nowhere")), core.ErrEnvironmentNotFound)
		disagreeing := named(w.apt("cat"), other.EnvironmentGUID)
		disagreeing.EnvironmentGUID = &w.realm.EnvironmentGUID
		w.refused("Delete where header and call disagree", w.APTs.Delete(w.ctx, disagreeing), core.ErrInvalidToken)

		choose(core.APTEncryptionRequire)
		w.must(create(sealed(keys[1])))
		w.refused("Create with a bare APT where encryption is required", create(w.apt("")), core.ErrInvalidToken)
		w.must(w.Realms.RotateKeys(w.ctx, w.realm.ID, core.Request{}))
		w.must(create(sealed(keys[1])))

		choose(core.APTEncryptionOff)
		w.refused("Create with an encrypted APT where none are taken", create(sealed(keys[0])), core.ErrInvalidToken)
		stranger, err := jose.GenerateDecryptionKey(jose.ECDHES, rand.Reader)
		w.must(err)
		choose(core.APTEncryptionAccept)
		w.refused("Create with an APT encrypted to a stranger", create(sealed(stranger.Public())), core.ErrInvalidToken)
	})
}
