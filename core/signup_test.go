package core_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// park parks a signup of a name and returns its token.
func (w *world) park(name string) string {
	w.Helper()
	_, token, err := w.Users.Park(w.ctx, w.realm.ID, core.UserChange{Username: &name, Email: ptr(name + "@example.com"), Password: ptr(goodPassword)})
	w.must(err)
	return token
}

// unpark makes the user of a signup.
func (w *world) unpark(token string) error {
	_, err := w.Users.CreateParked(w.ctx, w.realm.ID, token, core.UserChange{}, core.Request{})
	return err
}

func TestSignup(t *testing.T) {
	each(t, func(w *world) {
		token, rival := w.park("Ann"), w.park("ann")
		w.refused("Get of a parked user", func() error { _, err := w.Users.Get(w.ctx, w.realm.ID, "ann"); return err }(), core.ErrUserNotFound)
		s, err := w.Users.Parked(w.ctx, w.realm.ID, token)
		if err != nil || s.Username != "ann" || !s.HasPassword() {
			t.Errorf("Parked = %+v, %v; want ann, with a password", s, err)
		}
		w.must(w.unpark(token))
		w.signIn("ann")
		w.said("CreateParked again", w.unpark(token), "token", "Signup token already used")
		_, err = w.Users.Parked(w.ctx, w.realm.ID, token)
		w.refused("Parked of a used one", err, core.ErrTokenUsed)
		w.said("CreateParked of a name that is taken", w.unpark(rival), "username", "Username has already been taken")
		w.must(w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{}))
		w.must(w.unpark(rival)) // was not burnt

		_, _, err = w.Users.Park(w.ctx, w.realm.ID, core.UserChange{Username: ptr("ann"), Email: ptr("a@example.com")})
		w.said("Park of a name that is taken", err, "username", "Username has already been taken")
		_, _, err = w.Users.Park(w.ctx, w.realm.ID, core.UserChange{Username: ptr("bob"), Email: ptr("bob@example.com"), Password: ptr("short")})
		if err == nil {
			t.Error("Park takes a password that breaks the rules")
		}
		bob := w.park("bob")
		for _, bad := range []string{"", "utk_", bob + "x", "kv_" + bob[len("utk_"):]} {
			w.said("CreateParked of "+bad, w.unpark(bad), "token", "Signup token is invalid")
		}
		other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
		w.must(err)
		_, err = w.Users.CreateParked(w.ctx, other.ID, bob, core.UserChange{}, core.Request{})
		w.said("CreateParked in another realm", err, "token", "Signup token is invalid")
		w.clock.Advance(7 * 24 * time.Hour)
		w.said("CreateParked too late", w.unpark(bob), "token", "Signup token has expired")
	})
}

// TestSignupEndsWithReset holds that a signup which was parked before a realm was reset makes no user in it.
func TestSignupEndsWithReset(t *testing.T) {
	each(t, func(w *world) {
		before := w.park("ann")
		w.clock.Advance(time.Second)
		_, done, err := w.Realms.Reset(w.ctx, w.realm.ID, core.Request{})
		if err != nil || !done {
			t.Fatalf("Reset = %v, %v; want done", done, err)
		}
		w.said("CreateParked of before a reset", w.unpark(before), "token", "Signup token is invalid")
		w.clock.Advance(time.Second)
		w.must(w.unpark(w.park("ann")))
	})
}

// TestSignupOnce uses one token fifty times at once, through two processes.
func TestSignupOnce(t *testing.T) {
	each(t, func(w *world) {
		token := w.park("ann")
		cores := []*core.Core{w.Core, w.another(w.store)}
		var made atomic.Int32
		var errs [50]error
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				_, err := cores[i%2].Users.CreateParked(w.ctx, w.realm.ID, token, core.UserChange{}, core.Request{})
				if errs[i] = err; err == nil {
					made.Add(1)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 {
			t.Errorf("%d uses of one token made a user; want 1", made.Load())
		}
		for _, err := range slices.DeleteFunc(errs[:], func(err error) bool { return err == nil }) {
			w.said("a use that lost", err, "token", "Signup token already used")
		}
		page, err := w.Users.List(w.ctx, w.realm.ID, core.ListUsers{})
		if err != nil || len(page.Users) != 1 {
			t.Errorf("List = %d users, %v; want 1", len(page.Users), err)
		}
	})
}
