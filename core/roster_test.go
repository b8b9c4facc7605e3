package core_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
)

// meeting is a store in which those who are to make something all wait, with what they read, until each is about to write.
type meeting struct {
	core.Store
	mu      sync.Mutex
	awaited int
	all     chan struct{}
}

func (m *meeting) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	m.mu.Lock()
	if m.awaited--; m.awaited == 0 {
		close(m.all)
	}
	wait := m.awaited >= 0
	m.mu.Unlock()
	if wait {
		select {
		case <-m.all:
		case <-time.After(time.Minute):
			return core.Outcome{}, errors.New("the others do not come to write")
		}
	}
	return m.Store.Apply(ctx, tx)
}

// TestLimitsHoldAtOnce fills a realm up to one below a limit and then makes more at once, all of which count before any is there:
// one fits.
func TestLimitsHoldAtOnce(t *testing.T) {
	const together = 5
	public := func(w *world) []byte {
		key, err := jose.Generate(jose.EdDSA, rand.Reader)
		w.must(err)
		text, err := key.Public().MarshalPEM()
		w.must(err)
		return text
	}
	held := func(w *world, kind core.CredentialType, user string) (n int, err error) {
		u, err := w.Users.Get(w.ctx, w.realm.ID, user)
		w.must(err)
		for _, c := range u.Credentials {
			if c.Type == kind {
				n++
			}
		}
		return n, nil
	}
	for name, c := range map[string]struct {
		most int
		make func(w *world, c *core.Core, name string) error
		list func(w *world) (int, error)
		full *core.Error
	}{
		"app hooks": {50, func(w *world, c *core.Core, name string) error {
			_, _, err := c.AppHooks.Create(w.ctx, w.realm.ID, core.HookWebhook, core.AppHookChange{Destination: ptr("https://example.com/" + name)}, core.Request{})
			return err
		}, func(w *world) (int, error) {
			hooks, err := w.AppHooks.List(w.ctx, w.realm.ID)
			return len(hooks), err
		}, &core.Error{Kind: core.KindInvalid, Code: "too_many_app_hooks"}},
		"login policies": {100, func(w *world, c *core.Core, name string) error {
			_, err := c.LoginPolicies.Create(w.ctx, w.realm.ID, core.LoginPolicyChange{Name: &name}, core.Request{})
			return err
		}, func(w *world) (int, error) {
			policies, err := w.LoginPolicies.List(w.ctx, w.realm.ID)
			return len(policies), err
		}, &core.Error{Kind: core.KindConflict, Code: "too_many_policies"}},
		"active APT keys": {5, func(w *world, c *core.Core, name string) error {
			_, err := c.APTKeys.Add(w.ctx, w.realm.ID, name, public(w), "", core.Request{})
			return err
		}, func(w *world) (int, error) {
			keys, err := w.APTKeys.List(w.ctx, w.realm.ID)
			return len(keys), err
		}, &core.Error{Kind: core.KindConflict, Code: "too_many_keys"}},
		"API keys": {20, func(w *world, c *core.Core, name string) error {
			_, _, err := c.APIKeys.Create(w.ctx, w.realm.ID, "robot", core.NewAPIKey{Name: name}, core.Request{})
			return err
		}, func(w *world) (int, error) { return held(w, core.CredentialAPIKey, "robot") }, &core.Error{Kind: core.KindInvalid, Code: "validation"}},
		"authenticators": {5, func(w *world, c *core.Core, name string) error {
			_, err := c.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", name, core.Request{})
			return err
		}, func(w *world) (int, error) { return held(w, core.CredentialTOTP, "ann") }, &core.Error{Kind: core.KindInvalid, Code: "validation"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.program("robot")
				w.human("ann")
				there, err := c.list(w)
				w.must(err)
				for i := there; i < c.most-1; i++ {
					w.must(c.make(w, w.Core, fmt.Sprint(i)))
				}
				at := w.another(&meeting{Store: w.store, awaited: together, all: make(chan struct{})})
				errs := make([]error, together)
				var all sync.WaitGroup
				for i := range together {
					all.Go(func() { errs[i] = c.make(w, at, fmt.Sprint("last ", i)) })
				}
				all.Wait()
				made := 0
				for _, err := range errs {
					if err == nil {
						made++
					} else if !errors.Is(err, c.full) {
						w.Errorf("Create = %v; want %s", err, c.full.Code)
					}
				}
				if n, err := c.list(w); made != 1 || n != c.most || err != nil {
					w.Errorf("%d of %d were made, and there are %d, %v; want 1 and %d", made, together, n, err, c.most)
				}
			})
		})
	}
}
