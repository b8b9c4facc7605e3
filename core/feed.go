package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Listener is told what is no longer true. Its methods are called one at a time, must not block, and must
// have taken effect when they return.
type Listener interface {
	// Forget drops all that depends on one of the subjects: ids of users, sessions, realms, keys.
	Forget(subjects []string)
	// ForgetAll drops everything: news may have been missed.
	ForgetAll()
}

// InvalidationFeed follows the invalidation logs of the partitions that somebody listens to. One goroutine and one
// Tail serve all listeners. Safe for concurrent use.
type InvalidationFeed struct {
	d            *deps
	maxStaleness time.Duration

	mu        sync.Mutex
	positions map[Log]Position
	watches   []*Watch // in the order they came: core's own first, so that whoever asks core again after news gets new answers
	changed   func()   // ends the Tail under way, so that a new log is followed at once

	asked  atomic.Int64 // nanoseconds since the epoch: when the last Tail began that the store answered
	looked time.Time    // when the realms were last looked for, by the local clock; of the goroutine that runs
}

// Watch is one listener's subscription.
type Watch struct {
	feed      *InvalidationFeed
	realm     RealmID // whose news it is; "" = all realms'
	logs      []Log
	listener  Listener
	joined    bool         // it has been told to forget what it read before it was followed
	confirmed atomic.Int64 // nanoseconds since the epoch: all news up to then has been passed on
}

// WorkFeed names the following of the feed, for Options.Trouble: while it fails, what is remembered is not relied on.
const WorkFeed = "news of revocations"

// feedWait is how long one Tail waits, and so how often silence is confirmed.
const feedWait = time.Second

func newFeed(d *deps, maxStaleness time.Duration) *InvalidationFeed {
	return &InvalidationFeed{d: d, maxStaleness: maxStaleness, positions: map[Log]Position{},
		changed: func() {}}
}

// Follow subscribes l to news of a realm: its users and sessions, its keys and settings. The Watch is
// not Fresh before the first news, or silence, has been confirmed.
func (f *InvalidationFeed) Follow(ctx context.Context, realm RealmID, l Listener) (*Watch, error) {
	r, err := f.d.realms.Get(ctx, realm)
	if err != nil {
		return nil, err
	}
	logs := []Log{invalidationLog(Partition{})}
	for _, p := range r.partitions() {
		logs = append(logs, invalidationLog(p))
	}
	return f.subscribe(&Watch{realm: realm, logs: logs, listener: l}), nil
}

// watch subscribes l to logs.
func (f *InvalidationFeed) watch(l Listener, logs ...Log) *Watch {
	return f.subscribe(&Watch{logs: logs, listener: l})
}

// subscribe begins a subscription.
func (f *InvalidationFeed) subscribe(w *Watch) *Watch {
	w.feed = f
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watches = append(f.watches, w)
	for _, log := range w.logs {
		if _, followed := f.positions[log]; !followed {
			f.positions[log] = End
		}
	}
	f.changed()
	return w
}

// Stop ends the subscription. The listener may be told once more.
func (w *Watch) Stop() {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	w.feed.watches = slices.DeleteFunc(w.feed.watches, func(other *Watch) bool { return other == w })
	w.confirmed.Store(0)
}

// Fresh reports whether all news up to at most max staleness ago has been passed on, so that what is
// remembered may be answered from. Asked of a time that is past, it says whether what was passed on last was good for that. While the clock stands
// still, nothing is, until there is news by a clock that runs. It takes no lock and allocates nothing.
func (w *Watch) Fresh(now time.Time) bool {
	return w.feed.recent(w.confirmed.Load(), now)
}

// Steady reports whether the clock has run on since a time that it showed. If not, whatever is as old as that may be older.
func (w *Watch) Steady(since time.Time) bool { return w.feed.d.clock.steady(since.UnixNano()) }

// recent reports whether a time, in nanoseconds since the epoch, is at most max staleness before now.
func (f *InvalidationFeed) recent(at int64, now time.Time) bool {
	return now.UnixNano()-at <= int64(f.maxStaleness) && f.d.clock.steady(at)
}

// Heard returns up to when all news has been passed on to everybody who listens; zero where that is not known yet. A guard
// relies on what it remembers for max staleness from then on.
func (f *InvalidationFeed) Heard() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	var oldest int64
	for i, w := range f.watches {
		if at := w.confirmed.Load(); i == 0 || at < oldest {
			oldest = at
		}
	}
	if oldest == 0 {
		return time.Time{}
	}
	return time.Unix(0, oldest)
}

// run tails until ctx ends. That the store does not answer is trouble once what is remembered may no longer be relied on.
func (f *InvalidationFeed) run(ctx context.Context) {
	pause, heard := 10*time.Millisecond, f.d.clock.local()
	for ctx.Err() == nil {
		err := f.round(ctx)
		now := f.d.clock.local()
		if err == nil {
			pause, heard = 10*time.Millisecond, now
			f.d.troubles.note(WorkFeed, nil)
			continue
		}
		if now.Sub(heard) > f.maxStaleness && ctx.Err() == nil {
			f.d.troubles.note(WorkFeed, err)
		}
		select { // the store is away; freshness runs out by itself
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, feedWait)
	}
}

// round makes one Tail and passes on what it found. It fails where the store did not answer.
func (f *InvalidationFeed) round(ctx context.Context) error {
	logs, watches, wait, call, cancel := f.begin(ctx)
	defer cancel()
	asked, err := f.d.clock.now()
	if err != nil {
		return err
	}
	feeds, err := f.d.store.Tail(call, logs, wait)
	if err != nil {
		if call.Err() != nil && ctx.Err() == nil {
			return nil // ended to follow a new log: nothing is wrong
		}
		return fmt.Errorf("core: follow the feed: %w", err)
	}
	f.asked.Store(asked.UnixNano())
	f.pass(feeds, watches, asked)
	return f.lookForRealms(call, watches)
}

// confirm fails where the store has not been tailed for max staleness and cannot be now. What it reads out then says nothing of a credential: a master that
// was deposed still answers, but has not heard of what was ended since, nor of who signed in. Only Tail has it own up to that (redisstore, tail.lua).
func (f *InvalidationFeed) confirm(ctx context.Context, realm *Realm, now time.Time) error {
	if f.recent(f.asked.Load(), now) {
		return nil
	}
	logs := []LogPosition{{invalidationLog(Partition{}), End}}
	for _, p := range realm.partitions() {
		logs = append(logs, LogPosition{invalidationLog(p), End})
	}
	if _, err := f.d.store.Tail(ctx, logs, 0); err != nil && !errors.Is(err, ErrStoreFull) {
		return fmt.Errorf("core: ask the store whether it takes changes: %w", err)
	}
	return nil
}

// begin returns what to tail, for whom and for how long, under a context that a new subscription ends. For a watch that has
// not been confirmed yet it is no time at all: until then everything is read from the store.
func (f *InvalidationFeed) begin(ctx context.Context) ([]LogPosition, []*Watch, time.Duration, context.Context, context.CancelFunc) {
	call, cancel := context.WithTimeout(ctx, feedWait+2*time.Second)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed = cancel
	f.forgetUnwatched()
	logs := make([]LogPosition, 0, len(f.positions))
	for log, after := range f.positions {
		logs = append(logs, LogPosition{log, after})
	}
	wait := feedWait
	if slices.ContainsFunc(f.watches, func(w *Watch) bool { return !w.joined }) {
		wait = 0
	}
	return logs, slices.Clone(f.watches), wait, call, cancel
}

// forgetUnwatched drops the positions of logs that nobody listens to any more.
func (f *InvalidationFeed) forgetUnwatched() {
	wanted := map[Log]bool{}
	for _, w := range f.watches {
		for _, log := range w.logs {
			wanted[log] = true
		}
	}
	for log := range f.positions {
		if !wanted[log] {
			delete(f.positions, log)
		}
	}
}

// pass tells each watch what was found in its logs, and notes how far they have been read and when they
// were asked for. Where more came than one answer holds, there is news that has not been passed on, and nothing is confirmed.
func (f *InvalidationFeed) pass(feeds []Feed, watches []*Watch, asked time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	behind := func(w *Watch) bool {
		return slices.ContainsFunc(feeds, func(found Feed) bool { return len(found.Entries) >= MaxTail && slices.Contains(w.logs, found.Log) })
	}
	for _, found := range feeds {
		if _, followed := f.positions[found.Log]; followed {
			f.positions[found.Log] = found.Next
		}
		for _, w := range watches {
			if slices.Contains(w.logs, found.Log) {
				w.tell(found)
			}
		}
	}
	for _, w := range watches {
		if !w.joined {
			w.joined = true
			w.listener.ForgetAll()
		}
		if slices.Contains(f.watches, w) && !behind(w) {
			w.confirmed.Store(asked.UnixNano())
		}
	}
}

// announce passes on in this process, before its maker goes on, the news that a Transaction made: whoever changes something
// and asks again at once must not be told what was before. Others hear of it from the log, and so does this process once more.
func (f *InvalidationFeed) announce(tx *Transaction) {
	for _, a := range tx.Append {
		if a.Log != logInvalidation {
			continue
		}
		subjects, log := strings.Fields(string(a.Data)), invalidationLog(tx.Partition)
		f.mu.Lock()
		for _, w := range f.watches {
			if slices.Contains(w.logs, log) {
				w.listener.Forget(subjects)
			}
		}
		f.mu.Unlock()
	}
}

// tell passes on what was found in one log.
func (w *Watch) tell(found Feed) {
	if found.Gap {
		w.listener.ForgetAll()
		return
	}
	for _, e := range found.Entries {
		w.listener.Forget(strings.Fields(string(e.Data)))
	}
}
