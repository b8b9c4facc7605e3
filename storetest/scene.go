package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// realm is whose data most tests keep.
const realm = core.RealmID("rl_0000000000000000000000")

// noon is the time at which most tests take place.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// patience is for how long a test waits for what ought to happen at once, on however busy a machine.
const patience = 20 * time.Second

// scene is a test at work on one partition of a store. What its methods ask of the store must succeed,
// or the test ends.
type scene struct {
	*testing.T
	ctx   context.Context
	store core.Store
	at    core.Partition
	ids   *atomic.Int64 // of the operations so far
}

func newScene(t *testing.T, store core.Store) *scene {
	return &scene{T: t, ctx: t.Context(), store: store, at: core.Partition{Realm: realm}, ids: new(atomic.Int64)}
}

// in returns the scene in another partition.
func (s *scene) in(p core.Partition) *scene {
	other := *s
	other.at = p
	return &other
}

// through returns the scene with another client of the same data.
func (s *scene) through(store core.Store) *scene {
	other := *s
	other.store = store
	return &other
}

// operation returns an id that no operation of this test had before.
func (s *scene) operation() string { return fmt.Sprintf("op-%d", s.ids.Add(1)) }

// try carries out tx here, with an operation id of its own and at noon unless it says otherwise.
func (s *scene) try(tx core.Transaction) (core.Outcome, error) {
	tx.Partition = s.at
	if tx.ID == "" {
		tx.ID = s.operation()
	}
	if tx.Now.IsZero() {
		tx.Now = noon
	}
	return s.store.Apply(s.ctx, &tx)
}

// apply carries out tx.
func (s *scene) apply(tx core.Transaction) core.Outcome {
	s.Helper()
	out, err := s.try(tx)
	if err != nil {
		s.Fatalf("Apply(%s) = %v; want it done", brief(tx), err)
	}
	return out
}

// refuse tries tx, which must be refused because of the record called name.
func (s *scene) refuse(tx core.Transaction, name string) {
	s.Helper()
	out, err := s.try(tx)
	want := core.Key{Partition: s.at, Name: name}
	if c, ok := errors.AsType[*core.ConflictError](err); !ok || c.Key != want {
		s.Fatalf("Apply(%s) = %+v, %v; want a ConflictError about %s", brief(tx), out, err, name)
	}
}

// put sets one record and returns its version.
func (s *scene) put(name, value string) uint64 {
	s.Helper()
	return s.apply(core.Transaction{Put: []core.Put{{Name: name, Value: []byte(value)}}}).Version
}

// key names a record here.
func (s *scene) key(name string) core.Key { return core.Key{Partition: s.at, Name: name} }

// get returns the record called name.
func (s *scene) get(name string) core.Record {
	s.Helper()
	return s.getAll(s.key(name))[0]
}

// getAll returns a record per key.
func (s *scene) getAll(keys ...core.Key) []core.Record {
	s.Helper()
	records, err := s.store.Get(s.ctx, keys...)
	if err != nil || len(records) != len(keys) {
		s.Fatalf("Get(%v) = %d records, %v; want %d", keys, len(records), err, len(keys))
	}
	return records
}

// holds checks the value of a record, "" meaning that there must be no such record.
func (s *scene) holds(name, value string) {
	s.Helper()
	if r := s.get(name); string(r.Value) != value || (r.Version == 0) != (value == "") {
		s.Errorf("Get(%s) = %q at version %d; want %q", name, r.Value, r.Version, value)
	}
}

// members returns what an index has, within r.
func (s *scene) members(index string, r core.Range) []string {
	s.Helper()
	r.Index = core.Index{Partition: s.at, Name: index}
	if r.Limit == 0 {
		r.Limit = core.MaxRange
	}
	members, err := s.store.Range(s.ctx, r)
	if err != nil {
		s.Fatalf("Range(%+v) = %v; want members", r, err)
	}
	return members
}

// lists checks all members of an index.
func (s *scene) lists(index string, want ...string) {
	s.Helper()
	if got := s.members(index, core.Range{}); !slices.Equal(got, want) {
		s.Errorf("Range(%s) = %q; want %q", index, got, want)
	}
}

// hit takes a unit from a bucket.
func (s *scene) hit(bucket string, rate core.Rate, now time.Time) core.Allowance {
	s.Helper()
	a, err := s.store.Hit(s.ctx, core.Bucket{Partition: s.at, Name: bucket}, rate, now)
	if err != nil {
		s.Fatalf("Hit(%s, %+v, %v) = %v; want an answer", bucket, rate, now, err)
	}
	return a
}

// log names a log here.
func (s *scene) log(name string) core.Log { return core.Log{Partition: s.at, Name: name} }

// write appends entries to a log that keeps everything, in one transaction.
func (s *scene) write(log string, entries ...string) {
	s.Helper()
	s.apply(core.Transaction{Append: additions(log, 1<<20, entries...)})
}

// additions returns entries for a log that keeps so many.
func additions(log string, keep int, entries ...string) []core.Append {
	var all []core.Append
	for _, e := range entries {
		all = append(all, core.Append{Log: log, Data: []byte(e), Keep: keep})
	}
	return all
}

// tail reads on in one log, without waiting.
func (s *scene) tail(log string, after core.Position) core.Feed {
	s.Helper()
	return s.tailAll(0, core.LogPosition{Log: s.log(log), After: after})[0]
}

// tailAll reads on in several logs and returns a feed for each.
func (s *scene) tailAll(wait time.Duration, logs ...core.LogPosition) []core.Feed {
	s.Helper()
	feeds, err := s.store.Tail(s.ctx, logs, wait)
	if err != nil || len(feeds) != len(logs) {
		s.Fatalf("Tail(%+v, %v) = %d feeds, %v; want %d", logs, wait, len(feeds), err, len(logs))
	}
	return feeds
}

// reads checks what a log has, from its first entry.
func (s *scene) reads(log string, want ...string) {
	s.Helper()
	feed := s.tail(log, core.Position{})
	if got := texts(feed); feed.Gap || !slices.Equal(got, want) {
		s.Errorf("Tail(%s, start) = %q, gap %t; want %q", log, got, feed.Gap, want)
	}
}

// texts returns the data of a feed's entries.
func texts(f core.Feed) []string {
	var all []string
	for _, e := range f.Entries {
		all = append(all, string(e.Data))
	}
	return all
}

// together calls f n times at once, and returns when all are done.
func together(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// brief describes a transaction for a failure message, without its values.
func brief(tx core.Transaction) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "id %.70q", tx.ID)
	for _, part := range []struct {
		what string
		n    int
	}{
		{"preconditions", len(tx.Require)}, {"puts", len(tx.Put)}, {"deletes", len(tx.Delete)},
		{"index changes", len(tx.Index)}, {"entries", len(tx.Append)}, {"resets", len(tx.Reset)},
	} {
		if part.n > 0 {
			fmt.Fprintf(&b, ", %d %s", part.n, part.what)
		}
	}
	return b.String()
}

// absent requires that there is no record called name.
func absent(name string) core.Precondition { return core.Precondition{Name: name} }

// at requires that the record called name is at a version.
func at(name string, version uint64) core.Precondition {
	return core.Precondition{Name: name, Version: version}
}
