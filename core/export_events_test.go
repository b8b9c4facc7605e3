package core

import (
	"context"
	"time"
)

// SweepEvents removes events that are over, in a round that is long enough for all of them on any machine.
func (c *Core) SweepEvents(ctx context.Context) (done bool, err error) {
	return c.Events.outbox.sweep(ctx, time.Hour)
}

// DeliverNow reads the event logs, delivers what is due, and returns when that has ended.
func (c *Core) DeliverNow(ctx context.Context) error {
	for _, f := range c.dispatcher.partitions {
		f.unread, f.next = true, time.Time{}
	}
	c.dispatcher.listed = time.Time{}
	if err := c.dispatcher.follow(ctx); err != nil {
		return err
	}
	if err := c.dispatcher.read(ctx); err != nil {
		return err
	}
	err := c.dispatcher.deliver(ctx)
	c.dispatcher.flights.Wait()
	return err
}

// LeaveUntrimmed notes that so many events of a log were read since it was last trimmed.
func (c *Core) LeaveUntrimmed(ctx context.Context, p Partition, n int) error {
	now, err := c.d.clock.now()
	if err != nil {
		return err
	}
	r, err := c.Events.outbox.begin(ctx, p)
	if err != nil {
		return err
	}
	r.cursor.Untrimmed = n
	return r.commit(ctx, c.d.change(p, now))
}

// ClaimTime is claimTime.
const ClaimTime = claimTime

// RenewClaims has claims of deliveries renewed every so often.
func (c *Core) RenewClaims(every time.Duration) { c.Events.outbox.renewal = every }

// AppendEvent appends an event to the log of its user's partition.
func (c *Core) AppendEvent(ctx context.Context, realm *Realm, e Event) error {
	now, err := c.d.clock.now()
	if err != nil {
		return err
	}
	p, _ := realm.owner(string(e.User))
	tx := c.d.change(p, now)
	tx.event(e)
	return tx.commit(ctx)
}

// DropEvents removes some of the events of a realm that were made before a time.
func (c *Core) DropEvents(ctx context.Context, p Partition, realm RealmID, before time.Time) (more bool, err error) {
	return c.Events.outbox.dropEvents(ctx, p, realm, before)
}
