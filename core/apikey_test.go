package core_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

var nowhere netip.Addr

// program creates an api user.
func (w *world) program(username string) *core.User {
	w.Helper()
	u, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: &username}, core.Request{})
	w.must(err)
	return u
}

// apiKey gives a user a key.
func (w *world) apiKey(user *core.User, in core.NewAPIKey) (*core.Credential, string) {
	w.Helper()
	credential, key, err := w.APIKeys.Create(w.ctx, w.realm.ID, string(user.ID), in, core.Request{})
	w.must(err)
	return credential, key
}

// keyOf resolves an API key.
func (w *world) keyOf(key string, from netip.Addr) (core.Identity, error) {
	return w.APIKeys.Resolve(w.ctx, w.realm.ID, key, from)
}

func TestAPIKey(t *testing.T) {
	each(t, func(w *world) {
		u := w.program("robot")
		credential, key := w.apiKey(u, core.NewAPIKey{Name: " deploy ", Permissions: []string{"deploy"}, ExpiresAt: w.clock.Now().Add(time.Hour)})
		if !strings.HasPrefix(key, "ak_") || len(key) != len("ak_")+22+2+6 || key[25:27] != string(u.ID[len(u.ID)-2:]) || credential.Name != "deploy" {
			t.Errorf("Create = %+v, %q; want a key with prefix, bucket and checksum, called deploy", credential, key)
		}
		who, err := w.keyOf(key, nowhere)
		if err != nil || who.User != u.ID || who.Credential != credential.ID || who.Session != "" || who.Type != core.UserAPI ||
			!slices.Equal(who.Only, []string{"deploy"}) || who.ExpiresAt.After(w.clock.Now().Add(time.Hour)) {
			t.Errorf("Resolve = %+v, %v; want the robot, by its key, until that expires", who, err)
		}
		again, err := w.Users.Get(w.ctx, w.realm.ID, "robot")
		w.must(err)
		if !slices.Contains(again.Credentials, core.CredentialRef{ID: credential.ID, Type: core.CredentialAPIKey}) {
			t.Errorf("Get user = %v; want the key among the credentials", again.Credentials)
		}
		w.clock.Advance(time.Hour)
		_, err = w.keyOf(key, nowhere)
		w.refused("Resolve an expired key", err, core.ErrInvalidAPIKey)
	})
}

// TestChosenKeys keeps keys that callers bring, if nobody can guess them.
func TestChosenKeys(t *testing.T) {
	each(t, func(w *world) {
		u := w.program("robot")
		tests := []struct {
			name, key string
			ok        bool
		}{
			{"letters and digits", "Zk3vQ9xLpT2mWc8RbYh5Nd", true},
			{"one less", "Zk3vQ9xLpT2mWc8RbYh5N", false},
			{"hexadecimal", "9f86d081884c7d659a2feaa0c55ad015", true},
			{"one less", "9f86d081884c7d659a2feaa0c55ad01", false},
			{"digits", "481516234248151623424815162342481516", false},
			{"repetition", "aBcaBcaBcaBcaBcaBcaBcaBcaBcaBcaBc", false},
			{"with a space", "Zk3vQ9xLpT2mWc8RbYh5Nd gK4sJf7Q", false},
			{"beyond ASCII", "Zk3vQ9xLpT2mWc8RbYh5Ndé", false},
			{"like a management key", "ko_Zk3vQ9xLpT2mWc8RbYh5Nd", false},
			{"too long", strings.Repeat("Zk3vQ9xLpT2mWc8RbYh5Nd", 12), false},
		}
		for _, tt := range tests {
			_, key, err := w.APIKeys.Create(w.ctx, w.realm.ID, "robot", core.NewAPIKey{Key: tt.key}, core.Request{})
			if !tt.ok {
				if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindInvalid || e.Fields[0].Attribute != "api_key" {
					t.Errorf("Create, %s = %v; want api_key refused", tt.name, err)
				}
				continue
			}
			if err != nil || key != tt.key {
				t.Errorf("Create, %s = %q, %v; want the key as it was", tt.name, key, err)
			}
			who, err := w.keyOf(tt.key, nowhere)
			if err != nil || who.User != u.ID {
				t.Errorf("Resolve, %s = %v, %v; want the robot", tt.name, who.User, err)
			}
		}
		other := w.program("other")
		_, _, err := w.APIKeys.Create(w.ctx, w.realm.ID, string(other.ID), core.NewAPIKey{Key: tests[0].key}, core.Request{})
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindInvalid || e.Error() != "API key has already been taken" {
			t.Errorf("Create with a key that is taken = %v; want it refused", err)
		}
	})
}

// TestKeysAreBounded refuses what a key cannot be limited to, keys of people, and one too many.
func TestKeysAreBounded(t *testing.T) {
	each(t, func(w *world) {
		u := w.program("robot")
		w.human("ann")
		tests := []struct {
			who, attribute string
			in             core.NewAPIKey
		}{
			{"robot", "expires_at", core.NewAPIKey{ExpiresAt: w.clock.Now()}},
			{"robot", "permissions", core.NewAPIKey{Permissions: []string{"a b"}}},
			{"robot", "permissions", core.NewAPIKey{Permissions: slices.Repeat([]string{"a"}, 21)}},
			{"robot", "allowed_addresses", core.NewAPIKey{Addresses: []string{"192.0.2.0/33"}}},
			{"robot", "allowed_addresses", core.NewAPIKey{Addresses: []string{"::ffff:192.0.2.1"}}},
			{"robot", "allowed_addresses", core.NewAPIKey{Addresses: slices.Repeat([]string{"192.0.2.1"}, 51)}},
			{"robot", "name", core.NewAPIKey{Name: strings.Repeat("é", 101)}},
			{"ann", "credential_type", core.NewAPIKey{}},
		}
		for _, tt := range tests {
			_, _, err := w.APIKeys.Create(w.ctx, w.realm.ID, tt.who, tt.in, core.Request{})
			if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindInvalid || e.Fields[0].Attribute != tt.attribute {
				t.Errorf("Create %+v for %s = %v; want %s refused", tt.in, tt.who, err, tt.attribute)
			}
		}
		for range 20 {
			w.apiKey(u, core.NewAPIKey{})
		}
		_, _, err := w.APIKeys.Create(w.ctx, w.realm.ID, "robot", core.NewAPIKey{}, core.Request{})
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindInvalid {
			t.Errorf("Create the 21st key = %v; want it refused", err)
		}
		w.must(w.Users.Delete(w.ctx, w.realm.ID, "robot", core.Request{}))
	})
}

func TestKeyAddresses(t *testing.T) {
	each(t, func(w *world) {
		_, key := w.apiKey(w.program("robot"), core.NewAPIKey{Addresses: []string{"192.0.2.7/24", "2001:db8::1"}})
		tests := []struct {
			from string
			ok   bool
		}{
			{"192.0.2.200", true},
			{"::ffff:192.0.2.200", true},
			{"192.0.3.1", false},
			{"2001:db8::1", true},
			{"2001:db8::2", false},
			{"", false},
		}
		for _, tt := range tests {
			from, _ := netip.ParseAddr(tt.from)
			who, err := w.keyOf(key, from)
			if tt.ok && (err != nil || !who.AdmitsFrom(from)) {
				t.Errorf("Resolve from %q = %v; want it admitted", tt.from, err)
			}
			if !tt.ok {
				w.refused("Resolve from "+tt.from, err, core.ErrAPIKeyAddress)
			}
		}
	})
}

// TestWhatEndsKeys lists the changes after which a key must be refused, and that each is told of under a subject that
// whoever remembers the key knows.
func TestWhatEndsKeys(t *testing.T) {
	tests := []struct {
		name string
		do   func(w *world, c *core.Credential) error
		want *core.Error
	}{
		{"deleted", func(w *world, c *core.Credential) error {
			return w.Credentials.Delete(w.ctx, w.realm.ID, c.ID, core.Request{})
		}, core.ErrInvalidAPIKey},
		{"user inactive", func(w *world, c *core.Credential) error {
			_, err := w.Users.Update(w.ctx, w.realm.ID, string(c.User), core.UserChange{State: ptr(core.StateInactive)}, core.Request{})
			return err
		}, core.ErrUserInactive},
		{"user deleted", func(w *world, c *core.Credential) error {
			return w.Users.Delete(w.ctx, w.realm.ID, string(c.User), core.Request{})
		}, core.ErrInvalidAPIKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(w *world) {
				credential, key := w.apiKey(w.program("robot"), core.NewAPIKey{})
				_, err := w.keyOf(key, nowhere)
				w.must(err)
				news := w.news()
				w.must(tt.do(w, credential))
				_, err = w.keyOf(key, nowhere)
				w.refused("Resolve", err, tt.want)
				if got := news(); !slices.Contains(got, string(credential.ID)) && !slices.Contains(got, string(credential.User)) {
					t.Errorf("news is about %v; want the key or its user", got)
				}
			})
		})
	}
}

// news returns a function that tells the subjects of what was invalidated in the realm since.
func (w *world) news() func() []string {
	w.Helper()
	at := []core.LogPosition{{Log: core.Log{Partition: core.Partition{Realm: w.realm.ID}, Name: "inv"}, After: core.End}}
	tail := func() core.Feed {
		w.Helper()
		feeds, err := w.store.Tail(w.ctx, at, 0)
		w.must(err)
		return feeds[0]
	}
	at[0].After = tail().Next
	return func() (subjects []string) {
		for _, e := range tail().Entries {
			subjects = append(subjects, strings.Fields(string(e.Data))...)
		}
		return subjects
	}
}

// TestGarbageCostsNothing counts what the store is asked for keys that cannot be.
func TestGarbageCostsNothing(t *testing.T) {
	each(t, func(w *world) {
		_, key := w.apiKey(w.program("robot"), core.NewAPIKey{})
		counted := &countingStore{Store: w.store}
		c := w.another(counted)
		w.run(c)
		resolve := func(key string) (looks int64, err error) {
			before := counted.gets()
			_, err = c.APIKeys.Resolve(context.WithValue(w.ctx, countedCall{}, true), w.realm.ID, key, nowhere)
			return counted.gets() - before, err
		}
		w.becomes("the realm is remembered", func() bool {
			looks, err := resolve("garbage")
			w.refused("Resolve garbage", err, core.ErrInvalidAPIKey)
			return looks == 0
		})
		for _, garbage := range []string{"", "ak_", key[:len(key)-1], key + "0", "ak_" + strings.Repeat("0", 30), "Zk3vQ9xLpT2mWc8RbYh5Nd", strings.Repeat("x", 10_000)} {
			if looks, err := resolve(garbage); looks != 0 || !errors.Is(err, core.ErrInvalidAPIKey) {
				t.Errorf("Resolve(%.40q) = %v after %d looks; want it refused after none", garbage, err, looks)
			}
		}
		if looks, err := resolve(key); looks > 2 || err != nil {
			t.Errorf("Resolve(the key) = %v after %d looks; want two at most", err, looks)
		}
	})
}

// countedCall marks the calls whose reads count, and not those of the work in the background.
type countedCall struct{}

// countingStore counts how often records are read for calls that are marked.
type countingStore struct {
	core.Store
	mu sync.Mutex
	n  int64
}

func (c *countingStore) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	if ctx.Value(countedCall{}) != nil {
		c.mu.Lock()
		c.n++
		c.mu.Unlock()
	}
	return c.Store.Get(ctx, keys...)
}

func (c *countingStore) gets() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// TestKeyCountsOnceADay signs in with a key from many places at once: the day has one sign-in.
func TestKeyCountsOnceADay(t *testing.T) {
	each(t, func(w *world) {
		_, key := w.apiKey(w.program("robot"), core.NewAPIKey{})
		for day := range 2 {
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					in, err := w.APIKeys.Authenticate(w.ctx, w.realm.ID, key, nowhere, core.Request{})
					if err != nil || in.User.LastLoginAt.IsZero() || in.Token != "" {
						w.Errorf("Authenticate = %+v, %v; want the robot, signed in today, without a token", in, err)
					}
				})
			}
			all.Wait()
			if n := w.count("user.login.succeeded"); n != day+1 {
				t.Errorf("day %d: %d sign-ins in the log; want one a day", day, n)
			}
			w.clock.Advance(24 * time.Hour)
		}
	})
}

// TestKeyUseIsNoted resolves a key as a guard does: that it was used is written meanwhile.
func TestKeyUseIsNoted(t *testing.T) {
	each(t, func(w *world) {
		credential, key := w.apiKey(w.program("robot"), core.NewAPIKey{})
		w.run(w.Core)
		_, err := w.keyOf(key, nowhere)
		w.must(err)
		w.becomes("the use is noted", func() bool {
			c, err := w.Credentials.Get(w.ctx, w.realm.ID, credential.ID)
			w.must(err)
			u, err := w.Users.Get(w.ctx, w.realm.ID, "robot")
			w.must(err)
			return !c.LastUsedAt.IsZero() && !u.LastLoginAt.IsZero()
		})
	})
}

// count returns how many events of a type the realm's log holds.
func (w *world) count(kind string) int {
	w.Helper()
	log := core.Log{Partition: core.Partition{Realm: w.realm.ID}, Name: "ev"}
	feeds, err := w.store.Tail(w.ctx, []core.LogPosition{{Log: log}}, 0)
	w.must(err)
	n := 0
	for _, entry := range feeds[0].Entries {
		var e core.Event
		w.must(json.Unmarshal(entry.Data, &e))
		if e.Type == kind {
			n++
		}
	}
	return n
}
