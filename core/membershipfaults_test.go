package core

import (
	"context"
	"fmt"
)

// MembershipFaults returns in what the memberships of a realm, their indexes and its orgs disagree.
func (c *Core) MembershipFaults(ctx context.Context, realm RealmID) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	state, err := c.d.realms.state(ctx, realm)
	if err != nil {
		return []string{err.Error()}
	}
	for _, p := range state.partitions() {
		places, err := c.d.store.Range(ctx, Range{Index: membershipsIndex(p), Limit: MaxRange})
		if err != nil {
			return []string{err.Error()}
		}
		for _, place := range places {
			id, user := memberOf(place)
			list, _, err := c.d.memberships(ctx, state.Realm, user)
			at := list.find(func(m *Membership) bool { return m.ID == id })
			if err != nil || at < 0 {
				fault("%s is listed and not there: %v", id, err)
				continue
			}
			if _, _, err := c.Users.byID(ctx, state.Realm, user); err != nil {
				fault("%s is of %s: %v", id, user, err)
			}
			m := list.List[at]
			if m.Org == "" {
				continue
			}
			org, _, err := c.Orgs.byID(ctx, state.Realm, m.Org)
			if err != nil {
				fault("%s is in %s: %v", id, m.Org, err)
			} else if m.Suspended != (org.State == StateInactive) {
				fault("%s says suspended = %t of an org that is %s", id, m.Suspended, org.State)
			}
			in, err := c.d.store.Range(ctx, Range{Index: orgMembersIndex(p, m.Org), From: place, To: place + "\x00", Limit: 1})
			if err != nil || len(in) != 1 {
				fault("%s is not listed in its org: %v", id, err)
			}
		}
		u, _, err := c.Orgs.unsettled(ctx, p)
		if err != nil || len(u.Orgs) > 0 {
			fault("orgs are still being changed: %v, %v", u.Orgs, err)
		}
	}
	return faults
}
