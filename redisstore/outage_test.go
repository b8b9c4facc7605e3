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

// impatient returns options for a server that is about to fail.
func impatient(s *redistest.Server) redisstore.Options {
	return redisstore.Options{URL: s.URL(), ReadTimeout: 200 * time.Millisecond, CallTimeout: 500 * time.Millisecond}
}

// recovers waits until the store answers again.
func recovers(t *testing.T, s *redisstore.Store) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); ; {
		_, err := s.Get(t.Context(), core.Key{Name: "n"})
		if err == nil {
			return
		}
		if !errors.Is(err, core.ErrUnavailable) || time.Now().After(until) {
			t.Fatalf("Get = %v; want ErrUnavailable for a while, then an answer", err)
		}
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, impatient(server))
	put(t, s, core.Partition{}, "n", "x")
	server.Pause(t)
	for name, call := range map[string]func() error{
		"Get": func() error { _, err := s.Get(t.Context(), core.Key{Name: "n"}); return err },
		"Tail": func() error {
			_, err := s.Tail(t.Context(), []core.LogPosition{{Log: core.Log{Name: "l"}}}, time.Minute)
			return err
		},
		"Range": func() error {
			_, err := s.Range(t.Context(), core.Range{Index: core.Index{Name: "i"}, Limit: 1})
			return err
		},
		"Check": func() error { _, err := s.Check(t.Context()); return err },
	} {
		start := time.Now()
		if err := call(); !errors.Is(err, core.ErrUnavailable) || time.Since(start) > time.Second {
			t.Errorf("%s on a paused server = %v after %v; want ErrUnavailable within the call timeout, 500ms", name, err, time.Since(start))
		}
	}
	if _, err := s.Apply(t.Context(), create("paused", "p")); !errors.Is(err, core.ErrOutcomeUnknown) {
		t.Errorf("Apply on a paused server = %v; want ErrOutcomeUnknown", err)
	}
	server.Resume(t)
	recovers(t, s)
	if _, err := s.Apply(t.Context(), create("paused", "p")); err != nil {
		t.Errorf("Apply again = %v; want the same operation to succeed", err)
	}
}

func TestStopAndRestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, impatient(server))
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
	s := open(t, impatient(server))
	var keys []core.Key // of what was acknowledged
	var writer sync.WaitGroup
	underLoad, killed := make(chan struct{}), make(chan struct{})
	writer.Go(func() {
		for i := 0; ; i++ {
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
	case <-time.After(20 * time.Second):
		t.Error("hardly anything was acknowledged in 20 seconds")
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
	s := open(t, impatient(server))
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
