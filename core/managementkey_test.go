package core_test

import (
	"errors"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// TestManagementKeysOnAFullPage lists one key more than a page can hold.
func TestManagementKeysOnAFullPage(t *testing.T) {
	w := newWorldOnBolt(t)
	for range core.MaxRange { // and the first
		secret, err := w.ManagementKeys.NewSecret()
		w.must(err)
		_, err = w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "one", Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
		w.must(err)
	}
	page, more, err := w.ManagementKeys.List(w.ctx, "", core.MaxRange)
	if err != nil || len(page) != core.MaxRange || !more {
		t.Fatalf("List = %d keys, more %t, %v; want a full page with one behind", len(page), more, err)
	}
	page, more, err = w.ManagementKeys.List(w.ctx, page[core.MaxRange-1].ID, core.MaxRange)
	if err != nil || len(page) != 1 || more {
		t.Errorf("List after it = %d keys, more %t, %v; want the last", len(page), more, err)
	}
}

// TestManagementKeyLife makes, changes and deletes a management key, and asks another process about it.
func TestManagementKeyLife(t *testing.T) {
	each(t, func(w *world) {
		other := w.another(w.store)
		w.run(other)
		secret, err := w.ManagementKeys.NewSecret()
		w.must(err)
		key, err := w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "shop", Realm: w.realm.ID, Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
		w.must(err)
		for _, c := range []*core.Core{w.Core, other} {
			got, err := c.ManagementKeys.Authenticate(w.ctx, secret)
			if err != nil || got.ID != key.ID || !got.Allows(core.PermissionRead) || got.Allows(core.PermissionWrite) || got.Reaches("rl_other") {
				t.Errorf("Authenticate = %+v, %v; want the key, for reading in its realm", got, err)
			}
		}
		_, err = w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "twin", Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindConflict {
			t.Errorf("Create with a secret that is taken = %v; want a conflict", err)
		}
		list, more, err := w.ManagementKeys.List(w.ctx, "", 1)
		if err != nil || len(list) != 1 || !more {
			t.Errorf("List of one = %d keys, more %v, %v; want the first of two", len(list), more, err)
		}
		list, more, err = w.ManagementKeys.List(w.ctx, list[0].ID, 100)
		if err != nil || len(list) != 1 || more || list[0].ID != key.ID {
			t.Errorf("List after the first = %d keys, more %v, %v; want the new one", len(list), more, err)
		}
		w.must(w.ManagementKeys.Delete(w.ctx, key.ID, core.Request{}))
		_, err = w.ManagementKeys.Get(w.ctx, key.ID)
		w.refused("Get after Delete", err, core.ErrManagementKeyNotFound)
		_, err = w.ManagementKeys.Authenticate(w.ctx, secret)
		w.refused("Authenticate after Delete", err, core.ErrManagementKey)
		w.becomes("another server refuses the key", func() bool {
			_, err := other.ManagementKeys.Authenticate(w.ctx, secret)
			return errors.Is(err, core.ErrManagementKey)
		})
	})
}

// TestManagementKeyExpires gives a key an end, and lives to see it.
func TestManagementKeyExpires(t *testing.T) {
	each(t, func(w *world) {
		secret, err := w.ManagementKeys.NewSecret()
		w.must(err)
		key, err := w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "shop", Realm: w.realm.ID, Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
		w.must(err)
		until := w.clock.Now().Add(time.Hour)
		_, err = w.ManagementKeys.Update(w.ctx, key.ID, core.ManagementKeyChange{ExpiresAt: &until}, core.Request{})
		w.must(err)
		_, err = w.ManagementKeys.Authenticate(w.ctx, secret)
		w.must(err)
		w.clock.Advance(time.Hour)
		_, err = w.ManagementKeys.Authenticate(w.ctx, secret)
		w.refused("Authenticate after expiry", err, core.ErrManagementKey)
	})
}
