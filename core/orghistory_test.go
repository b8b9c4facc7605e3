package core_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
)

// TestOrgHistories has users, orgs and memberships come, change and go at random, and holds what is then to be found, and
// permitted, against a model of a few maps.
func TestOrgHistories(t *testing.T) {
	histories(t, func(t *rapid.T, w *world, realm core.RealmID) {
		h := &orgHistory{T: t, w: w, realm: realm, tokens: map[core.UserID]string{}, orgs: map[core.OrgID]core.State{}, joined: map[joint]*core.Membership{}}
		for range 3 {
			h.enter(t)
			h.found(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"user enters": h.enter, "user leaves": h.leave, "org is founded": h.found, "org turns": h.turn, "org goes": h.dissolve,
			"user joins": h.join, "membership changes": h.change, "membership ends": h.part, "time passes": h.pass, "jobs are done": h.work, "": h.whole,
		})
		h.work(t)
		for _, fault := range w.MembershipFaults(w.ctx, h.realm) {
			t.Error(fault)
		}
	})
}

// joint is where there is one membership at most. Org "" is none.
type joint struct {
	user core.UserID
	org  core.OrgID
}

// orgHistory is what random calls made of a realm.
type orgHistory struct {
	*rapid.T
	w      *world
	realm  core.RealmID
	tokens map[core.UserID]string
	orgs   map[core.OrgID]core.State
	joined map[joint]*core.Membership
	made   int
}

// one draws one of a model's things, in an order that does not change.
func one[K ~string, V any](t *rapid.T, of map[K]V, what string) K {
	if len(of) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(of))).Draw(t, what)
}

// membership draws one that is there.
func (h *orgHistory) membership(t *rapid.T) joint {
	if len(h.joined) == 0 {
		t.Skip("nobody is a member")
	}
	all := slices.SortedFunc(maps.Keys(h.joined), func(a, b joint) int {
		return strings.Compare(string(a.user)+string(a.org), string(b.user)+string(b.org))
	})
	return rapid.SampledFrom(all).Draw(t, "membership")
}

// must ends the history on an error.
func (h *orgHistory) must(t *rapid.T, what string, err error) {
	if err != nil {
		t.Fatalf("%s = %v", what, err)
	}
}

func (h *orgHistory) enter(t *rapid.T) {
	h.made++
	user, err := h.w.Users.Create(h.w.ctx, h.realm, core.UserChange{Type: ptr(core.UserHuman), Username: ptr(fmt.Sprint("u", h.made)),
		Email: ptr(fmt.Sprint("u", h.made, "@example.com"))}, core.Request{})
	h.must(t, "Create a user", err)
	in, err := h.w.Sessions.Create(h.w.ctx, h.realm, string(user.ID), core.Request{})
	h.must(t, "Create a session", err)
	h.tokens[user.ID] = in.Token
}

func (h *orgHistory) leave(t *rapid.T) {
	user := one(t, h.tokens, "user")
	h.must(t, "Delete a user", h.w.Users.Delete(h.w.ctx, h.realm, string(user), core.Request{}))
	delete(h.tokens, user)
	maps.DeleteFunc(h.joined, func(at joint, _ *core.Membership) bool { return at.user == user })
}

func (h *orgHistory) found(t *rapid.T) {
	org, err := h.w.Orgs.Create(h.w.ctx, h.realm, core.OrgChange{Name: ptr("org")}, core.Request{})
	h.must(t, "Create an org", err)
	h.orgs[org.ID] = org.State
}

func (h *orgHistory) turn(t *rapid.T) {
	id, to := one(t, h.orgs, "org"), drawState.Draw(t, "state")
	_, err := h.w.Orgs.Update(h.w.ctx, h.realm, id, core.OrgChange{State: &to}, core.Request{})
	h.must(t, "Update an org", err)
	h.orgs[id] = to
}

func (h *orgHistory) dissolve(t *rapid.T) {
	id := one(t, h.orgs, "org")
	h.must(t, "Delete an org", h.w.Orgs.Delete(h.w.ctx, h.realm, id, core.Request{}))
	delete(h.orgs, id)
	maps.DeleteFunc(h.joined, func(at joint, _ *core.Membership) bool { return at.org == id })
}

// drawPermissions are few, so that they repeat.
var drawPermissions = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"read", "write", "pay"}), 0, 3, rapid.ID)

func (h *orgHistory) join(t *rapid.T) {
	at := joint{user: one(t, h.tokens, "user")}
	if rapid.IntRange(0, 3).Draw(t, "in an org") > 0 {
		at.org = one(t, h.orgs, "org")
	}
	in := member(at.user, at.org, drawPermissions.Draw(t, "permissions")...)
	if rapid.Bool().Draw(t, "for a time") {
		in.ExpiresAt = ptr(h.w.clock.Now().Add(time.Hour))
	}
	made, err := h.w.Memberships.Create(h.w.ctx, h.realm, in, core.Request{})
	if h.joined[at] != nil {
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindInvalid {
			t.Fatalf("join twice = %+v, %v; want a refusal", made, err)
		}
		return
	}
	h.must(t, "Create a membership", err)
	h.joined[at] = made
}

func (h *orgHistory) change(t *rapid.T) {
	at := h.membership(t)
	permissions := drawPermissions.Draw(t, "permissions")
	made, err := h.w.Memberships.Update(h.w.ctx, h.realm, h.joined[at].ID, core.MembershipChange{Permissions: &permissions}, core.Request{})
	h.must(t, "Update a membership", err)
	h.joined[at] = made
}

func (h *orgHistory) part(t *rapid.T) {
	at := h.membership(t)
	h.must(t, "Delete a membership", h.w.Memberships.Delete(h.w.ctx, h.realm, h.joined[at].ID, core.Request{}))
	delete(h.joined, at)
}

func (h *orgHistory) pass(*rapid.T)   { h.w.clock.Advance(20 * time.Minute) }
func (h *orgHistory) work(t *rapid.T) { h.must(t, "RunJobs", h.w.RunJobs(h.w.ctx)) }

// whole compares all that can be found and that is permitted.
func (h *orgHistory) whole(t *rapid.T) {
	for id, state := range h.orgs {
		if org, err := h.w.Orgs.Get(h.w.ctx, h.realm, id); err != nil || org.State != state {
			t.Fatalf("Get %s = %+v, %v; want it %s", id, org, err, state)
		}
		page, err := h.w.Memberships.List(h.w.ctx, h.realm, core.ListMemberships{Org: id})
		h.must(t, "List an org's memberships", err)
		h.same(t, "members of "+string(id), page.Memberships, func(at joint) bool { return at.org == id })
	}
	for user, token := range h.tokens {
		page, err := h.w.Memberships.List(h.w.ctx, h.realm, core.ListMemberships{User: user})
		h.must(t, "List a user's memberships", err)
		h.same(t, "memberships of "+string(user), page.Memberships, func(at joint) bool { return at.user == user })
		who, err := h.w.Sessions.Resolve(h.w.ctx, h.realm, token)
		h.must(t, "Resolve", err)
		var may []string
		for _, g := range who.Orgs {
			for _, p := range g.Permissions {
				may = append(may, string(g.Org)+":"+p)
			}
		}
		if want := h.permitted(user); !slices.Equal(slices.Sorted(slices.Values(may)), want) {
			t.Fatalf("%s may %q; want %q", user, may, want)
		}
	}
}

// same compares memberships that were listed with those of the model.
func (h *orgHistory) same(t *rapid.T, what string, list []*core.Membership, of func(joint) bool) {
	var got, want []string
	for _, m := range list {
		got = append(got, fmt.Sprint(m.ID, m.User, m.Org, m.Permissions))
	}
	for at, m := range h.joined {
		if of(at) {
			want = append(want, fmt.Sprint(m.ID, at.user, at.org, m.Permissions))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("%s are %q; want %q", what, got, want)
	}
}

// permitted returns what a user may do now: what a membership says that has not expired, of an org that is active or of none.
func (h *orgHistory) permitted(user core.UserID) []string {
	var may []string
	now := h.w.clock.Now()
	for at, m := range h.joined {
		if at.user != user || at.org != "" && h.orgs[at.org] != core.StateActive || !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt.Time) {
			continue
		}
		for _, p := range m.Permissions {
			may = append(may, string(at.org)+":"+p)
		}
	}
	slices.Sort(may)
	return may
}
