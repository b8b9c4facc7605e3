package core

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Membership gives a user permissions, in an org or, with no org, in the realm at large (Users API, "Memberships").
type Membership struct {
	ID          MembershipID `json:"id"`
	Org         OrgID        `json:"org,omitempty"` // "" = in no org
	Permissions []string     `json:"permissions,omitempty"`
	ExpiresAt   Instant      `json:"expires,omitzero"` // from then on its permissions count no more; zero = never
	Custom      Custom       `json:"custom,omitempty"`
	CreatedAt   Instant      `json:"created"`

	// Suspended says that the org is inactive, so that whoever reads the membership need not read the org.
	Suspended bool `json:"suspended,omitempty"`

	// Of the record that it lies in.
	Realm RealmID `json:"-"`
	User  UserID  `json:"-"`
}

// memberships are all that a user has, in the order in which they were made. They lie in one record beside the user, so
// that a guard reads session, user and permissions at one moment.
type memberships struct {
	Realm RealmID       `json:"realm"`
	User  UserID        `json:"user"`
	List  []*Membership `json:"list"`
}

func (m *memberships) key(p Partition) Key { return membershipsKey(p, m.User) }

// Bounds of memberships.
const (
	MaxMemberships     = 100       // of one user
	maxMembershipsSize = 128 << 10 // bytes of all memberships of one user as JSON, about
	maxPermissions     = 20        // of one membership, and that one API key may be narrowed to
)

// Failures of memberships.
var (
	ErrMembershipNotFound = &Error{Kind: KindNotFound, Code: "membership_not_found", Detail: "membership not found"}

	errMemberAlready      = invalid("user_id", "User is already a member of this org")
	errMemberOfNone       = invalid("user_id", "User already has a membership without an org")
	errTooManyMemberships = invalid("user_id", fmt.Sprintf("User has too many memberships (maximum is %d)", MaxMemberships))
	errMembershipsSize    = invalid("custom", "The memberships of this user are too large together (maximum is 128 KiB)")
)

// permissions returns a list of permissions without repeats, or what is wrong with it.
func (f *fieldErrors) permissions(list []string) []string {
	var once []string
	for _, p := range list {
		if !slices.Contains(once, p) {
			once = append(once, p)
		}
	}
	f.check(len(once) <= maxPermissions, "permissions", "Permissions are too many (maximum is 20)")
	valid := all(once, IsPermission)
	f.check(valid, "permissions", "Permissions must have 1 to 62 letters, digits and characters of * : ; . _ - each")
	return once
}

// expired reports whether a membership's permissions count no more.
func (m *Membership) expired(now time.Time) bool {
	return !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt.Time)
}

// find returns the place of a membership in the list, or -1.
func (m *memberships) find(is func(*Membership) bool) int { return slices.IndexFunc(m.List, is) }

// add puts a new membership into the list. It fails where there is one of the same org, and beyond the bounds.
func (m *memberships) add(one *Membership) error {
	switch {
	case m.find(func(o *Membership) bool { return o.Org == one.Org }) >= 0:
		if one.Org == "" {
			return errMemberOfNone
		}
		return errMemberAlready
	case len(m.List) >= MaxMemberships:
		return errTooManyMemberships
	}
	one.Realm, one.User = m.Realm, m.User
	m.List = append(m.List, one)
	return m.bounded()
}

// bounded refuses a list that would be slow to read at every sight of a user.
func (m *memberships) bounded() error {
	size := 0
	for _, one := range m.List {
		size += 200
		for _, p := range one.Permissions {
			size += len(p) + 3
		}
		for name, value := range one.Custom {
			var written bytes.Buffer // as the record has it, however it was sent
			json.HTMLEscape(&written, value)
			size += len(name) + written.Len() + 4
		}
	}
	if size > maxMembershipsSize {
		return errMembershipsSize
	}
	return nil
}

// own fills what each membership knows of the record that it lies in.
func (m *memberships) own() {
	for _, one := range m.List {
		one.Realm, one.User = m.Realm, m.User
	}
}

// member is a membership's place in the indexes: the order in which memberships were made, and whose it is.
func (m *Membership) member() string { return idBody(m.ID) + idBody(m.User) }

// idBody returns an id without its prefix.
func idBody[T ~string](id T) string { return string(id[len(id)-idLength:]) }

// memberOf returns the membership and the user that a place in an index is of.
func memberOf(place string) (MembershipID, UserID) {
	return MembershipID(prefixMembership + place[:idLength]), UserID(prefixUser + place[idLength:])
}

// join adds a membership's places to the indexes, and tells of it.
func (c *change) join(m *Membership, req Request) {
	c.index(indexMemberships, m.member())
	if m.Org != "" {
		c.index(orgMembersIndex(c.tx.Partition, m.Org).Name, m.member())
	}
	c.membershipEvent(eventMemberCreated, m, req)
}

// part removes a membership's places from the indexes, and tells of it.
func (c *change) part(m *Membership, req Request) {
	c.unindex(indexMemberships, m.member())
	if m.Org != "" {
		c.unindex(orgMembersIndex(c.tx.Partition, m.Org).Name, m.member())
	}
	c.membershipEvent(eventMemberDeleted, m, req)
}

func (c *change) membershipEvent(kind string, m *Membership, req Request) {
	c.event(Event{Realm: m.Realm, Type: kind, User: m.User, Org: m.Org, Membership: m.ID, Request: req.clean()})
}

// keep puts a user's memberships in the place of the version that was read. Where none is left, so is no record.
func (c *change) keep(m *memberships, version uint64) {
	if len(m.List) > 0 {
		c.replace(m, version, noExpiry)
	} else {
		c.remove(m.key(c.tx.Partition), version)
	}
}
