package core_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// newPassword passes the rules of the default realm, and is not goodPassword.
const newPassword = "other words as long again"

// said asserts that err is about one attribute, in these words.
func (w *world) said(what string, err error, attribute, message string) {
	w.Helper()
	e, ok := errors.AsType[*core.Error](err)
	if !ok || len(e.Fields) == 0 || e.Fields[0] != (core.FieldError{Attribute: attribute, Message: message}) {
		w.Errorf("%s = %v; want %s: %s", what, err, attribute, message)
	}
}

// emailToken requests a verification of a user's address.
func (w *world) emailToken(name string) string {
	w.Helper()
	_, token, err := w.Users.RequestVerification(w.ctx, w.realm.ID, name, core.Request{})
	w.must(err)
	return token
}

// verify takes an e-mail token back.
func (w *world) verify(name, token string) error {
	_, err := w.Users.VerifyEmail(w.ctx, w.realm.ID, name, token, core.Request{})
	return err
}

// resetToken makes a token for a new password.
func (w *world) resetToken(name string) string {
	w.Helper()
	_, token, err := w.Passwords.NewToken(w.ctx, w.realm.ID, name, core.Request{})
	w.must(err)
	return token
}

// reset sets a new password by a token.
func (w *world) reset(name, token, password string) error {
	_, err := w.Passwords.Reset(w.ctx, w.realm.ID, core.PasswordReset{User: name, Token: token, Password: password}, core.Request{})
	return err
}

func TestVerifyEmail(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.human("bob")
		first, second, third := w.emailToken("ann"), w.emailToken("ann"), w.emailToken("ann")
		w.said("VerifyEmail of another", w.verify("bob", first), "token", "Verification token is invalid")
		w.said("VerifyEmail of a password token", w.verify("ann", w.resetToken("ann")), "token", "Verification token is invalid")
		w.said("VerifyEmail of nothing", w.verify("", ""), "token", "Verification token is invalid")
		w.refused("VerifyEmail of nobody", w.verify("nobody", first), core.ErrUserNotFound)
		w.must(w.verify("ann", second))
		w.said("VerifyEmail again", w.verify("ann", second), "token", "Verification token already used")
		w.said("VerifyEmail again, by the token", w.verify("", second), "token", "Verification token already used")
		w.said("VerifyEmail of a killed one", w.verify("", first), "token", "Verification token is invalid")
		w.said("VerifyEmail of a killed one", w.verify("ann", third), "token", "Verification token is invalid")
		u, err := w.Users.Get(w.ctx, w.realm.ID, "ann")
		w.must(err)
		if u.EmailVerification != core.EmailVerified {
			t.Errorf("ann's address is %s; want verified", u.EmailVerification)
		}

		fourth := w.emailToken("ann")
		if u, err = w.Users.Get(w.ctx, w.realm.ID, "ann"); err != nil || u.EmailVerification != core.EmailRequested {
			t.Errorf("ann's address is %v, %v; want requested", u, err)
		}
		for _, address := range []string{"new@example.com", "ann@example.com"} { // and back
			_, err = w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{Email: &address}, core.Request{})
			w.must(err)
			w.said("VerifyEmail after a change of address", w.verify("ann", fourth), "token", "Verification token is invalid")
		}
		w.clock.Advance(time.Hour)
		fifth := w.emailToken("ann")
		w.clock.Advance(7 * 24 * time.Hour)
		w.said("VerifyEmail after a week", w.verify("ann", fifth), "token", "Verification token has expired")
	})
}

func TestReset(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		session := w.signIn("ann").Token
		older, token := w.resetToken("ann"), w.resetToken("ann")
		w.refused("Reset by an older token", w.reset("ann", older, newPassword), core.ErrTokenNotFound)
		w.refused("Reset of another", w.reset(string(w.human("bob").ID), token, newPassword), core.ErrTokenNotFound)
		w.refused("Reset of nobody", w.reset("nobody", token, newPassword), core.ErrUserNotFound)
		w.refused("Reset by nothing", w.reset("", "kpw_", newPassword), core.ErrTokenNotFound)
		w.said("Reset to a weak one", w.reset("ann", token, "short"), "password", "Password is too short (minimum is 15 characters)")
		w.must(w.reset("", token, newPassword))
		w.refused("Reset again", w.reset("ann", token, newPassword), core.ErrTokenUsed)
		w.refused("session after a reset", w.knows(session), core.ErrInvalidToken)
		_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, core.Request{})
		w.refused("the old password", err, core.ErrWrongPassword)
		_, err = w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", newPassword, core.Request{})
		w.must(err)

		w.clock.Advance(time.Hour)
		late := w.resetToken("ann")
		w.clock.Advance(3 * 24 * time.Hour)
		w.refused("Reset after three days", w.reset("ann", late, newPassword), core.ErrTokenExpired)
	})
}

// TestRememberedPassword signs in while a token for a new password is pending.
func TestRememberedPassword(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.signIn("ann") // so that the next is within the second
		token := w.resetToken("ann")
		w.signIn("ann")
		w.refused("Reset after a sign-in", w.reset("ann", token, newPassword), core.ErrTokenNotFound)

		token = w.resetToken("ann")
		_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{Password: ptr(newPassword)}, core.Request{})
		w.must(err)
		w.refused("Reset after another change", w.reset("ann", token, goodPassword), core.ErrTokenNotFound)

		_, _, err = w.Passwords.NewToken(w.ctx, w.realm.ID, "nobody", core.Request{})
		w.refused("NewToken for nobody", err, core.ErrUserNotFound)
		robot, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI)}, core.Request{})
		w.must(err)
		_, _, err = w.Passwords.NewToken(w.ctx, w.realm.ID, string(robot.ID), core.Request{})
		w.said("NewToken for a robot", err, "user_type", "User type must be human")
		token = w.resetToken("ann")
		_, err = w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{State: ptr(core.StateInactive)}, core.Request{})
		w.must(err)
		_, _, err = w.Passwords.NewToken(w.ctx, w.realm.ID, "ann", core.Request{})
		w.said("NewToken for an inactive user", err, "state", "State must be active")
		w.refused("Reset of an inactive user", w.reset("", token, newPassword), core.ErrTokenNotFound)
	})
}

// TestAnotherAddress gives a user another e-mail address: the user stays verified, as the Users API has it, but nothing is proven of the
// address, and what was sent to the one before has no use.
func TestAnotherAddress(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		session := w.signIn("ann").Token
		change := func(in core.UserChange, state core.EmailVerification, proven bool) {
			t.Helper()
			u, err := w.Users.Update(w.ctx, w.realm.ID, "ann", in, core.Request{})
			w.must(err)
			who, err := w.Sessions.Resolve(w.ctx, w.realm.ID, session)
			w.must(err)
			if u.EmailVerification != state || who.EmailVerified != proven || u.EmailChanged != (state == core.EmailVerified && !proven) {
				t.Errorf("after %+v the address is %s, changed %v, proven %v; want %s, proven %v", in, u.EmailVerification, u.EmailChanged, who.EmailVerified, state, proven)
			}
		}
		w.must(w.verify("ann", w.emailToken("ann")))
		change(core.UserChange{FirstName: ptr("Ann"), Email: ptr("Ann@Example.com")}, core.EmailVerified, true)
		token := w.resetToken("ann")
		change(core.UserChange{Email: ptr("new@example.com")}, core.EmailVerified, false)
		w.refused("Reset by a token for the address before", w.reset("ann", token, newPassword), core.ErrTokenNotFound)
		change(core.UserChange{FirstName: ptr("Anne")}, core.EmailVerified, false)
		w.must(w.verify("ann", w.emailToken("ann")))
		change(core.UserChange{FirstName: ptr("Ann")}, core.EmailVerified, true)
		change(core.UserChange{Email: ptr("newer@example.com")}, core.EmailVerified, false)
		change(core.UserChange{EmailVerification: ptr(core.EmailVerified)}, core.EmailVerified, true)
		change(core.UserChange{Email: ptr("known@example.com"), EmailVerification: ptr(core.EmailVerified)}, core.EmailVerified, true)
		change(core.UserChange{Email: ptr("other@example.com"), EmailVerification: ptr(core.EmailNone)}, core.EmailNone, false)
		w.emailToken("ann")
		change(core.UserChange{Email: ptr("last@example.com")}, core.EmailRequested, false)
	})
}

// TestOneTimeOnce shows one token fifty times at once. One is served, and all others are told that it was used.
func TestOneTimeOnce(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		address, password := w.emailToken("ann"), w.resetToken("ann")
		for name, token := range map[string]struct {
			use  func() error
			used string
		}{
			"VerifyEmail": {func() error { return w.verify("ann", address) }, "Verification token already used"},
			"Reset":       {func() error { return w.reset("ann", password, newPassword) }, "token already used"},
		} {
			var served atomic.Int64
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					err := token.use()
					for errors.Is(err, core.ErrBusy) || errors.Is(err, &core.Error{Kind: core.KindUnavailable, Code: "contention"}) {
						time.Sleep(5 * time.Millisecond)
						err = token.use()
					}
					if err == nil {
						served.Add(1)
					} else if err.Error() != token.used {
						w.Errorf("%s = %v; want %s", name, err, token.used)
					}
				})
			}
			all.Wait()
			if served.Load() != 1 {
				w.Errorf("%s with one token served %d of 50; want 1", name, served.Load())
			}
		}
	})
}

// tokenless is a store that cannot read one-time tokens.
type tokenless struct{ core.Store }

func (s tokenless) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	for _, key := range keys {
		if strings.HasPrefix(key.Name, "t:") {
			return nil, core.ErrUnavailable
		}
	}
	return s.Store.Get(ctx, keys...)
}

// TestTokensOfAStoreThatIsAway looks for tokens that may be there: that they are none must not be said.
func TestTokensOfAStoreThatIsAway(t *testing.T) {
	w := newWorld(t, tokenless{teststore.Bolt(t)})
	w.human("ann")
	address, password := w.emailToken("ann"), w.resetToken("ann")
	for _, name := range []string{"", "ann"} {
		w.refused("VerifyEmail of "+name, w.verify(name, address), core.ErrUnavailable)
		w.refused("Reset of "+name, w.reset(name, password, newPassword), core.ErrUnavailable)
	}
}

func TestTokenIssuesAreLimited(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		for range 5 {
			w.resetToken("ann")
		}
		_, _, err := w.Passwords.NewToken(w.ctx, w.realm.ID, "ANN", core.Request{})
		e, ok := errors.AsType[*core.Error](err)
		if !ok || e.Kind != core.KindThrottled || e.RetryAfter <= 9*time.Minute || e.RetryAfter > 10*time.Minute {
			t.Errorf("NewToken for the sixth time = %v; want throttled for ten minutes", err)
		}
		w.emailToken("ann") // counted apart
		w.clock.Advance(10 * time.Minute)
		w.resetToken("ann")
	})
}

// overtaken is a store in which somebody else is faster so many times.
type overtaken struct {
	core.Store
	left atomic.Int64
}

func (s *overtaken) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	if s.left.Add(-1) >= 0 {
		return core.Outcome{}, &core.ConflictError{Key: core.Key{Partition: tx.Partition, Name: tx.Require[0].Name}}
	}
	return s.Store.Apply(ctx, tx)
}

// TestTokenIssuesAreCountedOnce holds that who asks for one token uses up one, however often others are faster: five are all there are.
func TestTokenIssuesAreCountedOnce(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		store := &overtaken{Store: w.store}
		c := w.another(store)
		requested := core.UserChange{EmailVerification: ptr(core.EmailRequested)}
		for call, ask := range map[string]func() error{
			"Update": func() error {
				_, err := c.Users.Update(w.ctx, w.realm.ID, "ann", requested, core.Request{})
				return err
			},
			"RequestVerification": func() error {
				_, _, err := c.Users.RequestVerification(w.ctx, w.realm.ID, "ann", core.Request{})
				return err
			},
		} {
			w.clock.Advance(time.Hour) // all five are there again
			store.left.Store(6)
			if err := ask(); err != nil {
				t.Errorf("%s when others are faster six times = %v; want none", call, err)
			}
			for range 4 {
				w.emailToken("ann")
			}
			if _, _, err := w.Users.RequestVerification(w.ctx, w.realm.ID, "ann", core.Request{}); !errors.Is(err, core.ErrThrottled) {
				t.Errorf("RequestVerification after %s and four more = %v; want throttled", call, err)
			}
			_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{EmailVerification: ptr(core.EmailNone)}, core.Request{})
			w.must(err)
		}
	})
}

func TestChangePassword(t *testing.T) {
	each(t, func(w *world) {
		u := w.human("ann")
		kept, other := w.signIn("ann"), w.signIn("ann")
		change := func(who string, in core.PasswordChange) error {
			return w.Passwords.Change(w.ctx, w.realm.ID, who, in, core.Request{})
		}
		right := core.PasswordChange{Current: goodPassword, Password: newPassword, Keep: kept.Session.ID}
		w.said("Change to a weak one", change("ann", core.PasswordChange{Current: goodPassword, Password: "short"}), "password", "Password is too short (minimum is 15 characters)")
		w.said("Change unconfirmed", change("ann", core.PasswordChange{Current: goodPassword, Password: newPassword, Confirmation: ptr("x")}),
			"password_confirmation", "Password confirmation does not match")
		w.said("Change from a wrong one", change("ann", core.PasswordChange{Current: "wrong", Password: newPassword}), "current_password", "Current password does not match")
		w.said("Change from nothing", change("ann", core.PasswordChange{Password: newPassword}), "current_password", "Current password does not match")
		w.refused("Change of nobody's", change("nobody", right), core.ErrUserNotFound)
		w.refused("Change that keeps no session", change("ann", core.PasswordChange{Current: goodPassword, Password: newPassword, Keep: "kss_x"}), core.ErrSessionNotFound)
		w.must(change("ANN", right))
		w.must(w.knows(kept.Token))
		w.refused("the other session", w.knows(other.Token), core.ErrInvalidToken)
		page, err := w.Sessions.List(w.ctx, w.realm.ID, core.ListSessions{User: u.ID})
		list := page.Sessions
		w.must(err)
		if len(list) != 1 || list[0].ID != kept.Session.ID {
			t.Errorf("List after a change = %d sessions; want the one that was kept", len(list))
		}
		for range 10 {
			w.said("Change from the old one", change("ann", right), "current_password", "Current password does not match")
		}
		before := w.HashWork()
		w.refused("Change while blocked", change("ann", core.PasswordChange{Current: newPassword, Password: goodPassword}), core.ErrThrottled)
		if work := w.HashWork(); work != before {
			w.Errorf("Change while blocked made hashes: %+v, before %+v; want none", work, before)
		}
		_, err = w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", newPassword, core.Request{})
		w.refused("Authenticate while blocked", err, core.ErrThrottled)
	})
}
