package redisstore_test

import (
	"context"
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

// now is the time in tests of this package.
var now = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// faulty returns a store that reaches a shared server through a proxy, and has a connection at hand. It waits two
// seconds for the answer to an attempt, so that on a busy machine only what the proxy loses is late.
func faulty(t *testing.T) (*redisstore.Store, *redistest.Proxy) {
	t.Helper()
	server := redistest.Shared(t)
	if server.Addr() == "" {
		t.Skip("needs a server of its own")
	}
	p := redistest.NewProxy(t, server)
	o := shared(server)
	o.URL, o.PoolSize, o.ReadTimeout, o.CallTimeout = p.URL(), 2, 2*time.Second, 20*time.Second
	s := open(t, o)
	put(t, s, core.Partition{}, "warm", "up")
	get(t, s, core.Key{Name: "warm"})
	return s, p
}

// create returns a transaction that takes a name, if nobody has.
func create(id, name string) *core.Transaction {
	return &core.Transaction{
		ID: id, Now: now,
		Require: []core.Precondition{{Name: name}},
		Put:     []core.Put{{Name: name, Value: []byte("mine")}},
		Append:  []core.Append{{Log: "l", Data: []byte(name), Keep: 100}},
	}
}

func put(t testing.TB, s *redisstore.Store, p core.Partition, name, value string) {
	t.Helper()
	id := fmt.Sprintf("put-%d", prefixes.Add(1))
	if _, err := s.Apply(t.Context(), &core.Transaction{Partition: p, ID: id, Now: now, Put: []core.Put{{Name: name, Value: []byte(value)}}}); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

func get(t testing.TB, s *redisstore.Store, keys ...core.Key) []core.Record {
	t.Helper()
	records, err := s.Get(t.Context(), keys...)
	if err != nil {
		t.Fatalf("Get = %v", err)
	}
	return records
}

func TestLostReplyIsNoConflict(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]redistest.Fault{
		"swallowed":            redistest.SwallowOne(),
		"cut":                  redistest.CutOne(),
		"cut in the middle":    redistest.CutMidReply(),
		"later than we waited": redistest.DelayOne(3 * time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := faulty(t)
			p.Set(fault)
			out, err := s.Apply(t.Context(), create("op", "n"))
			if err != nil || !out.Repeated {
				t.Errorf("Apply = %+v, %v; want the first outcome, repeated", out, err)
			}
			if r := get(t, s, core.Key{Name: "n"})[0]; r.Version != out.Version {
				t.Errorf("Get = version %d; want %d", r.Version, out.Version)
			}
		})
	}
}

func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	s, p := faulty(t)
	rate := core.Rate{Burst: 4, Every: time.Hour}
	if _, err := s.Hit(t.Context(), core.Bucket{Name: "b"}, rate, now); err != nil {
		t.Fatal(err)
	}
	p.Set(redistest.Swallow())
	if _, err := s.Hit(t.Context(), core.Bucket{Name: "b"}, rate, now); !errors.Is(err, core.ErrOutcomeUnknown) {
		t.Errorf("Hit without replies = %v; want ErrOutcomeUnknown", err)
	}
	p.Set(nil)
	get(t, s, core.Key{Name: "warm"}) // on a connection that is made whole
	p.Set(redistest.Swallow())
	_, err := s.Apply(t.Context(), create("op", "n"))
	if !errors.Is(err, core.ErrOutcomeUnknown) || errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Apply without replies = %v; want ErrOutcomeUnknown", err)
	}
	p.Set(nil)
	out, err := s.Apply(t.Context(), create("op", "n"))
	if err != nil || !out.Repeated {
		t.Errorf("Apply again = %+v, %v; want the first outcome", out, err)
	}
	if a, err := s.Hit(t.Context(), core.Bucket{Name: "b"}, rate, now); err != nil || a.Remaining != 1 {
		t.Errorf("Hit = %+v, %v; want the lost hit counted, and once", a, err)
	}
}

// TestShiftedReplies makes every reply arrive one call too late or too early, and looks for anybody who is
// taken for somebody else.
func TestShiftedReplies(t *testing.T) {
	t.Parallel()
	realm := func(n int) core.Partition { return core.Partition{Realm: "rl_x", Number: n} }
	for name, fault := range map[string]func(replies [][]byte) redistest.Fault{
		"one lost":        func([][]byte) redistest.Fault { return redistest.SwallowOne() },
		"an old one more": func(replies [][]byte) redistest.Fault { return redistest.InjectOne(replies[0]) },
		"a nil more":      func([][]byte) redistest.Fault { return redistest.InjectOne([]byte("$-1\r\n")) },
		"an OK more":      func([][]byte) redistest.Fault { return redistest.InjectOne([]byte("+OK\r\n")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := faulty(t)
			put(t, s, realm(0), "u", "alice")
			put(t, s, realm(1), "u", "bob")
			var replies [][]byte
			p.Set(redistest.Record(func(reply []byte) { replies = append(replies, reply) }))
			get(t, s, core.Key{Partition: realm(0), Name: "u"})
			p.Set(fault(replies))

			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					want := []string{"alice", "bob"}[i%2]
					records, err := s.Get(t.Context(), core.Key{Partition: realm(i % 2), Name: "u"}, core.Key{Partition: realm(1 - i%2), Name: "u"})
					if err == nil && string(records[0].Value) != want {
						t.Errorf("Get = %q; want %q or an error", records[0].Value, want)
					}
				})
			}
			all.Wait()
			if got := get(t, s, core.Key{Partition: realm(1), Name: "u"})[0]; string(got.Value) != "bob" {
				t.Errorf("Get afterwards = %q; want bob", got.Value)
			}
		})
	}
}

func TestTailAcrossReconnects(t *testing.T) {
	t.Parallel()
	s, p := faulty(t)
	const entries = 60
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range entries {
			tx := &core.Transaction{ID: fmt.Sprintf("op-%d", i), Now: now, Append: []core.Append{{Log: "t", Data: fmt.Append(nil, i), Keep: 1000}}}
			if _, err := s.Apply(t.Context(), tx); err != nil {
				t.Errorf("Apply %d = %v", i, err)
			}
			if i%20 == 10 {
				p.CutAll()
			}
		}
	})
	var position core.Position
	var seen []string
	for until := time.Now().Add(time.Minute); len(seen) < entries && time.Now().Before(until); {
		feeds, err := s.Tail(t.Context(), []core.LogPosition{{Log: core.Log{Name: "t"}, After: position}}, 500*time.Millisecond)
		if err != nil {
			continue // what a cut does; the position stands
		}
		if feeds[0].Gap {
			t.Fatal("Tail found a gap; want none")
		}
		for _, e := range feeds[0].Entries {
			seen = append(seen, string(e.Data))
		}
		position = feeds[0].Next
	}
	writer.Wait()
	for i, data := range seen {
		if data != fmt.Sprint(i) {
			t.Fatalf("entry %d = %s; want each once, in order", i, data)
		}
	}
	if len(seen) != entries {
		t.Errorf("Tail found %d entries; want %d", len(seen), entries)
	}
}

// TestWakes checks that an announcement ends a wait: nothing else would, as the reader looks for itself once an hour.
func TestWakes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		o := shared(server)
		reader, writer := open(t, o), open(t, o)
		reader.PollEvery(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // of a reader that nobody wakes
		defer cancel()
		var position core.Position
		for i := range 5 {
			name := fmt.Sprintf("n%d", i)
			written := make(chan error, 1)
			time.AfterFunc(50*time.Millisecond, func() { // when the reader waits; if it does not yet, it need not be woken
				_, err := writer.Apply(t.Context(), create(name, name))
				written <- err
			})
			feeds, err := reader.Tail(ctx, []core.LogPosition{{Log: core.Log{Name: "l"}, After: position}}, time.Hour)
			if err := errors.Join(err, <-written); err != nil {
				t.Fatalf("Tail and Apply = %v; want the reader to be woken", err)
			}
			if entries := feeds[0].Entries; len(entries) != 1 || string(entries[0].Data) != name {
				t.Fatalf("Tail found %d entries; want that of %s", len(entries), name)
			}
			position = feeds[0].Next
		}
	})
}

// TestWakesOfTheUnhurried checks that none of many unhurried entries is left unsaid.
func TestWakesOfTheUnhurried(t *testing.T) {
	t.Parallel()
	o := shared(redistest.Shared(t))
	reader, writer := open(t, o), open(t, o)
	reader.PollEvery(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // of a reader that nobody wakes
	defer cancel()
	const entries = 100
	written := make(chan error, 1)
	go func() {
		var errs []error
		for i := range entries {
			_, err := writer.Apply(ctx, &core.Transaction{ID: fmt.Sprint(i), Now: now, Append: []core.Append{{Log: "l", Data: fmt.Append(nil, i), Keep: 1000, Unhurried: true}}})
			errs = append(errs, err)
		}
		written <- errors.Join(errs...)
	}()
	var position core.Position
	for seen := 0; seen < entries; {
		feeds, err := reader.Tail(ctx, []core.LogPosition{{Log: core.Log{Name: "l"}, After: position}}, time.Hour)
		if err != nil {
			t.Fatalf("Tail = %v after %d entries; want the reader to be woken for %d", err, seen, entries)
		}
		seen, position = seen+len(feeds[0].Entries), feeds[0].Next
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestNoSecretsInErrors(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	for _, url := range []string{
		"redis://user:" + secret + "@127.0.0.1:1/0", "redis://user:" + secret + "@127.0.0.1:1/notanumber", "redis://user:pa/" + secret + "@127.0.0.1:1",
		"redis://user:" + secret + "%zz@127.0.0.1:1", "http://user:" + secret + "@127.0.0.1:1", "redis://:" + secret + "@127.0.0.1:1?password=" + secret,
		"redis://" + secret, "unix://user:" + secret + "@/nowhere/redis.sock", "redis://user:" + secret + "@[::1:1",
	} {
		s, err := redisstore.Open(t.Context(), redisstore.Options{URL: url})
		if err == nil {
			_, err = s.Get(t.Context(), core.Key{Name: "n"})
			if closing := s.Close(); closing != nil {
				t.Error(closing)
			}
		}
		if err == nil || strings.Contains(err.Error(), secret) && url != "redis://"+secret {
			t.Errorf("Open or Get with %q = %v; want an error without the password", url, err)
		}
	}
}
