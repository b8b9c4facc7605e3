package core

import (
	"context"
	"errors"
	"fmt"
)

// DefaultRealm is the name of the realm that an empty store is given. That realm is found by it for good, also when it was given another,
// since guards are told of no realm or of this one; no other can have the name.
const DefaultRealm = "default"

// first notes what an empty store was given, so that it is given once.
type first struct {
	Realm         RealmID `json:"realm"`
	ManagementKey string  `json:"management_key"` // digest of its secret
}

func (*first) key(Partition) Key { return firstKey() }

// ErrEmptyStore says that the store was not set up yet: see SetUp.
var ErrEmptyStore = errors.New("the store is empty")

// first returns what the store was set up with, nil = it was not.
func (d *deps) first(ctx context.Context) (*first, error) {
	f := &first{}
	_, found, err := d.load(ctx, firstKey(), f)
	if err != nil {
		return nil, fmt.Errorf("core: first realm: %w", err)
	}
	if !found {
		return nil, nil
	}
	return f, nil
}

// First returns the realm that the store was set up with, and whether secret is that of its first management
// key; or ErrEmptyStore.
func (c *Core) First(ctx context.Context, secret string) (realm *Realm, isFirst bool, err error) {
	f, err := c.d.first(ctx)
	if err != nil {
		return nil, false, err
	}
	if f == nil {
		return nil, false, ErrEmptyStore
	}
	realm, err = c.Realms.Get(ctx, f.Realm)
	return realm, err == nil && secret != "" && digest(secret) == f.ManagementKey, err
}

// IsEmpty reports whether nobody has set up a store yet. It needs no master key.
func IsEmpty(ctx context.Context, store Store) (bool, error) {
	recs, err := store.Get(ctx, firstKey())
	if err != nil {
		return false, fmt.Errorf("core: first realm: %w", err)
	}
	return recs[0].Version == 0, nil
}

// SetUp gives an empty store the realm "default" and a first management key, for all realms, with every
// permission. secret comes from ManagementKeys.NewSecret and should lie in a safe place already, since it is not
// kept. Where somebody else was faster, theirs is kept, and First tells so.
func (c *Core) SetUp(ctx context.Context, secret string) error {
	tx, realm, err := c.Realms.creation(NewRealm{Name: DefaultRealm}, Request{})
	if err != nil {
		return err
	}
	key, err := c.ManagementKeys.add(tx, NewManagementKey{Name: "first",
		Permissions: []Permission{PermissionRead, PermissionWrite, PermissionManage}}, secret, Request{})
	if err != nil {
		return err
	}
	tx.create(&first{Realm: realm.ID, ManagementKey: key.Digest}, noExpiry)
	if err := tx.commit(ctx); err != nil && !conflictOn(err, firstKey()) && !conflictOn(err, realmNameKey(DefaultRealm)) {
		return fmt.Errorf("core: set up: %w", err)
	}
	return nil
}
