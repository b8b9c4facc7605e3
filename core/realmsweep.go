package core

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How many users a Transaction of a sweep looks at, whose operations are seldom more than a dozen each, and how many such there
// are at once: a store that writes to a disk has them share a write.
const (
	usersAtOnce  = 40
	sweepsAtOnce = 8
)

// absorb takes over from other what it removes, if there is room for it, and reports whether there was. What it would
// leave behind or tell is for deletions of one user, and not taken: a realm that is emptied says so once.
func (c *change) absorb(other *change) bool {
	var removals []IndexChange
	for _, i := range other.tx.Index {
		if i.Remove {
			removals = append(removals, i)
		}
	}
	if c.tx.operations()+len(other.tx.Require)+len(other.tx.Delete)+len(removals)+len(other.tx.Reset) > MaxOperations {
		return false
	}
	c.tx.Require = append(c.tx.Require, other.tx.Require...)
	c.tx.Delete = append(c.tx.Delete, other.tx.Delete...)
	c.tx.Index = append(c.tx.Index, removals...)
	c.tx.Reset = append(c.tx.Reset, other.tx.Reset...)
	return true
}

// sweepUsers deletes some of a realm's users with all that is theirs, and reports whether there were any.
func (d *deps) sweepUsers(ctx context.Context, realm *Realm, now time.Time) (more bool, err error) {
	index, members, err := d.anyUsers(ctx, realm, sweepsAtOnce*usersAtOnce)
	if err != nil || len(members) == 0 {
		return false, err
	}
	errs := make([]error, sweepsAtOnce)
	var all sync.WaitGroup
	for i := 0; len(members) > 0; i++ {
		n := min(len(members), usersAtOnce)
		some := members[:n]
		members = members[n:]
		all.Go(func() { errs[i] = d.sweepSome(ctx, realm, index, some, now) })
	}
	all.Wait()
	return true, errors.Join(errs...)
}

// sweepSome deletes users who have these places in an index, or as many of them as one Transaction takes.
func (d *deps) sweepSome(ctx context.Context, realm *Realm, index Index, members []string, now time.Time) error {
	keys := make([]Key, len(members))
	for i, m := range members {
		keys[i] = userKey(index.Partition, userAt(m))
	}
	recs, err := d.store.Get(ctx, keys...)
	if err != nil {
		return fmt.Errorf("core: sweep users: %w", err)
	}
	c := d.change(index.Partition, now)
	for i, m := range members {
		user := &User{}
		found, err := decode(keys[i], recs[i], user)
		if err != nil {
			return err
		}
		if !found { // an entry without a user: there is nothing else to remove
			c.unindex(index.Name, m)
			continue
		}
		one, err := (&Users{d}).deletion(ctx, realm, user, recs[i].Version, now, Request{})
		if err != nil {
			return err
		}
		if !c.absorb(one) {
			break
		}
	}
	return c.commit(ctx)
}

// anyUsers returns a few users of a realm, as members of an index that holds them; none where the realm has none.
func (d *deps) anyUsers(ctx context.Context, realm *Realm, limit int) (Index, []string, error) {
	for _, p := range realm.partitions() {
		for _, g := range (&ListUsers{}).groups() {
			name, _ := userIndex(g)
			index := Index{p, name(OrderID)}
			members, err := d.store.Range(ctx, Range{Index: index, Limit: limit})
			if err != nil || len(members) > 0 {
				return index, members, err
			}
		}
	}
	return Index{}, nil, nil
}

// sweepEvents removes some of the events in a realm's partitions. Those of the realm itself lie in the system's.
func (d *deps) sweepEvents(ctx context.Context, realm *Realm, now time.Time) (more bool, err error) {
	for _, p := range realm.partitions() {
		if more, err := (&Outbox{d: d}).dropEvents(ctx, p, realm.ID, now.Add(time.Hour)); more || err != nil {
			return more, err
		}
	}
	return false, nil
}

// sweepOwnEvents removes the events about a realm itself and what is made by operators, which lie in the system's
// partition. That it was deleted stays for as long as events of no realm do.
func (d *deps) sweepOwnEvents(ctx context.Context, realm *Realm, now time.Time) (more bool, err error) {
	o := &Outbox{d: d, hooks: &AppHooks{d}}
	if _, err := o.catchUp(ctx, Partition{}); err != nil { // what is still in the log would become a record later
		return false, err
	}
	return o.dropEvents(ctx, Partition{}, realm.ID, now.Add(time.Hour))
}

// sweepHooks deletes some of a realm's hooks.
func (d *deps) sweepHooks(ctx context.Context, realm *Realm, now time.Time) (more bool, err error) {
	members, err := (&AppHooks{d}).members(ctx, realm.ID)
	if err != nil || len(members) == 0 {
		return false, err
	}
	c := d.change(Partition{}, now)
	for _, m := range members {
		c.unindex(indexHooks, m)
		c.tx.Delete = append(c.tx.Delete, appHookKey(hookAt(m)).Name)
	}
	return true, c.commit(ctx)
}

// noUsers refuses, with KindInvalid, a realm that has users.
func (r *Realms) noUsers(ctx context.Context, realm *Realm) error {
	_, members, err := r.d.anyUsers(ctx, realm, 1)
	if err != nil {
		return fmt.Errorf("core: update realm: %w", err)
	}
	if len(members) > 0 {
		return invalid("require_unique_emails", "Require unique emails can be changed only while the realm has no users")
	}
	return nil
}

// sweptUsage is how many days of usage a sweep removes, each in two operations.
const sweptUsage = MaxOperations / 2

// sweepUsage removes some of what is known of how a realm's keys were used.
func (d *deps) sweepUsage(ctx context.Context, realm *Realm, now time.Time) (more bool, err error) {
	index := Index{Partition{Realm: realm.ID}, indexUsage}
	members, err := d.store.Range(ctx, Range{Index: index, Limit: sweptUsage})
	if err != nil || len(members) == 0 {
		return false, err
	}
	c := d.change(index.Partition, now)
	for _, m := range members {
		day, key := usageOf(m)
		c.unindex(index.Name, m)
		c.tx.Delete = append(c.tx.Delete, usageKey(index.Partition, day, key).Name)
	}
	return true, c.commit(ctx)
}

// sweepManagementKeys deletes some of the management keys that are for a realm alone. All keys there are lie in one
// index, so each call reads on to the first that is.
func (d *deps) sweepManagementKeys(ctx context.Context, realm *Realm, now time.Time) (more bool, err error) {
	m := &ManagementKeys{d: d}
	after := ManagementKeyID("")
	for {
		list, beyond, err := m.List(ctx, after, defaultPage)
		if err != nil || len(list) == 0 {
			return false, err
		}
		for _, k := range list {
			after = k.ID
			if k.Realm == realm.ID {
				return true, m.Delete(ctx, k.ID, Request{Client: "realm deleted"})
			}
		}
		if !beyond {
			return false, nil
		}
	}
}
