package core

import (
	"context"
	"time"
)

// What tests outside the package may do that callers may not.

// LeaseTime is for how long a lease holds, and LeaseLook how often one is looked for at the most.
const (
	LeaseTime = leaseTime
	LeaseLook = leaseLook
)

// Hold takes a lease.
func (c *Core) Hold(ctx context.Context, name string) (bool, error) { return c.d.hold(ctx, name) }

// Leave gives a lease back.
func (c *Core) Leave(ctx context.Context, name string) { c.d.leave(ctx, name) }

// WhileLeased works while it has a lease.
func (c *Core) WhileLeased(ctx context.Context, name string, pause time.Duration, work func(context.Context) error) {
	c.d.whileLeased(ctx, name, pause, work)
}

// QueueCountdown queues a job that takes a number of steps, each of which calls did.
func (c *Core) QueueCountdown(ctx context.Context, steps int, did func(left int)) error {
	c.DoesCountdown(did)
	now, err := c.d.clock.now()
	if err != nil {
		return err
	}
	tx := c.d.change(Partition{}, now)
	j := tx.queue("countdown", "", "", Request{})
	tx.create(&countdown{Job: j.ID, Left: steps}, noExpiry)
	return tx.commit(ctx)
}

// DoesCountdown lets a Core do such jobs.
func (c *Core) DoesCountdown(did func(left int)) {
	c.d.jobs.does("countdown", func(ctx context.Context, j *job) (progress, error) {
		now, err := c.d.clock.now()
		if err != nil {
			return jobMore, err
		}
		at := &countdown{Job: j.ID}
		version, found, err := c.d.load(ctx, at.key(Partition{}), at)
		if err != nil || !found {
			return jobDone, err
		}
		tx := c.d.change(Partition{}, now)
		if at.Left--; at.Left == 0 {
			tx.remove(at.key(Partition{}), version)
		} else {
			tx.replace(at, version, noExpiry)
		}
		if err := tx.commit(ctx); err != nil {
			return jobMore, err
		}
		did(at.Left)
		return jobMore, nil
	})
}

// QueueBroken queues a job that no step can do, and one whose record cannot be read.
func (c *Core) QueueBroken(ctx context.Context) error {
	now, err := c.d.clock.now()
	if err != nil {
		return err
	}
	tx := c.d.change(Partition{}, now)
	tx.queue("unknown", "", "", Request{})
	tx.queue("unknown", "", "", Request{})
	tx.tx.Put[len(tx.tx.Put)-1].Value = []byte("{")
	return tx.commit(ctx)
}

// JobTurn gives jobs turns until there is no time left, which there is none of: one of them has one. It returns how far it came.
func (c *Core) JobTurn(ctx context.Context, after JobID) (JobID, error) {
	soon, cancel := context.WithCancel(ctx)
	cancel()
	return c.d.jobs.all(ctx, soon, after)
}

// countdown is what is left of such a job.
type countdown struct {
	Job  JobID `json:"job"`
	Left int   `json:"left"`
}

func (c *countdown) key(Partition) Key { return Key{Name: "countdown:" + string(c.Job)} }

// HashWork is how many password hashes were computed.
type HashWork struct{ Own, Imported, Levelled int64 }

// HashWork returns what c has computed so far.
func (c *Core) HashWork() HashWork {
	w := &c.d.hasher.done
	return HashWork{w.own.Load(), w.imported.Load(), w.levelled.Load()}
}

// RotateNow rotates the signing keys that are due, as the schedule does, and returns when that looks again.
func (r *Realms) RotateNow(ctx context.Context) time.Duration { return r.rotateNow(ctx) }

// TOTPCode returns what an authenticator shows at a time.
func TOTPCode(key []byte, at time.Time) string { return hotp(key, uint64(totpStep(at)), totpDigits) }

// ByEnvironment returns the realm of an environment guid, or ErrEnvironmentNotFound.
func (r *Realms) ByEnvironment(ctx context.Context, guid string) (*Realm, error) {
	state, err := r.stateByEnvironment(ctx, guid)
	if err != nil {
		return nil, err
	}
	return state.Realm, nil
}

// TryWrites writes to the store where writes have failed, as happens every minute.
func (c *Core) TryWrites(ctx context.Context) { c.d.tryWrites(ctx) }
