package core_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// TestFeedTrouble holds that a store which does not answer is told of once what is remembered may not be relied on any more, and
// once more when it is back.
func TestFeedTrouble(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	store := &mute{Store: w.store}
	told := make(chan error, 10)
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	w.must(err)
	c, err := core.New(core.Options{Store: store, MasterKey: master, Now: w.clock.Now, MaxStaleness: time.Second, Trouble: func(work string, err error) {
		if work == core.WorkFeed {
			told <- err
		}
	}})
	w.must(err)
	ctx, cancel := context.WithCancel(w.ctx)
	var work sync.WaitGroup
	work.Go(func() { c.Run(ctx) })
	defer work.Wait()
	defer cancel()
	store.on.Store(true)
	if err := awaited(told, func() { w.clock.Advance(2 * time.Second) }); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("told %v; want that the store is away", err)
	}
	store.on.Store(false)
	if err := awaited(told, func() {}); err != nil {
		t.Errorf("told %v; want that it is back", err)
	}
}

// awaited returns what is told next, and lets time pass until then.
func awaited(told <-chan error, pass func()) error {
	for range 2000 {
		select {
		case err := <-told:
			return err
		case <-time.After(10 * time.Millisecond):
			pass()
		}
	}
	return errors.New("told nothing")
}

// mute is a store that answers no Tail while on.
type mute struct {
	core.Store
	on atomic.Bool
}

func (m *mute) Tail(ctx context.Context, logs []core.LogPosition, wait time.Duration) ([]core.Feed, error) {
	if m.on.Load() {
		return nil, core.ErrUnavailable
	}
	return m.Store.Tail(ctx, logs, min(wait, time.Millisecond))
}
