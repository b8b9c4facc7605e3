package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// caller returns the management key that calls are made with, of one realm or, with "", of all.
func (w *world) caller(realm core.RealmID) *core.ManagementKey {
	w.Helper()
	secret, err := w.ManagementKeys.NewSecret()
	w.must(err)
	key, err := w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "test", Realm: realm, Permissions: []core.Permission{core.PermissionWrite}}, secret, core.Request{})
	w.must(err)
	return key
}

// TestRepeatSteps carries out a call that changes several things, reads what it has just changed, and is repeated.
func TestRepeatSteps(t *testing.T) {
	each(t, func(w *world) {
		for _, realm := range []core.RealmID{"", w.realm.ID} {
			in := core.Repeatable{Key: w.caller(realm), Name: "steps", Request: []byte("request")}
			name, calls := "ann"+string(realm), 0
			call := func(ctx context.Context) ([]byte, bool) {
				calls++
				user, err := w.Users.Create(ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: &name, Email: ptr(strings.ToLower(name) + "@example.com")}, core.Request{})
				w.must(err)
				if _, err := w.Users.Get(w.ctx, w.realm.ID, name); !errors.Is(err, core.ErrUserNotFound) {
					w.Errorf("others see %s before the call is answered: %v", name, err)
				}
				if seen, err := w.Users.Get(ctx, w.realm.ID, name); err != nil || seen.ID != user.ID {
					w.Errorf("the call itself sees %v, %v; want its new user", seen, err)
				}
				for i := range 2 { // each from the version that the one before has put
					user, err = w.Users.Update(ctx, w.realm.ID, name, core.UserChange{FirstName: ptr(fmt.Sprint(i))}, core.Request{})
					w.must(err)
				}
				page, err := w.Users.List(ctx, w.realm.ID, core.ListUsers{})
				if err != nil || !slices.ContainsFunc(page.Users, func(u *core.User) bool { return u.ID == user.ID }) {
					w.Errorf("the call itself lists %v, %v; want its new user among them", page.Users, err)
				}
				return []byte(user.FirstName), true
			}
			for i := range 3 {
				answer, repeated, err := w.Repeats.Once(w.ctx, in, call)
				if string(answer) != "1" || repeated != (i > 0) || err != nil {
					w.Errorf("Once, time %d = %q, %t, %v; want 1", i+1, answer, repeated, err)
				}
			}
			if user, err := w.Users.Get(w.ctx, w.realm.ID, name); err != nil || user.FirstName != "1" || calls != 1 {
				w.Errorf("after %d calls: %v, %v; want one, and the second change", calls, user, err)
			}
			in.Request = []byte("another")
			_, _, err := w.Repeats.Once(w.ctx, in, call)
			w.refused("Once with another request", err, core.ErrRepeatDiffers)
		}
	})
}

// TestRepeatStepClashes has the first of two changes overtaken between the moment that it was found to be possible and the
// moment that it is made: the call is carried out anew.
func TestRepeatStepClashes(t *testing.T) {
	each(t, func(w *world) {
		ann, calls := w.human("ann"), 0
		answer, _, err := w.Repeats.Once(w.ctx, core.Repeatable{Key: w.caller(""), Name: "clash"}, func(ctx context.Context) ([]byte, bool) {
			calls++
			_, err := w.Users.Update(ctx, w.realm.ID, "ann", core.UserChange{FirstName: ptr("Ann")}, core.Request{})
			w.must(err)
			if calls == 1 {
				_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{LastName: ptr("Other")}, core.Request{})
				w.must(err)
			}
			if _, err = w.Orgs.Create(ctx, w.realm.ID, core.OrgChange{Name: ptr("Acme")}, core.Request{}); err != nil {
				return []byte(err.Error()), false
			}
			return []byte("done"), true
		})
		if string(answer) != "done" || err != nil || calls != 2 {
			w.Errorf("Once = %q, %v after %d calls; want done after 2", answer, err, calls)
		}
		if now, err := w.Users.Get(w.ctx, w.realm.ID, string(ann.ID)); err != nil || now.FirstName != "Ann" || now.LastName != "Other" {
			w.Errorf("the user is %v, %v; want both changes", now, err)
		}
	})
}

// TestRepeatUndone makes changes whose answer is not kept, or cannot be: nothing has changed.
func TestRepeatUndone(t *testing.T) {
	each(t, func(w *world) {
		in := core.Repeatable{Key: w.caller(w.realm.ID), Name: "undone"}
		create := func(ctx context.Context) {
			_, err := w.Orgs.Create(ctx, w.realm.ID, core.OrgChange{Name: ptr("Acme")}, core.Request{})
			w.must(err)
		}
		_, repeated, err := w.Repeats.Once(w.ctx, in, func(ctx context.Context) ([]byte, bool) { create(ctx); return []byte("no"), false })
		if repeated || err != nil {
			w.Errorf("Once = %t, %v", repeated, err)
		}
		_, _, err = w.Repeats.Once(w.ctx, in, func(ctx context.Context) ([]byte, bool) { create(ctx); return make([]byte, core.MaxValueSize), true })
		w.refused("Once with a long answer", err, core.ErrAnswerTooLong)
		page, err := w.Orgs.List(w.ctx, w.realm.ID, core.ListOrgs{})
		if err != nil || len(page.Orgs) != 0 {
			w.Errorf("there are %d orgs, %v; want none", len(page.Orgs), err)
		}
		answer, repeated, err := w.Repeats.Once(w.ctx, in, func(context.Context) ([]byte, bool) { return []byte("yes"), true })
		if string(answer) != "yes" || repeated || err != nil {
			w.Errorf("Once = %q, %t, %v; want a new call", answer, repeated, err)
		}
	})
}

// TestRepeatAbandoned has the caller go once the work is done: it is kept for when they ask again.
func TestRepeatAbandoned(t *testing.T) {
	each(t, func(w *world) {
		in := core.Repeatable{Key: w.caller(""), Name: "abandoned"}
		ctx, leave := context.WithCancel(w.ctx)
		_, _, err := w.Repeats.Once(ctx, in, func(ctx context.Context) ([]byte, bool) {
			_, err := w.Orgs.Create(ctx, w.realm.ID, core.OrgChange{Name: ptr("Acme")}, core.Request{})
			w.must(err)
			leave()
			return []byte("made"), true
		})
		w.must(err)
		answer, repeated, err := w.Repeats.Once(w.ctx, in, func(context.Context) ([]byte, bool) { return []byte("made again"), true })
		if string(answer) != "made" || !repeated || err != nil {
			w.Errorf("Once = %q, %t, %v; want what was made", answer, repeated, err)
		}
	})
}

// TestRepeatRemembersNothing has a realm changed by a call that comes to nothing: what the call saw is not what others are told.
func TestRepeatRemembersNothing(t *testing.T) {
	w := newWorldOnBolt(t)
	w.run(w.Core)
	w.becomes("realms are remembered", func() bool {
		_, err := w.Realms.Get(w.ctx, w.realm.ID)
		return err == nil
	})
	_, _, err := w.Repeats.Once(w.ctx, core.Repeatable{Key: w.caller(""), Name: "realm"}, func(ctx context.Context) ([]byte, bool) {
		_, err := w.Realms.Update(ctx, w.realm.ID, core.RealmChange{Name: ptr("renamed")}, core.Request{})
		w.must(err)
		if seen, err := w.Realms.Get(ctx, w.realm.ID); err != nil || seen.Name != "renamed" {
			w.Errorf("the call itself sees %v, %v; want what it changed", seen, err)
		}
		return nil, false
	})
	w.must(err)
	if realm, err := w.Realms.Get(w.ctx, w.realm.ID); err != nil || realm.Name == "renamed" {
		w.Errorf("the realm is %v, %v; want the former name", realm, err)
	}
}
