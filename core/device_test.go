package core_test

import (
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// TestForgottenOnAKnownDevice has a person who forgot their password use up a device's attempts: with a new password they are let in there
// at once, whether a token set it or the one before did.
func TestForgottenOnAKnownDevice(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		at := core.Request{Device: w.signIn("ann").Device}
		signIn := func(password string) error {
			_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", password, at)
			return err
		}
		for range 10 {
			w.refused("a guess from the device", signIn("wrong"), core.ErrWrongPassword)
		}
		_, err := w.Passwords.Reset(w.ctx, w.realm.ID, core.PasswordReset{Token: w.resetToken("ann"), Password: newPassword}, at)
		w.must(err)
		for range 9 {
			w.refused("a guess after the reset", signIn("wrong"), core.ErrWrongPassword)
		}
		w.must(w.Passwords.Change(w.ctx, w.realm.ID, "ann", core.PasswordChange{Current: newPassword, Password: goodPassword}, at))
		w.must(signIn(goodPassword))
	})
}

// TestResetMakesADeviceKnown has a stranger go on guessing all the time: whoever shows the token from the user's mail is let in all the same. With a second
// factor there is no code more for it, however many such devices somebody has who reads the mail.
func TestResetMakesADeviceKnown(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		guess := func() error {
			_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", "wrong", core.Request{})
			return err
		}
		reset := func() string {
			w.clock.Advance(10 * time.Minute)
			u, err := w.Passwords.Reset(w.ctx, w.realm.ID, core.PasswordReset{Token: w.resetToken("ann"), Password: newPassword}, core.Request{})
			w.must(err)
			return u.NewDevice
		}
		device := reset()
		for range 10 {
			w.refused("a stranger's guess", guess(), core.ErrWrongPassword)
		}
		w.refused("a guess too many", guess(), core.ErrThrottled)
		in, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", newPassword, core.Request{Device: device})
		w.must(err)
		w.clock.Advance(time.Minute)
		e := w.authenticator("ann")
		g := &guesser{world: w, who: "ann", password: newPassword, device: reset()}
		g.uses(100)
		g.device, g.token = reset(), ""
		w.refused("a code from another device of the mail's", g.guess(func() string { return wrongCode }), core.ErrThrottled)
		g.device, g.token = in.Device, ""
		w.refused("a code from the device that came of one", g.guess(func() string { return wrongCode }), core.ErrThrottled)
		w.clock.Advance(24 * time.Hour)
		g.device = reset()
		w.must(g.guess(func() string { return w.code(e, 0) }))
	})
}

// altered returns a text with another character before its last, which says less than others do.
func altered(text string) string {
	at := len(text) - 2
	other := "A"
	if text[at:at+1] == other {
		other = "B"
	}
	return text[:at] + other + text[at+1:]
}

// TestKnownDevice has a stranger use up an account's attempts; a device that the person signed in from has its own.
func TestKnownDevice(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.human("bob")
		device, bobs := w.signIn("ann").Device, w.signIn("bob").Device
		try := func(password, device string) error {
			_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", password, core.Request{Device: device})
			return err
		}
		for range 10 {
			w.refused("a stranger's guess", try("wrong", ""), core.ErrWrongPassword)
		}
		for name, text := range map[string]string{"no device": "", "another's": bobs, "garbage": "dv_x", "a changed one": altered(device)} {
			w.refused("the right password from "+name, try(goodPassword, text), core.ErrThrottled)
		}
		in, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, core.Request{Device: device})
		w.must(err)
		w.refused("the stranger after that", try("wrong", ""), core.ErrThrottled)
		for i := range 10 {
			w.refused("a guess from the device", try("wrong", []string{device, in.Device}[i%2]), core.ErrWrongPassword)
		}
		w.refused("a guess too many from the device", try(goodPassword, in.Device), core.ErrThrottled)
		w.clock.Advance(time.Minute)
		w.must(try(goodPassword, device))
		for range 9 {
			_ = try("wrong", "")
		}
		w.clock.Advance(180 * 24 * time.Hour)
		for range 10 {
			w.refused("a stranger's guess", try("wrong", ""), core.ErrWrongPassword)
		}
		w.refused("a device of half a year ago", try(goodPassword, in.Device), core.ErrThrottled)
	})
}
