package core_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// TestBacklogFollowsOnItself holds that what found no room is delivered as soon as there is some: the clock stands still meanwhile.
func TestBacklogFollowsOnItself(t *testing.T) {
	each(t, func(w *world) {
		w.webhook("org.created")
		for range 30 {
			w.org("Acme")
		}
		c := &courier{}
		w.run(w.delivering(w.store, c))
		w.becomes("all are delivered", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.got) == 30
		})
	})
}

// hanging is a courier whom some hooks never answer.
type hanging struct {
	courier
	silent []core.AppHookID
}

func (h *hanging) Deliver(ctx context.Context, d *core.Delivery) core.Attempted {
	if slices.Contains(h.silent, d.Hook.ID) {
		<-ctx.Done()
	}
	return h.courier.Deliver(ctx, d)
}

// TestHangingHooksHoldUpNobody has more wait for hooks that hang than are looked at in one go, of more hooks than there are places, and
// then something for another and for a user.
func TestHangingHooksHoldUpNobody(t *testing.T) {
	each(t, func(w *world) {
		c := &hanging{}
		for range 20 {
			c.silent = append(c.silent, w.webhook("org.created").ID)
		}
		w.webhook("user.created")
		w.letterHook("user.created")
		for range 60 {
			w.org("Acme")
		}
		w.clock.Advance(time.Millisecond) // so that these come last
		w.human("ann")
		w.human("bob")
		w.run(w.delivering(w.store, c))
		w.becomes("what is for others is delivered", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.got) == 4
		})
	})
}
