package core_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/postern-auth/postern/core"
)

// mortalStore is a store that dies before, or just after, its n-th Apply.
type mortalStore struct {
	core.Store
	mu    sync.Mutex
	left  int  // Applies until then
	after bool // the fatal one is still carried out, and its answer lost
}

var errKilled = errors.New("killed")

func (s *mortalStore) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	s.mu.Lock()
	s.left--
	left := s.left
	s.mu.Unlock()
	if left < 0 || left == 0 && !s.after {
		return core.Outcome{}, errKilled
	}
	out, err := s.Store.Apply(ctx, tx)
	if left == 0 {
		return core.Outcome{}, errKilled
	}
	return out, err
}

// TestJobsSurviveTheirWorkers kills the process that does two jobs before and after each of its writes: another one
// finishes them, does no step twice and leaves nothing.
func TestJobsSurviveTheirWorkers(t *testing.T) {
	each(t, func(w *world) {
		for n := 1; ; n++ {
			for _, after := range []bool{false, true} {
				var done []int
				did := func(left int) { done = append(done, left) }
				w.must(w.QueueCountdown(w.ctx, 3, did))
				w.must(w.QueueCountdown(w.ctx, 2, did))
				mortal := w.another(&mortalStore{Store: w.store, left: n, after: after})
				mortal.DoesCountdown(did)
				died := mortal.RunJobs(w.ctx)
				w.must(w.RunJobs(w.ctx))
				if !after || died == nil {
					slices.Sort(done)
					if want := []int{0, 0, 1, 1, 2}; !slices.Equal(done, want) {
						t.Fatalf("killed at write %d: steps done leave %v; want %v", n, done, want)
					}
				}
				done = nil
				w.must(w.RunJobs(w.ctx))
				if len(done) > 0 {
					t.Fatalf("killed at write %d: a job was done again", n)
				}
				if died == nil {
					return
				}
			}
		}
	})
}

// TestRunDoesJobs has a process that merely runs do what another queued.
func TestRunDoesJobs(t *testing.T) {
	each(t, func(w *world) {
		var mu sync.Mutex
		var done []int
		did := func(left int) {
			mu.Lock()
			defer mu.Unlock()
			done = append(done, left)
		}
		other := w.another(w.store)
		other.DoesCountdown(did)
		w.must(w.QueueCountdown(w.ctx, 2, did))
		w.run(other)
		w.becomes("the job is done", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Equal(done, []int{1, 0})
		})
	})
}

// TestJobsAreCounted reports how many are left.
func TestJobsAreCounted(t *testing.T) {
	each(t, func(w *world) {
		w.must(w.QueueBroken(w.ctx)) // two, which nothing can finish
		var left atomic.Int64
		w.run(w.reporting(func(fit core.Fitness, err error) {
			if err == nil {
				left.Store(int64(fit.Jobs))
			}
		}))
		w.becomes("two jobs are reported to be left", func() bool { return left.Load() == 2 })
	})
}

// TestBrokenJobsHoldUpNoOther queues more jobs that can never be done than are looked at together: those behind them are done all the
// same, also where there is never time for more than one.
func TestBrokenJobsHoldUpNoOther(t *testing.T) {
	each(t, func(w *world) {
		const broken = 130 // two jobs each
		for range broken {
			w.must(w.QueueBroken(w.ctx))
		}
		var done []int
		did := func(left int) { done = append(done, left) }
		w.must(w.QueueCountdown(w.ctx, 3, did))
		if err := w.RunJobs(w.ctx); err == nil || !slices.Equal(done, []int{2, 1, 0}) {
			t.Errorf("RunJobs = %v, steps done leave %v; want the jobs that are broken said, and the other done", err, done)
		}

		done = nil
		w.must(w.QueueCountdown(w.ctx, 2, did))
		w.must(w.QueueCountdown(w.ctx, 1, did))
		at := core.JobID("")
		for range 2 * (2*broken + 2) { // each has two turns
			at, _ = w.JobTurn(w.ctx, at)
		}
		if !slices.Equal(done, []int{1, 0, 0}) {
			t.Errorf("steps done by one turn after another leave %v; want [1 0 0]", done)
		}
	})
}
