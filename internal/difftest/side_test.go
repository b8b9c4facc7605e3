package difftest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

// side is one of the stores that are compared. Stores number versions as they like, so a side knows them by the
// transaction that gave them: its number in the history, the same on every side.
type side struct {
	name  string
	store core.Store
	given map[int]uint64              // version by number of the transaction
	known map[core.Key]map[uint64]int // and the other way round
}

func newSide(name string, store core.Store) *side {
	return &side{name: name, store: store, given: map[int]uint64{absent: 0, never: neverGiven}, known: map[core.Key]map[uint64]int{}}
}

// What a precondition may ask for beside the version that a transaction gave.
const (
	absent = 0
	never  = -1

	neverGiven = 1 << 50 // more than any store has given, few enough for every store to compare
)

// step is a Transaction whose preconditions name the transactions that gave the versions.
type step struct {
	core.Transaction
	required []int
}

// on returns the Transaction as a side is to carry it out.
func (s *step) on(side *side) *core.Transaction {
	tx := s.Transaction
	tx.Require = nil
	for i, p := range s.Require {
		tx.Require = append(tx.Require, core.Precondition{Name: p.Name, Version: side.given[s.required[i]]})
	}
	return &tx
}

// apply says what came of a step, which is the history's number n if it is committed now.
func (s *side) apply(ctx context.Context, step *step, n int) (answer string, committed bool, err error) {
	out, err := s.store.Apply(ctx, step.on(s))
	if conflict, ok := errors.AsType[*core.ConflictError](err); ok {
		return "conflict about " + conflict.Key.String(), false, nil
	}
	if err != nil {
		return "", false, err
	}
	if len(step.Put) == 0 {
		return fmt.Sprintf("done, repeated %t, version %d", out.Repeated, out.Version), !out.Repeated, nil
	}
	if out.Repeated {
		first := core.Key{Partition: step.Partition, Name: step.Put[0].Name}
		return "done before, by " + s.giver(first, out.Version), false, nil
	}
	return "done", true, s.note(step, n, out.Version)
}

// note remembers the version that step n gave. It must be above all that its records ever had.
func (s *side) note(step *step, n int, version uint64) error {
	s.given[n] = version
	for _, p := range step.Put {
		key := core.Key{Partition: step.Partition, Name: p.Name}
		if s.known[key] == nil {
			s.known[key] = map[uint64]int{}
		}
		for past, by := range s.known[key] {
			if by != n && past >= version || version == 0 {
				return fmt.Errorf("%s has a version that is not above the one that #%d gave", key, by)
			}
		}
		s.known[key][version] = n
	}
	return nil
}

// giver says which step gave a record its version.
func (s *side) giver(key core.Key, version uint64) string {
	if version == 0 {
		return "nobody"
	}
	if n, ok := s.known[key][version]; ok {
		return fmt.Sprintf("#%d", n)
	}
	return fmt.Sprintf("nobody, at version %d", version)
}

func (s *side) get(ctx context.Context, keys []core.Key) (string, error) {
	records, err := s.store.Get(ctx, keys...)
	if err != nil || len(records) != len(keys) {
		return "", fmt.Errorf("%d records for %d keys, %w", len(records), len(keys), err)
	}
	var all []string
	for i, r := range records {
		if r.Version == 0 && r.Value == nil && r.Schema == 0 && r.Expires.IsZero() {
			all = append(all, "none")
			continue
		}
		all = append(all, fmt.Sprintf("%s schema %d by %s until %s", brief(r.Value), r.Schema, s.giver(keys[i], r.Version), moment(r.Expires)))
	}
	return strings.Join(all, "; "), nil
}

func (s *side) rangeOver(ctx context.Context, r core.Range) (string, error) {
	members, err := s.store.Range(ctx, r)
	return fmt.Sprintf("%q", members), err
}

func (s *side) hit(ctx context.Context, bucket core.Bucket, rate core.Rate, now time.Time) (string, error) {
	a, err := s.store.Hit(ctx, bucket, rate, now)
	if a.OK {
		return fmt.Sprintf("yes, %d left, retry after %v", a.Remaining, a.RetryAfter), err
	}
	return fmt.Sprintf("no, %d left, retry after %v", a.Remaining, a.RetryAfter), err
}

// feedText says what a feed holds.
func feedText(f core.Feed) string {
	var all []string
	for _, e := range f.Entries {
		all = append(all, fmt.Sprintf("%d by %s %s", e.Position.Sequence, e.Position.Operation, brief(e.Data)))
	}
	return fmt.Sprintf("%s gap %t [%s] next %d by %q", f.Log, f.Gap, strings.Join(all, ", "), f.Next.Sequence, f.Next.Operation)
}

// brief shows bytes, all of them where they are few.
func brief(b []byte) string {
	if len(b) > 40 {
		return fmt.Sprintf("%q and %d more", b[:4], len(b)-4)
	}
	return fmt.Sprintf("%q", b)
}

// moment shows a time to the millisecond, to which records keep it.
func moment(t time.Time) string {
	if t.IsZero() {
		return "ever"
	}
	return t.UTC().Format(time.RFC3339Nano)
}
