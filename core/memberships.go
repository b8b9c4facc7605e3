package core

import (
	"context"
	"fmt"
	"time"
)

// Memberships joins users to orgs and parts them. Each change is felt by every guard at once. Safe for concurrent use.
type Memberships struct {
	d     *deps
	users *Users
	orgs  *Orgs
}

// NewMembership is what a membership is made of.
type NewMembership struct {
	User UserID
	Org  OrgID // "" = in no org
	MembershipChange
}

// MembershipChange is what a caller wants to set of a membership. What is nil stays as it is.
type MembershipChange struct {
	Permissions *[]string  // up to 20, of 1 to 62 characters of [A-Za-z0-9*:;._-]; replaces them all
	ExpiresAt   *time.Time // the zero time = never
	Custom      *Custom    // replaces all of it
}

// apply sets what in asks for.
func (m *Membership) apply(in MembershipChange) error {
	var errs fieldErrors
	if in.Permissions != nil {
		m.Permissions = errs.permissions(*in.Permissions)
	}
	if in.ExpiresAt != nil {
		errs.check(in.ExpiresAt.IsZero() || in.ExpiresAt.Year() >= 1970 && in.ExpiresAt.Year() <= 9999, "expires_at", "Expires at is not a time")
		m.ExpiresAt = Instant{in.ExpiresAt.UTC().Truncate(time.Second)}
	}
	if in.Custom != nil {
		errs.add(in.Custom.validate())
		m.Custom = *in.Custom
	}
	return errs.err()
}

// Create makes a user a member of an org, or of none. It fails with KindInvalid, also where there is no such user or
// org, where the user is a member already, and where the user has MaxMemberships.
func (m *Memberships) Create(ctx context.Context, realm RealmID, in NewMembership, req Request) (*Membership, error) {
	var made *Membership
	err := retry(func() (err error) {
		made, err = m.create(ctx, realm, in, req)
		return err
	})
	return made, err
}

// create tries once.
func (m *Memberships) create(ctx context.Context, realm RealmID, in NewMembership, req Request) (*Membership, error) {
	state, now, err := m.users.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	if !validID(prefixUser, string(in.User)) {
		return nil, errNoUser
	}
	_, userVersion, err := m.users.byID(ctx, state.Realm, in.User)
	if err == ErrUserNotFound {
		return nil, errNoUser
	} else if err != nil {
		return nil, err
	}
	joined, version, err := m.d.memberships(ctx, state.Realm, in.User)
	if err != nil {
		return nil, err
	}
	p, _ := state.owner(string(in.User))
	c := m.d.change(p, now)
	one, err := m.enter(ctx, c, state.Realm, in, joined)
	if err != nil {
		return nil, err
	}
	c.unchanged(userKey(p, in.User), userVersion)
	c.keep(joined, version)
	c.join(one, req)
	c.invalidate(string(in.User))
	if err := c.commit(ctx); err != nil {
		return nil, fmt.Errorf("core: create membership: %w", err)
	}
	return one, nil
}

// What a membership may be said to be of, and is not.
var (
	errNoUser = invalid("user_id", "User does not exist")
	errNoOrg  = invalid("org_id", "Org does not exist")
)

// enter puts a new membership into the list of a user's, on condition that its org stays as it was read.
func (m *Memberships) enter(ctx context.Context, c *change, realm *Realm, in NewMembership, joined *memberships) (*Membership, error) {
	suspended := false
	if in.Org != "" {
		org, version, err := m.orgs.byID(ctx, realm, in.Org)
		if err == ErrOrgNotFound {
			return nil, errNoOrg
		} else if err != nil {
			return nil, err
		}
		c.unchanged(org.key(c.tx.Partition), version)
		suspended = org.State != StateActive
	}
	one, err := m.d.newMembership(in, c.tx.Now)
	if err != nil {
		return nil, err
	}
	one.Suspended = suspended
	return one, joined.add(one)
}

// newMembership returns a membership in its user's bucket.
func (d *deps) newMembership(in NewMembership, now time.Time) (*Membership, error) {
	b, _ := bucketOf(string(in.User))
	id, err := d.ids.id(prefixMembership, b)
	if err != nil {
		return nil, err
	}
	one := &Membership{ID: MembershipID(id), Org: in.Org, CreatedAt: Instant{now}}
	return one, one.apply(in.MembershipChange)
}

// memberships reads those of a user. One who has none has an empty list at version 0.
func (d *deps) memberships(ctx context.Context, realm *Realm, user UserID) (*memberships, uint64, error) {
	p, _ := realm.owner(string(user))
	list := &memberships{}
	version, found, err := d.load(ctx, membershipsKey(p, user), list)
	if err != nil {
		return nil, 0, fmt.Errorf("core: read memberships: %w", err)
	}
	if !found || list.Realm != realm.ID {
		return &memberships{Realm: realm.ID, User: user}, version, nil
	}
	list.own()
	return list, version, nil
}

// Get returns a membership, or ErrMembershipNotFound.
func (m *Memberships) Get(ctx context.Context, realm RealmID, id MembershipID) (*Membership, error) {
	state, err := m.d.realms.state(ctx, realm)
	if err != nil {
		return nil, err
	}
	list, _, at, err := m.byID(ctx, state.Realm, id)
	if err != nil {
		return nil, err
	}
	shown, _, err := m.withOrgs(ctx, state.Realm, list.List[at:at+1])
	if err != nil {
		return nil, err
	}
	if len(shown) == 0 {
		return nil, ErrMembershipNotFound
	}
	return shown[0], nil
}

// byID returns all memberships of the user whose one this is, with their version, and its place among them.
func (m *Memberships) byID(ctx context.Context, realm *Realm, id MembershipID) (*memberships, uint64, int, error) {
	p, ok := realm.owner(string(id))
	if !ok || !validID(prefixMembership, string(id)) {
		return nil, 0, 0, ErrMembershipNotFound
	}
	places, err := m.d.store.Range(ctx, Range{Index: membershipsIndex(p), From: idBody(id), To: idBody(id) + "\xff", Limit: 1})
	if err != nil {
		return nil, 0, 0, fmt.Errorf("core: find membership: %w", err)
	}
	if len(places) == 0 {
		return nil, 0, 0, ErrMembershipNotFound
	}
	_, user := memberOf(places[0])
	list, version, err := m.d.memberships(ctx, realm, user)
	if err != nil {
		return nil, 0, 0, err
	}
	at := list.find(func(one *Membership) bool { return one.ID == id })
	if at < 0 {
		return nil, 0, 0, ErrMembershipNotFound
	}
	return list, version, at, nil
}

// Update changes a membership. It fails with ErrMembershipNotFound and KindInvalid.
func (m *Memberships) Update(ctx context.Context, realm RealmID, id MembershipID, in MembershipChange, req Request) (*Membership, error) {
	var after *Membership
	err := m.change(ctx, realm, id, func(c *change, list *memberships, at int) error {
		one := *list.List[at]
		after, list.List[at] = &one, &one
		if err := after.apply(in); err != nil {
			return err
		}
		c.membershipEvent(eventMemberUpdated, after, req)
		return list.bounded()
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

// Delete removes a membership. It fails with ErrMembershipNotFound.
func (m *Memberships) Delete(ctx context.Context, realm RealmID, id MembershipID, req Request) error {
	return m.change(ctx, realm, id, func(c *change, list *memberships, at int) error {
		c.part(list.List[at], req)
		list.List = append(list.List[:at:at], list.List[at+1:]...)
		return nil
	})
}

// change carries out what with does to one of a user's memberships.
func (m *Memberships) change(ctx context.Context, realm RealmID, id MembershipID, with func(c *change, list *memberships, at int) error) error {
	return retry(func() error {
		state, now, err := m.users.begin(ctx, realm)
		if err != nil {
			return err
		}
		list, version, at, err := m.byID(ctx, state.Realm, id)
		if err != nil {
			return err
		}
		p, _ := state.owner(string(id))
		c := m.d.change(p, now)
		if err := with(c, list, at); err != nil {
			return err
		}
		c.keep(list, version)
		c.invalidate(string(list.User))
		return c.commit(ctx)
	})
}
