package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// leaseEvents names the lease of whoever reads the event logs and delivers.
const leaseEvents = "events"

// How deliveries are made.
const (
	deliverTimeout       = 40 * time.Second      // of one try
	dispatchWait         = time.Second           // the longest that one look at the logs waits for news
	dispatchPace         = 50 * time.Millisecond // the least between two looks: what comes meanwhile is read together
	dispatchLook         = 5 * time.Second       // how often due deliveries are looked for that another process may have added
	dispatchLookEach     = 10 * time.Millisecond
	partitionsLookedFor  = 5 * time.Second
	dispatchAtOnceLimits = 1000
)

// dispatcher is the work of the Outbox in the background: it follows the event logs of all partitions, and delivers
// what is due. One goroutine works it; deliveries have theirs.
type dispatcher struct {
	o       *Outbox
	courier Courier // nil = events are kept, and nothing is delivered

	partitions map[Partition]*followed
	marked     map[RealmID]bool // see deps.mark
	waited     time.Time        // when wait last ended, by the machine's clock
	listed     time.Time        // when partitions were last looked for, by the machine's clock
	swept      time.Time        // when all that was over was last removed, by the same

	places  *places
	flights sync.WaitGroup
}

// followed is where the dispatcher is in a partition.
type followed struct {
	at      Position  // in the log, as far as it was looked at
	unread  bool      // there may be something behind the cursor
	next    time.Time // when something may be due; zero = look
	crowded bool      // something was due and found no room: look again once some was made
	made    int       // how often room had been made when it was last looked
	looked  time.Time // by the machine's clock

	from  string // where the next look begins: what stands before found no room; "" = with what has been due for longest
	begun int    // how often room had been made when a look last began there
}

func newDispatcher(o *Outbox, courier Courier) *dispatcher {
	return &dispatcher{o: o, courier: courier, partitions: map[Partition]*followed{}, marked: map[RealmID]bool{}, places: newPlaces()}
}

// run works while this process holds the lease, until ctx ends.
func (d *dispatcher) run(ctx context.Context) {
	d.o.d.whileLeased(ctx, leaseEvents, 10*time.Millisecond, d.round)
	d.flights.Wait()
}

// round reads what is new, delivers what is due, and waits a moment for more.
func (d *dispatcher) round(ctx context.Context) error {
	err := errors.Join(d.follow(ctx), d.read(ctx), d.deliver(ctx), d.sweep(ctx))
	if err != nil {
		return errors.Join(err, pause(ctx, dispatchWait))
	}
	return d.wait(ctx)
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// follow takes in the partitions of realms that are new, and lets go of those of realms that are gone.
func (d *dispatcher) follow(ctx context.Context) error {
	local := d.o.d.clock.local()
	if local.Sub(d.listed) < partitionsLookedFor && len(d.partitions) > 0 {
		return nil
	}
	all := []Partition{{}}
	err := d.o.d.realms.each(ctx, func(id RealmID) error {
		realm, err := d.o.d.realms.Get(ctx, id)
		if err != nil {
			return err
		}
		all = append(all, realm.partitions()...)
		if !d.marked[id] {
			d.marked[id], err = d.o.d.mark(ctx, realm)
		}
		return err
	})
	for _, p := range all {
		if d.partitions[p] == nil {
			d.partitions[p] = &followed{unread: true}
		}
	}
	for p := range d.partitions {
		if err == nil && !slices.Contains(all, p) {
			delete(d.partitions, p)
			delete(d.marked, p.Realm)
		}
	}
	if err == nil {
		d.listed = local
	}
	return err
}

// read reads the logs that have something new.
func (d *dispatcher) read(ctx context.Context) error {
	var errs []error
	for p, f := range d.partitions {
		if !f.unread {
			continue
		}
		at, err := d.o.catchUp(ctx, p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		f.at, f.unread, f.next = at, false, time.Time{}
	}
	return errors.Join(errs...)
}

// sweep removes what is over, from time to time.
func (d *dispatcher) sweep(ctx context.Context) error {
	local := d.o.d.clock.local()
	if local.Sub(d.swept) < sweepEvery {
		return nil
	}
	done, err := d.o.sweep(ctx, sweepRound)
	if done && err == nil {
		d.swept = local
	}
	return err
}

// wait waits for news, for room, or for the next delivery to be due, but no longer than dispatchWait.
func (d *dispatcher) wait(ctx context.Context) error {
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-d.places.room:
			cancel()
		case <-wait.Done():
		}
	}()
	logs := make([]LogPosition, 0, len(d.partitions))
	for p, f := range d.partitions {
		logs = append(logs, LogPosition{eventLog(p), f.at})
	}
	feeds, err := d.o.d.store.Tail(wait, logs, d.patience())
	if err != nil {
		if wait.Err() != nil {
			return ctx.Err()
		}
		return errors.Join(fmt.Errorf("core: follow events: %w", err), pause(ctx, dispatchWait))
	}
	d.pace(wait)
	for _, found := range feeds {
		f := d.partitions[found.Log.Partition]
		f.unread = f.unread || found.Gap || slices.ContainsFunc(found.Entries, func(e Entry) bool { return len(e.Data) > 0 })
		f.at = found.Next
	}
	return nil
}

// pace waits until dispatchPace after it last ended, unless ctx ends: reading many events at once takes far less for each.
func (d *dispatcher) pace(ctx context.Context) {
	rest := min(dispatchPace-d.o.d.clock.local().Sub(d.waited), dispatchPace) // a clock may have been set back
	if rest > 0 {
		_ = pause(ctx, rest)
	}
	d.waited = d.o.d.clock.local()
}

// patience returns how long to wait for news.
func (d *dispatcher) patience() time.Duration {
	wait := dispatchWait
	now, err := d.o.d.clock.now()
	for _, f := range d.partitions {
		if err == nil && !f.next.IsZero() {
			wait = min(wait, f.next.Sub(now))
		}
	}
	return max(wait, time.Millisecond)
}

// deliver begins what is due, as far as there is room.
func (d *dispatcher) deliver(ctx context.Context) error {
	if d.courier == nil {
		return nil
	}
	now, err := d.o.d.clock.now()
	if err != nil {
		return err
	}
	local := d.o.d.clock.local()
	look := max(dispatchLook, time.Duration(len(d.partitions))*dispatchLookEach)
	var errs []error
	for p, f := range d.partitions {
		made := d.places.madeSoFar()
		roomier := f.crowded && made != f.made
		if now.Before(f.next) && local.Sub(f.looked) < look && !roomier {
			continue
		}
		f.looked, f.made = local, made
		errs = append(errs, d.deliverIn(ctx, p, f, now))
	}
	return errors.Join(errs...)
}

// deliverIn begins what is due in a partition, and notes when and where to look again. One look takes in so much; the next goes on
// behind it, so that what waits for a hook that hangs, however much it is, does not stand before all others.
func (d *dispatcher) deliverIn(ctx context.Context, p Partition, f *followed, now time.Time) error {
	members, err := d.o.d.store.Range(ctx, Range{Index: Index{p, indexDue}, From: f.from, Limit: dispatchAtOnceLimits})
	if err != nil {
		return fmt.Errorf("core: find due notifications: %w", err)
	}
	if f.from == "" {
		f.crowded, f.begun = false, d.places.madeSoFar()
	}
	f.from, f.next = "", now.Add(dispatchLook)
	for _, m := range members {
		at, id, hook, err := parseDue(m)
		switch {
		case err != nil:
			return err
		case at.After(now):
			f.next = at
			d.lookOver(f, now)
			return nil
		case d.places.full():
			f.crowded, f.from = true, m
			return nil
		case d.places.take(id, hook):
			d.flights.Go(func() { d.fly(ctx, p, id) })
		default: // under way, or its hook has enough
			f.crowded = true
		}
	}
	if len(members) == dispatchAtOnceLimits {
		f.from, f.next = members[len(members)-1]+"\x00", now
		return nil
	}
	d.lookOver(f, now)
	return nil
}

// lookOver has a partition looked through from the beginning again if room was made since that was last begun: it may be for what found none.
func (d *dispatcher) lookOver(f *followed, now time.Time) {
	if f.crowded && f.begun != d.places.madeSoFar() {
		f.next = now
	}
}

// fly makes a delivery.
func (d *dispatcher) fly(ctx context.Context, p Partition, id NotificationID) {
	call, err := d.o.attempt(ctx, d.courier, p, id)
	if ctx.Err() == nil {
		d.o.d.troubles.note(workDeliveries, err)
	}
	d.places.leave(id, call)
}
