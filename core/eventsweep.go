package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Events that are older than their realm keeps them are looked for every sweepEvery, and removed for sweepRound at a
// time.
const (
	sweepEvery = time.Hour
	sweepRound = 3 * time.Second
)

// sweep removes the events of all realms that are over, for at most as long as round. It reports whether it came to the end.
func (o *Outbox) sweep(ctx context.Context, round time.Duration) (done bool, err error) {
	now, err := o.d.clock.now()
	if err != nil {
		return false, err
	}
	soon, cancel := context.WithTimeout(ctx, round)
	defer cancel()
	clear := func(p Partition, realm RealmID, before time.Time) error {
		for more := true; more; {
			if soon.Err() != nil {
				return nil
			}
			if more, err = o.dropEvents(ctx, p, realm, before); err != nil && !isConflict(err) {
				return err
			}
		}
		return nil
	}
	err = o.d.realms.each(ctx, func(id RealmID) error {
		realm, err := o.d.realms.Get(ctx, id)
		if err != nil {
			return err
		}
		var errs []error
		for _, p := range append(realm.partitions(), Partition{}) {
			errs = append(errs, clear(p, id, now.Add(-realm.Settings.EventRetention.Duration())))
		}
		return errors.Join(errs...)
	})
	err = errors.Join(err, clear(Partition{}, "", now.Add(-RealmSettings{}.withDefaults().EventRetention.Duration())))
	return soon.Err() == nil, err
}

// dropEvents removes the events of a realm in a partition that were made before a time, with their places and their
// notifications: as many as a Transaction has room for. more says that there may be others.
func (o *Outbox) dropEvents(ctx context.Context, p Partition, realm RealmID, before time.Time) (more bool, err error) {
	now, err := o.d.clock.now()
	if err != nil {
		return false, err
	}
	c := o.d.change(p, now)
	last := uint64(0) // in its chain, of those removed
	for _, kind := range eventTypes {
		name, prefix := realmEventsIndex(realm, kind)
		members, err := o.d.store.Range(ctx, Range{Index: Index{p, name}, From: prefix, To: prefix + idFrom(before), Limit: 50})
		if err != nil {
			return false, fmt.Errorf("core: find old events: %w", err)
		}
		for _, m := range members {
			if c.tx.operations() > batchOperations {
				return true, o.dropped(ctx, c, realm, last)
			}
			number, err := o.drop(ctx, c, name, m, EventID(prefixEvent+m[len(prefix):]))
			if err != nil {
				return false, err
			}
			last = max(last, number)
		}
		more = more || len(members) == 50
	}
	if c.tx.operations() == 0 {
		return false, nil
	}
	return more, o.dropped(ctx, c, realm, last)
}

// dropped commits a removal of events, and notes in the same Transaction up to where their chain now lacks some: last is the
// number of the last in it, 0 for none. Where that note was changed in the store it stays as it is, to tell of it.
func (o *Outbox) dropped(ctx context.Context, c *change, realm RealmID, last uint64) error {
	if last == 0 {
		return c.commit(ctx)
	}
	p := c.tx.Partition
	floor := &eventFloor{Realm: realm}
	version, found, err := o.d.load(ctx, eventFloorKey(p, realm), floor)
	if err != nil {
		return err
	}
	s, err := o.d.eventSealer(ctx, false)
	if err != nil {
		return err
	}
	if last > floor.Number && (!found || s.holds(floor.Seal, floor.sealed(s, p))) {
		floor.Number = last
		floor.Seal = floor.sealed(s, p)
		c.replace(floor, version, noExpiry)
	}
	return c.commit(ctx)
}

// drop removes one event with all that belongs to it. It returns its number in its chain; 0 where nothing shows that it was
// in one.
func (o *Outbox) drop(ctx context.Context, c *change, index, member string, id EventID) (uint64, error) {
	key := eventKey(c.tx.Partition, id)
	recs, err := o.d.store.Get(ctx, key)
	if err != nil {
		return 0, err
	}
	e := &Event{}
	found, err := decode(key, recs[0], e)
	if err != nil {
		return 0, err
	}
	if !found {
		c.unindex(index, member)
		return 0, nil
	}
	c.tx.Delete = append(c.tx.Delete, key.Name)
	for _, m := range e.members() {
		c.unindex(m.Index, m.Member)
	}
	for _, id := range e.Notifications {
		n := &Notification{}
		version, found, err := o.d.load(ctx, notificationKey(c.tx.Partition, id), n)
		if err != nil {
			return 0, err
		}
		if found {
			c.due(n, time.Time{})
			c.remove(n.key(c.tx.Partition), version)
		}
	}
	if e.Number == 0 {
		return 0, nil
	}
	s, err := o.d.eventSealer(ctx, false)
	if err != nil || !s.genuine(c.tx.Partition, recs[0].Value) {
		return 0, err // what was altered must not pass for one that went as it should
	}
	return e.Number, nil
}
