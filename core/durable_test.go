package core_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// lasting is a store that counts what it is asked to keep for good.
type lasting struct {
	core.Store
	changes, attempts atomic.Int64
}

func (s *lasting) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	if tx.Durable {
		s.changes.Add(1)
	}
	return s.Store.Apply(ctx, tx)
}

func (s *lasting) Hit(ctx context.Context, b core.Bucket, rate core.Rate, now time.Time) (core.Allowance, error) {
	if rate.Durable {
		s.attempts.Add(1)
	}
	return s.Store.Hit(ctx, b, rate, now)
}

// TestWhatMustNotBeLost lists the changes whose loss would open an account again: each waits until the store has them for good. What makes
// something new does not.
func TestWhatMustNotBeLost(t *testing.T) {
	store := &lasting{Store: teststore.Bolt(t)}
	w := newWorld(t, store)
	for _, c := range []struct {
		name string
		do   func(w *world) (func() error, bool) // prepares, and returns what is looked at and whether it must last
	}{
		{"a new user", func(w *world) (func() error, bool) {
			return func() error { w.human("new"); return nil }, false
		}},
		{"a code that was used", func(w *world) (func() error, bool) {
			w.human("code")
			e := w.authenticator("code")
			return func() error {
				_, err := w.SecondFactors.Verify(w.ctx, w.realm.ID, e.ID, w.code(e, 0), core.Request{})
				return err
			}, true
		}},
		{"a sign-in with a code", func(w *world) (func() error, bool) {
			w.human("mfa")
			e := w.authenticator("mfa")
			token := w.signIn("mfa").LoginToken
			return func() error { _, err := w.complete(token, w.code(e, 0)); return err }, true
		}},
		{"new recovery codes", func(w *world) (func() error, bool) {
			w.human("codes")
			return func() error {
				_, _, err := w.SecondFactors.NewRecoveryCodes(w.ctx, w.realm.ID, "codes", core.Request{})
				return err
			}, true
		}},
		{"an address that was verified", func(w *world) (func() error, bool) {
			w.human("mail")
			token := w.emailToken("mail")
			return func() error { return w.verify("mail", token) }, true
		}},
		{"a password token in the place of another", func(w *world) (func() error, bool) {
			w.human("again")
			w.resetToken("again")
			return func() error { w.resetToken("again"); return nil }, true
		}},
		{"a password that was reset", func(w *world) (func() error, bool) {
			w.human("reset")
			token := w.resetToken("reset")
			return func() error { return w.reset("reset", token, newPassword) }, true
		}},
		{"a password that was changed", func(w *world) (func() error, bool) {
			w.human("change")
			return func() error {
				return w.Passwords.Change(w.ctx, w.realm.ID, "change", core.PasswordChange{Current: goodPassword, Password: newPassword}, core.Request{})
			}, true
		}},
		{"a sign-in that kills a password token", func(w *world) (func() error, bool) {
			w.human("remembers")
			w.resetToken("remembers")
			return func() error { w.signIn("remembers"); return nil }, true
		}},
		{"a session that was ended", func(w *world) (func() error, bool) {
			w.human("out")
			in := w.signIn("out")
			return func() error { return w.Sessions.Delete(w.ctx, w.realm.ID, in.Session.ID, core.Request{}) }, true
		}},
		{"all sessions that were ended", func(w *world) (func() error, bool) {
			w.human("all")
			return func() error { return w.Sessions.EndAll(w.ctx, w.realm.ID, "all", "", core.Request{}) }, true
		}},
		{"a user who was deleted", func(w *world) (func() error, bool) {
			w.human("gone")
			return func() error { return w.Users.Delete(w.ctx, w.realm.ID, "gone", core.Request{}) }, true
		}},
		{"an API key that was deleted", func(w *world) (func() error, bool) {
			credential, _ := w.apiKey(w.program("program"), core.NewAPIKey{})
			return func() error { return w.Credentials.Delete(w.ctx, w.realm.ID, credential.ID, core.Request{}) }, true
		}},
		{"a membership that was deleted", func(w *world) (func() error, bool) {
			one := w.joins(w.human("member").ID, w.org("staff").ID, "read")
			return func() error { return w.Memberships.Delete(w.ctx, w.realm.ID, one.ID, core.Request{}) }, true
		}},
		{"an APT that was used", func(w *world) (func() error, bool) {
			return func() error { _, err := w.APTs.Create(w.ctx, core.APTCall{Token: w.apt("apt")}); return err }, true
		}},
	} {
		do, must := c.do(w)
		before := store.changes.Load()
		w.must(do())
		if lasts := store.changes.Load() > before; lasts != must {
			t.Errorf("%s: kept for good = %v; want %v", c.name, lasts, must)
		}
	}
	before := store.attempts.Load()
	_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "all", "wrong", core.Request{})
	w.refused("Authenticate", err, core.ErrWrongPassword)
	if store.attempts.Load() == before {
		t.Error("a guess was counted, and may be forgotten; want it kept for good")
	}
}
