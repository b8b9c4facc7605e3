package core_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// org makes an org.
func (w *world) org(name string) *core.Org {
	w.Helper()
	org, err := w.Orgs.Create(w.ctx, w.realm.ID, core.OrgChange{Name: &name}, core.Request{})
	w.must(err)
	return org
}

// joins makes a user a member.
func (w *world) joins(user core.UserID, org core.OrgID, permissions ...string) *core.Membership {
	w.Helper()
	m, err := w.Memberships.Create(w.ctx, w.realm.ID, member(user, org, permissions...), core.Request{})
	w.must(err)
	return m
}

func member(user core.UserID, org core.OrgID, permissions ...string) core.NewMembership {
	return core.NewMembership{User: user, Org: org, MembershipChange: core.MembershipChange{Permissions: &permissions}}
}

// may returns what a token's user is permitted now, as "org:permission".
func (w *world) may(token string) []string {
	w.Helper()
	who, err := w.Sessions.Resolve(w.ctx, w.realm.ID, token)
	w.must(err)
	var all []string
	for _, g := range who.Orgs {
		for _, p := range g.Permissions {
			all = append(all, string(g.Org)+":"+p)
		}
	}
	return all
}

// permits asserts what a token's user is permitted.
func (w *world) permits(when, token string, want ...string) {
	w.Helper()
	if got := w.may(token); !slices.Equal(got, want) {
		w.Errorf("%s: permitted %q; want %q", when, got, want)
	}
}

func TestMembershipLife(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		in := w.signIn("ann")
		w.permits("before", in.Token)
		acme := w.org("Acme")
		m := w.joins(ann.ID, acme.ID, "read", "write", "read")
		w.permits("a member", in.Token, string(acme.ID)+":read", string(acme.ID)+":write")
		loose := w.joins(ann.ID, "", "staff")
		w.permits("with a membership in no org", in.Token, string(acme.ID)+":read", string(acme.ID)+":write", ":staff")

		if u, err := w.Users.Get(w.ctx, w.realm.ID, "ann"); err != nil || u.Memberships != 2 {
			t.Errorf("Get = %d memberships, %v; want 2", u.Memberships, err)
		}
		got, err := w.Memberships.Get(w.ctx, w.realm.ID, m.ID)
		if err != nil || got.ID != m.ID || got.User != ann.ID || got.Org != acme.ID || !slices.Equal(got.Permissions, []string{"read", "write"}) {
			t.Errorf("Get = %+v, %v; want Ann's in Acme", got, err)
		}
		until := w.clock.Now().Add(time.Hour)
		_, err = w.Memberships.Update(w.ctx, w.realm.ID, m.ID, core.MembershipChange{Permissions: &[]string{"read"}, ExpiresAt: &until}, core.Request{})
		w.must(err)
		w.permits("changed", in.Token, string(acme.ID)+":read", ":staff")
		who, err := w.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		if err != nil || who.ExpiresAt.After(until) {
			t.Errorf("Resolve: may be remembered until %v, %v; want at most %v, when the membership ends", who.ExpiresAt, err, until)
		}
		w.clock.Advance(time.Hour)
		w.permits("expired", in.Token, ":staff")

		w.must(w.Memberships.Delete(w.ctx, w.realm.ID, loose.ID, core.Request{}))
		w.permits("left", in.Token)
		_, err = w.Memberships.Get(w.ctx, w.realm.ID, loose.ID)
		w.refused("Get after Delete", err, core.ErrMembershipNotFound)
		w.refused("Delete twice", w.Memberships.Delete(w.ctx, w.realm.ID, loose.ID, core.Request{}), core.ErrMembershipNotFound)
	})
}

func TestMembershipRefusals(t *testing.T) {
	w := newWorld(t, teststoreBolt(t))
	ann, acme := w.human("ann"), w.org("Acme")
	w.joins(ann.ID, acme.ID)
	w.joins(ann.ID, "")
	long := strings.Repeat("x", 63)
	var many []string
	for i := range 21 {
		many = append(many, fmt.Sprint("p", i))
	}
	nobody, nothing := core.UserID("usr_"+strings.Repeat("0", 22)), core.OrgID("org_"+strings.Repeat("0", 22))
	bob := w.human("bob")
	tests := []struct {
		name string
		in   core.NewMembership
		want string
	}{
		{"no user", member("", acme.ID), "User does not exist"},
		{"unknown user", member(nobody, acme.ID), "User does not exist"},
		{"unknown org", member(bob.ID, nothing), "Org does not exist"},
		{"no id of an org", member(bob.ID, "Acme"), "Org does not exist"},
		{"again", member(ann.ID, acme.ID), "User is already a member of this org"},
		{"again in no org", member(ann.ID, ""), "User already has a membership without an org"},
		{"space", member(bob.ID, "", "a b"), "Permissions must have 1 to 62 letters, digits and characters of * : ; . _ - each"},
		{"empty", member(bob.ID, "", ""), "Permissions must have 1 to 62 letters, digits and characters of * : ; . _ - each"},
		{"line", member(bob.ID, "", "a\n"), "Permissions must have 1 to 62 letters, digits and characters of * : ; . _ - each"},
		{"long", member(bob.ID, "", long), "Permissions must have 1 to 62 letters, digits and characters of * : ; . _ - each"},
		{"many", member(bob.ID, "", many...), "Permissions are too many (maximum is 20)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.Memberships.Create(w.ctx, w.realm.ID, tt.in, core.Request{})
			e, ok := errors.AsType[*core.Error](err)
			if !ok || e.Kind != core.KindInvalid || e.Error() != tt.want {
				t.Errorf("Create = %v; want %q", err, tt.want)
			}
		})
	}
	w.joins(bob.ID, "", long[:62], "A*:;._-9")
}

// TestMembershipOnce creates the same membership fifty times at once.
func TestMembershipOnce(t *testing.T) {
	each(t, func(w *world) {
		ann, acme := w.human("ann"), w.org("Acme")
		var group sync.WaitGroup
		errs := make([]error, 50)
		for i := range errs {
			group.Go(func() { _, errs[i] = w.Memberships.Create(w.ctx, w.realm.ID, member(ann.ID, acme.ID), core.Request{}) })
		}
		group.Wait()
		made := 0
		for _, err := range errs {
			e, ok := errors.AsType[*core.Error](err)
			switch {
			case err == nil:
				made++
			case !ok || e.Kind != core.KindInvalid:
				t.Errorf("Create = %v; want it made once and refused as invalid else", err)
			}
		}
		if u, err := w.Users.Get(w.ctx, w.realm.ID, "ann"); err != nil || made != 1 || u.Memberships != 1 {
			t.Errorf("made %d, the user has %d, %v; want 1", made, u.Memberships, err)
		}
	})
}
