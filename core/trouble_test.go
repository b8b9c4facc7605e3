package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// TestWritesThatFailAreTold holds that it is told once that writes fail, and once that they go well again: when none has failed for a
// while, since of a store that is almost full some fail and some do not.
func TestWritesThatFailAreTold(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	store := &readOnly{Store: w.store}
	var told []bool
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	w.must(err)
	c, err := core.New(core.Options{Store: store, MasterKey: master, Now: w.clock.Now, Trouble: func(work string, err error) {
		if work == core.WorkWrites {
			told = append(told, err != nil)
		}
	}})
	w.must(err)
	create := func(ctx context.Context) error {
		secret, err := c.ManagementKeys.NewSecret()
		w.must(err)
		_, err = c.ManagementKeys.Create(ctx, core.NewManagementKey{Name: "back end", Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
		return err
	}
	write := func(fails bool) {
		t.Helper()
		store.on.Store(fails)
		err := create(w.ctx)
		if errors.Is(err, core.ErrUnavailable) != fails {
			t.Fatalf("a write = %v; want it to fail: %t", err, fails)
		}
	}
	for _, step := range []struct {
		what  string
		fails bool
		after time.Duration
		want  []bool
	}{
		{"one goes well", false, 0, nil},
		{"one fails", true, 0, []bool{true}},
		{"another fails", true, time.Second, []bool{true}},
		{"one goes well a moment later", false, 9 * time.Second, []bool{true}},
		{"one goes well a while later", false, time.Second, []bool{true, false}},
		{"one fails once more", true, 0, []bool{true, false, true}},
	} {
		w.clock.Advance(step.after)
		write(step.fails)
		if !slices.Equal(told, step.want) {
			t.Fatalf("%s: told %v; want %v", step.what, told, step.want)
		}
	}
	c.TryWrites(w.ctx)
	w.clock.Advance(time.Minute)
	if c.TryWrites(w.ctx); len(told) != 3 {
		t.Fatalf("while nobody writes, and writes fail: told %v; want nothing new", told)
	}
	store.on.Store(false)
	w.clock.Advance(time.Minute)
	if c.TryWrites(w.ctx); !slices.Equal(told, []bool{true, false, true, false}) {
		t.Fatalf("while nobody writes, and writes go well: told %v; want that they do", told)
	}
	write(true)
	gone, cancel := context.WithCancel(w.ctx)
	cancel()
	w.clock.Advance(time.Minute)
	write(false)
	store.on.Store(true)
	_ = create(gone)
	if want := []bool{true, false, true, false, true, false}; !slices.Equal(told, want) {
		t.Errorf("after a write whose caller has left: told %v; want %v", told, want)
	}
}
