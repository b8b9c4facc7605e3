package core_test

import "testing"

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
