package core

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// The jobs that this file is about.
const (
	jobResetRealm  jobKind = "realm.reset"
	jobDeleteRealm jobKind = "realm.delete"
)

// sweep removes some of what a realm holds, each Transaction for itself, and reports whether it may have left more. Whoever
// keeps a kind of thing in realms has one among sweepsOf.
type sweep func(ctx context.Context, realm *Realm, now time.Time) (more bool, err error)

// errFirstRealm says that a store keeps the realm that it was set up with.
var errFirstRealm = &Error{Kind: KindConflict, Code: "first_realm",
	Detail: "this is the realm that the data store was set up with, which stays; it can be reset, or made inactive"}

// Delete removes a realm with all that is in it. It is gone at once for everybody: its tokens, APTs and keys are
// worth nothing, and no call finds it. What it held is then removed by a job, whatever the number of users. It fails
// with ErrRealmNotFound, and KindConflict for the first realm of a store.
func (r *Realms) Delete(ctx context.Context, id RealmID, req Request) error {
	return retry(func() error { return r.entomb(ctx, id, req) })
}

// entomb tries once to put the tombstone. The signing keys go with it, so that no copy of the data that is made from
// now on can be used to sign.
func (r *Realms) entomb(ctx context.Context, id RealmID, req Request) error {
	now, err := r.d.clock.now()
	if err != nil {
		return err
	}
	var f first
	if _, _, err := r.d.load(ctx, firstKey(), &f); err != nil {
		return fmt.Errorf("core: delete realm: %w", err)
	}
	if f.Realm == id {
		return errFirstRealm
	}
	realm, version, err := r.record(ctx, id)
	if err != nil {
		return err
	}
	realm.DeletedAt = Instant{now}
	c := r.d.change(Partition{}, now)
	c.replace(realm, version, noExpiry)
	c.tx.Delete = append(c.tx.Delete, signingKeysKey(id).Name, environmentKey(realm.EnvironmentGUID).Name, realmNameKey(realm.Name).Name)
	c.unindex(indexRealms, realm.member())
	c.queue(jobDeleteRealm, id, "", req)
	c.event(Event{Realm: id, Type: eventRealmDeleted, Request: req.clean()})
	c.invalidate(string(id))
	return c.commit(ctx)
}

// resetWait is how long Reset waits for what it began.
const resetWait = 10 * time.Second

// Reset deletes all users and organisations of a realm (Users API, "Reset a realm"), and parked signups are worth
// nothing; its keys, settings and usage stay. Every token is dead at once, and until all are deleted, users can be neither
// found nor made. That takes about a second for each 5,000 users, or 2,000 of very many in the embedded store (docs/realms.md). Reset waits for up to ten, but not in a
// call of Repeats; done false says that a job goes on with it. To reset while a reset is under way waits for that one. It fails
// with ErrRealmNotFound.
func (r *Realms) Reset(ctx context.Context, id RealmID, req Request) (realm *Realm, done bool, err error) {
	var j *job
	err = retry(func() (err error) {
		j, err = r.beginReset(ctx, id, req)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if withheldBy(ctx) != nil { // the answer is part of what begins it, and cannot tell more
		realm, err = r.Get(ctx, id)
		return realm, false, err
	}
	wait, cancel := context.WithTimeout(ctx, resetWait)
	defer cancel()
	if done, err = r.d.jobs.finish(wait, j); err != nil {
		return nil, false, err
	}
	realm, err = r.Get(ctx, id)
	return realm, done, err
}

// beginReset marks a realm as being reset, and returns the job that does it.
func (r *Realms) beginReset(ctx context.Context, id RealmID, req Request) (*job, error) {
	now, err := r.d.clock.now()
	if err != nil {
		return nil, err
	}
	realm, version, err := r.record(ctx, id)
	if err != nil {
		return nil, err
	}
	if realm.ResetBy != "" {
		return &job{ID: realm.ResetBy, Kind: jobResetRealm, Realm: id}, nil
	}
	c := r.d.change(Partition{}, now)
	j := c.queue(jobResetRealm, id, "", req)
	realm.ResetBy = j.ID
	c.replace(realm, version, noExpiry)
	c.event(Event{Realm: id, Type: eventRealmReset, Request: req.clean()})
	c.invalidate(string(id))
	return j, c.commit(ctx)
}

// sweepsOf returns what empties a realm of users and organisations, and where all is to go, of the rest. What is not
// among them or lastSweeps is removed by bury, or expires; a test holds that against the table in keys.go.
func (r *Realms) sweepsOf(all bool) []sweep {
	sweeps := []sweep{r.d.sweepUsers, r.d.sweepOrgs}
	if all {
		sweeps = append(sweeps, r.d.sweepEvents, r.d.sweepUsage, r.d.sweepLoginPolicies, r.d.sweepManagementKeys)
	}
	return sweeps
}

// lastSweeps returns what goes when deletionGrace is over: hooks are to hear of the deletion first.
func (r *Realms) lastSweeps() []sweep { return []sweep{r.d.sweepHooks, r.d.sweepOwnEvents} }

// sweep does one step of emptying a realm, and reports whether there may be more to do.
func (r *Realms) sweep(ctx context.Context, realm *Realm, now time.Time, sweeps []sweep) (more bool, err error) {
	for _, sweep := range sweeps {
		if more, err := sweep(ctx, realm, now); more || err != nil {
			return more, err
		}
	}
	return false, nil
}

// resetStep does one step of a reset; the last takes the mark away.
func (r *Realms) resetStep(ctx context.Context, j *job) (progress, error) {
	now, err := r.d.clock.now()
	if err != nil {
		return jobMore, err
	}
	realm, version, err := r.record(ctx, j.Realm)
	if err == ErrRealmNotFound || err == nil && realm.ResetBy != j.ID {
		return jobDone, nil // deleted since, or done by another
	} else if err != nil {
		return jobMore, err
	}
	if more, err := r.sweep(ctx, realm, now, r.sweepsOf(false)); more || err != nil {
		return jobMore, err
	}
	if err := r.d.markAgain(ctx, realm); err != nil {
		return jobMore, err
	}
	realm.ResetBy, realm.ResetAt = "", Instant{now}
	c := r.d.change(Partition{}, now)
	c.replace(realm, version, noExpiry)
	c.invalidate(string(j.Realm))
	if err := c.commit(ctx); err != nil {
		return jobMore, err
	}
	return jobDone, nil
}

// deletionGrace is how long after a realm's tombstone its partitions are looked through once more: until then
// somebody who has not heard of it may still write there. It is more than the longest Options.MaxStaleness.
const deletionGrace = 2 * time.Minute

// deleteStep does one step of a deletion; the last takes the tombstone away.
func (r *Realms) deleteStep(ctx context.Context, j *job) (progress, error) {
	now, err := r.d.clock.now()
	if err != nil {
		return jobMore, err
	}
	realm := &Realm{}
	version, found, err := r.d.load(ctx, realmKey(j.Realm), realm)
	if err != nil || !found {
		return jobDone, err
	}
	if more, err := r.sweep(ctx, realm, now, r.sweepsOf(true)); more || err != nil {
		return jobMore, err
	}
	if now.Sub(realm.DeletedAt.Time) < deletionGrace {
		return jobRests, nil
	}
	if more, err := r.sweep(ctx, realm, now, r.lastSweeps()); more || err != nil {
		return jobMore, err
	}
	if err := r.emptyLogs(ctx, realm, now); err != nil {
		return jobMore, err
	}
	return jobDone, r.bury(ctx, realm, version, now)
}

// emptyLogs leaves of a realm's logs one entry each, since a store keeps the newest of every log.
func (r *Realms) emptyLogs(ctx context.Context, realm *Realm, now time.Time) error {
	for _, p := range realm.partitions() {
		c := r.d.change(p, now)
		c.event(Event{Realm: realm.ID, Type: eventRealmDeleted})
		c.invalidate(string(realm.ID))
		for i := range c.tx.Append {
			c.tx.Append[i].Keep = 1
		}
		c.tx.Delete = append(c.tx.Delete, unsettledKey(p).Name, uniqueEmailsKey(p).Name, eventCursorKey(p).Name, eventChainKey(p, realm.ID).Name, eventFloorKey(p, realm.ID).Name, partitionMarkKey(p).Name)
		if err := c.commit(ctx); err != nil {
			return fmt.Errorf("core: empty logs: %w", err)
		}
	}
	return nil
}

// bury removes the last records of a realm: its APT keys with when they were used, its rosters, and the tombstone.
func (r *Realms) bury(ctx context.Context, realm *Realm, version uint64, now time.Time) error {
	apt := &aptKeys{Realm: realm.ID}
	if _, _, err := r.d.load(ctx, aptKeysKey(realm.ID), apt); err != nil {
		return err
	}
	for keys := range slices.Chunk(apt.Keys, MaxOperations) {
		c := r.d.change(Partition{}, now)
		for _, k := range keys {
			c.tx.Delete = append(c.tx.Delete, lastUseKey(string(k.ID)).Name)
		}
		if err := c.commit(ctx); err != nil {
			return err
		}
	}
	c := r.d.change(Partition{}, now)
	c.remove(realm.key(Partition{}), version)
	c.tx.Delete = append(c.tx.Delete, aptKeysKey(realm.ID).Name, markedRealmKey(realm.ID).Name, eventChainKey(Partition{}, realm.ID).Name, eventFloorKey(Partition{}, realm.ID).Name)
	for _, kind := range rosterKinds {
		c.tx.Delete = append(c.tx.Delete, rosterKey(kind, realm.ID).Name)
	}
	return c.commit(ctx)
}
