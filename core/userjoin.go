package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// joinNew makes a new user a member of what in asks for, in the Transaction that makes the user (Users API, "Create a
// user"): of an org made with them, of orgs that are there, and with permissions alone, of none.
func (u *Users) joinNew(ctx context.Context, c *change, realm *Realm, user *User, in UserChange, req Request) error {
	if len(in.OrgIDs) > MaxMemberships {
		return invalid("org_ids", fmt.Sprintf("Org ids are too many (maximum is %d)", MaxMemberships))
	}
	ids := in.OrgIDs
	list := &memberships{Realm: realm.ID, User: user.ID}
	if in.Org != nil {
		org, err := u.foundWith(c, user, *in.Org, req)
		if err != nil {
			return err
		}
		if err := u.joinOne(c, list, &Org{ID: org.ID, State: org.State}, in.Permissions, req); err != nil {
			return err
		}
	}
	orgs, versions, err := (&Orgs{u.d}).readAll(ctx, realm, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		org := orgs[id]
		if org == nil {
			return invalid("org_ids", "Org does not exist")
		}
		c.unchanged(org.key(c.tx.Partition), versions[id])
		if err := u.joinOne(c, list, org, in.Permissions, req); err != nil {
			return err
		}
	}
	if in.Org == nil && len(ids) == 0 && in.Permissions != nil && len(*in.Permissions) > 0 {
		if err := u.joinOne(c, list, &Org{State: StateActive}, in.Permissions, req); err != nil {
			return err
		}
	}
	if len(list.List) > 0 {
		c.create(list, noExpiry)
	}
	user.Memberships = len(list.List)
	return nil
}

// ofOrg says of complaints that they are about the org of a new user: the user has a name, a state and the like too.
func ofOrg(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != KindInvalid {
		return err
	}
	told := *e
	told.Fields = nil
	for _, f := range e.Fields {
		told.Fields = append(told.Fields, FieldError{"org", "Org " + strings.ToLower(f.Message[:1]) + f.Message[1:]})
	}
	return &told
}

// foundWith makes an org in a new user's bucket.
func (u *Users) foundWith(c *change, user *User, in OrgChange, req Request) (*Org, error) {
	b, _ := bucketOf(string(user.ID))
	org, err := u.d.newOrg(user.Realm, b, in, c.tx.Now)
	if err != nil {
		return nil, ofOrg(err)
	}
	c.found(org, req)
	return org, nil
}

// joinOne puts a membership in an org into a new user's list.
func (u *Users) joinOne(c *change, list *memberships, org *Org, permissions *[]string, req Request) error {
	one, err := u.d.newMembership(NewMembership{User: list.User, Org: org.ID, MembershipChange: MembershipChange{Permissions: permissions}}, c.tx.Now)
	if err != nil {
		return err
	}
	one.Suspended = org.State != StateActive
	if err := list.add(one); err != nil {
		return err
	}
	c.join(one, req)
	return nil
}
