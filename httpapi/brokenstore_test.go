package httpapi_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/core"
)

// brokenStore is a store that fails while broken is set.
type brokenStore struct {
	core.Store
	mu     sync.Mutex
	broken func() error     // may panic
	before func() error     // what happens before the next Apply, once
	kept   *strings.Builder // all that is put into the store; nil = nobody looks

	crashIn    int  // at which Apply from now on the process ends; 0 = at none
	crashAfter bool // the store still carries that one out

	applied atomic.Int64 // calls of Apply
}

// crash ends the process, as far as the store can tell, at an Apply from now on, the first being 1.
func (s *brokenStore) crash(at int, after bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.crashIn, s.crashAfter = at, after
}

// restart mends the store, and reports whether the process had ended.
func (s *brokenStore) restart() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended := s.broken != nil
	s.crashIn, s.broken = 0, nil
	return ended
}

// crashes reports whether the process ends at this Apply, and then everything fails.
func (s *brokenStore) crashes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crashIn == 0 {
		return false
	}
	if s.crashIn--; s.crashIn > 0 {
		return false
	}
	s.broken = func() error { return core.ErrUnavailable }
	return true
}

// record has all that is put into the store from now on remembered.
func (s *brokenStore) record() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = &strings.Builder{}
}

// recorded returns what was put into the store since.
func (s *brokenStore) recorded() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.String()
}

// remember notes what is put into the store.
func (s *brokenStore) remember(tx *core.Transaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		return
	}
	for _, put := range tx.Put {
		fmt.Fprintf(s.kept, "%s %s\n", put.Name, put.Value)
	}
	for _, change := range tx.Index {
		fmt.Fprintf(s.kept, "%s %s\n", change.Index, change.Member)
	}
	for _, entry := range tx.Append {
		fmt.Fprintf(s.kept, "%s %s\n", entry.Log, entry.Data)
	}
}

// breakWith makes every call fail from now on; nil mends the store.
func (s *brokenStore) breakWith(fail func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = fail
}

// beforeApply has something happen before the next Apply.
func (s *brokenStore) beforeApply(do func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = do
}

// happen does what is to happen before an Apply.
func (s *brokenStore) happen() error {
	s.mu.Lock()
	do := s.before
	s.before = nil
	s.mu.Unlock()
	if do == nil {
		return nil
	}
	return do()
}

func (s *brokenStore) err() error {
	s.mu.Lock()
	fail := s.broken
	s.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail()
}

func (s *brokenStore) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, keys...)
}

func (s *brokenStore) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	s.applied.Add(1)
	if err := s.happen(); err != nil {
		return core.Outcome{}, err
	}
	if err := s.err(); err != nil {
		return core.Outcome{}, err
	}
	if s.crashes() {
		if s.crashAfter {
			_, _ = s.Store.Apply(ctx, tx)
			return core.Outcome{}, core.ErrOutcomeUnknown
		}
		return core.Outcome{}, core.ErrUnavailable
	}
	s.remember(tx)
	return s.Store.Apply(ctx, tx)
}

func (s *brokenStore) Range(ctx context.Context, r core.Range) ([]string, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.Store.Range(ctx, r)
}

func (s *brokenStore) Hit(ctx context.Context, b core.Bucket, r core.Rate, now time.Time) (core.Allowance, error) {
	if err := s.err(); err != nil {
		return core.Allowance{}, err
	}
	return s.Store.Hit(ctx, b, r, now)
}
