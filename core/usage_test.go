package core_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// TestUsage counts what an APT key vouches for, in two processes and over two days.
func TestUsage(t *testing.T) {
	each(t, func(w *world) {
		w.clock.Advance(w.clock.Now().UTC().Truncate(24 * time.Hour).Add(34 * time.Hour).Sub(w.clock.Now())) // ten in the morning of tomorrow
		today := w.clock.Now().UTC().Format(time.DateOnly)
		keys, err := w.APTKeys.List(w.ctx, w.realm.ID)
		w.must(err)
		if !keys[0].LastUsedAt.IsZero() {
			t.Errorf("LastUsedAt before any use = %v; want never", keys[0].LastUsedAt)
		}
		in, err := w.APTs.Create(w.ctx, core.APTCall{Token: w.apt("ann")})
		w.must(err)
		token := w.refresh(in.Token)
		_, err = w.APTs.Reissue(w.ctx, core.APTCall{Token: w.apt("ann")})
		w.must(err)
		other := w.another(w.store)
		_, err = other.Sessions.Refresh(w.ctx, token)
		w.must(err)
		w.ended(w.Core)
		w.ended(other)

		w.clock.Advance(24 * time.Hour)
		tomorrow := w.clock.Now().UTC().Format(time.DateOnly)
		w.refresh(token)
		w.ended(w.Core)
		list, more, err := w.Realms.Usage(w.ctx, w.realm.ID, today, tomorrow)
		want := []core.Usage{
			{Realm: w.realm.ID, Day: today, APTKey: keys[0].ID, Created: 1, Reissued: 1, Refreshed: 2, ActiveUsers: 1, Requests: 4},
			{Realm: w.realm.ID, Day: tomorrow, APTKey: keys[0].ID, Refreshed: 1, ActiveUsers: 1, Requests: 1},
		}
		if err != nil || more || len(list) != 2 || list[0] != want[0] || list[1] != want[1] {
			t.Errorf("Usage = %+v, %v, %v; want %+v", list, more, err, want)
		}
		if list, _, err := w.Realms.Usage(w.ctx, w.realm.ID, today, today); err != nil || len(list) != 1 {
			t.Errorf("Usage of one day = %+v, %v; want one line", list, err)
		}
		key, err := w.APTKeys.Get(w.ctx, w.realm.ID, keys[0].ID)
		if err != nil || w.clock.Now().Sub(key.LastUsedAt) > time.Minute {
			t.Errorf("LastUsedAt = %v, %v; want just now", key.LastUsedAt, err)
		}
		_, _, err = w.Realms.Usage(w.ctx, w.realm.ID, "yesterday", today)
		w.refused("Usage from no day", err, &core.Error{Kind: core.KindInvalid, Code: "validation"})
	})
}

// busyDays is a store that has n lines of usage.
type busyDays struct {
	core.Store
	n int
}

func (s busyDays) Range(ctx context.Context, r core.Range) (members []string, err error) {
	if r.Index.Name != "usage" {
		return s.Store.Range(ctx, r)
	}
	for i := range s.n {
		if m := fmt.Sprintf("2026-01-01 apk_%022d", i); m >= r.From && len(members) < r.Limit {
			members = append(members, m)
		}
	}
	return members, nil
}

// TestUsageTellsOfMore says that there are more lines than one call returns only where there are.
func TestUsageTellsOfMore(t *testing.T) {
	w := newWorldOnBolt(t)
	for n, want := range map[int]bool{0: false, 1: false, 999: false, 1000: false, 1001: true, 3000: true} {
		_, more, err := w.another(busyDays{w.store, n}).Realms.Usage(w.ctx, w.realm.ID, "2026-01-01", "2026-01-01")
		if err != nil || more != want {
			t.Errorf("Usage of %d lines says more: %v, %v; want %v", n, more, err, want)
		}
	}
}

// TestLastUseGoesWithItsKey deletes keys that were used, before and after that was written: nothing is kept of a key that is gone.
func TestLastUseGoesWithItsKey(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when+" it was written", func(t *testing.T) {
			book := &ledger{Store: teststore.Bolt(t), held: map[entry][]byte{}}
			w := newWorld(t, book)
			secret, err := w.ManagementKeys.NewSecret()
			w.must(err)
			key, err := w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "short", Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
			w.must(err)
			_, err = w.ManagementKeys.Authenticate(w.ctx, secret)
			w.must(err)
			vouched := w.provided("acct").Session.APTKey
			if when == "after" {
				w.ended(w.Core)
			}
			w.must(w.ManagementKeys.Delete(w.ctx, key.ID, core.Request{}))
			w.must(w.APTKeys.Delete(w.ctx, w.realm.ID, vouched, core.Request{}))
			w.ended(w.Core)
			for _, e := range book.entries() {
				if e.name == "l:"+string(key.ID) || e.name == "l:"+string(vouched) {
					t.Errorf("%s is kept", e.name)
				}
			}
		})
	}
}

// ended runs a core for the moment in which it writes what it counted, as a process that ends does.
func (w *world) ended(c *core.Core) {
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	c.Run(ctx)
}
