package core

import (
	"context"
	"fmt"
	"time"
)

// Delete removes a user and all that is theirs. Their sessions are over at once, their names free. It
// fails with ErrUserNotFound.
func (u *Users) Delete(ctx context.Context, realm RealmID, idOrName string, req Request) error {
	return retry(func() error {
		state, now, err := u.begin(ctx, realm)
		if err != nil {
			return err
		}
		user, version, err := u.find(ctx, state.Realm, idOrName)
		if err != nil {
			return err
		}
		c, err := u.deletion(ctx, state.Realm, user, version, now, req)
		if err != nil {
			return err
		}
		return c.commit(ctx)
	})
}

// sessionsAtOnce is how many sessions one Transaction removes, each in three operations.
const sessionsAtOnce = 80

// deletion puts together the Transaction that removes a user and the user's last sessions. Where there are more than
// one Transaction takes, it first ends the others, batch by batch; whatever interrupts that, deleting again goes on. Nothing
// that becomes the user's in the same moment may stay behind: whoever has the id next, by an import, would have it. So each
// Transaction is conditional on all that was read.
func (u *Users) deletion(ctx context.Context, realm *Realm, user *User, version uint64, now time.Time, req Request) (*change, error) {
	p, _ := realm.owner(string(user.ID))
	for {
		c := u.d.change(p, now)
		member, err := u.dropMemberships(ctx, c, realm, user.ID, req)
		if err != nil {
			return nil, err
		}
		more, err := u.dropSessions(ctx, c, user.ID)
		if err != nil {
			return nil, err
		}
		if !more && !member {
			if err := u.dropCredentials(ctx, c, user); err != nil {
				return nil, err
			}
			u.drop(c, realm, user, version, req)
			return c, nil
		}
		c.invalidate(string(user.ID))
		if err := c.commit(ctx); err != nil {
			return nil, fmt.Errorf("core: delete user: %w", err)
		}
	}
}

// dropSessions removes the first of a user's sessions, and reports whether there are more. One that is seen in between would
// change its place; of one that begins, the mark of signing in tells, which has been read before.
func (u *Users) dropSessions(ctx context.Context, c *change, user UserID) (more bool, err error) {
	index := userSessionsIndex(c.tx.Partition, user)
	members, err := u.d.store.Range(ctx, Range{Index: index, Limit: sessionsAtOnce + 1})
	if err != nil {
		return false, fmt.Errorf("core: delete user: %w", err)
	}
	if len(members) == 0 {
		return false, nil
	}
	more = len(members) > sessionsAtOnce
	members = members[:min(len(members), sessionsAtOnce)]
	keys := make([]Key, len(members))
	for i, m := range members {
		keys[i] = sessionKey(c.tx.Partition, sessionOf(m))
	}
	recs, err := u.d.store.Get(ctx, keys...)
	if err != nil {
		return false, fmt.Errorf("core: delete user: %w", err)
	}
	for i, m := range members {
		c.unindex(index.Name, m)
		c.remove(keys[i], recs[i].Version)
	}
	return more, nil
}

// membershipsAtOnce is how many memberships one Transaction removes, each in three operations.
const membershipsAtOnce = 40

// dropMemberships removes the first of a user's memberships, and reports whether there are more. It reads the mark of signing in
// beside them, in one go.
func (u *Users) dropMemberships(ctx context.Context, c *change, realm *Realm, user UserID, req Request) (more bool, err error) {
	keys := []Key{membershipsKey(c.tx.Partition, user), signingInKey(c.tx.Partition, user)}
	recs, err := u.d.store.Get(ctx, keys...)
	if err != nil {
		return false, fmt.Errorf("core: delete user: %w", err)
	}
	c.unchanged(keys[1], recs[1].Version)
	list := &memberships{Realm: realm.ID, User: user}
	if _, err := decode(keys[0], recs[0], list); err != nil {
		return false, err
	}
	if len(list.List) == 0 {
		c.unchanged(keys[0], recs[0].Version)
		return false, nil
	}
	list.own()
	n := min(len(list.List), membershipsAtOnce)
	for _, one := range list.List[:n] {
		c.part(one, req)
	}
	list.List = list.List[n:]
	c.keep(list, recs[0].Version)
	return len(list.List) > 0, nil
}

// drop removes a user's record with all that it claims.
func (u *Users) drop(c *change, realm *Realm, user *User, version uint64, req Request) {
	p := c.tx.Partition
	c.remove(user.key(p), version)
	for _, claim := range user.claims(realm) {
		c.tx.Delete = append(c.tx.Delete, claim.key(p).Name)
	}
	c.reindex(user, nil)
	c.set(user.former(), c.tx.Now.Add(keepPlace)) // who was imported after a deletion has left a place before
	c.event(Event{Realm: realm.ID, Type: eventUserDeleted, User: user.ID, Request: req.clean()})
	c.invalidate(string(user.ID))
}
