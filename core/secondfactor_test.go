package core_test

import (
	"encoding/base32"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// code returns what an authenticator shows, so many steps from now.
func (w *world) code(e *core.Enrolment, steps int) string {
	w.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.Secret)
	w.must(err)
	return core.TOTPCode(key, w.clock.Now().Add(time.Duration(steps)*30*time.Second))
}

// authenticator gives a person one that counts. The clock is then past the code that was used.
func (w *world) authenticator(who string) *core.Enrolment {
	w.Helper()
	e, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, who, "phone", core.Request{})
	w.must(err)
	_, err = w.SecondFactors.Verify(w.ctx, w.realm.ID, e.ID, w.code(e, 0), core.Request{})
	w.must(err)
	w.clock.Advance(time.Minute)
	return e
}

// complete sends the code of a sign-in.
func (w *world) complete(token, code string) (*core.SignedIn, error) {
	return w.SecondFactors.Complete(w.ctx, w.realm.ID, "", token, code, core.Request{})
}

// TestSecondFactor enrols, signs in, and meets every refusal on the way.
func TestSecondFactor(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.human("bob")
		e, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", "phone", core.Request{})
		w.must(err)
		if w.signIn("ann").Session == nil {
			t.Error("an authenticator counts before its first good code")
		}
		_, err = w.SecondFactors.Verify(w.ctx, w.realm.ID, e.ID, "000000", core.Request{})
		if err == nil || err.Error() != "Verification failed" {
			t.Errorf("Verify a wrong code = %v; want Verification failed", err)
		}
		_, err = w.SecondFactors.Verify(w.ctx, w.realm.ID, e.ID, w.code(e, 1), core.Request{})
		w.must(err)
		if now, err := w.SecondFactors.Enrolment(w.ctx, w.realm.ID, e.ID); err != nil || now.Secret != "" || !now.TOTP.Active {
			t.Errorf("Enrolment = %+v, %v; want no secret once it is active", now, err)
		}

		in := w.signIn("ann")
		if in.Session != nil || in.Token != "" || !strings.HasPrefix(in.LoginToken, "kli_") || w.count("user.login.initiated") != 1 {
			t.Fatalf("Authenticate = %+v; want a login token and nothing else", in)
		}
		_, err = w.complete(in.LoginToken, w.code(e, 1))
		w.refused("Complete with the code that enrolled", err, core.ErrWrongCode)
		w.clock.Advance(2 * time.Minute)
		_, err = w.complete(in.LoginToken, "12345")
		w.refused("Complete with a wrong code", err, core.ErrWrongCode)
		_, err = w.complete("kli_"+strings.Repeat("0", 24), w.code(e, 0))
		w.refused("Complete with nobody's token", err, core.ErrLoginToken)
		_, err = w.SecondFactors.Complete(w.ctx, w.realm.ID, "bob", in.LoginToken, w.code(e, 0), core.Request{})
		w.refused("Complete as another", err, core.ErrLoginToken)
		done, err := w.SecondFactors.Complete(w.ctx, w.realm.ID, "ANN", in.LoginToken, w.code(e, -1), core.Request{})
		w.must(err)
		who, err := w.Sessions.Resolve(w.ctx, w.realm.ID, done.Token)
		if err != nil || !who.MFA || who.User != in.User.ID {
			t.Errorf("Resolve = %+v, %v; want ann with a second factor", who, err)
		}
		_, err = w.complete(in.LoginToken, w.code(e, 0))
		w.refused("Complete twice", err, core.ErrLoginToken)

		late := w.signIn("ann")
		w.clock.Advance(10 * time.Minute)
		_, err = w.complete(late.LoginToken, w.code(e, 0))
		w.refused("Complete too late", err, core.ErrLoginToken)

		w.must(w.Credentials.Delete(w.ctx, w.realm.ID, e.ID, core.Request{}))
		if w.signIn("ann").Session == nil {
			t.Error("an authenticator counts after it was deleted")
		}
	})
}

// TestWhatEndsLoginTokens lists the changes of an account that a sign-in half done does not survive.
func TestWhatEndsLoginTokens(t *testing.T) {
	update := func(in core.UserChange) func(w *world, e *core.Enrolment) error {
		return func(w *world, e *core.Enrolment) error {
			_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", in, core.Request{})
			return err
		}
	}
	for name, do := range map[string]func(w *world, e *core.Enrolment) error{
		"new password": update(core.UserChange{Password: ptr("another four words it is")}),
		"inactive":     update(core.UserChange{State: ptr(core.StateInactive)}),
		"deleted": func(w *world, e *core.Enrolment) error {
			return w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{})
		},
		"no authenticator": func(w *world, e *core.Enrolment) error {
			return w.Credentials.Delete(w.ctx, w.realm.ID, e.ID, core.Request{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.human("ann")
				e := w.authenticator("ann")
				in := w.signIn("ann")
				w.must(do(w, e))
				_, err := w.complete(in.LoginToken, w.code(e, 0))
				w.refused("Complete", err, core.ErrLoginToken)
			})
		})
	}
}

// TestCodeCountsOnce sends one good code with one token, and with many tokens, all at once: there is one session.
func TestCodeCountsOnce(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		e := w.authenticator("ann")
		for _, many := range []bool{false, true} {
			tokens := []string{w.signIn("ann").LoginToken}
			if many {
				tokens = append(tokens, w.signIn("ann").LoginToken, w.signIn("ann").LoginToken)
			}
			code := w.code(e, 0)
			var won, refused atomic.Int64
			var all sync.WaitGroup
			for i := range 50 {
				all.Go(func() {
					_, err := w.complete(tokens[i%len(tokens)], code)
					switch {
					case err == nil:
						won.Add(1)
					case errors.Is(err, core.ErrLoginToken), errors.Is(err, core.ErrWrongCode), errors.Is(err, core.ErrThrottled):
						refused.Add(1)
					default:
						w.Errorf("Complete = %v", err)
					}
				})
			}
			all.Wait()
			if won.Load() != 1 || refused.Load() != 49 {
				t.Errorf("with %d tokens, %d completed, %d refused; want 1 and 49", len(tokens), won.Load(), refused.Load())
			}
			w.clock.Advance(time.Hour)
		}
	})
}

// TestCodesAreCounted guesses codes with the right password: the account's attempts run out, over all tokens.
func TestCodesAreCounted(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		e := w.authenticator("ann")
		looked := 0
		for range 20 {
			in, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, core.Request{})
			if errors.Is(err, core.ErrThrottled) {
				break
			}
			w.must(err)
			if _, err := w.complete(in.LoginToken, "not it"); errors.Is(err, core.ErrWrongCode) {
				looked++
			}
		}
		if looked != 5 {
			t.Errorf("%d guesses were looked at; want 5, as each sign-in counts too", looked)
		}
		w.clock.Advance(2 * time.Minute)
		_, err := w.complete(w.signIn("ann").LoginToken, w.code(e, 0))
		w.must(err)
	})
}

// TestCodesToEnrolAreCounted guesses at an authenticator outside of any sign-in: the same count holds there.
func TestCodesToEnrolAreCounted(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		e, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", "phone", core.Request{})
		w.must(err)
		for range 10 {
			_, err = w.SecondFactors.Verify(w.ctx, w.realm.ID, e.ID, "000000", core.Request{})
			w.said("Verify", err, "code", "Verification failed")
		}
		_, err = w.SecondFactors.Verify(w.ctx, w.realm.ID, e.ID, w.code(e, 0), core.Request{})
		w.refused("Verify for the eleventh time", err, core.ErrThrottled)
		_, err = w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, core.Request{})
		w.refused("Authenticate", err, core.ErrThrottled)
	})
}

// TestCodesToEnrolFromAKnownDevice has a stranger, who knows nothing but a name, guess passwords all the time: people enrol from devices that are known.
func TestCodesToEnrolFromAKnownDevice(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.human("bob")
		device, bobs := w.signIn("ann").Device, w.signIn("bob").Device
		for range 10 {
			_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", "wrong", core.Request{})
			w.refused("a stranger's guess", err, core.ErrWrongPassword)
		}
		e, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", "phone", core.Request{})
		w.must(err)
		verify := func(device, code string) error {
			_, err := w.SecondFactors.Verify(w.ctx, w.realm.ID, e.ID, code, core.Request{Device: device})
			return err
		}
		w.refused("Verify from another's device", verify(bobs, w.code(e, 0)), core.ErrThrottled)
		w.must(verify(device, w.code(e, 0)))
		for range 9 {
			w.said("Verify", verify(device, "000000"), "code", "Verification failed")
		}
		w.refused("Verify too often from the device", verify(device, w.code(e, 1)), core.ErrThrottled)
	})
}

// TestNewAuthenticatorOpensNothing signs in with an authenticator that has yet to show a good code, beside one that counts.
func TestNewAuthenticatorOpensNothing(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		e := w.authenticator("ann")
		planted, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", "planted", core.Request{})
		w.must(err)
		token := w.signIn("ann").LoginToken
		_, err = w.complete(token, w.code(planted, 0))
		w.refused("Complete by an authenticator that is new", err, core.ErrWrongCode)
		_, err = w.complete(token, w.code(e, 0))
		w.must(err)
	})
}

// TestCodesFromAKnownDevice has somebody who knows the password use up the account's attempts at codes. A device that a
// sign-in was completed from has its own, in both steps; the first step makes no device known.
func TestCodesFromAKnownDevice(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		e := w.authenticator("ann")
		start := func(device string) *core.SignedIn {
			w.Helper()
			in, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, core.Request{Device: device})
			w.must(err)
			if in.Device != "" {
				t.Fatal("half a sign-in makes a device known, which has attempts of its own")
			}
			return in
		}
		done, err := w.complete(start("").LoginToken, w.code(e, 0))
		w.must(err)
		stranger := start("").LoginToken
		for range 9 {
			_, err = w.complete(stranger, "not it")
			w.refused("a stranger's code", err, core.ErrWrongCode)
		}
		_, err = w.complete(stranger, "not it")
		w.refused("a stranger's code too many", err, core.ErrThrottled)

		w.clock.Advance(time.Minute)
		owner := start(done.Device).LoginToken
		for range 9 {
			_, err = w.complete(owner, "not it")
			w.refused("a wrong code from the device", err, core.ErrWrongCode)
		}
		_, err = w.complete(owner, w.code(e, 0))
		w.refused("a code too many from the device", err, core.ErrThrottled)
		w.clock.Advance(time.Minute)
		again, err := w.complete(owner, w.code(e, 0))
		w.must(err)
		if again.Device == "" || again.Device == done.Device {
			t.Errorf("Device = %q; want the device known for longer", again.Device)
		}
		if _, err = w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", "wrong", core.Request{Device: again.Device}); !errors.Is(err, core.ErrWrongPassword) {
			t.Errorf("after a sign-in from the device: %v; want its count cleared", err)
		}
	})
}

// TestRecoveryCodes signs in with codes from paper, each once, and makes new ones.
func TestRecoveryCodes(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.authenticator("ann")
		credential, codes, err := w.SecondFactors.NewRecoveryCodes(w.ctx, w.realm.ID, "ann", core.Request{})
		if err != nil || len(codes) != 10 || len(codes[0]) != 11 {
			t.Fatalf("NewRecoveryCodes = %v, %v; want ten", codes, err)
		}
		in, err := w.complete(w.signIn("ann").LoginToken, " "+strings.ToUpper(codes[3])+" ")
		if err != nil || !in.Session.MFA {
			t.Fatalf("Complete with a recovery code = %v, %v; want a session", in, err)
		}
		_, err = w.complete(w.signIn("ann").LoginToken, codes[3])
		w.refused("Complete with the same code", err, core.ErrWrongCode)
		left, err := w.Credentials.Get(w.ctx, w.realm.ID, credential.ID)
		if err != nil || len(left.Recovery.Hashes) != 9 {
			t.Errorf("%v recovery codes are left, %v; want 9", left, err)
		}
		_, fresh, err := w.SecondFactors.NewRecoveryCodes(w.ctx, w.realm.ID, "ann", core.Request{})
		w.must(err)
		_, err = w.complete(w.signIn("ann").LoginToken, codes[4])
		w.refused("Complete with a code of before", err, core.ErrWrongCode)
		_, err = w.complete(w.signIn("ann").LoginToken, fresh[0])
		w.must(err)
	})
}

// TestRecoveryCodeCountsOnce sends one recovery code from fifty sign-ins at once, to two processes: there is one session, and nine codes are left.
func TestRecoveryCodeCountsOnce(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.authenticator("ann")
		credential, codes, err := w.SecondFactors.NewRecoveryCodes(w.ctx, w.realm.ID, "ann", core.Request{})
		w.must(err)
		tokens := []string{w.signIn("ann").LoginToken, w.signIn("ann").LoginToken, w.signIn("ann").LoginToken}
		cores := []*core.Core{w.Core, w.another(w.store)}
		var won atomic.Int64
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				_, err := cores[i%2].SecondFactors.Complete(w.ctx, w.realm.ID, "ann", tokens[i%3], codes[0], core.Request{})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, core.ErrLoginToken) && !errors.Is(err, core.ErrWrongCode) && !errors.Is(err, core.ErrThrottled):
					w.Errorf("Complete = %v", err)
				}
			})
		}
		all.Wait()
		left, err := w.Credentials.Get(w.ctx, w.realm.ID, credential.ID)
		if err != nil || won.Load() != 1 || len(left.Recovery.Hashes) != 9 {
			t.Errorf("one recovery code completed %d sign-ins, and %v, %v is left; want 1, and nine codes", won.Load(), left, err)
		}
	})
}

// TestSecretsSurviveTheMasterKey replaces the master key: authenticators go on, and the former key opens nothing more.
func TestSecretsSurviveTheMasterKey(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		e := w.authenticator("ann")
		former, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
		w.must(err)
		next, err := core.NewMasterKey([]byte(strings.Repeat("n", core.MasterKeySize)))
		w.must(err)
		open := func(m *core.MasterKey) *core.Core {
			c, err := core.New(core.Options{Store: w.store, MasterKey: m, Now: w.clock.Now, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1}})
			w.must(err)
			return c
		}
		_, err = open(next.Replacing(former)).Realms.Reseal(w.ctx)
		w.must(err)
		w.Core = open(next)
		_, err = w.complete(w.signIn("ann").LoginToken, w.code(e, 0))
		w.must(err)
		_, err = open(former).SecondFactors.Enrolment(w.ctx, w.realm.ID, e.ID)
		if !errors.Is(err, core.ErrWrongMasterKey) {
			t.Errorf("the former master key: %v; want it to open nothing", err)
		}
	})
}
