package core_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// TestHashBusy holds that whoever wants to know is told when hashing begins, once.
func TestHashBusy(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	var mu sync.Mutex
	var told []bool
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	w.must(err)
	w.Core, err = core.New(core.Options{Store: w.store, MasterKey: master, Now: w.clock.Now, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1,
		HashBusy: func(busy bool) { mu.Lock(); defer mu.Unlock(); told = append(told, busy) }}})
	w.must(err)
	if _, err := w.Realms.Get(w.ctx, w.realm.ID); err != nil || len(told) > 0 {
		t.Errorf("told %v, %v before anything was hashed", told, err)
	}
	w.human("ann")
	w.signIn("ann")
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(told, []bool{true}) {
		t.Errorf("told %v; want true, once, while the thread waits for more", told)
	}
}
