package storetest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/storetest"
)

// defectVariable names the defect that a second run of this test binary is to have.
const defectVariable = "POSTERN_TEST_DEFECT"

// defects are ways to break a sound store, each with the tests that must notice.
var defects = map[string]struct {
	tests string
	spoil func(core.Store) core.Store
}{
	"none":                         {"", func(s core.Store) core.Store { return s }},
	"forgets outcomes":             {"Outcomes|Histories", onApply(func(tx *core.Transaction) { tx.ID = fmt.Sprint(time.Now().UnixNano()) })},
	"ignores preconditions":        {"Transactions|Races|Histories", onApply(func(tx *core.Transaction) { tx.Require = nil })},
	"checks the last first":        {"Transactions", onApply(func(tx *core.Transaction) { tx.Require = reversed(tx.Require) })},
	"drops deletes":                {"Records|Histories", onApply(func(tx *core.Transaction) { tx.Delete = nil })},
	"drops resets":                 {"Buckets|Histories", onApply(func(tx *core.Transaction) { tx.Reset = nil })},
	"keeps by its own clock":       {"Records", onApply(func(tx *core.Transaction) { tx.Put = keptUntilNow(tx.Put) })},
	"mixes up partitions":          {"Isolation", onApply(func(tx *core.Transaction) { tx.Partition.Number = 0 })},
	"includes To in a range":       {"Ranges|Histories", func(s core.Store) core.Store { return inclusive{s} }},
	"fills up when time goes back": {"Buckets/steps_back", func(s core.Store) core.Store { return &forgetful{Store: s} }},
	"passes over gaps":             {"Logs", func(s core.Store) core.Store { return gapless{s} }},
	"sleeps through appends":       {"Logs", func(s core.Store) core.Store { return sleepy{s} }},
	"ignores cancellation":         {"Cancellation", func(s core.Store) core.Store { return deaf{s} }},
}

// TestDefects runs the suite over stores that are broken in one way each, in processes of their own.
func TestDefects(t *testing.T) {
	if os.Getenv(defectVariable) != "" {
		return // this is the second process
	}
	for name, defect := range defects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestRun$/"+defect.tests, "-rapid.nofailfile", "-rapid.shrinktime=0s")
			cmd.Env = append(os.Environ(), defectVariable+"="+name)
			out, err := cmd.CombinedOutput()
			if passed := err == nil; passed != (name == "none") {
				t.Errorf("the suite passed: %t; want only a sound store to pass\n%s", passed, out)
			}
		})
	}
}

// TestRun runs the suite over the store that the variable asks for; without it, there is nothing to do.
func TestRun(t *testing.T) {
	defect, ok := defects[os.Getenv(defectVariable)]
	if !ok {
		return // TestDefects runs this in a second process
	}
	storetest.Run(t, func(t *testing.T) core.Store { return defect.spoil(openTemp(t)) })
}

// TestRunShared runs the suite for two clients with one that plays both.
func TestRunShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) (a, b core.Store) {
		s := openTemp(t)
		return s, s
	})
}

func openTemp(t *testing.T) core.Store {
	s, err := boltstore.Open(boltstore.Options{Path: filepath.Join(t.TempDir(), "postern.db")})
	if err != nil {
		t.Fatalf("Open = %v; want a Store", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// changed is a store that carries out another transaction than it was asked to.
type changed struct {
	core.Store
	change func(*core.Transaction)
}

func onApply(change func(*core.Transaction)) func(core.Store) core.Store {
	return func(s core.Store) core.Store { return changed{s, change} }
}

func (c changed) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	other := *tx
	c.change(&other)
	return c.Store.Apply(ctx, &other)
}

func reversed(require []core.Precondition) []core.Precondition {
	var all []core.Precondition
	for i := range require {
		all = append(all, require[len(require)-1-i])
	}
	return all
}

// keptUntilNow drops what has expired by this machine's clock.
func keptUntilNow(puts []core.Put) []core.Put {
	var kept []core.Put
	for _, p := range puts {
		if p.Expires.IsZero() || p.Expires.After(time.Now()) {
			kept = append(kept, p)
		}
	}
	return kept
}

type inclusive struct{ core.Store }

func (s inclusive) Range(ctx context.Context, r core.Range) ([]string, error) {
	if r.To != "" {
		r.To += "\x00"
	}
	return s.Store.Range(ctx, r)
}

// forgetful takes a time that steps back for a new beginning.
type forgetful struct {
	core.Store
	last time.Time
}

func (s *forgetful) Hit(ctx context.Context, b core.Bucket, rate core.Rate, now time.Time) (core.Allowance, error) {
	if now.Before(s.last) {
		reset := &core.Transaction{Partition: b.Partition, ID: fmt.Sprint("reset-", now.UnixNano()), Reset: []string{b.Name}}
		if _, err := s.Apply(ctx, reset); err != nil {
			return core.Allowance{}, err
		}
	}
	s.last = now
	return s.Store.Hit(ctx, b, rate, now)
}

type gapless struct{ core.Store }

func (s gapless) Tail(ctx context.Context, logs []core.LogPosition, wait time.Duration) ([]core.Feed, error) {
	feeds, err := s.Store.Tail(ctx, logs, wait)
	for i := range feeds {
		feeds[i].Gap = false
	}
	return feeds, err
}

// sleepy looks, waits, and does not look again.
type sleepy struct{ core.Store }

func (s sleepy) Tail(ctx context.Context, logs []core.LogPosition, wait time.Duration) ([]core.Feed, error) {
	feeds, err := s.Store.Tail(ctx, logs, 0)
	time.Sleep(min(wait, 100*time.Millisecond))
	return feeds, err
}

type deaf struct{ core.Store }

func (s deaf) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	return s.Store.Get(context.WithoutCancel(ctx), keys...)
}
