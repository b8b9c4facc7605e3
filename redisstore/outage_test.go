package redisstore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// recovers waits until the store answers again.
func recovers(t *testing.T, s *redisstore.Store) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); ; {
		_, err := s.Get(t.Context(), core.Key{Name: "n"})
		if err == nil {
			return
		}
		if !errors.Is(err, core.ErrUnavailable) || time.Now().After(until) {
			t.Fatalf("Get = %v; want ErrUnavailable for a while, then an answer", err)
		}
	}
}

// TestPause freezes a server: no call may hang on it, whichever of the timeouts is the one that ends it. A minute is what the other allows,
// and what Tail is asked to wait.
func TestPause(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]redisstore.Options{
		"read timeout": {ReadTimeout: 200 * time.Millisecond, CallTimeout: time.Minute},
		"call timeout": {ReadTimeout: time.Minute, CallTimeout: 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			holdPause(t, o)
		})
	}
}

// holdPause holds a store with these timeouts to that, and to going on when the server does.
func holdPause(t *testing.T, o redisstore.Options) {
	server := redistest.Start(t)
	o.URL = server.URL()
	s := open(t, o)
	tail := func(wait time.Duration) error {
		_, err := s.Tail(t.Context(), []core.LogPosition{{Log: core.Log{Name: "l"}}}, wait)
		return err
	}
	put(t, open(t, options(server.URL())), core.Partition{}, "n", "x")
	redistest.Eventually(t, "the store is connected, and listens to announcements", func() bool { return tail(time.Millisecond) == nil })
	server.Pause(t)
	for name, call := range map[string]func() error{
		"Get":  func() error { _, err := s.Get(t.Context(), core.Key{Name: "n"}); return err },
		"Tail": func() error { return tail(time.Minute) },
		"Range": func() error {
			_, err := s.Range(t.Context(), core.Range{Index: core.Index{Name: "i"}, Limit: 1})
			return err
		},
		"Check": func() error { _, err := s.Check(t.Context()); return err },
		"Apply": func() error { _, err := s.Apply(t.Context(), create("paused", "p")); return err },
	} {
		want := core.ErrUnavailable
		if name == "Apply" {
			want = core.ErrOutcomeUnknown
		}
		start := time.Now()
		if err := call(); !errors.Is(err, want) || time.Since(start) > 30*time.Second {
			t.Errorf("%s on a paused server = %v after %v; want %v within the timeout", name, err, time.Since(start), want)
		}
	}
	server.Resume(t)
	recovers(t, s)
	redistest.Eventually(t, "the same operation succeeds", func() bool {
		_, err := s.Apply(t.Context(), create("paused", "p"))
		if _, taken := errors.AsType[*core.ConflictError](err); taken {
			t.Fatalf("Apply again = %v; want the same operation to succeed", err)
		}
		return err == nil
	})
}

func TestStopAndRestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, options(server.URL()))
	put(t, s, core.Partition{}, "n", "x")
	server.Stop(t)
	if _, err := s.Apply(t.Context(), create("a", "a")); err == nil {
		t.Error("Apply on a stopped server succeeded")
	}
	if _, err := s.Apply(t.Context(), create("b", "b")); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Apply on a server known to be stopped = %v; want ErrUnavailable, as nothing was sent", err)
	}
	server.Restart(t) // without data and scripts
	recovers(t, s)
	if out, err := s.Apply(t.Context(), create("b", "b")); err != nil || out.Repeated {
		t.Errorf("Apply after the restart = %+v, %v; want it done", out, err)
	}
	if _, err := s.Get(t.Context(), core.Key{Name: "b"}, core.Key{Partition: core.Partition{Realm: "rl_x"}, Name: "b"}); err != nil {
		t.Errorf("Get of two partitions after the restart = %v", err)
	}
}

func TestKillKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "appendonly yes", "appendfsync always")
	s := open(t, options(server.URL()))
	var keys []core.Key // of what was acknowledged
	var writer sync.WaitGroup
	underLoad, killed := make(chan struct{}), make(chan struct{})
	writer.Go(func() {
		for i := 0; t.Context().Err() == nil; i++ {
			name := fmt.Sprintf("n%d", i)
			if _, err := s.Apply(t.Context(), create(name, name)); err == nil {
				if keys = append(keys, core.Key{Name: name}); len(keys) == 20 {
					close(underLoad)
				}
			}
			select {
			case <-killed:
				return
			default:
			}
		}
	})
	select {
	case <-underLoad:
	case <-time.After(time.Minute):
		t.Error("hardly anything was acknowledged in a minute")
	}
	server.Restart(t)
	close(killed)
	writer.Wait()
	recovers(t, s)
	for i, r := range get(t, s, keys...) {
		if r.Version == 0 {
			t.Fatalf("record %s is gone; want all %d that were acknowledged", keys[i].Name, len(keys))
		}
	}
}

func TestMemoryFull(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "maxmemory-policy noeviction")
	s := open(t, options(server.URL()))
	c := server.Client(t)
	put(t, s, core.Partition{}, "old", strings.Repeat("x", 1000))
	tail := func() ([]core.Feed, error) {
		return s.Tail(t.Context(), []core.LogPosition{{Log: core.Log{Name: "l"}}}, 0)
	}
	if _, err := tail(); err != nil {
		t.Fatal(err)
	}
	if err := c.ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil { // less than the server itself takes
		t.Fatal(err)
	}

	tx := create("full", "new")
	tx.Index = []core.IndexChange{{Index: "i", Member: "m"}}
	tx.Delete = []string{"old"}
	if _, err := s.Apply(t.Context(), tx); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Apply on a full server = %v; want ErrUnavailable", err)
	}
	if _, err := s.Hit(t.Context(), core.Bucket{Name: "b"}, core.Rate{Burst: 1, Every: time.Hour}, now); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Hit on a full server = %v; want ErrUnavailable", err)
	}
	if r := get(t, s, core.Key{Name: "old"}, core.Key{Name: "new"}); r[0].Version == 0 || r[1].Version != 0 {
		t.Errorf("Get = %v; want the old record, and not the new one", r)
	}
	if members, err := s.Range(t.Context(), core.Range{Index: core.Index{Name: "i"}, Limit: 1}); err != nil || len(members) != 0 {
		t.Errorf("Range = %v, %v; want nothing", members, err)
	}
	if feeds, err := tail(); err != nil || len(feeds[0].Entries) != 0 {
		t.Errorf("Tail on a full server = %v, %v; want that it still reads", feeds, err)
	}
	shrink := &core.Transaction{ID: "shrink", Now: now, Delete: []string{"old"}, Append: []core.Append{{Log: "l", Data: []byte("gone"), Keep: 1}}}
	if _, err := s.Apply(t.Context(), shrink); err != nil {
		t.Errorf("Apply of a deletion on a full server = %v; want it done", err)
	}
	if feeds, err := tail(); err != nil || len(feeds[0].Entries) != 1 {
		t.Errorf("Tail = %v, %v; want the deletion's entry", feeds, err)
	}
}

// TestForeignValue checks that what another program left under our prefix is an error, and no record.
func TestForeignValue(t *testing.T) {
	t.Parallel()
	server := redistest.Shared(t)
	o := shared(server)
	s := open(t, o)
	c := server.Client(t)
	if err := c.Set(t.Context(), o.KeyPrefix+"{_}r:n", "hello world", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Get(t.Context(), core.Key{Name: "n"}); err == nil || errors.Is(err, core.ErrUnavailable) || r != nil {
		t.Errorf("Get of a foreign value = %v, %v; want an error that is not ErrUnavailable", r, err)
	}
	if err := c.LPush(t.Context(), o.KeyPrefix+"{_}r:list", "hello").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), create("op", "list")); err == nil || errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Apply over a foreign list = %v; want an error that is not ErrUnavailable", err)
	}
}

// TestCleansUp checks that what has an end has it in Redis too.
func TestCleansUp(t *testing.T) {
	t.Parallel()
	server := redistest.Shared(t)
	o := shared(server)
	s := open(t, o)
	c := server.Client(t)
	tx := create("op", "n")
	tx.Put[0].Expires = now.Add(time.Hour)
	tx.Put = append(tx.Put, core.Put{Name: "over", Value: []byte("x"), Expires: now.Add(-time.Hour)})
	if _, err := s.Apply(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Hit(t.Context(), core.Bucket{Name: "b"}, core.Rate{Burst: 10, Every: time.Hour}, now); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]time.Duration{
		"r:n": time.Hour + core.ExpirySlack, "o:op": core.OutcomeLifetime, "b:b": time.Hour + time.Minute,
	} {
		got, err := c.PTTL(t.Context(), o.KeyPrefix+"{_}"+key).Result()
		if err != nil || got > want || got < want-time.Minute {
			t.Errorf("time to live of %s = %v, %v; want %v", key, got, err, want)
		}
	}
	redistest.Eventually(t, "the expired record is gone", func() bool {
		return get(t, s, core.Key{Name: "over"})[0].Version == 0
	})
	keys, err := c.Keys(t.Context(), o.KeyPrefix+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, o.KeyPrefix+"{_}") {
			t.Errorf("key %s has no hash tag", key)
		}
	}
}
