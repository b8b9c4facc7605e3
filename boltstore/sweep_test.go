package boltstore

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// sweeping is a Store whose clock the test moves.
type sweeping struct {
	*testing.T
	store *Store
	clock atomic.Int64 // milliseconds
}

func newSweeping(t *testing.T) *sweeping {
	s := &sweeping{T: t}
	s.pass(time.Duration(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()))
	store, err := Open(Options{Path: filepath.Join(t.TempDir(), "postern.db"), Now: s.now})
	if err != nil {
		t.Fatalf("Open = %v; want a Store", err)
	}
	t.Cleanup(func() { store.Close() })
	s.store = store
	return s
}

func (s *sweeping) now() time.Time { return time.UnixMilli(s.clock.Load()) }

// pass lets d pass.
func (s *sweeping) pass(d time.Duration) { s.clock.Add(d.Milliseconds()) }

func (s *sweeping) apply(tx core.Transaction) core.Outcome {
	s.Helper()
	if tx.Now.IsZero() {
		tx.Now = s.now()
	}
	out, err := s.store.Apply(s.Context(), &tx)
	if err != nil {
		s.Fatalf("Apply(%s) = %v; want it done", tx.ID, err)
	}
	return out
}

// sweeps checks how many things the next sweep tidies away.
func (s *sweeping) sweeps(want int) {
	s.Helper()
	if got, err := s.store.sweep(); err != nil || got != want {
		s.Errorf("sweep = %d, %v; want %d", got, err, want)
	}
}

// has checks how many keys a bucket of the file has.
func (s *sweeping) has(bucket []byte, want int) {
	s.Helper()
	_ = s.store.db.View(func(tx *bolt.Tx) error {
		if got := tx.Bucket(bucket).Stats().KeyN; got != want {
			s.Errorf("bucket %s has %d keys; want %d", bucket, got, want)
		}
		return nil
	})
}

func TestSweepRecords(t *testing.T) {
	s := newSweeping(t)
	far := s.now().AddDate(30, 0, 0) // a caller whose clock is wrong: an hour is an hour
	hour := func(now time.Time) time.Time { return now.Add(time.Hour) }
	s.apply(core.Transaction{ID: "1", Put: []core.Put{
		{Name: "for-ever"},
		{Name: "hour", Expires: hour(s.now())},
		{Name: "longer", Expires: hour(s.now())},
		{Name: "deleted", Expires: hour(s.now())},
	}})
	s.apply(core.Transaction{ID: "2", Now: far, Put: []core.Put{{Name: "far", Expires: hour(far)}}})
	s.apply(core.Transaction{ID: "3", Put: []core.Put{{Name: "longer", Expires: hour(s.now()).Add(time.Hour)}}, Delete: []string{"deleted"}})

	s.pass(time.Hour + core.ExpirySlack - time.Millisecond)
	s.sweeps(3) // the outcomes
	s.has(recordBucket, 4)
	s.pass(time.Millisecond)
	s.sweeps(2) // hour and far
	s.has(recordBucket, 2)
	s.pass(time.Hour)
	s.sweeps(1)
	s.has(recordBucket, 1)
	s.has(deadlineBucket, 0)
}

func TestSweepOutcomes(t *testing.T) {
	s := newSweeping(t)
	s.apply(core.Transaction{ID: "1"})
	s.pass(core.OutcomeLifetime - time.Millisecond)
	s.sweeps(0)
	if out := s.apply(core.Transaction{ID: "1"}); !out.Repeated {
		t.Errorf("Apply within OutcomeLifetime = %+v; want it repeated", out)
	}
	s.pass(time.Millisecond)
	s.sweeps(1)
	if out := s.apply(core.Transaction{ID: "1"}); out.Repeated {
		t.Errorf("Apply after OutcomeLifetime = %+v; want it done anew", out)
	}
}

func TestSweepRates(t *testing.T) {
	s := newSweeping(t)
	hit := func(name string) {
		_, err := s.store.Hit(t.Context(), core.Bucket{Name: name}, core.Rate{Burst: 3, Every: time.Hour}, s.now())
		if err != nil {
			t.Fatalf("Hit(%s) = %v; want an answer", name, err)
		}
	}
	hit("once")
	hit("twice")
	hit("twice")
	s.pass(time.Hour + core.ExpirySlack)
	s.sweeps(1)
	s.has(rateBucket, 1)
	s.pass(time.Hour)
	s.sweeps(1)
	s.has(rateBucket, 0)
	s.has(deadlineBucket, 0)
}

// TestSweepIsBounded: however much there is to tidy away, it goes in small portions.
func TestSweepIsBounded(t *testing.T) {
	s := newSweeping(t)
	tx := core.Transaction{ID: "many"}
	for i := range core.MaxOperations {
		tx.Put = append(tx.Put, core.Put{Name: fmt.Sprint(i), Expires: s.now().Add(time.Minute)})
	}
	s.apply(tx)
	s.sweeps(0)
	s.pass(time.Hour)
	for left := core.MaxOperations + 1; left > 0; left -= sweepBatch {
		s.sweeps(min(left, sweepBatch))
	}
	s.sweeps(0)
	s.has(recordBucket, 0)
	s.has(outcomeBucket, 0)
	s.has(deadlineBucket, 0)
}
