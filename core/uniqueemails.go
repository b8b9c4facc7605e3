package core

import (
	"context"
	"fmt"
)

// uniqueEmails lies in each partition of a realm whose e-mail addresses have become unique. News of that takes a moment to get around:
// whoever makes a user by the rule of before, and claims no address, finds it in the way and looks again which rule there is.
type uniqueEmails struct {
	Realm RealmID `json:"realm"`
}

func (u *uniqueEmails) key(p Partition) Key { return uniqueEmailsKey(p) }

// unclaimed makes c fail where a user gets an address that nobody claims, and addresses have become unique by now.
func (c *change) unclaimed(realm *Realm, user *User) {
	if user.Email != "" && realm.Settings.SharedEmails {
		c.unchanged(uniqueEmailsKey(c.tx.Partition), 0)
	}
}

// settleEmails prepares a realm for another rule about e-mail addresses, if after has another. It fails with KindInvalid where there are
// users. Where the process dies between this and the change, users of the realm are made again once the change is repeated.
func (r *Realms) settleEmails(ctx context.Context, before, after *Realm) error {
	if after.Settings.SharedEmails == before.Settings.SharedEmails {
		return nil
	}
	if err := r.noUsers(ctx, before); err != nil {
		return err
	}
	if after.Settings.SharedEmails {
		return r.letShare(ctx, before)
	}
	for _, p := range before.partitions() {
		if err := r.d.put(ctx, p, &uniqueEmails{before.ID}); err != nil {
			return err
		}
	}
	err := r.noUsers(ctx, before) // whom somebody made meanwhile
	if err == nil {
		return nil
	}
	if now, _, gone := r.record(ctx, before.ID); gone != nil || !now.Settings.SharedEmails {
		return err // another change to the same was faster
	}
	if unsettled := r.letShare(ctx, before); unsettled != nil {
		return unsettled
	}
	return err
}

// letShare undoes what keeps users from being made who claim no address.
func (r *Realms) letShare(ctx context.Context, realm *Realm) error {
	now, err := r.d.clock.now()
	if err != nil {
		return err
	}
	for _, p := range realm.partitions() {
		c := r.d.change(p, now)
		c.tx.Delete = append(c.tx.Delete, uniqueEmailsKey(p).Name)
		if err := c.commit(ctx); err != nil {
			return fmt.Errorf("core: let e-mail addresses repeat: %w", err)
		}
	}
	return nil
}
