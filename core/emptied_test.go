package core_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// emptied is a store that loses all that it holds when gone is set, as a Redis does that is started again without its file.
type emptied struct {
	core.Store
	gone *atomic.Bool
}

func (s emptied) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	if s.gone.Load() {
		return make([]core.Record, len(keys)), nil
	}
	return s.Store.Get(ctx, keys...)
}

// TestEmptiedStoreIsNoVerdict holds that a store which has lost the very realm refuses nobody: who is told that a token is over throws
// it away, and has none when the data is back. A session that was ended there is over.
func TestEmptiedStoreIsNoVerdict(t *testing.T) {
	each(t, func(w *world) {
		in, robot := w.provided("acct"), w.program("robot")
		_, key := w.apiKey(robot, core.NewAPIKey{})
		var gone atomic.Bool
		store := emptied{w.store, &gone}
		knows, cold := w.another(store), w.another(store)
		_, err := knows.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		w.must(err)
		gone.Store(true)
		for what, c := range map[string]*core.Core{"the realm is remembered": knows, "nothing is remembered": cold} {
			_, ofToken := c.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
			_, ofKey := c.APIKeys.Resolve(w.ctx, w.realm.ID, key, nowhere)
			for credential, err := range map[string]error{"token": ofToken, "API key": ofKey} {
				if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind == core.KindUnauthenticated || e.Kind == core.KindForbidden {
					w.Errorf("Resolve of a %s where %s = %v; want no refusal", credential, what, err)
				}
			}
		}
		gone.Store(false)
		_, err = cold.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		w.must(err)

		w.must(w.Sessions.Delete(w.ctx, w.realm.ID, in.Session.ID, core.Request{}))
		w.clock.Advance(time.Minute) // what is remembered does not count any more
		_, err = knows.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		w.refused("Resolve of a session that was ended", err, core.ErrInvalidToken)
	})
}

// TestFeedForgetsAnEmptiedRealm holds that whoever remembers verdicts of a realm forgets them all once the store does not hold it any
// more, though no news says so, and is left in peace while it does.
func TestFeedForgetsAnEmptiedRealm(t *testing.T) {
	each(t, func(w *world) {
		var gone atomic.Bool
		c := w.another(emptied{w.store, &gone})
		var heard oblivious
		_, err := c.Feed.Follow(w.ctx, w.realm.ID, &heard)
		w.must(err)
		w.run(c)
		w.becomes("the feed is joined", func() bool { return heard.all.Load() > 0 })
		for range 2 { // rounds that look for the realm and find it
			w.clock.Advance(time.Second)
			now := c.Now() // by the store's clock, as the feed
			w.becomes("the feed goes on", func() bool { return !c.Feed.Heard().Before(now) })
		}
		if n := heard.all.Load(); n != 1 {
			w.Errorf("everything was forgotten %d times while the realm was there; want once, on joining", n)
		}
		gone.Store(true)
		w.clock.Advance(time.Second)
		w.becomes("everything is forgotten", func() bool { return heard.all.Load() > 1 })
	})
}

// oblivious counts how often it is told to forget everything.
type oblivious struct{ all atomic.Int64 }

func (f *oblivious) Forget([]string) {}
func (f *oblivious) ForgetAll()      { f.all.Add(1) }
