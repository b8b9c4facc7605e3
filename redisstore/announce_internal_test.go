package redisstore

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-auth/postern/core"
)

// TestAnnouncements has the first of many entries announced at once, and those that follow together.
func TestAnnouncements(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var published []string
		a := &announcements{lately: map[string]bool{}, publish: func(what string) {
			mu.Lock()
			defer mu.Unlock()
			published = append(published, what)
		}}
		told := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(published, want) {
				t.Errorf("%s: published %q; want %q", when, published, want)
			}
			published = nil
		}
		if !a.now("p ev") || !a.now("q ev") {
			t.Error("now = false for the first of two logs; want true")
		}
		for range 100 {
			if a.now("p ev") {
				t.Fatal("now = true again; want false")
			}
			a.later("p ev")
		}
		time.Sleep(announceEvery - time.Nanosecond)
		told("before the end")
		time.Sleep(time.Nanosecond)
		told("at the end", "p ev")
		if a.now("p ev") {
			t.Error("now = true just after the rest was announced; want false")
		}
		a.later("p ev")
		time.Sleep(announceEvery)
		told("at the second end", "p ev")
		time.Sleep(2 * announceEvery)
		told("when nothing came")
		if len(a.lately) != 0 || !a.now("p ev") {
			t.Errorf("after a while it remembers %v; want nothing", a.lately)
		}
		time.Sleep(2 * announceEvery)
		a.later("p ev") // what was sent long ago has happened now
		time.Sleep(announceEvery)
		told("at the third end", "p ev")
	})
}

// TestAnnouncementsOfASlowServer has a server take its time: it is not asked again meanwhile.
func TestAnnouncementsOfASlowServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var times atomic.Int64
		a := &announcements{lately: map[string]bool{}, publish: func(string) { times.Add(1); time.Sleep(time.Minute) }}
		for range 100 {
			a.later("p ev")
			time.Sleep(announceEvery)
		}
		if synctest.Wait(); times.Load() != 1 {
			t.Errorf("published %d times in %v; want once", times.Load(), 100*announceEvery)
		}
		time.Sleep(time.Minute)
		if synctest.Wait(); times.Load() != 2 {
			t.Errorf("published %d times after a minute; want twice", times.Load())
		}
		time.Sleep(2 * time.Minute) // for the last to end
	})
}

func TestAnnouncementsSayWhich(t *testing.T) {
	t.Parallel()
	inv, ev := core.Append{Log: "inv"}, core.Append{Log: "ev", Unhurried: true}
	for _, test := range []struct {
		appended  []core.Append
		want      string
		unhurried bool
	}{
		{nil, "", false},
		{[]core.Append{inv}, "rl_1:2 inv", false},
		{[]core.Append{ev, ev}, "rl_1:2 ev", true},
		{[]core.Append{ev, inv}, "rl_1:2 ev inv", false},
	} {
		tx := &core.Transaction{Partition: core.Partition{Realm: "rl_1", Number: 2}, Append: test.appended}
		if got := announcement(tx); got != test.want || unhurried(tx) != test.unhurried {
			t.Errorf("announcement(%v) = %q, unhurried %v; want %q, %v", test.appended, got, unhurried(tx), test.want, test.unhurried)
		}
		b := newBells(nil)
		b.closed = true // it subscribes to nothing
		heard := map[string]chan struct{}{}
		for _, name := range []string{"inv", "ev", "other"} {
			heard[name] = b.listen([]core.LogPosition{{Log: core.Log{Partition: tx.Partition, Name: name}}})
		}
		b.ring(announcement(tx))
		for name, bell := range heard {
			appended := slices.ContainsFunc(test.appended, func(a core.Append) bool { return a.Log == name })
			if rings := len(bell) == 1; rings != appended {
				t.Errorf("%q rings for log %s: %v; want %v", test.want, name, rings, appended)
			}
		}
	}
}
