package core

import (
	"context"
	"fmt"
	"time"
)

// joined is what a user belongs to, read at one moment with all that its permissions depend on.
type joined struct {
	memberships
	orgs unsettled
}

// joinedKeys are the records that joined is read from.
func joinedKeys(p Partition, user UserID) []Key {
	return []Key{membershipsKey(p, user), unsettledKey(p)}
}

// read decodes what was found under joinedKeys.
func (j *joined) read(keys []Key, recs []Record) error {
	_, err := decode(keys[0], recs[0], &j.memberships)
	if err == nil {
		_, err = decode(keys[1], recs[1], &j.orgs)
	}
	j.own()
	return err
}

// joined reads what a user belongs to.
func (d *deps) joined(ctx context.Context, realm *Realm, user UserID) (*joined, error) {
	p, _ := realm.owner(string(user))
	keys := joinedKeys(p, user)
	recs, err := d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: read memberships: %w", err)
	}
	j := &joined{}
	return j, j.read(keys, recs)
}

// granted returns the memberships whose permissions count, and until when they all do at most; zero = for good. A
// membership in an inactive org does not count, and one whose org is being changed counts as the change says.
func (j *joined) granted(now time.Time) (counting []*Membership, until time.Time) {
	for _, one := range j.List {
		if one.expired(now) || !j.orgs.active(one) {
			continue
		}
		counting = append(counting, one)
		if end := one.ExpiresAt.Time; !end.IsZero() && (until.IsZero() || end.Before(until)) {
			until = end
		}
	}
	return counting, until
}

// access returns what a user is permitted now, and until when it may be remembered: end, or earlier where a
// membership expires.
func (j *joined) access(now, end time.Time) ([]OrgAccess, time.Time) {
	counting, until := j.granted(now)
	if !until.IsZero() && until.Before(end) {
		end = until
	}
	var list []OrgAccess
	for _, m := range counting {
		list = append(list, OrgAccess{m.Org, m.Permissions})
	}
	return list, end
}

// unsettled are the orgs of a partition whose state has changed while the memberships of some of their members do not
// say so yet, with that state. Whoever reads memberships reads it beside them, so that a change of an org
// with a hundred thousand members is felt at once.
type unsettled struct {
	Realm  RealmID        `json:"realm"`
	Number int            `json:"number"` // of the partition
	Orgs   map[OrgID]turn `json:"orgs"`
}

// turn is a change of an org's state on its way to the members.
type turn struct {
	State State  `json:"state"`          // the new one; stateDeleted where there is no such org any more
	Done  string `json:"done,omitempty"` // the place in the index of the last member who has been reached
}

func (u *unsettled) key(p Partition) Key {
	if u.Realm != p.Realm || u.Number != p.Number {
		return Key{}
	}
	return unsettledKey(p)
}

// maxUnsettled bounds how many orgs there are, since every sight of a user reads them.
const maxUnsettled = 50

// stateDeleted is the state of what is there no more.
const stateDeleted State = "deleted"

// active reports whether the org of a membership is active, as far as permissions go.
func (u *unsettled) active(m *Membership) bool {
	if t, changing := u.Orgs[m.Org]; changing {
		return t.State == StateActive
	}
	return !m.Suspended
}
