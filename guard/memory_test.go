package guard_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/hosttest"
)

func TestSeenTokenIsNotReadAgain(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	for range 3 {
		wantDecision(t, g, "good", guard.Allow)
	}
	w.wantReads(t, "good", 1)
}

func TestNewsDropsWhatItNames(t *testing.T) {
	for _, tt := range []struct {
		name string
		tell func(core.Listener)
		want int // reads of the token after the news
	}{
		{"of the session", func(l core.Listener) { l.Forget([]string{"kss_ann1"}) }, 2},
		{"of the user", func(l core.Listener) { l.Forget([]string{"kss_other", "usr_ann"}) }, 2},
		{"of the realm", func(l core.Listener) { l.Forget([]string{string(realmID)}) }, 2},
		{"missed", func(l core.Listener) { l.ForgetAll() }, 2},
		{"of others", func(l core.Listener) { l.Forget([]string{"usr_bob", "kss_bob1", "rlm_2"}) }, 1},
		{"of nobody", func(l core.Listener) { l.Forget(nil) }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.knows("good", ann)
			g := w.guard(t, guard.Options{})
			wantDecision(t, g, "good", guard.Allow)
			w.fails("good", core.ErrInvalidToken)
			tt.tell(w.listener)
			want := guard.Deny
			if tt.want == 1 {
				want = guard.Allow
			}
			wantDecision(t, g, "good", want)
			w.wantReads(t, "good", tt.want)
		})
	}
}

func TestOvertakenReadIsNotKept(t *testing.T) {
	for _, subject := range []string{"usr_ann", "kss_ann1", string(realmID)} {
		w := newWorld()
		w.knows("good", ann)
		g := w.guard(t, guard.Options{})
		w.during = func(string) { w.listener.Forget([]string{subject}) } // between the read and its answer
		wantDecision(t, g, "good", guard.Allow)
		w.during = nil
		w.fails("good", core.ErrInvalidToken)
		wantDecision(t, g, "good", guard.Deny)
	}
}

func TestRequestAfterNewsDoesNotShareAnOlderRead(t *testing.T) {
	w := newWorld()
	w.knows("first", core.Identity{User: "usr_x", Session: "kss_x"})
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	wantDecision(t, g, "first", guard.Allow) // the realm is found

	began, ended := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(ended) })
	soon(t, release)
	var later atomic.Bool
	w.during = func(string) {
		if !later.Swap(true) { // the first read answers late what was true before
			close(began)
			<-ended
		}
	}
	done := make(chan guard.Verdict, 1)
	go func() { done <- g.Judge(with("good")) }()
	hosttest.Within(t, "the token is read", began)
	w.fails("good", core.ErrInvalidToken)
	w.listener.Forget([]string{"kss_ann1"})
	wantDecision(t, g, "good", guard.Deny)
	release()
	if v := hosttest.Within(t, "the older request is judged", done); v.Decision != guard.Allow {
		t.Errorf("the older request got %s, want allow", v.Decision)
	}
	wantDecision(t, g, "good", guard.Deny)
}

func TestSilentFeedReadsThrough(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	wantDecision(t, g, "good", guard.Allow)
	w.silent.Store(true)
	wantDecision(t, g, "good", guard.Allow)
	w.wantReads(t, "good", 2)
	w.fails("good", core.ErrUnavailable)
	wantDecision(t, g, "good", guard.CannotKnow)
	w.fails("good", core.ErrInvalidToken)
	wantDecision(t, g, "good", guard.Deny)
	w.fails("good", core.ErrUnavailable)
	w.silent.Store(false)
	wantDecision(t, g, "good", guard.Allow) // what it knew is confirmed again
}

func TestOutageIsNeverADenial(t *testing.T) {
	for _, err := range []error{
		core.ErrUnavailable, core.ErrOutcomeUnknown, core.ErrInternal, core.ErrRealmNotFound, context.DeadlineExceeded, context.Canceled,
		errors.New("connection refused"), fmt.Errorf("core: read session: %w", core.ErrUnavailable), &core.Error{Kind: core.KindConflict},
	} {
		w := newWorld()
		w.fails("good", err)
		g := w.guard(t, guard.Options{})
		if resp, _ := serve(g, with("good")); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || resp.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%v: %d %v, want 503 with Retry-After", err, resp.StatusCode, resp.Header)
		}
	}
}

func TestPanicInAReadIsCannotKnow(t *testing.T) {
	w := newWorld()
	g := w.guard(t, guard.Options{})
	w.during = func(string) { panic("a fault") }
	wantDecision(t, g, "good", guard.CannotKnow)
}

func TestExpiry(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	wantDecision(t, g, "good", guard.Allow)
	w.fails("good", core.ErrInvalidToken)
	w.pass(time.Hour - time.Nanosecond)
	wantDecision(t, g, "good", guard.Allow)
	w.pass(time.Nanosecond)
	wantDecision(t, g, "good", guard.Deny)
}

func TestRecheckReadsOnceAndAnswersFromMemory(t *testing.T) {
	w := newWorld()
	who := ann
	who.RecheckAt = w.now.Add(5 * time.Minute)
	w.knows("good", who)
	g := w.guard(t, guard.Options{})
	wantDecision(t, g, "good", guard.Allow)

	ended := make(chan struct{})
	release := sync.OnceFunc(func() { close(ended) })
	soon(t, release)
	w.mu.Lock()
	w.during = func(string) { <-ended }
	w.mu.Unlock()
	w.pass(5 * time.Minute)
	who.RecheckAt, who.Name = w.time().Add(5*time.Minute), "Ann Renamed"
	w.knows("good", who)
	for range 100 {
		wantDecision(t, g, "good", guard.Allow) // none of them waits
	}
	eventually(t, "the token is read again", func() bool { return w.readsOf("good") == 2 })
	release()
	eventually(t, "the new name is known", func() bool {
		id, _ := g.Judge(with("good")).Identity()
		return id.Name == "Ann Renamed"
	})
	w.wantReads(t, "good", 2)
}

func TestRecheckThatFails(t *testing.T) {
	w := newWorld()
	who := ann
	who.RecheckAt, who.ExpiresAt = w.now.Add(5*time.Minute), w.now.AddDate(1, 0, 0) // the token does not end by itself meanwhile
	w.knows("good", who)
	g := w.guard(t, guard.Options{})
	wantDecision(t, g, "good", guard.Allow)

	w.fails("good", core.ErrUnavailable)
	w.pass(5 * time.Minute)
	wantDecision(t, g, "good", guard.Allow)
	eventually(t, "it is tried again some time later", func() bool {
		w.pass(10 * time.Second)
		wantDecision(t, g, "good", guard.Allow)
		return w.readsOf("good") > 2
	})
	w.fails("good", core.ErrInvalidToken)
	eventually(t, "the refusal is taken", func() bool {
		w.pass(10 * time.Second)
		return g.Judge(with("good")).Decision == guard.Deny
	})

	w.knows("better", who)
	wantDecision(t, g, "better", guard.Allow)
	w.fails("better", core.ErrEmptied)
	eventually(t, "what a store that was emptied confirmed before is not relied on", func() bool {
		w.pass(10 * time.Second)
		return g.Judge(with("better")).Decision == guard.CannotKnow
	})
}

func TestGarbageDrivesOutNobody(t *testing.T) {
	w := newWorld()
	g := w.guard(t, guard.Options{CacheSize: 4})
	for i := range 4 {
		w.knows(fmt.Sprint("good", i), ann)
		wantDecision(t, g, fmt.Sprint("good", i), guard.Allow)
	}
	for i := range 1000 {
		wantDecision(t, g, fmt.Sprint("garbage", i), guard.Deny)
	}
	for i := range 4 {
		wantDecision(t, g, fmt.Sprint("good", i), guard.Allow)
		w.wantReads(t, fmt.Sprint("good", i), 1)
	}
}

func TestFloodOfNewTokensSparesThoseInUse(t *testing.T) {
	w := newWorld()
	w.knows("mine", ann)
	g := w.guard(t, guard.Options{CacheSize: 100})
	wantDecision(t, g, "mine", guard.Allow)
	for i := range 10_000 {
		w.knows(fmt.Sprint("new", i), ann)
		wantDecision(t, g, fmt.Sprint("new", i), guard.Allow)
		wantDecision(t, g, "mine", guard.Allow)
	}
	w.wantReads(t, "mine", 1)
}

func TestOneReadForAllWhoAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.knows("good", ann)
		g := w.guard(t, guard.Options{})
		wantDecision(t, g, "other", guard.Deny) // the realm is found

		began, release := make(chan struct{}, 1), make(chan struct{})
		w.during = func(string) { began <- struct{}{}; <-release }
		leaving, leave := context.WithCancel(t.Context())
		left := make(chan guard.Verdict)
		go func() { left <- g.Judge(with("good").WithContext(leaving)) }()
		<-began
		const others = 50
		verdicts := make(chan guard.Verdict, others)
		for range others {
			go func() { verdicts <- g.Judge(with("good")) }()
		}
		leave() // the one who asked first gives up
		if v := <-left; v.Decision != guard.CannotKnow {
			t.Errorf("who left got %s, want cannot know", v.Decision)
		}
		synctest.Wait() // all ask
		close(release)
		for range others {
			if v := <-verdicts; v.Decision != guard.Allow {
				t.Errorf("a caller got %s, want allow", v.Decision)
			}
		}
		w.wantReads(t, "good", 1)
	})
}

func TestHugeHeaderIsRefusedCheaply(t *testing.T) {
	w := newWorld()
	g := w.guard(t, guard.Options{})
	for _, token := range []string{strings.Repeat("x", 2<<20), strings.Repeat("x y", 1<<20), strings.Repeat("=", 2<<20)} {
		r := with(token)
		if n := fewestAllocs(func() { g.Judge(r) }); n != 0 {
			t.Errorf("refusing %d bytes allocates %v times, want none", len(token), n)
		}
		if v := g.Judge(r); v.Decision != guard.Deny || v.Refusal.Status != http.StatusUnauthorized {
			t.Errorf("2 MiB: %s %d, want deny 401", v.Decision, v.Refusal.Status)
		}
	}
	if len(w.reads) != 0 {
		t.Error("a huge header reached core")
	}
}

func TestSeenTokenAllocatesNothing(t *testing.T) {
	member := ann
	member.Orgs = []core.OrgAccess{{Org: "org_1", Permissions: []string{"read", "write"}}, {Org: "org_2", Permissions: []string{"fly"}}}
	for name, p := range map[string]guard.Policy{
		"none":                  {},
		"a type":                {UserType: core.UserHuman},
		"permissions":           {Require: []string{"read", "fly"}, RequireAny: []string{"write"}},
		"permissions in an org": {Org: "org_1", Require: []string{"read"}},
	} {
		w := newWorld()
		w.knows("good", member)
		g := w.guard(t, guard.Options{Settings: guard.Settings{Policy: p}})
		r := with("good")
		if v := g.Judge(r); v.Decision != guard.Allow {
			t.Fatalf("policy %s: Judge = %s %s; want allow", name, v.Decision, v.Refusal.Reason)
		}
		if n := fewestAllocs(func() { g.Judge(r) }); n != 0 {
			t.Errorf("policy %s: Judge of a seen token allocates %v times, want none", name, n)
		}
	}
}

// fewestAllocs returns how often f allocates when all the pools that it draws from are full. Under the race detector a sync.Pool
// throws away a quarter of what it is given back, so one run tells little.
func fewestAllocs(f func()) float64 {
	fewest := testing.AllocsPerRun(1, f)
	for range 100 {
		fewest = min(fewest, testing.AllocsPerRun(1, f))
	}
	return fewest
}

// TestHammer has many requests race news, floods, expiry and a feed that comes and goes. After news of a session
// its token is never allowed again.
func TestHammer(t *testing.T) {
	w := newWorld()
	const sessions = 200
	token := func(i int) string { return fmt.Sprint("token", i) }
	for i := range sessions {
		w.knows(token(i), core.Identity{User: core.UserID(fmt.Sprint("usr_", i%50)), Session: core.SessionID(fmt.Sprint("kss_", i)),
			RecheckAt: w.now.Add(time.Duration(i) * time.Second)})
	}
	g := w.guard(t, guard.Options{CacheSize: sessions / 2})
	wantDecision(t, g, token(0), guard.Allow)

	var revoked [sessions]atomic.Bool
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for range 3000 {
				i := rand.IntN(sessions)
				dead := revoked[i].Load()
				if v := g.Judge(with(token(i))); dead && v.Decision != guard.Deny || v.Decision == guard.CannotKnow {
					t.Errorf("session %d, dead %t: %s", i, dead, v.Decision)
				}
			}
		})
	}
	for i := range sessions / 2 {
		w.fails(token(i), core.ErrInvalidToken)
		w.listener.Forget([]string{fmt.Sprint("kss_", i)})
		revoked[i].Store(true)
		w.pass(time.Second)
		w.silent.Store(i%3 == 0)
		if i%20 == 0 {
			w.listener.ForgetAll()
		}
	}
	workers.Wait()
}
