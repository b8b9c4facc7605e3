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
