package core_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/internal/teststore"
)

// emptied is a store that loses all that it holds when gone is set, as a Redis does that is started again without its file.
type emptied struct {
	core.Store
	gone *atomic.Bool
	part core.Partition // only what is in this one; the zero Partition = all
}

func (s emptied) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	recs, err := s.Store.Get(ctx, keys...)
	for i := range recs {
		if s.gone.Load() && (s.part == core.Partition{} || s.part == keys[i].Partition) {
			recs[i] = core.Record{}
		}
	}
	return recs, err
}

// TestEmptiedStoreIsNoVerdict holds that a store which has lost the very realm refuses nobody: who is told that a token is over throws
// it away, and has none when the data is back. A session that was ended there is over.
func TestEmptiedStoreIsNoVerdict(t *testing.T) {
	each(t, func(w *world) {
		in, robot := w.provided("acct"), w.program("robot")
		_, key := w.apiKey(robot, core.NewAPIKey{})
		backEnd, stranger := w.managementKey(), w.newSecret()
		var gone atomic.Bool
		store := emptied{Store: w.store, gone: &gone}
		knows, cold := w.another(store), w.another(store)
		_, err := knows.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		w.must(err)
		gone.Store(true)
		for what, c := range map[string]*core.Core{"the realm is remembered": knows, "nothing is remembered": cold} {
			_, ofToken := c.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
			_, ofKey := c.APIKeys.Resolve(w.ctx, w.realm.ID, key, nowhere)
			_, ofBearer := c.Sessions.Refresh(w.ctx, in.Token)
			_, ofBackEnd := c.ManagementKeys.Authenticate(w.ctx, backEnd)
			for credential, err := range map[string]error{"token": ofToken, "API key": ofKey, "token to refresh": ofBearer, "management key": ofBackEnd} {
				if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind == core.KindUnauthenticated || e.Kind == core.KindForbidden {
					w.Errorf("Resolve of a %s where %s = %v; want no refusal", credential, what, err)
				}
			}
		}
		gone.Store(false)
		_, err = cold.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		w.must(err)
		_, err = cold.ManagementKeys.Authenticate(w.ctx, backEnd)
		w.must(err)
		_, err = cold.ManagementKeys.Authenticate(w.ctx, stranger)
		w.refused("Authenticate of a management key that never was", err, core.ErrManagementKey)

		w.must(w.Sessions.Delete(w.ctx, w.realm.ID, in.Session.ID, core.Request{}))
		w.clock.Advance(time.Minute) // what is remembered does not count any more
		_, err = knows.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		w.refused("Resolve of a session that was ended", err, core.ErrInvalidToken)
		_, err = knows.Sessions.Refresh(w.ctx, newWorldOnBolt(t).provided("stranger").Token)
		w.refused("Refresh of a token from another store", err, core.ErrInvalidToken)
	})
}

// newSecret returns a secret for a management key that is yet to be made.
func (w *world) newSecret() string {
	w.Helper()
	secret, err := w.ManagementKeys.NewSecret()
	w.must(err)
	return secret
}

// managementKey makes a management key, and returns its secret.
func (w *world) managementKey() string {
	w.Helper()
	secret := w.newSecret()
	_, err := w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "back end", Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
	w.must(err)
	return secret
}

// TestEmptiedPartitionIsNoVerdict loses what is in the one partition of a realm, and keeps the realm's own record: nobody of it is refused
// either. Where the partition was emptied on purpose, everybody is.
func TestEmptiedPartitionIsNoVerdict(t *testing.T) {
	each(t, func(w *world) {
		in, robot := w.provided("acct"), w.program("robot")
		_, key := w.apiKey(robot, core.NewAPIKey{})
		var gone atomic.Bool
		cold := w.another(emptied{Store: w.store, gone: &gone, part: core.Partition{Realm: w.realm.ID}})
		resolve := func(when string, want *core.Error) {
			w.Helper()
			_, ofToken := cold.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
			_, ofKey := cold.APIKeys.Resolve(w.ctx, w.realm.ID, key, nowhere)
			for credential, err := range map[string]error{"token": ofToken, "API key": ofKey} {
				if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != want.Kind {
					w.Errorf("Resolve of a %s %s = %v; want %v", credential, when, err, want)
				}
			}
		}
		w.marked()
		gone.Store(true)
		resolve("whose partition is gone", core.ErrEmptied)
		gone.Store(false)
		_, err := cold.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		w.must(err)

		_, _, err = w.Realms.Reset(w.ctx, w.realm.ID, core.Request{})
		w.must(err)
		w.clock.Advance(time.Minute) // what is remembered does not count any more
		resolve("of before the realm was reset", core.ErrInvalidToken)
	})
}

// TestResetMarksAgain holds that whoever has lost a partition for good gets out of cannot-know by a reset.
func TestResetMarksAgain(t *testing.T) {
	each(t, func(w *world) {
		in := w.provided("acct")
		w.marked()
		_, err := w.store.Apply(w.ctx, &core.Transaction{ID: "lose", Now: w.clock.Now(), Partition: core.Partition{Realm: w.realm.ID},
			Delete: []string{"pm", "s:" + string(in.Session.ID), "u:" + string(in.User.ID)}})
		w.must(err)
		w.marked() // what was lost is not put again
		_, err = w.another(w.store).Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		w.refused("Resolve of a session that was lost", err, core.ErrEmptied)
		_, _, err = w.Realms.Reset(w.ctx, w.realm.ID, core.Request{})
		w.must(err)
		_, err = w.another(w.store).Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		w.refused("Resolve after a reset", err, core.ErrInvalidToken)
	})
}

// TestEmptiedShard loses what one master of a Redis Cluster holds, the partition of a realm, and keeps what another does, the realm itself.
func TestEmptiedShard(t *testing.T) {
	nodes := redistest.StartCluster(t, 3)
	w := newWorld(t, teststore.Cluster(t, nodes))
	holder := func(tag string) *redistest.Server {
		for _, n := range nodes {
			if found, err := n.Client(t).Keys(t.Context(), "*{"+tag+"}*").Result(); err == nil && len(found) > 0 {
				return n
			}
		}
		w.Fatalf("no master holds {%s}", tag)
		return nil
	}
	w.marked()
	for holder(core.Partition{}.String()) == holder(core.Partition{Realm: w.realm.ID}.String()) {
		w.move(rand.Text())
		w.marked()
	}
	in := w.provided("acct")
	ann := w.human("ann")
	cold := w.another(w.store)
	_, err := cold.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
	w.must(err)
	w.must(holder(core.Partition{Realm: w.realm.ID}.String()).Client(t).FlushAll(w.ctx).Err())
	_, err = cold.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
	w.refused("Resolve of a session whose shard was emptied", err, core.ErrEmptied)
	for _, who := range []string{"ann", "ann@example.com", string(ann.ID), "nobody"} {
		_, err = cold.Passwords.Authenticate(w.ctx, w.realm.ID, who, goodPassword, core.Request{})
		w.refused("Authenticate of "+who+", whose shard was emptied", err, core.ErrEmptied)
	}
}

// TestEmptiedPartitionTurnsNobodyAway loses the users of a realm, and keeps the realm's own record: whoever comes with a name, a token or
// an APT is not told that they are nobody, nor is the account provider, which would make them anew. When they are back, all goes on.
func TestEmptiedPartitionTurnsNobodyAway(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		w.provided("acct")
		address, password := w.emailToken("ann"), w.resetToken("ann")
		w.marked()
		var gone atomic.Bool
		w.Core = w.another(emptied{Store: w.store, gone: &gone, part: core.Partition{Realm: w.realm.ID}})
		gone.Store(true)
		for call, err := range map[string]error{
			"Authenticate by name":      w.tries("ann"),
			"Authenticate by id":        w.tries(string(ann.ID)),
			"Authenticate of nobody":    w.tries("nobody"),
			"Change":                    w.changes("ann"),
			"Get":                       w.gets("ann"),
			"Delete by id":              w.Users.Delete(w.ctx, w.realm.ID, string(ann.ID), core.Request{}),
			"Complete":                  w.completes("kli_" + strings.Repeat("0", 24)),
			"VerifyEmail":               w.verify("", address),
			"VerifyEmail of a user":     w.verify("ann", address),
			"Reset":                     w.reset("", password, newPassword),
			"Reset of a user":           w.reset("ann", password, newPassword),
			"Reissue of a user's token": w.reissues("acct"),
		} {
			w.refused(call+", with the partition gone", err, core.ErrEmptied)
		}
		gone.Store(false)
		w.refused("Authenticate of nobody, with the partition back", w.tries("nobody"), core.ErrUserNotFound)
		w.refused("Get of nobody, with the partition back", w.gets("nobody"), core.ErrUserNotFound)
		w.refused("Reissue for nobody, with the partition back", w.reissues("nobody"), core.ErrUserNotFound)
		w.must(w.tries("ann"))
		w.must(w.verify("ann", address))
		w.must(w.reissues("acct"))
	})
}

// tries signs somebody in with goodPassword.
func (w *world) tries(who string) error {
	_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, who, goodPassword, core.Request{})
	return err
}

// gets looks for somebody.
func (w *world) gets(who string) error {
	_, err := w.Users.Get(w.ctx, w.realm.ID, who)
	return err
}

// changes replaces goodPassword.
func (w *world) changes(who string) error {
	return w.Passwords.Change(w.ctx, w.realm.ID, who, core.PasswordChange{Current: goodPassword, Password: newPassword}, core.Request{})
}

// completes shows a login token.
func (w *world) completes(token string) error {
	_, err := w.SecondFactors.Complete(w.ctx, w.realm.ID, "", token, "123456", core.Request{})
	return err
}

// reissues has an account provider ask for a token.
func (w *world) reissues(arbitraryID string) error {
	_, err := w.APTs.Reissue(w.ctx, core.APTCall{Token: w.apt(arbitraryID)})
	return err
}

// TestFeedForgetsAnEmptiedRealm holds that whoever remembers verdicts of a realm forgets them all once the store does not hold it any
// more, or its partition, though no news says so, and is left in peace while it does.
func TestFeedForgetsAnEmptiedRealm(t *testing.T) {
	for what, part := range map[string]func(*world) core.Partition{
		"realm":     func(*world) core.Partition { return core.Partition{} },
		"partition": func(w *world) core.Partition { return core.Partition{Realm: w.realm.ID} },
	} {
		t.Run(what, func(t *testing.T) {
			each(t, func(w *world) {
				w.marked()
				w.forgetsWhen(part(w))
			})
		})
	}
}

// forgetsWhen holds a listener to that for a part of the store.
func (w *world) forgetsWhen(part core.Partition) {
	w.Helper()
	var gone atomic.Bool
	c := w.another(emptied{w.store, &gone, part})
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
}

// TestBackEndsOfAnEmptiedStore holds that a management key that was known tells nobody, once the store was emptied, that there is no such realm.
func TestBackEndsOfAnEmptiedStore(t *testing.T) {
	each(t, func(w *world) {
		backEnd := w.managementKey()
		var gone atomic.Bool
		c := w.another(emptied{Store: w.store, gone: &gone})
		w.run(c)
		known := func() error {
			_, err := c.ManagementKeys.Authenticate(w.ctx, backEnd)
			return err
		}
		w.must(known())
		gone.Store(true)
		for _, name := range []string{core.DefaultRealm, "other", string(w.realm.ID)} {
			cold := w.another(emptied{Store: w.store, gone: &gone})
			_, err := cold.Realms.Find(w.ctx, name)
			w.refused("Find of "+name, err, core.ErrEmptied)
		}
		w.clock.Advance(time.Second)
		w.becomes("the key is forgotten", func() bool { return known() != nil })
		w.refused("Authenticate", known(), core.ErrEmptied)
		gone.Store(false)
		_, err := w.another(w.store).Realms.Find(w.ctx, "other")
		w.refused("Find of other, with the data there", err, core.ErrRealmNotFound)
	})
}

// oblivious counts how often it is told to forget everything.
type oblivious struct{ all atomic.Int64 }

func (f *oblivious) Forget([]string) {}
func (f *oblivious) ForgetAll()      { f.all.Add(1) }
