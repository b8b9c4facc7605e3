package core

import (
	"context"
	"fmt"
	"time"
)

// Update changes an org. Where its state changes, guards grant or refuse the permissions of its members accordingly at
// once, however many there are. It fails with ErrOrgNotFound, KindInvalid, and KindUnavailable where dozens of orgs with
// many members are changed at once.
func (o *Orgs) Update(ctx context.Context, realm RealmID, id OrgID, in OrgChange, req Request) (*Org, error) {
	var after Org
	err := o.change(ctx, realm, id, req, func(before *Org) (*Org, error) {
		after = *before
		return &after, after.apply(in)
	})
	if err != nil {
		return nil, err
	}
	return &after, nil
}

// Delete removes an org, with the memberships in it. It is gone at once; where it has many members, their memberships
// grant nothing from then on, and go batch by batch in the background. It fails like Update.
func (o *Orgs) Delete(ctx context.Context, realm RealmID, id OrgID, req Request) error {
	return o.change(ctx, realm, id, req, func(*Org) (*Org, error) { return nil, nil })
}

// now is an org's state; that of no org is stateDeleted.
func (o *Org) now() State {
	if o == nil {
		return stateDeleted
	}
	return o.State
}

// Whoever changes an org's state queues a job first, which looks after memberships that it did not reach: those made in
// the same moment, those of many members, and those of a process that died. The change follows well within restOrgJob.
const (
	restOrgJob    = 30 * time.Second
	orgChangeTime = restOrgJob / 3
)

// change replaces an org by what with makes of it; nil removes it.
func (o *Orgs) change(ctx context.Context, realm RealmID, id OrgID, req Request, with func(*Org) (*Org, error)) error {
	ctx, cancel := context.WithTimeout(ctx, orgChangeTime)
	defer cancel()
	var queued *job
	many := false
	err := retry(func() error {
		state, now, err := (&Users{o.d}).begin(ctx, realm)
		if err != nil {
			return err
		}
		before, version, err := o.byID(ctx, state.Realm, id)
		if err != nil {
			return err
		}
		after, err := with(before)
		if err != nil {
			return err
		}
		p, _ := state.owner(string(id))
		c := o.d.change(p, now)
		c.reform(before, after, version, req)
		if after.now() != before.State {
			if queued == nil {
				if queued, err = o.queue(ctx, realm, id, now, req); err != nil {
					return err
				}
			}
			if many, err = o.spread(ctx, c, id, after.now(), req); err != nil {
				return err
			}
		}
		return c.commit(ctx)
	})
	if err == nil && queued != nil && !many {
		o.finish(ctx, queued)
	}
	return err
}

// reform replaces the version of an org's record that was read, moves its places, and tells of it.
func (c *change) reform(before, after *Org, version uint64, req Request) {
	kind := eventOrgUpdated
	if after != nil {
		c.replace(after, version, noExpiry)
	} else {
		kind = eventOrgDeleted
		c.remove(before.key(c.tx.Partition), version)
		c.set(before.former(), c.tx.Now.Add(keepPlace)) // one that was imported after a deletion has left a place before
	}
	c.reindexOrg(before, after)
	c.event(Event{Realm: before.Realm, Type: kind, Org: before.ID, Request: req.clean()})
}

// jobOrg brings the memberships in an org into line with the org.
const jobOrg jobKind = "org"

// queue queues the job of an org.
func (o *Orgs) queue(ctx context.Context, realm RealmID, id OrgID, now time.Time, req Request) (*job, error) {
	c := o.d.change(Partition{}, now)
	j := c.queue(jobOrg, realm, string(id), req)
	if err := c.commit(ctx); err != nil {
		return nil, fmt.Errorf("core: queue change of org: %w", err)
	}
	return j, nil
}

// finish looks for memberships that were made in the very moment of a change, and forgets the job. Whatever keeps it
// from that, the job goes on.
func (o *Orgs) finish(ctx context.Context, j *job) {
	for {
		p, err := o.d.jobs.step(ctx, j)
		if err != nil {
			return
		}
		if p != jobMore {
			_ = o.d.jobs.forget(ctx, j)
			return
		}
	}
}

// membersAtOnce is how many memberships one Transaction changes: five operations each.
const membersAtOnce = 50

// spread takes an org's new state to its members within c, where they are few. Of many it tells whoever reads
// memberships, and has everybody in the realm read anew; the job does the rest.
func (o *Orgs) spread(ctx context.Context, c *change, id OrgID, state State, req Request) (many bool, err error) {
	p := c.tx.Partition
	places, err := o.d.store.Range(ctx, Range{Index: orgMembersIndex(p, id), Limit: membersAtOnce + 1})
	if err != nil {
		return false, fmt.Errorf("core: change org: %w", err)
	}
	u, version, err := o.unsettled(ctx, p)
	if err != nil {
		return false, err
	}
	if _, under := u.Orgs[id]; !under && len(places) <= membersAtOnce {
		_, err := o.take(ctx, c, id, state, places, req)
		return false, err
	}
	u.Orgs[id] = turn{State: state}
	if len(u.Orgs) > maxUnsettled {
		return false, errUnsettled
	}
	c.replace(u, version, noExpiry)
	c.invalidate(string(p.Realm))
	return true, nil
}

// unsettled reads which orgs of a partition are being changed.
func (o *Orgs) unsettled(ctx context.Context, p Partition) (*unsettled, uint64, error) {
	u := &unsettled{Realm: p.Realm, Number: p.Number, Orgs: map[OrgID]turn{}}
	version, _, err := o.d.load(ctx, unsettledKey(p), u)
	if err != nil {
		return nil, 0, fmt.Errorf("core: read changing orgs: %w", err)
	}
	return u, version, nil
}

// settle does a step of an org's job.
func (o *Orgs) settle(ctx context.Context, j *job) (progress, error) {
	state, now, err := (&Users{o.d}).begin(ctx, j.Realm)
	if err == ErrRealmNotFound {
		return jobDone, nil
	} else if err != nil {
		return jobRests, err
	}
	id := OrgID(j.Subject)
	org, version, err := o.byID(ctx, state.Realm, id)
	if err != nil && err != ErrOrgNotFound {
		return jobRests, err
	}
	p, _ := state.owner(j.Subject)
	u, uVersion, err := o.unsettled(ctx, p)
	if err != nil {
		return jobRests, err
	}
	c := o.d.change(p, now)
	c.unchanged(orgKey(p, id), version)
	if t, under := u.Orgs[id]; under {
		if err := o.walk(ctx, c, id, u, t, j.Request); err != nil {
			return jobRests, err
		}
		c.keepUnsettled(u, uVersion)
		return jobMore, c.commit(ctx)
	}
	changed, err := o.sweep(ctx, c, id, org.now(), j.Request)
	switch {
	case err != nil:
		return jobRests, err
	case changed:
		return jobMore, c.commit(ctx)
	case now.Sub(j.CreatedAt.Time) < restOrgJob:
		return jobRests, nil // the change may be still to come
	}
	return jobDone, nil
}

// walk takes an org's state to the next of its many members, and notes how far it has come.
func (o *Orgs) walk(ctx context.Context, c *change, id OrgID, u *unsettled, t turn, req Request) error {
	r := Range{Index: orgMembersIndex(c.tx.Partition, id), Limit: membersAtOnce}
	if t.Done != "" {
		r.goOn(t.Done)
	}
	places, err := o.d.store.Range(ctx, r)
	if err != nil {
		return fmt.Errorf("core: change org: %w", err)
	}
	if _, err := o.take(ctx, c, id, t.State, places, req); err != nil {
		return err
	}
	if len(places) < membersAtOnce {
		delete(u.Orgs, id)
		return nil
	}
	u.Orgs[id] = turn{t.State, places[len(places)-1]}
	return nil
}

// sweep takes an org's state to members that a change did not reach, of which there can be few: those who joined in the
// moment of the change. It reports whether there were any.
func (o *Orgs) sweep(ctx context.Context, c *change, id OrgID, state State, req Request) (bool, error) {
	places, err := o.d.store.Range(ctx, Range{Index: orgMembersIndex(c.tx.Partition, id), Limit: MaxRange})
	if err != nil {
		return false, fmt.Errorf("core: change org: %w", err)
	}
	return o.take(ctx, c, id, state, places, req)
}

// take brings the first membersAtOnce of those members who need it into line with an org's state, and reports whether
// there were any.
func (o *Orgs) take(ctx context.Context, c *change, id OrgID, state State, places []string, req Request) (bool, error) {
	if len(places) == 0 {
		return false, nil
	}
	lists, versions, err := o.d.membershipsAt(ctx, c.tx.Partition, places)
	if err != nil {
		return false, err
	}
	var users []string
	for i, list := range lists {
		if len(users) == membersAtOnce {
			break
		}
		if c.conform(list, places[i], state, req) {
			c.keep(list, versions[i])
			users = append(users, string(list.User))
		}
	}
	if len(users) > 0 {
		c.invalidate(users...)
	}
	return len(users) > 0, nil
}

// conform brings one of a user's memberships into line with its org's state, and reports whether it was not.
func (c *change) conform(list *memberships, place string, state State, req Request) bool {
	id, _ := memberOf(place)
	at := list.find(func(m *Membership) bool { return m.ID == id })
	switch {
	case at < 0: // it left since
		return false
	case state == stateDeleted:
		c.part(list.List[at], req)
		list.List = append(list.List[:at:at], list.List[at+1:]...)
		return true
	}
	m := list.List[at]
	was := m.Suspended
	m.Suspended = state != StateActive
	return m.Suspended != was
}

// keepUnsettled puts which orgs are being changed in the place of the version that was read.
func (c *change) keepUnsettled(u *unsettled, version uint64) {
	if len(u.Orgs) > 0 {
		c.replace(u, version, noExpiry)
	} else {
		c.remove(unsettledKey(c.tx.Partition), version)
	}
}

// membershipsAt reads all memberships of the users that places in an index are of, in their order. Those of a user who
// has none left are empty.
func (d *deps) membershipsAt(ctx context.Context, p Partition, places []string) ([]*memberships, []uint64, error) {
	keys := make([]Key, len(places))
	for i, place := range places {
		_, user := memberOf(place)
		keys[i] = membershipsKey(p, user)
	}
	recs, err := d.store.Get(ctx, keys...)
	if err != nil {
		return nil, nil, fmt.Errorf("core: read memberships: %w", err)
	}
	lists, versions := make([]*memberships, len(keys)), make([]uint64, len(keys))
	for i := range keys {
		lists[i], versions[i] = &memberships{}, recs[i].Version
		if _, err := decode(keys[i], recs[i], lists[i]); err != nil {
			return nil, nil, err
		}
		lists[i].own()
	}
	return lists, versions, nil
}
