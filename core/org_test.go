package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-auth/postern/core"
)

func TestOrgLife(t *testing.T) {
	each(t, func(w *world) {
		custom := core.Custom{"plan": json.RawMessage(`"gold"`)}
		org, err := w.Orgs.Create(w.ctx, w.realm.ID, core.OrgChange{Name: ptr(" Acme "), Reference: ptr("c-1"), Custom: &custom}, core.Request{})
		w.must(err)
		if org.Name != "Acme" || org.State != core.StateActive || org.Reference != "c-1" {
			t.Errorf("Create = %+v; want Acme, active, c-1", org)
		}
		_, err = w.Orgs.Update(w.ctx, w.realm.ID, org.ID, core.OrgChange{Name: ptr("Bolt"), Reference: ptr("")}, core.Request{})
		w.must(err)
		got, err := w.Orgs.Get(w.ctx, w.realm.ID, org.ID)
		if err != nil || got.Name != "Bolt" || got.Reference != "" || string(got.Custom["plan"]) != `"gold"` {
			t.Errorf("Get = %+v, %v; want Bolt, no reference, gold", got, err)
		}
		w.must(w.Orgs.Delete(w.ctx, w.realm.ID, org.ID, core.Request{}))
		_, err = w.Orgs.Get(w.ctx, w.realm.ID, org.ID)
		w.refused("Get after Delete", err, core.ErrOrgNotFound)
		w.refused("Delete twice", w.Orgs.Delete(w.ctx, w.realm.ID, org.ID, core.Request{}), core.ErrOrgNotFound)
		for name, in := range map[string]core.OrgChange{
			"Name can't be blank":                          {},
			"State must be active or inactive":             {Name: ptr("x"), State: ptr(core.State("asleep"))},
			"Name is too long (maximum is 255 characters)": {Name: ptr(strings.Repeat("x", 256))},
		} {
			_, err := w.Orgs.Create(w.ctx, w.realm.ID, in, core.Request{})
			if e, ok := errors.AsType[*core.Error](err); !ok || e.Error() != name {
				t.Errorf("Create = %v; want %q", err, name)
			}
		}
	})
}

// TestOrgState suspends what an org's members may do while it is inactive, of few members and of many.
func TestOrgState(t *testing.T) {
	for _, members := range []int{3, 130} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			each(t, func(w *world) {
				org := w.org("Acme")
				ann := w.human("ann")
				w.joins(ann.ID, org.ID, "read")
				for i := range members - 1 {
					w.joins(w.robot(i), org.ID, "read")
				}
				in, read := w.signIn("ann"), string(org.ID)+":read"
				w.permits("active", in.Token, read)
				w.turns(org.ID, core.StateInactive)
				w.permits("inactive, at once", in.Token)
				w.must(w.RunJobs(w.ctx))
				w.permits("inactive, when the job is done", in.Token)
				late := w.human("late")
				w.joins(late.ID, org.ID, "read")
				w.permits("joined while inactive", w.signIn("late").Token)
				w.turns(org.ID, core.StateActive)
				w.permits("active again, at once", in.Token, read)
				w.turns(org.ID, core.StateInactive)
				w.turns(org.ID, core.StateActive)
				w.permits("turned before the job was done", in.Token, read)
				w.must(w.RunJobs(w.ctx))
				w.permits("active again, when the job is done", in.Token, read)
				w.must(w.Orgs.Delete(w.ctx, w.realm.ID, org.ID, core.Request{}))
				w.permits("deleted, at once", in.Token)
				list, err := w.Memberships.List(w.ctx, w.realm.ID, core.ListMemberships{User: ann.ID})
				if err != nil || len(list.Memberships) != 0 {
					t.Errorf("List of a member of a deleted org = %d, %v; want none", len(list.Memberships), err)
				}
				w.must(w.RunJobs(w.ctx))
				w.consistent("after all")
				if u, err := w.Users.Get(w.ctx, w.realm.ID, "ann"); err != nil || u.Memberships != 0 {
					t.Errorf("memberships of a member of a deleted org = %d, %v; want 0", u.Memberships, err)
				}
			})
		})
	}
}

// robot makes an api user.
func (w *world) robot(i int) core.UserID {
	w.Helper()
	u, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: ptr(fmt.Sprint("bot-", i))}, core.Request{})
	w.must(err)
	return u.ID
}

// turns changes an org's state.
func (w *world) turns(org core.OrgID, state core.State) {
	w.Helper()
	_, err := w.Orgs.Update(w.ctx, w.realm.ID, org, core.OrgChange{State: &state}, core.Request{})
	w.must(err)
}

// consistent asserts that memberships, their indexes and orgs agree, and that nothing is left of what is gone.
func (w *world) consistent(when string) {
	w.Helper()
	for _, fault := range w.MembershipFaults(w.ctx, w.realm.ID) {
		w.Errorf("%s: %s", when, fault)
	}
}

// TestOrgSurvivesItsWorkers kills the process that changes an org of many members before and after each of its writes:
// others see the old state or the new one, and finish what was begun.
func TestOrgSurvivesItsWorkers(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		in := w.signIn("ann")
		for i := range 60 {
			w.robot(i)
		}
		for _, what := range []core.State{core.StateInactive, "deleted"} {
			for n := 1; ; n++ {
				after := n%2 == 0
				org := w.org("Acme")
				w.joins(ann.ID, org.ID, "read")
				w.fill(org.ID, 60)
				mortal := w.another(&mortalStore{Store: w.store, left: n/2 + 1, after: after})
				err := w.change(mortal, org.ID, what)
				if err == nil {
					err = mortal.RunJobs(w.ctx)
				}
				done := w.stands(org.ID) == what
				if now := w.may(in.Token); done != (len(now) == 0) {
					t.Fatalf("%s, killed at write %d: org is %s and its member may %q", what, n, w.stands(org.ID), now)
				}
				w.must(w.RunJobs(w.ctx))
				w.consistent(fmt.Sprintf("%s, killed at write %d", what, n))
				if now := w.may(in.Token); done != (len(now) == 0) {
					t.Fatalf("%s, killed at write %d: after the job the member may %q", what, n, now)
				}
				if w.stands(org.ID) != "deleted" {
					w.must(w.Orgs.Delete(w.ctx, w.realm.ID, org.ID, core.Request{}))
					w.must(w.RunJobs(w.ctx))
				}
				if err == nil {
					break
				}
			}
		}
	})
}

// fill makes robots members of an org.
func (w *world) fill(org core.OrgID, n int) {
	w.Helper()
	for i := range n {
		u, err := w.Users.Get(w.ctx, w.realm.ID, fmt.Sprint("bot-", i))
		w.must(err)
		w.joins(u.ID, org, "read")
	}
}

// change makes an org inactive, or deletes it, by way of a core.
func (w *world) change(by *core.Core, org core.OrgID, what core.State) error {
	if what == "deleted" {
		return by.Orgs.Delete(w.ctx, w.realm.ID, org, core.Request{})
	}
	_, err := by.Orgs.Update(w.ctx, w.realm.ID, org, core.OrgChange{State: &what}, core.Request{})
	return err
}

// stands is an org's state, or "deleted".
func (w *world) stands(org core.OrgID) core.State {
	w.Helper()
	o, err := w.Orgs.Get(w.ctx, w.realm.ID, org)
	if errors.Is(err, core.ErrOrgNotFound) {
		return "deleted"
	}
	w.must(err)
	return o.State
}

// TestOrgJoinedWhileItGoes has users join an org while it is deleted or made inactive: nobody is left with what they
// must not have.
func TestOrgJoinedWhileItGoes(t *testing.T) {
	each(t, func(w *world) {
		for i := range 20 {
			w.robot(i)
		}
		for round := range 6 {
			what := []core.State{core.StateInactive, "deleted"}[round%2]
			org := w.org("Acme")
			var group sync.WaitGroup
			for i := range 20 {
				u, err := w.Users.Get(w.ctx, w.realm.ID, fmt.Sprint("bot-", i))
				w.must(err)
				group.Go(func() {
					_, _ = w.Memberships.Create(w.ctx, w.realm.ID, member(u.ID, org.ID, "read"), core.Request{})
				})
			}
			group.Go(func() { _ = w.change(w.Core, org.ID, what) })
			group.Wait()
			w.must(w.RunJobs(w.ctx))
			w.consistent(fmt.Sprint("round ", round))
		}
	})
}

func TestListOrgs(t *testing.T) {
	each(t, func(w *world) {
		for i := range 25 {
			in := core.OrgChange{Name: ptr(fmt.Sprintf("Org %02d", (i*7)%25)), Reference: ptr([]string{"", "a"}[i%2])}
			if i%5 == 0 {
				in.State = ptr(core.StateInactive)
			}
			_, err := w.Orgs.Create(w.ctx, w.realm.ID, in, core.Request{})
			w.must(err)
		}
		for _, in := range []core.ListOrgs{{}, {Sort: core.OrgByID}, {Descending: true}, {State: core.StateInactive}, {Reference: ptr("a")}, {Reference: ptr("")}} {
			in.Limit = 1000
			whole, err := w.Orgs.List(w.ctx, w.realm.ID, in)
			w.must(err)
			in.Limit = 4
			var paged []*core.Org
			for more := true; more; {
				page, err := w.Orgs.List(w.ctx, w.realm.ID, in)
				w.must(err)
				paged, more = append(paged, page.Orgs...), page.More
				if more {
					in.After = page.Orgs[len(page.Orgs)-1].ID
				}
			}
			names := func(orgs []*core.Org) (all []string) {
				for _, o := range orgs {
					all = append(all, o.Name)
				}
				return all
			}
			if got, want := names(paged), names(whole.Orgs); !slices.Equal(got, want) {
				t.Errorf("List(%+v) in pages = %q; want %q", in, got, want)
			}
			want := map[bool]int{true: 25}[in.State == "" && in.Reference == nil]
			if in.State != "" {
				want = 5
			} else if in.Reference != nil && *in.Reference != "" {
				want = 12
			}
			if len(paged) != want {
				t.Errorf("List(%+v) = %d orgs; want %d", in, len(paged), want)
			}
		}
		page, err := w.Orgs.List(w.ctx, w.realm.ID, core.ListOrgs{Limit: 3})
		w.must(err)
		last := page.Orgs[2].ID
		w.must(w.Orgs.Delete(w.ctx, w.realm.ID, last, core.Request{}))
		next, err := w.Orgs.List(w.ctx, w.realm.ID, core.ListOrgs{After: last, Limit: 1})
		if err != nil || len(next.Orgs) != 1 || next.Orgs[0].Name != "Org 03" {
			t.Errorf("List after a deleted org = %+v, %v; want Org 03", next.Orgs, err)
		}
	})
}

func TestListMemberships(t *testing.T) {
	each(t, func(w *world) {
		acme, bolt := w.org("Acme"), w.org("Bolt")
		var ids []core.MembershipID
		for i := range 12 {
			u := w.robot(i)
			ids = append(ids, w.joins(u, acme.ID, "p").ID)
			w.joins(u, bolt.ID)
		}
		var paged []core.MembershipID
		in := core.ListMemberships{Org: acme.ID, Limit: 5}
		for more := true; more; {
			page, err := w.Memberships.List(w.ctx, w.realm.ID, in)
			w.must(err)
			for _, m := range page.Memberships {
				paged = append(paged, m.ID)
				if page.Users[m.User] == nil || m.Org != acme.ID {
					t.Errorf("List of an org: %+v without its user, or of another org", m)
				}
			}
			in.After, more = paged[len(paged)-1], page.More
			w.must(w.Memberships.Delete(w.ctx, w.realm.ID, in.After, core.Request{})) // the place stays
		}
		if !slices.Equal(paged, ids) {
			t.Errorf("List of an org in pages = %v; want %v", paged, ids)
		}
		user, err := w.Users.Get(w.ctx, w.realm.ID, "bot-0")
		w.must(err)
		page, err := w.Memberships.List(w.ctx, w.realm.ID, core.ListMemberships{User: user.ID, Descending: true})
		if err != nil || len(page.Memberships) != 2 || page.Memberships[0].Org != bolt.ID || page.Orgs[bolt.ID] == nil || page.More {
			t.Errorf("List of a user, newest first = %+v, %v; want Bolt, Acme with their orgs", page, err)
		}
		page, err = w.Memberships.List(w.ctx, w.realm.ID, core.ListMemberships{User: user.ID, Org: acme.ID})
		if err != nil || len(page.Memberships) != 1 || page.Memberships[0].Org != acme.ID {
			t.Errorf("List of a user in an org = %+v, %v; want one", page, err)
		}
		page, err = w.Memberships.List(w.ctx, w.realm.ID, core.ListMemberships{Descending: true})
		if err != nil || len(page.Memberships) != 21 {
			t.Errorf("List of all = %d, %v; want 21", len(page.Memberships), err)
		}
		_, err = w.Memberships.List(w.ctx, w.realm.ID, core.ListMemberships{Org: "org_x"})
		w.refused("List of no org", err, core.ErrOrgNotFound)
	})
}

func TestUserJoins(t *testing.T) {
	each(t, func(w *world) {
		acme, closed := w.org("Acme"), w.org("Closed")
		w.turns(closed.ID, core.StateInactive)
		create := func(name string, in core.UserChange) (*core.User, error) {
			in.Type, in.Username, in.Email, in.Password = ptr(core.UserHuman), &name, ptr(name+"@example.com"), ptr(goodPassword)
			return w.Users.Create(w.ctx, w.realm.ID, in, core.Request{})
		}
		ann, err := create("ann", core.UserChange{Org: &core.OrgChange{Name: ptr("Ann's")}, OrgIDs: []core.OrgID{acme.ID, closed.ID}, Permissions: &[]string{"p1"}})
		w.must(err)
		list, err := w.Memberships.List(w.ctx, w.realm.ID, core.ListMemberships{User: ann.ID})
		w.must(err)
		if ann.Memberships != 3 || len(list.Memberships) != 3 || list.Orgs[list.Memberships[0].Org].Name != "Ann's" {
			t.Errorf("Create with orgs = %d memberships, %+v; want Ann's, Acme, Closed", ann.Memberships, list.Memberships)
		}
		w.permits("made with orgs", w.signIn("ann").Token, string(list.Memberships[0].Org)+":p1", string(acme.ID)+":p1")
		bob, err := create("bob", core.UserChange{Permissions: &[]string{"boss"}})
		w.must(err)
		w.permits("made with permissions", w.signIn("bob").Token, ":boss")
		if bob.Memberships != 1 {
			t.Errorf("Create with permissions = %d memberships; want 1", bob.Memberships)
		}
		for want, in := range map[string]core.UserChange{
			"Org does not exist":                       {OrgIDs: []core.OrgID{"org_x"}},
			"User is already a member of this org":     {OrgIDs: []core.OrgID{acme.ID, acme.ID}},
			"Org name can't be blank":                  {Org: &core.OrgChange{}},
			"Org ids are too many (maximum is 100)":    {OrgIDs: make([]core.OrgID, 101)},
			"Permissions are too many (maximum is 20)": {Permissions: ptr(strings.Split(strings.Repeat("a,b,c,d,e,f,g,", 1)+"h,i,j,k,l,m,n,o,p,q,r,s,t,u", ","))},
		} {
			_, err := create("cat", in)
			if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindInvalid || e.Error() != want {
				t.Errorf("Create = %v; want %q", err, want)
			}
		}
		w.consistent("after creations")
	})
}

// TestFullUser makes a user with as many memberships and sessions as there can be in one Transaction, and deletes them.
func TestFullUser(t *testing.T) {
	each(t, func(w *world) {
		var ids []core.OrgID
		for i := range core.MaxMemberships - 1 {
			ids = append(ids, w.org(fmt.Sprint("org ", i)).ID)
		}
		ann, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: ptr("ann"), Email: ptr("ann@example.com"),
			Password: ptr(goodPassword), Org: &core.OrgChange{Name: ptr("Ann's")}, OrgIDs: ids, Permissions: &[]string{"p"}}, core.Request{})
		w.must(err)
		_, err = w.Memberships.Create(w.ctx, w.realm.ID, member(ann.ID, w.org("one more").ID), core.Request{})
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Error() != "User has too many memberships (maximum is 100)" {
			t.Errorf("Create of the 101st = %v; want it refused", err)
		}
		w.must(w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{}))
		w.consistent("after Delete")
		page, err := w.Memberships.List(w.ctx, w.realm.ID, core.ListMemberships{})
		if err != nil || len(page.Memberships) != 0 {
			t.Errorf("List after Delete = %d, %v; want none", len(page.Memberships), err)
		}
	})
}
