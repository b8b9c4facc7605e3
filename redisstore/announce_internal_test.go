package redisstore

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
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
		b := newBells(nil, "")
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

// TestListeningWaitsForNobody listens where the connection that announcements come on takes its time.
func TestListeningWaitsForNobody(t *testing.T) {
	t.Parallel()
	dialled, give := make(chan struct{}, 1), make(chan struct{})
	client := redis.NewClient(&redis.Options{DialerRetries: 1, Dialer: func(context.Context, string, string) (net.Conn, error) {
		select {
		case dialled <- struct{}{}:
		default:
		}
		<-give
		return nil, net.ErrClosed
	}})
	defer client.Close()
	b := newBells(func() *redis.PubSub { return client.Subscribe(t.Context()) }, "wake")
	defer b.close()
	defer close(give)
	listened := make(chan struct{})
	logs := []core.LogPosition{{Log: core.Log{Partition: core.Partition{Realm: "rl_1"}, Name: "inv"}}}
	go func() {
		defer close(listened)
		bell := b.listen(logs)
		b.ringAll()
		<-bell
		b.leave(logs, bell)
	}()
	redistest.Eventually(t, "a connection is being made", func() bool { return len(dialled) == 1 })
	redistest.Eventually(t, "who listens goes on while the connection is made", func() bool {
		select {
		case <-listened:
			return true
		default:
			return false
		}
	})
}
