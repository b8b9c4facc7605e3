package core_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
)

// published returns the kids of a realm's JWKS.
func (w *world) published() []string {
	w.Helper()
	text, err := w.Realms.KeySet(w.ctx, w.realm.ID)
	w.must(err)
	var set struct {
		Keys []struct{ Kid, D, K string }
	}
	w.must(json.Unmarshal(text, &set))
	var kids []string
	for _, k := range set.Keys {
		if k.D != "" || k.K != "" {
			w.Errorf("KeySet shows the private half of %s", k.Kid)
		}
		kids = append(kids, k.Kid)
	}
	return kids
}

// kid returns which key signed a token.
func (w *world) kid(token string) string {
	w.Helper()
	t, err := jose.Parse(token)
	w.must(err)
	return t.KeyID()
}

// refresh returns a new token of a session.
func (w *world) refresh(token string) string {
	w.Helper()
	in, err := w.Sessions.Refresh(w.ctx, token)
	w.must(err)
	return in.Token
}

// TestRotation follows signing keys through their life: nobody is signed out at any time.
func TestRotation(t *testing.T) {
	each(t, func(w *world) {
		token := w.provided("acct").Token
		first := w.kid(token)
		w.must(w.Realms.RotateKeys(w.ctx, w.realm.ID, core.Request{}))
		if got := w.published(); len(got) != 4 || !slices.Contains(got, first) {
			t.Errorf("KeySet after a rotation = %v; want four keys, the old among them", got)
		}
		err := w.Realms.RotateKeys(w.ctx, w.realm.ID, core.Request{})
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindConflict {
			t.Errorf("RotateKeys at once again = %v; want a conflict", err)
		}
		if got := w.kid(w.refresh(token)); got != first {
			t.Errorf("a token right after a rotation is signed by %s; want the old key for ten minutes", got)
		}
		w.clock.Advance(10 * time.Minute)
		again := w.refresh(token)
		if got := w.kid(again); got == first || !slices.Contains(w.published(), got) {
			t.Errorf("a token ten minutes after a rotation is signed by %s; want the new key", got)
		}
		w.must(w.knows(token))
		w.must(w.knows(again))

		reader := w.another(w.store) // as in another process
		_, err = reader.Sessions.Resolve(w.ctx, w.realm.ID, again)
		w.must(err)

		w.clock.Advance(27 * 24 * time.Hour)
		w.must(w.knows(again))
		w.clock.Advance(64 * 24 * time.Hour)
		w.must(w.Realms.RotateKeys(w.ctx, w.realm.ID, core.Request{}))
		if got := w.published(); len(got) != 4 || slices.Contains(got, first) {
			t.Errorf("KeySet after a second rotation = %v; want four keys, the first gone", got)
		}
	})
}

// TestRotationAfterShorterLifetimes shortens what tokens live and rotates twice: tokens from before stay good.
func TestRotationAfterShorterLifetimes(t *testing.T) {
	each(t, func(w *world) {
		token := w.provided("acct").Token
		_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) {
			s.TokenLifetime, s.APTTokenLifetime = 3600, 3600
		}}, core.Request{})
		w.must(err)
		for range 2 {
			w.must(w.Realms.RotateKeys(w.ctx, w.realm.ID, core.Request{}))
			w.clock.Advance(2 * time.Hour)
			w.must(w.knows(token))
		}
	})
}

// TestRotationFails reports once that a scheduled rotation fails, and once that it goes well again.
func TestRotationFails(t *testing.T) {
	each(t, func(w *world) {
		_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.KeyRotation = 24 * 3600 }}, core.Request{})
		w.must(err)
		store := &readOnly{Store: w.store}
		var told []error
		master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
		w.must(err)
		c, err := core.New(core.Options{Store: store, MasterKey: master, Now: w.clock.Now, Trouble: func(work string, err error) {
			switch work {
			case "rotation of signing keys":
				told = append(told, err)
			case core.WorkWrites: // they fail too
			default:
				t.Errorf("told of %q", work)
			}
		}})
		w.must(err)
		c.Realms.RotateNow(w.ctx)
		w.clock.Advance(25 * time.Hour)
		store.on.Store(true)
		for range 3 {
			c.Realms.RotateNow(w.ctx)
		}
		if len(told) != 1 || !errors.Is(told[0], core.ErrUnavailable) || !strings.Contains(told[0].Error(), string(w.realm.ID)) {
			t.Errorf("told %v; want once that realm %s fails", told, w.realm.ID)
		}
		store.on.Store(false)
		before := len(w.published())
		for range 2 {
			c.Realms.RotateNow(w.ctx)
		}
		if len(told) != 2 || told[1] != nil || len(w.published()) != before+2 {
			t.Errorf("told %v, and there are %d keys where there were %d; want once that all is well, and two new keys", told, len(w.published()), before)
		}
	})
}

// readOnly is a store that takes no changes while it is on.
type readOnly struct {
	core.Store
	on atomic.Bool
}

func (s *readOnly) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	if s.on.Load() {
		return core.Outcome{}, core.ErrUnavailable
	}
	return s.Store.Apply(ctx, tx)
}

// TestMasterKeyIsReplaced seals a realm's keys anew, and forgets the former master key.
func TestMasterKeyIsReplaced(t *testing.T) {
	each(t, func(w *world) {
		token := w.provided("acct").Token
		old, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
		w.must(err)
		fresh, err := core.NewMasterKey([]byte("0123456789abcdef0123456789abcdef"))
		w.must(err)
		under := func(m *core.MasterKey) *core.Core {
			c, err := core.New(core.Options{Store: w.store, MasterKey: m, Now: w.clock.Now})
			w.must(err)
			return c
		}
		resolve := func(c *core.Core) error {
			_, err := c.Sessions.Resolve(w.ctx, w.realm.ID, token)
			return err
		}
		both := under(fresh.Replacing(old))
		w.must(resolve(both))
		if err := resolve(under(fresh)); !errors.Is(err, core.ErrWrongMasterKey) {
			t.Errorf("Resolve under the new key alone, before Reseal = %v; want ErrWrongMasterKey", err)
		}
		for _, want := range []int{2, 0} {
			if n, err := both.Realms.Reseal(w.ctx); err != nil || n != want {
				t.Errorf("Reseal = %d, %v; want %d", n, err, want)
			}
		}
		w.must(resolve(under(fresh)))
		if err := resolve(under(old)); !errors.Is(err, core.ErrWrongMasterKey) {
			t.Errorf("Resolve under the old key, after Reseal = %v; want ErrWrongMasterKey", err)
		}
	})
}

// TestMasterKeyIsReplacedAtWork replaces the master key of a Core that goes on working, while realms are made.
func TestMasterKeyIsReplacedAtWork(t *testing.T) {
	each(t, func(w *world) {
		token := w.provided("acct").Token
		fresh, err := core.NewMasterKey([]byte("0123456789abcdef0123456789abcdef"))
		w.must(err)
		made := make(chan error, 1)
		go func() {
			var err error
			for i := 0; i < 20 && err == nil; i++ {
				_, err = w.Realms.Create(w.ctx, core.NewRealm{Name: fmt.Sprint("another ", i)}, core.Request{})
			}
			made <- err
		}()
		if n, err := w.ReplaceMasterKey(w.ctx, fresh); err != nil || n < 2 || w.MasterKeyID() != fresh.ID() {
			t.Errorf("ReplaceMasterKey = %d, %v, then the key is %s; want at least 2 and %s", n, err, w.MasterKeyID(), fresh.ID())
		}
		w.must(<-made)
		if n, err := w.ReplaceMasterKey(w.ctx, fresh); err != nil || n != 0 {
			t.Errorf("ReplaceMasterKey again = %d, %v; want 0", n, err)
		}
		alone, err := core.New(core.Options{Store: w.store, MasterKey: fresh, Now: w.clock.Now})
		w.must(err)
		for _, c := range []*core.Core{w.Core, alone} {
			_, err := c.Sessions.Resolve(w.ctx, w.realm.ID, token)
			w.must(err)
		}
	})
}

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

// TestManagementKeyLife makes, changes and deletes a management key, and asks another process about it.
func TestManagementKeyLife(t *testing.T) {
	each(t, func(w *world) {
		other := w.another(w.store)
		w.run(other)
		secret, err := w.ManagementKeys.NewSecret()
		w.must(err)
		key, err := w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "shop", Realm: w.realm.ID, Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
		w.must(err)
		for _, c := range []*core.Core{w.Core, other} {
			got, err := c.ManagementKeys.Authenticate(w.ctx, secret)
			if err != nil || got.ID != key.ID || !got.Allows(core.PermissionRead) || got.Allows(core.PermissionWrite) || got.Reaches("rl_other") {
				t.Errorf("Authenticate = %+v, %v; want the key, for reading in its realm", got, err)
			}
		}
		_, err = w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "twin", Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindConflict {
			t.Errorf("Create with a secret that is taken = %v; want a conflict", err)
		}
		list, more, err := w.ManagementKeys.List(w.ctx, "", 1)
		if err != nil || len(list) != 1 || !more {
			t.Errorf("List of one = %d keys, more %v, %v; want the first of two", len(list), more, err)
		}
		list, more, err = w.ManagementKeys.List(w.ctx, list[0].ID, 100)
		if err != nil || len(list) != 1 || more || list[0].ID != key.ID {
			t.Errorf("List after the first = %d keys, more %v, %v; want the new one", len(list), more, err)
		}
		w.must(w.ManagementKeys.Delete(w.ctx, key.ID, core.Request{}))
		_, err = w.ManagementKeys.Get(w.ctx, key.ID)
		w.refused("Get after Delete", err, core.ErrManagementKeyNotFound)
		_, err = w.ManagementKeys.Authenticate(w.ctx, secret)
		w.refused("Authenticate after Delete", err, core.ErrManagementKey)
		w.becomes("another server refuses the key", func() bool {
			_, err := other.ManagementKeys.Authenticate(w.ctx, secret)
			return errors.Is(err, core.ErrManagementKey)
		})
	})
}

// TestManagementKeyExpires gives a key an end, and lives to see it.
func TestManagementKeyExpires(t *testing.T) {
	each(t, func(w *world) {
		secret, err := w.ManagementKeys.NewSecret()
		w.must(err)
		key, err := w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "shop", Realm: w.realm.ID, Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
		w.must(err)
		until := w.clock.Now().Add(time.Hour)
		_, err = w.ManagementKeys.Update(w.ctx, key.ID, core.ManagementKeyChange{ExpiresAt: &until}, core.Request{})
		w.must(err)
		_, err = w.ManagementKeys.Authenticate(w.ctx, secret)
		w.must(err)
		w.clock.Advance(time.Hour)
		_, err = w.ManagementKeys.Authenticate(w.ctx, secret)
		w.refused("Authenticate after expiry", err, core.ErrManagementKey)
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

// TestRetiredKeysAreBounded adds APT keys and retires them, until there are as many as there may be.
func TestRetiredKeysAreBounded(t *testing.T) {
	each(t, func(w *world) {
		add := func() (*core.APTKey, error) {
			key, err := jose.Generate(jose.EdDSA, rand.Reader)
			w.must(err)
			public, err := key.Public().MarshalPEM()
			w.must(err)
			return w.APTKeys.Add(w.ctx, w.realm.ID, strings.Repeat("n", 100), public, "", core.Request{})
		}
		var last *core.APTKey
		for range 99 { // beside the provider's
			key, err := add()
			w.must(err)
			last, err = w.APTKeys.Update(w.ctx, w.realm.ID, key.ID, core.APTKeyChange{State: ptr(core.StateRetired)}, core.Request{})
			w.must(err)
		}
		_, err := add()
		w.refused("Add the 101st key", err, &core.Error{Kind: core.KindConflict, Code: "too_many_keys"})
		w.must(w.APTKeys.Delete(w.ctx, w.realm.ID, last.ID, core.Request{}))
		_, err = add()
		w.must(err)
	})
}
