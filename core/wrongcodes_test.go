package core_test

import (
	"errors"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// wrongCode is as long as a code, and never one.
const wrongCode = "wrong!"

// guesser knows a person's password, and tries a code a minute.
type guesser struct {
	*world
	who, password, device string
	token                 string
}

// guess tries a code, a minute after the one before, and begins the sign-in anew where it took too long.
func (g *guesser) guess(code func() string) error {
	g.Helper()
	for {
		g.clock.Advance(time.Minute)
		if _, err := g.complete(g.token, code()); !errors.Is(err, core.ErrLoginToken) {
			return err
		}
		in, err := g.Passwords.Authenticate(g.ctx, g.realm.ID, g.who, g.password, core.Request{Device: g.device})
		g.must(err)
		g.token = in.LoginToken
	}
}

// uses up the codes that may be tried, and checks how many those were.
func (g *guesser) uses(up int) {
	g.Helper()
	for range up {
		g.refused("a guess", g.guess(func() string { return wrongCode }), core.ErrWrongCode)
	}
	err := g.guess(func() string { return "wr-on g!" })
	g.refused("a guess too many", err, core.ErrThrottled)
	if e, ok := errors.AsType[*core.Error](err); ok && (e.RetryAfter < 20*time.Hour || e.RetryAfter > 24*time.Hour || e.Limit != 100) {
		g.Errorf("a guess too many = %v, of %d; want the next within a day, of 100", e.RetryAfter, e.Limit)
	}
}

// TestCodesAreNotGuessedForEver has somebody who knows the password try a code a minute: after a hundred there is one a day, also for the
// owner's good one, until a good one is seen.
func TestCodesAreNotGuessedForEver(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		e := w.authenticator("ann")
		good := func() string { return w.code(e, 0) }
		g := &guesser{world: w, who: "ann", password: goodPassword}
		g.uses(100)
		w.refused("the good code", g.guess(good), core.ErrThrottled)
		w.must(w.reset("ann", w.resetToken("ann"), newPassword))
		g.password = newPassword
		w.refused("the good code after a new password", g.guess(good), core.ErrThrottled)
		w.clock.Advance(24 * time.Hour)
		w.refused("a guess a day later", g.guess(func() string { return wrongCode }), core.ErrWrongCode)
		w.refused("the next on that day", g.guess(good), core.ErrThrottled)
		w.clock.Advance(24 * time.Hour)
		w.must(g.guess(good))
		g.uses(100) // all over again
	})
}

// TestRecoveryCodesLetTheOwnerIn has the owner of an account whose codes were used up come in by a recovery code, which gives all of them back.
func TestRecoveryCodesLetTheOwnerIn(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		e := w.authenticator("ann")
		_, codes, err := w.SecondFactors.NewRecoveryCodes(w.ctx, w.realm.ID, "ann", core.Request{})
		w.must(err)
		g := &guesser{world: w, who: "ann", password: goodPassword}
		for range 5 {
			w.refused("a guess at a recovery code", g.guess(func() string { return "00000-00000" }), core.ErrWrongCode)
		}
		g.uses(100)
		w.must(g.guess(func() string { return codes[0] }))
		w.must(g.guess(func() string { return w.code(e, 0) }))
	})
}

// TestCodesOfAKnownDeviceAreApart uses up the codes of everywhere else: the device that the owner signed in from has its own, which have an end too.
func TestCodesOfAKnownDeviceAreApart(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		e := w.authenticator("ann")
		done, err := w.complete(w.signIn("ann").LoginToken, w.code(e, 0))
		w.must(err)
		stranger := &guesser{world: w, who: "ann", password: goodPassword}
		owner := &guesser{world: w, who: "ann", password: goodPassword, device: done.Device}
		stranger.uses(100)
		w.must(owner.guess(func() string { return w.code(e, 0) }))
		w.refused("the stranger after that", stranger.guess(func() string { return wrongCode }), core.ErrThrottled)
		owner.uses(100)
	})
}

// TestCodesToVerifyHaveAnEnd guesses at an authenticator that counts outside of any sign-in. One in its place begins anew.
func TestCodesToVerifyHaveAnEnd(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		e := w.authenticator("ann")
		verify := func(code string) error {
			w.clock.Advance(time.Minute)
			_, err := w.SecondFactors.Verify(w.ctx, w.realm.ID, e.ID, code, core.Request{})
			return err
		}
		for range 100 {
			w.said("Verify", verify(wrongCode), "code", "Verification failed")
		}
		w.refused("Verify for the hundred and first time", verify(wrongCode), core.ErrThrottled)
		w.must(w.Credentials.Delete(w.ctx, w.realm.ID, e.ID, core.Request{}))
		e = w.authenticator("ann")
		w.must(verify(w.code(e, 2))) // a minute later, when it is the code
	})
}

// TestNewAuthenticatorsGiveNoGuesses has somebody in possession of a session, where an app lets people enrol, use up what there is of an account, and enrol
// authenticators of their own, show good codes of them and drop them again: none of it gives a guess back.
func TestNewAuthenticatorsGiveNoGuesses(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		e := w.authenticator("ann")
		enrol := func() *core.Enrolment {
			e, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", "mine", core.Request{})
			w.must(err)
			return e
		}
		drop := func(e *core.Enrolment) { w.must(w.Credentials.Delete(w.ctx, w.realm.ID, e.ID, core.Request{})) }
		g := &guesser{world: w, who: "ann", password: goodPassword}
		g.uses(100)
		drop(enrol())
		w.refused("a code after a new authenticator was dropped", g.guess(func() string { return wrongCode }), core.ErrThrottled)
		mine := enrol()
		w.clock.Advance(time.Minute)
		_, err := w.SecondFactors.Verify(w.ctx, w.realm.ID, mine.ID, w.code(mine, 0), core.Request{})
		w.must(err)
		w.refused("a code after a new authenticator was verified", g.guess(func() string { return wrongCode }), core.ErrThrottled)
		drop(mine)
		w.refused("a code after one of two was dropped", g.guess(func() string { return wrongCode }), core.ErrThrottled)
		drop(e)
		g.token, e = "", w.authenticator("ann")
		w.must(g.guess(func() string { return w.code(e, 0) })) // all are gone, so nobody has guessed
	})
}

// TestNewAuthenticatorsGiveNoPasswords is the same about passwords.
func TestNewAuthenticatorsGiveNoPasswords(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		change := func() error {
			return w.Passwords.Change(w.ctx, w.realm.ID, "ann", core.PasswordChange{Current: "not the password", Password: newPassword}, core.Request{})
		}
		for range 9 {
			w.said("Change", change(), "current_password", "Current password does not match")
		}
		e, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", "mine", core.Request{})
		w.must(err)
		_, err = w.SecondFactors.Verify(w.ctx, w.realm.ID, e.ID, w.code(e, 0), core.Request{})
		w.must(err)
		w.refused("Change after a new authenticator was verified", change(), core.ErrThrottled)
	})
}
