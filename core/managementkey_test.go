package core_test

import (
	"testing"

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
