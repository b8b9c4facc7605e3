package core

import (
	"context"
	"fmt"
	"time"
)

// lease is the right to do a piece of work that one process at a time does, whoever is there to do it. It is for
// saving work, not for safety: a holder that sleeps through its end may overlap with the next, so each step of the work
// must be conditional on what it read.
type lease struct {
	Name   string  `json:"name"`
	Holder string  `json:"holder"` // a process, by a random text
	Until  Instant `json:"until"`

	Opening string `json:"opening,omitempty"` // of the store, by its holder; see Fitness
}

func (l *lease) key(Partition) Key { return leaseKey(l.Name) }

// leaseTime is for how long a lease holds unless it is renewed. So long does the work rest after its holder has died, but over a store
// that one process has to itself: there the next begins at once.
const leaseTime = 8 * time.Second

// leaseLook is how often a process that does not have a lease looks whether it could, at the most.
const leaseLook = 250 * time.Millisecond

// hold takes the named lease, or renews it, and reports whether this process has it for the next leaseTime. It
// writes at most once in a third of that.
func (d *deps) hold(ctx context.Context, name string) (bool, error) {
	now, err := d.clock.now()
	if err != nil {
		return false, err
	}
	l := &lease{}
	version, found, err := d.load(ctx, leaseKey(name), l)
	if err != nil {
		return false, fmt.Errorf("core: hold lease %s: %w", name, err)
	}
	opening := d.openingOfStore()
	if found && now.Before(l.Until.Time) && l.Opening == opening {
		if l.Holder != d.process {
			return false, nil
		}
		if l.Until.Sub(now) > leaseTime*2/3 {
			return true, nil
		}
	}
	c := d.change(Partition{}, now)
	c.replace(&lease{Name: name, Holder: d.process, Until: Instant{now.Add(leaseTime)}, Opening: opening}, version, noExpiry)
	if err := c.commit(ctx); isConflict(err) {
		return false, nil // somebody else was faster
	} else if err != nil {
		return false, fmt.Errorf("core: hold lease %s: %w", name, err)
	}
	return true, nil
}

// openingOfStore returns which opening of the store this is, where one process has it to itself; see Fitness.
func (d *deps) openingOfStore() string {
	if opening := d.opening.Load(); opening != nil {
		return *opening
	}
	return ""
}

// leave gives a lease back, so that nobody has to wait for its end. That it fails does no harm.
func (d *deps) leave(ctx context.Context, name string) {
	now, err := d.clock.now()
	if err != nil {
		return
	}
	l := &lease{}
	version, found, err := d.load(ctx, leaseKey(name), l)
	if err != nil || !found || l.Holder != d.process {
		return
	}
	c := d.change(Partition{}, now)
	c.remove(l.key(Partition{}), version)
	_ = c.commit(ctx)
}

// partsOfWork are what else can fail of the work under a lease, for Options.Trouble.
var partsOfWork = map[string][]string{leaseEvents: {workDeliveries, WorkMails}}

// whileLeased calls work again and again while this process holds the named lease, every pause, until ctx ends. While another
// does, it looks for the lease as often, but not within leaseLook. work should return within a few seconds and go on at its next
// call; what it returns is told to Options.Trouble.
func (d *deps) whileLeased(ctx context.Context, name string, pause time.Duration, work func(context.Context) error) {
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		d.leave(last, name)
	}()
	for ctx.Err() == nil {
		held, err := d.hold(ctx, name)
		if err == nil && held {
			err = work(ctx)
		}
		if ctx.Err() == nil {
			d.troubles.note(name, err)
		}
		rest := pause
		if !held {
			rest = max(pause, leaseLook)
		}
		if !held && err == nil { // whoever has it tells how that goes
			for _, part := range partsOfWork[name] {
				d.troubles.note(part, nil)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
}
