package core_test

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

func TestAuthenticate(t *testing.T) {
	each(t, func(w *world) {
		u := w.human("ann")
		w.provided("acct")
		tests := []struct {
			name, who, password string
			want                *core.Error
		}{
			{"by id", string(u.ID), goodPassword, nil},
			{"by username", "ANN", goodPassword, nil},
			{"by address", "ann@example.com", goodPassword, nil},
			{"wrong", "ann", goodPassword + "!", core.ErrWrongPassword},
			{"empty", "ann", "", core.ErrWrongPassword},
			{"nobody", "bob", goodPassword, core.ErrUserNotFound},
			{"nobody's id", "usr_0000000000000000000000", goodPassword, core.ErrUserNotFound},
		}
		for _, tt := range tests {
			in, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, tt.who, tt.password, core.Request{})
			if tt.want != nil {
				w.refused("Authenticate "+tt.name, err, tt.want)
			} else if err != nil || in.User.ID != u.ID || in.User.LastLoginAt.IsZero() {
				t.Errorf("Authenticate %s = %v, %v; want ann", tt.name, in, err)
			}
		}
		_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{State: ptr(core.StateInactive)}, core.Request{})
		w.must(err)
		_, err = w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, core.Request{})
		w.refused("Authenticate inactive", err, core.ErrWrongPassword)
	})
}

// TestStrangersAreCounted guesses at a name that is nobody's under several spellings, which count as one as those of a user
// do: else it could be told who is there.
func TestStrangersAreCounted(t *testing.T) {
	each(t, func(w *world) {
		for i := range 14 {
			who := []string{"no body", " No Body", "NO\u00a0BODY", "no body "}[i%4]
			want := core.ErrUserNotFound
			if i >= 10 {
				want = core.ErrThrottled
			}
			_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, who, "not the password at all", core.Request{})
			w.refused("guess "+strconv.Itoa(i), err, want)
		}
	})
}

// TestGuessesAreCounted sends many guesses at once under several spellings; at most ten may be looked at, and the
// right password is no use then, until time has passed.
func TestGuessesAreCounted(t *testing.T) {
	each(t, func(w *world) {
		u := w.human("ann")
		var looked, throttled atomic.Int64
		var all sync.WaitGroup
		for i := range 1000 { // far more than the queue for hashing takes
			all.Go(func() {
				for {
					who := []string{"ann", "ANN", "ann@example.com", string(u.ID)}[i%4]
					_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, who, "not the password at all", core.Request{})
					switch {
					case errors.Is(err, core.ErrWrongPassword):
						looked.Add(1)
					case errors.Is(err, core.ErrThrottled):
						throttled.Add(1)
					case errors.Is(err, core.ErrBusy):
						time.Sleep(50 * time.Millisecond)
						continue
					default:
						w.Errorf("Authenticate = %v", err)
					}
					return
				}
			})
		}
		all.Wait()
		if looked.Load() != 10 || throttled.Load() != 990 {
			t.Errorf("%d guesses looked at, %d refused; want 10 and 990", looked.Load(), throttled.Load())
		}
		_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, core.Request{})
		e, ok := errors.AsType[*core.Error](err)
		if !ok || e.Kind != core.KindThrottled || e.RetryAfter <= 0 || e.RetryAfter > time.Minute {
			t.Errorf("Authenticate while blocked = %v; want throttled for up to a minute", err)
		}
		w.clock.Advance(time.Minute)
		w.signIn("ann")
		for range 5 { // the success has cleared the count
			_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", "not the password at all", core.Request{})
			w.refused("Authenticate after a success", err, core.ErrWrongPassword)
		}
	})
}

// TestPasswordChangesMeanwhile changes a password between the moment in which the old one was found to be right and the one in which
// something comes of it: nothing does.
func TestPasswordChangesMeanwhile(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		changing := func(to string) *core.Core {
			return w.another(&before{Store: w.store, happens: func() {
				_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{Password: &to}, core.Request{})
				w.must(err)
			}})
		}
		_, err := changing(newPassword).Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, core.Request{})
		w.refused("Authenticate with a password that was changed meanwhile", err, core.ErrWrongPassword)
		err = changing(goodPassword).Passwords.Change(w.ctx, w.realm.ID, "ann", core.PasswordChange{Current: newPassword, Password: "a third one of many letters"}, core.Request{})
		w.said("Change of a password that was changed meanwhile", err, "current_password", "Current password does not match")
		w.signIn("ann")
	})
}
