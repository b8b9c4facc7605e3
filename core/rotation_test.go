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

// TestRotationFails reports once that a scheduled rotation fails, and once that it goes well again, for which it is tried again soon: whoever is told of it should
// not hear for an hour of an outage that took seconds.
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
		rotate := func(next time.Duration) {
			w.Helper()
			if got := c.Realms.RotateNow(w.ctx); got != next {
				t.Errorf("the schedule looks again in %s; want %s", got, next)
			}
		}
		rotate(time.Hour)
		w.clock.Advance(25 * time.Hour)
		store.on.Store(true)
		for range 3 {
			rotate(time.Minute)
		}
		if len(told) != 1 || !errors.Is(told[0], core.ErrUnavailable) || !strings.Contains(told[0].Error(), string(w.realm.ID)) {
			t.Errorf("told %v; want once that realm %s fails", told, w.realm.ID)
		}
		store.on.Store(false)
		before := len(w.published())
		for range 2 {
			rotate(time.Hour)
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
