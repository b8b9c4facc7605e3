package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

func teststoreBolt(t *testing.T) core.Store { return teststore.Bolt(t) }

func TestSessionLife(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		in := w.signIn("Ann@example.com")
		id, err := w.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		w.must(err)
		if id.User != in.User.ID || id.Username != "ann" || id.Email != "ann@example.com" || id.Session != in.Session.ID {
			t.Errorf("Resolve = %+v; want ann and her session", id)
		}
		if id.EmailVerified || id.MFA || !id.RenewAt.Equal(id.SignedInAt.Truncate(time.Second).Add(3*time.Hour)) {
			t.Errorf("Resolve = %+v; want nothing proven, and a renewal after half of 6 hours", id)
		}
		again, err := w.Sessions.Refresh(w.ctx, in.Token)
		w.must(err)
		if again.Token == in.Token || again.Session.ID != in.Session.ID {
			t.Errorf("Refresh = session %s; want another token of session %s", again.Session.ID, in.Session.ID)
		}
		w.must(w.knows(in.Token))
		page, err := w.Sessions.List(w.ctx, w.realm.ID, core.ListSessions{User: in.User.ID})
		list := page.Sessions
		if err != nil || len(list) != 1 || list[0].ID != in.Session.ID {
			t.Errorf("List = %v, %v; want the one session", list, err)
		}
		w.must(w.Sessions.Delete(w.ctx, w.realm.ID, in.Session.ID, core.Request{}))
		for _, token := range []string{in.Token, again.Token} {
			w.refused("Resolve after Delete", w.knows(token), core.ErrInvalidToken)
		}
		_, err = w.Sessions.Refresh(w.ctx, again.Token)
		w.refused("Refresh after Delete", err, core.ErrInvalidToken)
		w.refused("Delete twice", w.Sessions.Delete(w.ctx, w.realm.ID, in.Session.ID, core.Request{}), core.ErrSessionNotFound)
	})
}

// TestIdentitySaysWhatTheUserIsCalled, of a token and of an API key, and says it anew once that was changed.
func TestIdentitySaysWhatTheUserIsCalled(t *testing.T) {
	each(t, func(w *world) {
		ann, robot := w.human("ann"), w.program("robot")
		in := w.signIn("ann")
		_, key := w.apiKey(robot, core.NewAPIKey{})
		for _, reference := range []string{"acct-7", "acct-8"} {
			_, err := w.Users.Update(w.ctx, w.realm.ID, string(ann.ID), core.UserChange{FirstName: ptr("Ann"), LastName: ptr("Döe"), Reference: &reference}, core.Request{})
			w.must(err)
			_, err = w.Users.Update(w.ctx, w.realm.ID, string(robot.ID), core.UserChange{Reference: &reference}, core.Request{})
			w.must(err)
			who, err := w.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
			if err != nil || who.FirstName != "Ann" || who.LastName != "Döe" || who.Name != "Ann Döe" || who.Reference != reference {
				t.Errorf("Resolve(a token) = %+v, %v; want Ann Döe of %s", who, err, reference)
			}
			if who, err := w.keyOf(key, nowhere); err != nil || who.FirstName != "" || who.LastName != "" || who.Reference != reference {
				t.Errorf("Resolve(a key) = %+v, %v; want a robot of %s", who, err, reference)
			}
		}
	})
}

// TestWhatEndsSessions lists the changes after which a token must be refused.
func TestWhatEndsSessions(t *testing.T) {
	update := func(in core.UserChange) func(*world) error {
		return func(w *world) error {
			_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", in, core.Request{})
			return err
		}
	}
	tests := []struct {
		name string
		do   func(*world) error
		want *core.Error // nil = the token stays good
	}{
		{"nothing", func(*world) error { return nil }, nil},
		{"another name", update(core.UserChange{FirstName: ptr("Anna")}), nil},
		{"new password", update(core.UserChange{Password: ptr("another four words it is")}), core.ErrInvalidToken},
		{"inactive", update(core.UserChange{State: ptr(core.StateInactive)}), core.ErrInvalidToken},
		{"deleted", func(w *world) error { return w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{}) }, core.ErrInvalidToken},
		{"token expired", func(w *world) error { w.clock.Advance(6*time.Hour + time.Second); return nil }, core.ErrInvalidToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(w *world) {
				w.human("ann")
				in := w.signIn("ann")
				w.must(tt.do(w))
				err := w.knows(in.Token)
				if tt.want == nil {
					w.must(err)
					return
				}
				w.refused("Resolve", err, tt.want)
			})
		})
	}
}

// TestSessionGrowsOld moves the clock: refreshing keeps a session alive up to its absolute end, and an idle one
// dies before.
func TestSessionGrowsOld(t *testing.T) {
	each(t, func(w *world) {
		token, idle := w.provided("acct-1").Token, w.provided("acct-2").Token
		w.clock.Advance(27 * 24 * time.Hour)
		w.must(w.knows(idle))
		for range 3 {
			again, err := w.Sessions.Refresh(w.ctx, token)
			w.must(err)
			token = again.Token
			w.clock.Advance(20 * 24 * time.Hour) // day 47, 67, 87
			w.refused("Resolve after the idle end", w.knows(idle), core.ErrInvalidToken)
		}
		w.must(w.knows(token))
		w.clock.Advance(3*24*time.Hour + time.Second)
		w.refused("Resolve after the absolute end", w.knows(token), core.ErrInvalidToken)
	})
}

// TestSessionEndsBeforeItsToken leaves a session alone for longer than its realm allows, while its token has hours to go.
func TestSessionEndsBeforeItsToken(t *testing.T) {
	each(t, func(w *world) {
		realm := w.realmOf(core.RealmSettings{SessionIdle: 600})
		token := w.people(realm.ID, 1)
		resolve := func() error { _, err := w.Sessions.Resolve(w.ctx, realm.ID, token); return err }
		w.clock.Advance(9 * time.Minute)
		w.must(resolve())
		w.clock.Advance(time.Minute)
		w.refused("Resolve after ten minutes", resolve(), core.ErrInvalidToken)
		_, err := w.Sessions.Refresh(w.ctx, token)
		w.refused("Refresh after ten minutes", err, core.ErrInvalidToken)
	})
}

// TestRefreshMeetsSignOut ends a session in the moment between what a refresh reads and what it writes: it stays ended.
func TestRefreshMeetsSignOut(t *testing.T) {
	each(t, func(w *world) {
		in := w.provided("acct")
		w.clock.Advance(10 * time.Minute) // so that the refresh notes that the session was seen
		signOut := &before{Store: w.store, happens: func() {
			w.must(w.Sessions.Delete(w.ctx, w.realm.ID, in.Session.ID, core.Request{}))
		}}
		_, err := w.another(signOut).Sessions.Refresh(w.ctx, in.Token)
		w.refused("Refresh", err, core.ErrInvalidToken)
		w.refused("Resolve", w.knows(in.Token), core.ErrInvalidToken)
	})
}

// TestRefreshNeverOutlivesRevocation races refreshes against a sign-out; no token may survive.
func TestRefreshNeverOutlivesRevocation(t *testing.T) {
	each(t, func(w *world) {
		in := w.provided("acct")
		tokens := make([]string, 20)
		var all sync.WaitGroup
		for i := range tokens {
			all.Go(func() {
				if i == 10 {
					if err := w.Sessions.Delete(w.ctx, w.realm.ID, in.Session.ID, core.Request{}); err != nil {
						w.Errorf("Delete = %v", err)
					}
					return
				}
				if again, err := w.Sessions.Refresh(w.ctx, in.Token); err == nil {
					tokens[i] = again.Token
				}
			})
		}
		all.Wait()
		for _, token := range append(tokens, in.Token) {
			if token != "" {
				w.refused("Resolve after the sign-out", w.knows(token), core.ErrInvalidToken)
			}
		}
	})
}

// listener notes what it was told.
type listener struct {
	mu   sync.Mutex
	seen map[string]bool
	all  int
	news chan struct{}
}

func newListener() *listener {
	return &listener{seen: map[string]bool{}, news: make(chan struct{}, 1000)}
}

func (l *listener) Forget(subjects []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range subjects {
		l.seen[s] = true
	}
	l.news <- struct{}{}
}

func (l *listener) ForgetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all++
	l.news <- struct{}{}
}

// await waits until holds does.
func (l *listener) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		l.mu.Lock()
		ok := holds()
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-l.news:
		case <-deadline:
			t.Fatalf("%s: no news", what)
		}
	}
}

// TestFeedTells follows a realm in one core while another changes it.
func TestFeedTells(t *testing.T) {
	each(t, func(w *world) {
		reader := w.another(w.store)
		w.run(reader)
		heard := newListener()
		watch, err := reader.Feed.Follow(w.ctx, w.realm.ID, heard)
		w.must(err)
		defer watch.Stop()
		heard.await(t, "joining", func() bool { return heard.all > 0 })
		w.becomes("Fresh after the first news", func() bool { return watch.Fresh(w.clock.Now()) }) // once all listeners have it
		in := w.provided("acct")
		w.must(w.Sessions.Delete(w.ctx, w.realm.ID, in.Session.ID, core.Request{}))
		heard.await(t, "a deleted session", func() bool { return heard.seen[string(in.Session.ID)] })
		w.must(w.Users.Delete(w.ctx, w.realm.ID, string(in.User.ID), core.Request{}))
		heard.await(t, "a deleted user", func() bool { return heard.seen[string(in.User.ID)] })
		if watch.Fresh(w.clock.Now().Add(time.Hour)) {
			t.Error("Fresh = true an hour after the last news; want false")
		}
	})
}

// away is a store that does not answer.
type away struct{ core.Store }

func (away) Get(context.Context, ...core.Key) ([]core.Record, error) { return nil, core.ErrUnavailable }

// TestOutageIsNoVerdict holds that what cannot be known is never told as a refusal.
func TestOutageIsNoVerdict(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	in := w.provided("acct")
	blind := w.another(away{w.store})
	_, err := blind.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
	if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindUnavailable {
		t.Errorf("Resolve with the store away = %v; want unavailable", err)
	}
	_, err = blind.APTs.Create(w.ctx, core.APTCall{Token: w.apt(""), ArbitraryID: ptr("x")})
	if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindUnavailable {
		t.Errorf("Create with the store away = %v; want unavailable", err)
	}
}

// mixedUp is a store that answers, when asked for one user, with what it has of another, as one does that has lost count of its replies.
type mixedUp struct {
	core.Store
	wanted, given string
}

func (s mixedUp) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	asked := slices.Clone(keys)
	for i := range asked {
		asked[i].Name = strings.ReplaceAll(asked[i].Name, s.wanted, s.given)
	}
	return s.Store.Get(ctx, asked...)
}

// TestRecordsSayWhoseTheyAre signs in and resolves over a store that gives somebody else's records: it is a failure, and nobody's identity.
func TestRecordsSayWhoseTheyAre(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	ann, bob := w.human("ann"), w.human("bob")
	token := w.signIn("ann").Token
	blind := w.another(mixedUp{w.store, string(ann.ID), string(bob.ID)})
	who, err := blind.Sessions.Resolve(w.ctx, w.realm.ID, token)
	if e, ok := errors.AsType[*core.Error](err); err == nil || ok && e.Kind != core.KindInternal {
		t.Errorf("Resolve = %+v, %v; want a failure of ours", who, err)
	}
	in, err := blind.Passwords.Authenticate(w.ctx, w.realm.ID, string(ann.ID), goodPassword, core.Request{})
	if e, ok := errors.AsType[*core.Error](err); err == nil || ok && e.Kind != core.KindInternal {
		t.Errorf("Authenticate = %+v, %v; want a failure of ours", in, err)
	}
}

// skewed is a store whose clock is off.
type skewed struct {
	core.Store
	now func() time.Time
}

func (s skewed) Check(context.Context) (core.Fitness, error) {
	return core.Fitness{Now: s.now()}, nil
}

// TestClocksApart holds that expiry is judged by the store's clock, and not at all where the two are more than a
// minute apart.
func TestClocksApart(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	in := w.provided("acct")
	offset := 50 * time.Second
	c := w.another(skewed{w.store, func() time.Time { return w.clock.Now().Add(offset) }})
	_, err := c.Check(w.ctx)
	w.must(err)
	if _, err := c.Sessions.Resolve(w.ctx, w.realm.ID, in.Token); err != nil {
		t.Errorf("Resolve with clocks %s apart = %v; want the user", offset, err)
	}
	offset = 61 * time.Second
	_, err = c.Check(w.ctx)
	w.must(err)
	_, err = c.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
	w.refused("Resolve with clocks 61s apart", err, core.ErrUnavailable)
}

// TestClockSetBack sets the store's clock back, and has the feed fall silent while ours stands still because of that: what was remembered is then no younger
// than it is, and what the store says is asked of one that vouches for it, also when the clock has come to where it stood.
func TestClockSetBack(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	in := w.provided("acct")
	var ahead atomic.Int64
	ahead.Store(int64(50 * time.Second))
	store := &mute{Store: skewed{w.store, func() time.Time { return w.clock.Now().Add(time.Duration(ahead.Load())) }}}
	c := w.another(store)
	_, err := c.Check(w.ctx)
	w.must(err)
	watch, err := c.Feed.Follow(w.ctx, w.realm.ID, newListener())
	w.must(err)
	w.run(c)
	begin := c.Now()
	w.becomes("the feed is fresh", func() bool { return watch.Fresh(c.Now()) && watch.Steady(begin) })
	ahead.Store(0)
	_, err = c.Check(w.ctx)
	w.must(err)
	store.on.Store(true)
	w.becomes("the feed has found the store away", func() bool { return store.refused.Load() > 1 })
	for _, d := range []time.Duration{0, 10 * time.Second, 41 * time.Second, 10 * time.Second} {
		w.clock.Advance(d)
		if now := c.Now(); watch.Fresh(now) || watch.Steady(begin) {
			t.Errorf("Fresh, Steady at %s after %s without news, the clock set back = %v, %v; want neither", now, d, watch.Fresh(now), watch.Steady(begin))
		}
		_, err := c.Sessions.Resolve(w.ctx, w.realm.ID, in.Token)
		w.refused(fmt.Sprintf("Resolve %s later", d), err, core.ErrUnavailable)
	}
	store.on.Store(false)
	w.becomes("the feed is fresh again", func() bool { return watch.Fresh(c.Now()) })
}

// follows returns a watch of c, and a time that its clock has shown.
func (w *world) follows(c *core.Core) (*core.Watch, time.Time) {
	w.Helper()
	watch, err := c.Feed.Follow(w.ctx, w.realm.ID, newListener())
	w.must(err)
	return watch, c.Now()
}

// TestClockSetBackUnseen sets the store's clock back, and looks only once it has come to where it stood.
func TestClockSetBackUnseen(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	ahead := 50 * time.Second
	c := w.another(skewed{w.store, func() time.Time { return w.clock.Now().Add(ahead) }})
	_, err := c.Check(w.ctx)
	w.must(err)
	watch, begin := w.follows(c)
	ahead = 0
	_, err = c.Check(w.ctx)
	w.must(err)
	w.clock.Advance(51 * time.Second)
	if watch.Steady(begin) {
		t.Errorf("Steady since before the clock was set back = true; want false")
	}
}

// TestClockOfASlowStore has the store's clock come with delays that look as if it were before ours, or behind it. That sets nothing back.
func TestClockOfASlowStore(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	var there time.Duration // what the question takes, of which the answer takes nothing
	c := w.another(skewed{w.store, func() time.Time { w.clock.Advance(there); return w.clock.Now() }})
	watch, begin := w.follows(c)
	for _, there = range []time.Duration{time.Second, 0, 2 * time.Second, 0} {
		_, err := c.Check(w.ctx)
		w.must(err)
		if c.Now(); !watch.Steady(begin) {
			t.Errorf("Steady after a Check whose question took %s = false; want true", there)
		}
	}
}

// TestCrowds lets many refresh, sign in and have tokens reissued at the same moment; none may be in another's way.
func TestCrowds(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		provided := w.provided("acct")
		crowds := map[string]func() error{
			"refresh": func() error { _, err := w.Sessions.Refresh(w.ctx, provided.Token); return err },
			"reissue": func() error {
				_, err := w.APTs.Reissue(w.ctx, core.APTCall{Token: w.apt("acct")})
				return err
			},
			"sign in": func() error {
				_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, core.Request{})
				return err
			},
		}
		for name, do := range crowds {
			w.clock.Advance(6 * time.Minute) // so that each must be noted
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					if err := do(); err != nil {
						w.Errorf("%s in a crowd = %v", name, err)
					}
				})
			}
			all.Wait()
		}
	})
}

// TestManySessions deletes a user who has more sessions than one transaction removes.
func TestManySessions(t *testing.T) {
	each(t, func(w *world) {
		in := w.provided("acct")
		for range 220 {
			w.clock.Advance(time.Second)
			if _, err := w.APTs.Reissue(w.ctx, core.APTCall{Token: w.apt("acct")}); err != nil {
				t.Fatal(err)
			}
		}
		page, err := w.Sessions.List(w.ctx, w.realm.ID, core.ListSessions{User: in.User.ID, Limit: core.MaxRange})
		list := page.Sessions
		if err != nil || len(list) != 221 {
			t.Fatalf("List = %d sessions, %v; want 221", len(list), err)
		}
		w.must(w.Users.Delete(w.ctx, w.realm.ID, string(in.User.ID), core.Request{}))
		left, err := w.store.Range(w.ctx, core.Range{Index: core.Index{
			Partition: core.Partition{Realm: w.realm.ID}, Name: "us:" + string(in.User.ID)}, Limit: 1000})
		if err != nil || len(left) != 0 {
			t.Errorf("%d places of sessions are left behind, %v; want none", len(left), err)
		}
		w.refused("Get a session of the deleted user", get(w, list[0].ID), core.ErrSessionNotFound)
	})
}

func get(w *world, id core.SessionID) error {
	_, _, err := w.Sessions.Get(w.ctx, w.realm.ID, id)
	return err
}

// deaf is a store whose invalidation logs can be read once: from then on it tells no news.
type deaf struct {
	core.Store
	heard atomic.Bool
}

func (d *deaf) Tail(ctx context.Context, logs []core.LogPosition, wait time.Duration) ([]core.Feed, error) {
	if logs[0].Log.Name == "inv" && d.heard.Swap(true) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return d.Store.Tail(ctx, logs, wait)
}

// TestOwnNews holds that whoever changes something and asks the same process again is not told what was before, though
// the news of it has not come back from the store.
func TestOwnNews(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	c := w.another(&deaf{Store: w.store})
	watch, err := c.Feed.Follow(w.ctx, w.realm.ID, newListener())
	w.must(err)
	w.run(c)
	w.becomes("the feed is fresh", func() bool { return watch.Fresh(w.clock.Now()) })
	before, err := c.Realms.Get(w.ctx, w.realm.ID)
	w.must(err)
	name := before.Name + "!"
	_, err = c.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Name: &name}, core.Request{})
	w.must(err)
	after, err := c.Realms.Get(w.ctx, w.realm.ID)
	w.must(err)
	if !watch.Fresh(w.clock.Now()) || after.Name != name {
		t.Errorf("Get after Update = %q; want %q, while the feed is fresh", after.Name, name)
	}
}
