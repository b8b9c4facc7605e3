package core

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// troubles knows which work in the background fails, so that somebody is told once when it begins to and once when it
// goes well again, and not at each try. Safe for concurrent use.
type troubles struct {
	tell func(work string, err error)

	mu      sync.Mutex
	failing map[string]bool
}

// note takes how a try went.
func (t *troubles) note(work string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failing[work] == (err != nil) {
		return
	}
	t.failing[work] = err != nil
	t.tell(work, err)
}

// workDeliveries names the making of deliveries, for Options.Trouble: not what becomes of them.
const workDeliveries = "deliveries"

// WorkMails names the giving of e-mails to the mail server, for Options.Trouble. It fails where the server takes none, whoever they are for.
const WorkMails = "mail server"

// WorkWrites names what changes the store, for Options.Trouble. It fails alone where a disk is full or Redis takes no more: whoever is
// signed in is let in as ever, and nobody can sign in or out.
const WorkWrites = "writes to the store"

// writesRecover is for how long no write must have failed before they go well again: of a store that is almost full, some fail and some do not.
const writesRecover = 10 * time.Second

// writes knows whether writes fail. Safe for concurrent use.
type writes struct {
	failing atomic.Bool
	failed  atomic.Int64 // when one last did, in nanoseconds since the epoch
}

// tryWrites writes to the store, though nothing, where writes have failed: so it is known that they go well again also where nobody signs in or out meanwhile.
func (d *deps) tryWrites(ctx context.Context) {
	if !d.writes.failing.Load() {
		return
	}
	if now, err := d.clock.now(); err == nil {
		_, _ = d.change(Partition{}, now).carryOut(ctx) // which notes how it went
	}
}

// note takes how a write went at now. What the store refuses, as a precondition that does not hold, says nothing, and neither does a
// write whose caller has left.
func (w *writes) note(ctx context.Context, t *troubles, now time.Time, err error) {
	switch {
	case err == nil && !w.failing.Load(), ctx.Err() != nil:
	case err == nil && now.UnixNano()-w.failed.Load() >= int64(writesRecover):
		w.failing.Store(false)
		t.note(WorkWrites, nil)
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrOutcomeUnknown):
		w.failed.Store(now.UnixNano())
		w.failing.Store(true)
		t.note(WorkWrites, err)
	}
}
