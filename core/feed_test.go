package core_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// TestFeedTrouble holds that a store which does not answer is told of once what is remembered may not be relied on any more, and
// once more when it is back.
func TestFeedTrouble(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	store := &mute{Store: w.store}
	told := make(chan error, 10)
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	w.must(err)
	c, err := core.New(core.Options{Store: store, MasterKey: master, Now: w.clock.Now, MaxStaleness: time.Second, Trouble: func(work string, err error) {
		if work == core.WorkFeed {
			told <- err
		}
	}})
	w.must(err)
	ctx, cancel := context.WithCancel(w.ctx)
	var work sync.WaitGroup
	work.Go(func() { c.Run(ctx) })
	defer work.Wait()
	defer cancel()
	store.on.Store(true)
	w.becomes("the feed has found the store away, after all that it was answered", func() bool { return store.refused.Load() > 1 })
	w.clock.Advance(2 * time.Second)
	w.becomes("it is told", func() bool { return len(told) > 0 })
	if err := <-told; !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("told %v; want that the store is away", err)
	}
	store.on.Store(false)
	w.becomes("it is told again", func() bool { return len(told) > 0 })
	if err := <-told; err != nil {
		t.Errorf("told %v; want that it is back", err)
	}
}

// mute is a store that answers no Tail while on.
type mute struct {
	core.Store
	on      atomic.Bool
	full    atomic.Bool  // and says that its disk is
	refused atomic.Int64 // Tails of the feed, while on
}

func (m *mute) Tail(ctx context.Context, logs []core.LogPosition, wait time.Duration) ([]core.Feed, error) {
	if m.full.Load() {
		return nil, fmt.Errorf("%w (%w)", core.ErrUnavailable, core.ErrStoreFull)
	}
	if m.on.Load() {
		if logs[0].Log.Name == "inv" {
			m.refused.Add(1)
		}
		return nil, core.ErrUnavailable
	}
	return m.Store.Tail(ctx, logs, min(wait, time.Millisecond))
}

// TestFeedBehind holds that news which comes faster than it is read is not confirmed to have been heard: what is remembered is relied on
// for max staleness at most.
func TestFeedBehind(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	store := &flood{Store: w.store}
	c := w.another(store)
	watch, err := c.Feed.Follow(w.ctx, w.realm.ID, inattentive{})
	w.must(err)
	w.run(c)
	w.becomes("the feed is fresh", func() bool { return watch.Fresh(w.clock.Now()) })
	answered := func() {
		from := store.answers.Load()
		w.becomes("a question that was asked since is answered", func() bool { return store.answers.Load() >= from+3 })
	}
	store.on.Store(true)
	answered()
	heard := c.Feed.Heard()
	w.clock.Advance(time.Second)
	answered()
	if now := c.Feed.Heard(); !now.Equal(heard) {
		t.Errorf("all news was heard up to %v later, while each answer is full and there is news that nobody has read; want no later", now.Sub(heard))
	}
	store.on.Store(false)
	w.becomes("all news is heard again", func() bool { return c.Feed.Heard().After(heard) })
}

// TestFeedGap holds that who listens forgets everything once news may have been lost: where a log was trimmed beyond what was read of it, or
// a promoted replica has used its numbers again.
func TestFeedGap(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	store := &lossy{Store: w.store}
	c := w.another(store)
	var heard oblivious
	_, err := c.Feed.Follow(w.ctx, w.realm.ID, &heard)
	w.must(err)
	w.run(c)
	w.becomes("the feed is joined", func() bool { return heard.all.Load() == 1 })
	in, secret := w.provided("acct"), w.newSecret()
	key, err := w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "back end", Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
	w.must(err)
	_, err = c.ManagementKeys.Authenticate(w.ctx, secret)
	w.must(err)
	_, err = c.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
	w.must(err)

	store.on.Store(true)
	w.must(w.ManagementKeys.Delete(w.ctx, key.ID, core.Request{}))
	_, err = w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{State: new(core.StateInactive)}, core.Request{})
	w.must(err)
	w.becomes("everything is forgotten", func() bool { return heard.all.Load() > 1 })
	w.becomes("the management key is refused", func() bool {
		_, err := c.ManagementKeys.Authenticate(w.ctx, secret)
		return errors.Is(err, core.ErrManagementKey)
	})
	w.becomes("the realm is known to be inactive", func() bool {
		_, err := c.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		return errors.Is(err, core.ErrRealmInactive)
	})
}

// lossy is a store that, once it is on, has lost what its invalidation logs said.
type lossy struct {
	core.Store
	on atomic.Bool
}

func (f *lossy) Tail(ctx context.Context, logs []core.LogPosition, wait time.Duration) ([]core.Feed, error) {
	feeds, err := f.Store.Tail(ctx, logs, min(wait, time.Millisecond))
	if logs[0].Log.Name == "inv" && f.on.Load() {
		for i := range feeds {
			feeds[i].Gap, feeds[i].Entries = true, nil
		}
	}
	return feeds, err
}

// flood is a store whose logs, while on, grow faster than anybody reads them.
type flood struct {
	core.Store
	on      atomic.Bool
	answers atomic.Int64
}

func (f *flood) Tail(ctx context.Context, logs []core.LogPosition, wait time.Duration) ([]core.Feed, error) {
	feeds, err := f.Store.Tail(ctx, logs, min(wait, time.Millisecond))
	if logs[0].Log.Name != "inv" { // it is somebody else who asks
		return feeds, err
	}
	f.answers.Add(1)
	if f.on.Load() {
		for i := range feeds {
			feeds[i].Entries = make([]core.Entry, core.MaxTail)
		}
	}
	return feeds, err
}

// inattentive is a listener that heeds nothing.
type inattentive struct{}

func (inattentive) Forget([]string) {}
func (inattentive) ForgetAll()      {}

// TestDeposedStore holds that a store which still answers, but is no longer sure to hear of what changes, vouches for nobody and refuses nobody.
func TestDeposedStore(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	in, robot := w.provided("acct"), w.program("robot")
	_, key := w.apiKey(robot, core.NewAPIKey{})
	store := &mute{Store: w.store}
	c := w.another(store)
	ask := func() map[string]error {
		_, ofToken := c.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		_, ofKey := c.APIKeys.Resolve(w.ctx, w.realm.ID, key, nowhere)
		_, ofBearer := c.Sessions.Refresh(w.ctx, in.Token)
		return map[string]error{"token": ofToken, "API key": ofKey, "token to refresh": ofBearer}
	}
	for what, err := range ask() {
		if err != nil {
			t.Errorf("Resolve of a %s = %v; want no error", what, err)
		}
	}
	store.full.Store(true)
	for what, err := range ask() {
		if err != nil {
			t.Errorf("Resolve of a %s where the disk is full = %v; want no error, since nothing can have changed", what, err)
		}
	}
	store.full.Store(false)
	store.on.Store(true)
	for what, err := range ask() {
		if !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("Resolve of a %s where the store tells no news = %v; want ErrUnavailable", what, err)
		}
	}
	w.must(w.Sessions.Delete(w.ctx, w.realm.ID, in.Session.ID, core.Request{}))
	if _, err := c.Sessions.Resolve(w.ctx, w.realm.ID, in.Token); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Resolve of a token that is not found there = %v; want ErrUnavailable", err)
	}
	if _, err := c.Sessions.Resolve(w.ctx, w.realm.ID, "garbage"); !errors.Is(err, core.ErrInvalidToken) {
		t.Errorf("Resolve of garbage = %v; want ErrInvalidToken, whatever the store", err)
	}
	store.on.Store(false)
	w.run(c)
	w.becomes("the token is refused", func() bool {
		_, err := c.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		return errors.Is(err, core.ErrInvalidToken)
	})
}
