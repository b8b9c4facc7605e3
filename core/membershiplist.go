package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// ListMemberships says which memberships to list and which page of them, in the order in which they were made. The zero
// ListMemberships asks for the first 100 of all.
type ListMemberships struct {
	Org        OrgID        // "" = of any, or none
	User       UserID       // "" = of anybody
	After      MembershipID // go on after this one's place; it need not be there any more. "" = from the start
	Limit      int          // memberships on the page, 1 to MaxRange; default 100
	Descending bool         // the last first
}

// MembershipPage is a page of a list of memberships.
type MembershipPage struct {
	Memberships []*Membership
	Orgs        map[OrgID]*Org   // those that they are in, where the list is one user's
	Users       map[UserID]*User // those whose they are, where the list is one org's
	More        bool             // there are memberships after these
}

// validate fills the defaults and returns what is wrong, all of it, as KindInvalid.
func (in *ListMemberships) validate() error {
	defaultTo(&in.Limit, defaultPage)
	var errs fieldErrors
	errs.check(in.Limit >= 1 && in.Limit <= MaxRange, "max_results", "Max results must be from 1 to 1000")
	errs.check(in.After == "" || validID(prefixMembership, string(in.After)), "after", "After must be the id of a membership")
	return errs.err()
}

// List returns a page of memberships. Any page of those in an org costs the same. It fails with KindInvalid,
// ErrUserNotFound, ErrOrgNotFound and ErrRealmNotFound.
func (m *Memberships) List(ctx context.Context, realm RealmID, in ListMemberships) (MembershipPage, error) {
	if err := in.validate(); err != nil {
		return MembershipPage{}, err
	}
	state, err := m.d.realms.state(ctx, realm)
	if err != nil {
		return MembershipPage{}, err
	}
	if in.Org != "" {
		if _, _, err := m.orgs.byID(ctx, state.Realm, in.Org); err != nil {
			return MembershipPage{}, err
		}
	}
	if in.User != "" {
		return m.ofUser(ctx, state.Realm, in)
	}
	return m.ofAll(ctx, state.Realm, in)
}

// ofUser lists memberships of one user, who has few.
func (m *Memberships) ofUser(ctx context.Context, realm *Realm, in ListMemberships) (MembershipPage, error) {
	if !validID(prefixUser, string(in.User)) {
		return MembershipPage{}, ErrUserNotFound
	}
	if _, _, err := m.users.byID(ctx, realm, in.User); err != nil {
		return MembershipPage{}, err
	}
	list, _, err := m.d.memberships(ctx, realm, in.User)
	if err != nil {
		return MembershipPage{}, err
	}
	shown, orgs, err := m.withOrgs(ctx, realm, list.List)
	if err != nil {
		return MembershipPage{}, err
	}
	before := func(a, b MembershipID) bool { return (a < b) != in.Descending }
	shown = slices.DeleteFunc(shown, func(one *Membership) bool {
		return in.Org != "" && one.Org != in.Org || in.After != "" && (one.ID == in.After || before(one.ID, in.After))
	})
	slices.SortFunc(shown, func(a, b *Membership) int {
		order := strings.Compare(string(a.ID), string(b.ID))
		if in.Descending {
			return -order
		}
		return order
	})
	page := MembershipPage{Memberships: shown[:min(len(shown), in.Limit)], Orgs: orgs, More: len(shown) > in.Limit}
	return page, nil
}

// ofAll lists memberships in one org, or all.
func (m *Memberships) ofAll(ctx context.Context, realm *Realm, in ListMemberships) (MembershipPage, error) {
	lanes := &merge{store: m.d.store, descending: in.Descending}
	after := ""
	if in.After != "" {
		after = idBody(in.After) // and before whoever's it is
		if in.Descending {
			after += "\x00"
		} else {
			after += "\xff"
		}
	}
	for _, p := range realm.partitions() {
		index := membershipsIndex(p)
		if in.Org != "" {
			index = orgMembersIndex(p, in.Org)
		}
		lanes.addFrom(index, "", "", after)
	}
	page := MembershipPage{Users: map[UserID]*User{}}
	var err error
	page.Memberships, page.More, err = pageOf(ctx, lanes, in.Limit, func(ctx context.Context, entries []listed) ([]*Membership, error) {
		return m.read(ctx, realm, in.Org, entries, page.Users)
	})
	if err != nil {
		return MembershipPage{}, fmt.Errorf("core: list memberships: %w", err)
	}
	return page, nil
}

// read returns the memberships that entries are of, less those that are there no more. Of the members of one org it notes
// who they are.
func (m *Memberships) read(ctx context.Context, realm *Realm, org OrgID, entries []listed, users map[UserID]*User) ([]*Membership, error) {
	var keys []Key
	for _, e := range entries {
		_, user := memberOf(e.member)
		p := e.lane.rest.Index.Partition
		keys = append(keys, membershipsKey(p, user), userKey(p, user))
	}
	recs, err := m.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	var found []*Membership
	for i, e := range entries {
		id, _ := memberOf(e.member)
		list, user := &memberships{}, &User{}
		if _, err := decode(keys[2*i], recs[2*i], list); err != nil {
			return nil, err
		}
		if _, err := decode(keys[2*i+1], recs[2*i+1], user); err != nil {
			return nil, err
		}
		at := list.find(func(one *Membership) bool { return one.ID == id })
		if at < 0 || list.Realm != realm.ID || user.Realm != realm.ID {
			continue
		}
		list.own()
		user.Memberships = len(list.List)
		users[user.ID] = user
		found = append(found, list.List[at])
	}
	if org != "" {
		return found, nil
	}
	found, _, err = m.withOrgs(ctx, realm, found)
	return found, err
}

// withOrgs returns the orgs that memberships are in, and those memberships whose org is there. Those of an org that was
// deleted a moment ago may still lie about.
func (m *Memberships) withOrgs(ctx context.Context, realm *Realm, list []*Membership) ([]*Membership, map[OrgID]*Org, error) {
	orgs, _, err := m.orgs.readAll(ctx, realm, orgsOf(list))
	if err != nil {
		return nil, nil, err
	}
	var shown []*Membership
	for _, one := range list {
		if one.Org == "" || orgs[one.Org] != nil {
			shown = append(shown, one)
		}
	}
	return shown, orgs, nil
}
