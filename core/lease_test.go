package core_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// TestLease has two processes take a lease by turns.
func TestLease(t *testing.T) {
	each(t, func(w *world) {
		a, b := w.another(w.store), w.another(w.store)
		holds := func(who string, c *core.Core, want bool) {
			t.Helper()
			if got, err := c.Hold(w.ctx, "work"); got != want || err != nil {
				w.Errorf("%s: Hold = %v, %v; want %v", who, got, err, want)
			}
		}
		holds("the first", a, true)
		holds("the second", b, false)
		w.clock.Advance(core.LeaseTime * 2 / 3)
		holds("the first, in time", a, true)
		w.clock.Advance(core.LeaseTime * 2 / 3)
		holds("the second, while it was renewed", b, false)
		w.clock.Advance(core.LeaseTime)
		holds("the second, after its end", b, true)
		holds("the first, too late", a, false)
		b.Leave(w.ctx, "work")
		holds("the first, after it was given back", a, true)
		b.Leave(w.ctx, "work") // not b's any more
		holds("the second, which could not give it back", b, false)
	})
}

// ownFile is a store that one process at a time has open.
type ownFile struct {
	core.Store
	opening string
}

func (s ownFile) Check(ctx context.Context) (core.Fitness, error) {
	fit, err := s.Store.Check(ctx)
	fit.Opening = s.opening
	return fit, err
}

// TestLeaseOfAFormerProcess holds that whoever opens a store anew, which nobody else can have open, waits for no lease of who had it open
// before and was killed; two over one opening take turns, as those over a store that several use.
func TestLeaseOfAFormerProcess(t *testing.T) {
	each(t, func(w *world) {
		holds := func(who string, store core.Store, want bool) {
			w.Helper()
			c := w.another(store)
			_, err := c.Check(w.ctx)
			w.must(err)
			if got, err := c.Hold(w.ctx, "work"); got != want || err != nil {
				w.Errorf("%s: Hold = %v, %v; want %v", who, got, err, want)
			}
		}
		first, next := ownFile{w.store, "first"}, ownFile{w.store, "next"}
		holds("the first", first, true)
		holds("another over the same opening", first, false)
		holds("the next process", next, true)
		holds("another over its opening", next, false)

		shared := ownFile{w.store, ""}
		holds("one of several", shared, true)
		holds("another of them", shared, false)
	})
}

// TestWhileLeased holds that a failure is told once and ends neither the work nor the lease, and that the end of
// the work frees it for others.
func TestWhileLeased(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	var told []error
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	w.must(err)
	c, err := core.New(core.Options{Store: w.store, MasterKey: master, Now: w.clock.Now,
		Trouble: func(_ string, err error) { told = append(told, err) }})
	w.must(err)
	ctx, cancel := context.WithCancel(w.ctx)
	bad, tries := errors.New("not yet"), 0
	c.WhileLeased(ctx, "work", time.Microsecond, func(context.Context) error {
		tries++
		switch tries {
		case 5:
			cancel()
		case 1, 4:
			return nil
		}
		return bad
	})
	if tries != 5 {
		t.Errorf("worked %d times; want 5", tries)
	}
	if want := []error{bad, nil}; !slices.Equal(told, want) {
		t.Errorf("told of %v; want %v", told, want)
	}
	if free, err := w.Hold(w.ctx, "work"); !free || err != nil {
		t.Errorf("Hold after the end = %v, %v; want true", free, err)
	}
}

// reads counts what is read.
type reads struct {
	core.Store
	done func() // told of each
}

func (r *reads) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	r.done()
	return r.Store.Get(ctx, keys...)
}

// TestStandby has a process that does not have the lease look for it again and again, but not as often as its holder works: idle processes
// would keep a store busy.
func TestStandby(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	if held, err := w.Hold(w.ctx, "work"); !held || err != nil {
		t.Fatalf("Hold = %t, %v; want true", held, err)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	looks, begun := 0, time.Now()
	idle := w.another(&reads{w.store, func() {
		if looks++; looks == 3 {
			cancel()
		}
	}})
	idle.WhileLeased(ctx, "work", time.Microsecond, func(context.Context) error {
		t.Error("two have the lease")
		return nil
	})
	if took := time.Since(begun); looks < 3 || took < 2*core.LeaseLook {
		t.Errorf("looked %d times within %s; want %s between", looks, took, core.LeaseLook)
	}
}
