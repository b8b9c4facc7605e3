package guard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/hosttest"
)

// streams serves an endless stream behind a guard, and counts those that are open.
type streams struct {
	*testing.T
	url  string
	open atomic.Int32
}

func newStreams(t *testing.T, behind func(http.Handler) http.Handler, change ...func(*http.Server)) *streams {
	s := &streams{T: t}
	server := httptest.NewUnstartedServer(behind(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.open.Add(1)
		defer s.open.Add(-1)
		fmt.Fprint(w, "first\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})))
	for _, c := range change {
		c(server.Config)
	}
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	s.url = server.URL
	return s
}

// endedByGuard has a server's connections ended by the guard.
func endedByGuard(s *http.Server) { s.ConnContext = guard.ConnContext }

// begin opens a stream, and returns it once something came.
func (s *streams) begin(token string) io.ReadCloser {
	s.Helper()
	return s.beginBy("GET", token)
}

// beginBy is begin by a method.
func (s *streams) beginBy(method, token string) io.ReadCloser {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, s.url, nil)
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 6)); err != nil || resp.StatusCode != 200 {
		s.Fatalf("stream: %d, %v", resp.StatusCode, err)
	}
	return resp.Body
}

// ends fails the test unless a stream ends soon.
func (s *streams) ends(body io.ReadCloser) {
	s.Helper()
	untilCut(s.T, body)
	eventually(s.T, "the handler returns", func() bool { return s.open.Load() == 0 })
	_ = body.Close()
}

// untilCut reads until the other side ends what it sends, and fails the test where it goes on.
func untilCut(t *testing.T, body io.ReadCloser) {
	t.Helper()
	late := time.AfterFunc(time.Minute, func() {
		t.Error("what should be cut goes on after a minute")
		_ = body.Close()
	})
	defer late.Stop()
	_, _ = io.Copy(io.Discard, body)
}

// TestStreamsEndWithTheirSession cuts what is open for long when its user may no longer enter, and only then.
func TestStreamsEndWithTheirSession(t *testing.T) {
	reads := guard.Policy{Require: []string{"read"}}
	fresh := guard.Policy{Require: []string{"read"}, SignedInWithin: new(guard.Duration(90 * time.Minute))}
	for _, tt := range []struct {
		name   string
		policy guard.Policy
		end    func(w *world)
	}{
		{"session ended", reads, func(w *world) {
			w.fails("good", core.ErrInvalidToken)
			w.listener.Forget([]string{"kss_ann1"})
		}},
		{"user deactivated", reads, func(w *world) {
			w.fails("good", core.ErrUserInactive)
			w.listener.Forget([]string{"usr_ann"})
		}},
		{"permission taken", reads, func(w *world) {
			w.knows("good", ann)
			w.listener.Forget([]string{"usr_ann"})
		}},
		{"news, and the store is away", reads, func(w *world) {
			w.fails("good", core.ErrUnavailable)
			w.listener.Forget([]string{"usr_ann"})
		}},
		{"missed news, and it was ended", reads, func(w *world) {
			w.fails("good", core.ErrInvalidToken)
			w.listener.ForgetAll()
		}},
		{"expired", reads, func(w *world) {
			w.fails("good", core.ErrInvalidToken)
			w.pass(2 * time.Hour)
		}},
		{"signed in too long ago", fresh, func(w *world) { w.pass(40 * time.Minute) }},
		{"silence, and the store is away", reads, func(w *world) {
			w.silent.Store(true)
			w.fails("good", core.ErrUnavailable)
			w.pass(10 * time.Second)
		}},
		{"silence by a clock that stands still, and the store is away", reads, func(w *world) {
			w.stood.Store(true)
			w.fails("good", core.ErrUnavailable)
		}},
	} {
		for _, way := range []struct {
			name   string
			change func(*http.Server)
			proxy  bool
		}{
			{"", func(*http.Server) {}, false},
			{", by its connection", endedByGuard, false},
			{", of a proxy", func(*http.Server) {}, true},
			{", of a proxy, by its connection", endedByGuard, true},
		} {
			t.Run(tt.name+way.name, func(t *testing.T) {
				w := newWorld()
				w.knows("good", member(func(*core.Identity) {}))
				g := w.guard(t, guard.Options{Settings: guard.Settings{Policy: tt.policy}})
				behind := g.Handler
				if way.proxy {
					behind = g.ProxyHandler
				}
				s := newStreams(t, behind, way.change)
				body := s.begin("good")
				tt.end(w)
				s.ends(body)
			})
		}
	}
}

// TestStreamsOutliveOtherNews keeps open what may stay.
func TestStreamsOutliveOtherNews(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	s := newStreams(t, g.Handler)
	body := s.begin("good")
	before := w.readsOf("good")
	w.listener.Forget([]string{"usr_ann"}) // another name, say
	eventually(t, "it is read again", func() bool { return w.readsOf("good") > before })
	w.silent.Store(true)
	w.pass(10 * time.Second)
	eventually(t, "it is read while the feed is silent", func() bool { return w.readsOf("good") > before+1 })
	w.silent.Store(false)
	if n := s.open.Load(); n != 1 {
		t.Errorf("%d streams are open, want the one", n)
	}
	w.fails("good", core.ErrInvalidToken)
	w.listener.Forget([]string{"usr_ann"})
	s.ends(body)
}

// TestStreamsInGrace keeps open, while the store is away, what only reads, for as long as that may be asked for too.
func TestStreamsInGrace(t *testing.T) {
	for _, tt := range []struct {
		name, method string
		then         func(w *world) // after a while of silence
	}{
		{"the grace is over", "GET", func(w *world) { w.pass(time.Minute) }},
		{"there was news of the user", "GET", func(w *world) { w.listener.Forget([]string{"usr_ann"}) }},
		{"the token has expired", "GET", func(w *world) { w.pass(20 * time.Second) }},
		{"it may change something", "POST", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			who := ann
			who.ExpiresAt = w.now.Add(25 * time.Second)
			if tt.name == "the grace is over" {
				who.ExpiresAt = w.now.Add(time.Hour)
			}
			w.knows("good", who)
			s := newStreams(t, w.guard(t, guard.Options{Settings: guard.Settings{StaleOK: guard.Duration(time.Minute)}}).Handler)
			body := s.beginBy(tt.method, "good")
			before := w.readsOf("good")
			w.silent.Store(true)
			w.fails("good", core.ErrUnavailable)
			w.pass(10 * time.Second)
			if tt.then != nil {
				eventually(t, "the store is asked in vain, twice", func() bool { return w.readsOf("good") > before+1 })
				if n := s.open.Load(); n != 1 {
					t.Errorf("%d streams are open, want the one", n)
				}
				tt.then(w)
			}
			s.ends(body)
		})
	}
}

// renewer renews tokens, and counts.
type renewer struct {
	calls atomic.Int32
	err   error
}

func (r *renewer) RefreshSlim(_ context.Context, token string) (*core.SignedIn, error) {
	r.calls.Add(1)
	if r.err != nil {
		return nil, r.err
	}
	return &core.SignedIn{Token: "renewed-" + token, Session: &core.Session{}}, nil
}

// TestCookieIsRenewed past half its life, once however many requests come, and only where it may be kept.
func TestCookieIsRenewed(t *testing.T) {
	w := newWorld()
	who := ann
	who.RenewAt = w.now.Add(time.Hour)
	who.ExpiresAt = w.now.Add(2 * time.Hour)
	w.knows("good", who)
	renews := &renewer{}
	g := w.guard(t, guard.Options{Renewer: renews})
	ask := func(headers ...string) *http.Response {
		resp, seen := serve(g, request("GET", "/", append([]string{"Cookie", "__Host-postern=good"}, headers...)...))
		if seen == nil {
			t.Errorf("refused: %d", resp.StatusCode)
		}
		return resp
	}
	if resp := ask(); len(resp.Cookies()) != 0 {
		t.Error("renewed in the first half of its life")
	}
	w.pass(61 * time.Minute)
	if resp := ask("Sec-Fetch-Dest", "image"); len(resp.Cookies()) != 0 {
		t.Error("renewed with an image, which caches share")
	}
	if _, seen := serve(g, with("good")); seen == nil || renews.calls.Load() != 0 {
		t.Error("renewed what came as bearer")
	}
	var renewed atomic.Int32
	var work sync.WaitGroup
	for range 20 {
		work.Go(func() {
			resp := ask("Sec-Fetch-Dest", "document")
			if c := resp.Cookies(); len(c) == 1 {
				renewed.Add(1)
				if c[0].Name != "__Host-postern" || c[0].Value != "renewed-good" || !c[0].Secure || !c[0].HttpOnly || c[0].SameSite != http.SameSiteLaxMode || c[0].Path != "/" || c[0].Domain != "" {
					t.Errorf("cookie = %v", c[0])
				}
				if resp.Header.Get("Cache-Control") != "private" {
					t.Errorf("Cache-Control = %q, want private", resp.Header.Get("Cache-Control"))
				}
			}
		})
	}
	work.Wait()
	if renewed.Load() != 1 || renews.calls.Load() != 1 {
		t.Errorf("renewed %d times in %d answers, want once", renews.calls.Load(), renewed.Load())
	}
	w.pass(2 * time.Minute)
	renews.err = errors.New("away")
	if resp := ask(); len(resp.Cookies()) != 0 {
		t.Errorf("a failure sets %v", resp.Cookies())
	}
}

// TestCookieIsRenewedOnce also where each request reads the store anew.
func TestCookieIsRenewedOnce(t *testing.T) {
	for name, checks := range map[string]func(*world, *guard.Settings){
		"check always":           func(_ *world, s *guard.Settings) { s.Check = guard.CheckAlways },
		"while the feed is away": func(w *world, _ *guard.Settings) { w.silent.Store(true) },
	} {
		w := newWorld()
		who := ann
		who.RenewAt, who.ExpiresAt = w.now.Add(-time.Minute), w.now.Add(time.Hour)
		w.knows("good", who)
		var settings guard.Settings
		checks(w, &settings)
		renews := &renewer{}
		g := w.guard(t, guard.Options{Settings: settings, Renewer: renews})
		ask := func() { serve(g, request("GET", "/", "Cookie", "__Host-postern=good")) }
		var work sync.WaitGroup
		for range 20 {
			work.Go(ask)
		}
		work.Wait()
		ask()
		if n := renews.calls.Load(); n != 1 || w.readsOf("good") < 21 {
			t.Errorf("%s: a cookie was renewed %d times, and its token read %d times; want once, for each of 21 requests", name, n, w.readsOf("good"))
		}
		w.pass(2 * time.Minute)
		if ask(); renews.calls.Load() != 2 {
			t.Errorf("%s: a cookie that comes again later was renewed %d times, want twice", name, renews.calls.Load())
		}
	}
}

// TestNestedGuardsRenewOneCookie though they name their realm in two ways, and so each finds for itself who it is.
func TestNestedGuardsRenewOneCookie(t *testing.T) {
	w, names := newWorld(), &guard.Names{}
	who := ann
	who.RenewAt, who.ExpiresAt = w.now.Add(-time.Minute), w.now.Add(time.Hour)
	w.knows("good", who)
	outer := w.guard(t, guard.Options{Names: names, Renewer: &renewer{}})
	inner := w.guard(t, guard.Options{Names: names, Renewer: &renewer{}, Settings: guard.Settings{Realm: string(realmID)}})
	resp, seen := through(func(app http.Handler) http.Handler { return outer.Handler(inner.Handler(app)) },
		request("GET", "/", "Cookie", "__Host-postern=good"))
	if got := resp.Header["Set-Cookie"]; seen == nil || len(got) != 1 || !slices.Equal(resp.Header["Cache-Control"], []string{"private"}) {
		t.Errorf("an answer sets %q with Cache-Control %q; want one cookie, and private", got, resp.Header["Cache-Control"])
	}
}

// TestNestedGuardsRememberWhatTheyConfirm has the inner of two guards, which went by whom the outer found, confirm a visit by itself. It
// remembers that as if it had found them.
func TestNestedGuardsRememberWhatTheyConfirm(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	w.knows("other", ann)
	names := new(guard.Names)
	outer, inner := w.guard(t, guard.Options{Names: names}), w.guard(t, guard.Options{Names: names})
	s := newStreams(t, func(next http.Handler) http.Handler { return outer.Handler(inner.Handler(next)) })
	s.begin("good")
	inner.Judge(with("other")) // from when on it looks after visits
	before := w.readsOf("good")
	w.silent.Store(true)
	w.pass(10 * time.Second)
	eventually(t, "both confirm the visit", func() bool { return w.readsOf("good") >= before+2 && inner.Remembers() == 2 }) // good and other
	w.silent.Store(false)
	before = w.readsOf("good")
	if d := inner.Judge(with("good")).Decision; d != guard.Allow || w.readsOf("good") != before {
		t.Errorf("decision %v after %d reads more; want none", d, w.readsOf("good")-before)
	}
}

// TestCookieIsNotRenewedWhileAway keeps nobody waiting for a store who passes by what was known before.
func TestCookieIsNotRenewedWhileAway(t *testing.T) {
	w := newWorld()
	who := ann
	who.RenewAt, who.ExpiresAt = w.now.Add(time.Second), w.now.Add(time.Hour)
	w.knows("good", who)
	renews := &renewer{}
	g := w.guard(t, guard.Options{Settings: guard.Settings{StaleOK: guard.Duration(time.Minute)}, Renewer: renews})
	ask := func(when string) {
		t.Helper()
		if resp, seen := serve(g, request("GET", "/", "Cookie", "__Host-postern=good")); seen == nil {
			t.Errorf("%s: %d, want 200", when, resp.StatusCode)
		}
	}
	ask("before")
	w.pass(2 * time.Second)
	w.silent.Store(true)
	w.fails("good", core.ErrUnavailable)
	ask("away")
	if n := renews.calls.Load(); n != 0 {
		t.Errorf("the store was asked for %d new tokens while it was away, want none", n)
	}
	w.knows("good", who)
	w.silent.Store(false)
	if ask("back"); renews.calls.Load() != 1 {
		t.Errorf("the store was asked for %d new tokens when it was back, want one", renews.calls.Load())
	}
}

// TestStaleOK holds who may pass while the store is away, and for how long.
func TestStaleOK(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	var stale atomic.Int32
	g := w.guard(t, guard.Options{Settings: guard.Settings{StaleOK: guard.Duration(time.Minute)}, Observe: func(v guard.Verdict) {
		if v.Stale {
			stale.Add(1)
		}
	}})
	ask := func(method, token string, want int, when string) {
		t.Helper()
		r := with(token)
		r.Method = method
		if resp, _ := serve(g, r); resp.StatusCode != want {
			t.Errorf("%s %s of %s = %d, want %d", when, method, token, resp.StatusCode, want)
		}
	}
	ask("GET", "good", 200, "before")
	w.pass(10 * time.Minute) // in which nobody asks, and the feed confirms
	w.silent.Store(true)
	w.fails("good", core.ErrUnavailable)
	w.fails("new", core.ErrUnavailable)
	ask("GET", "good", 200, "away")
	ask("POST", "good", 503, "away")
	ask("GET", "new", 503, "away")
	if stale.Load() != 1 {
		t.Errorf("%d were observed as stale, want 1", stale.Load())
	}
	w.pass(59 * time.Second)
	ask("GET", "good", 200, "just in time")
	w.pass(2 * time.Second)
	ask("GET", "good", 503, "too late")
	w.silent.Store(false)
	ask("GET", "good", 200, "confirmed again")
	w.silent.Store(true)
	w.listener.Forget([]string{"usr_ann"})
	ask("GET", "good", 503, "after news of the user")
	w.fails("good", core.ErrInvalidToken)
	ask("GET", "good", 401, "ended")
}

// TestStaleOKAfterARead: what was read while no news came is relied on for the grace from then on, however long the silence lasts.
func TestStaleOKAfterARead(t *testing.T) {
	w := newWorld()
	w.silent.Store(true)
	w.pass(time.Hour)
	w.knows("good", ann)
	g := w.guard(t, guard.Options{Settings: guard.Settings{StaleOK: guard.Duration(time.Minute)}})
	wantDecision(t, g, "good", guard.Allow)
	w.fails("good", core.ErrUnavailable)
	w.pass(time.Minute)
	wantDecision(t, g, "good", guard.Allow)
	w.pass(time.Second)
	wantDecision(t, g, "good", guard.CannotKnow)
}

// absentKeys are keys that nobody can ask about while away.
type absentKeys struct {
	keys
	away atomic.Bool
}

func (k *absentKeys) Resolve(ctx context.Context, realm core.RealmID, key string, from netip.Addr) (core.Identity, error) {
	if k.away.Load() {
		return core.Identity{}, core.ErrUnavailable
	}
	return k.keys.Resolve(ctx, realm, key, from)
}

// TestStaleKeyIsBoundToAddresses takes a key that was known before the store went away from its addresses alone.
func TestStaleKeyIsBoundToAddresses(t *testing.T) {
	w := newWorld()
	all := &absentKeys{keys: keys{"k": {Realm: realmID, User: "usr_robot", Credential: "crd_1", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}}
	g := w.guard(t, guard.Options{Settings: guard.Settings{From: []guard.Source{guard.SourceAPIKey}, StaleOK: guard.Duration(time.Minute)}, Keys: all})
	ask := func(from string, want guard.Decision) {
		t.Helper()
		r := request("GET", "/", "X-Api-Key", "k")
		r.RemoteAddr = from
		if v := g.Judge(r); v.Decision != want {
			t.Errorf("from %s: %s %+v, want %s", from, v.Decision, v.Refusal, want)
		}
	}
	ask("192.0.2.1:1", guard.Allow)
	w.silent.Store(true)
	all.away.Store(true)
	ask("192.0.2.2:1", guard.Allow)
	ask("203.0.113.1:1", guard.CannotKnow)
}

// TestNoGraceByAStandingClock lets nobody in by what was known before where the clock does not tell how long ago that was.
func TestNoGraceByAStandingClock(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{Settings: guard.Settings{StaleOK: guard.Duration(time.Minute)}})
	wantDecision(t, g, "good", guard.Allow)
	w.silent.Store(true)
	w.fails("good", core.ErrUnavailable)
	wantDecision(t, g, "good", guard.Allow)
	w.stood.Store(true)
	wantDecision(t, g, "good", guard.CannotKnow)
}

// TestLull holds that while a store says nothing, those who may pass all the same do not each wait for it.
func TestLull(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{Settings: guard.Settings{StaleOK: guard.Duration(time.Minute)}})
	ask := func(method string, times, want, reads int, when string) {
		t.Helper()
		before := w.readsOf("good")
		for range times {
			r := with("good")
			r.Method = method
			if resp, _ := serve(g, r); resp.StatusCode != want {
				t.Errorf("%s: %s = %d, want %d", when, method, resp.StatusCode, want)
			}
		}
		if got := w.readsOf("good") - before; got != reads {
			t.Errorf("%s: the store was asked %d times, want %d", when, got, reads)
		}
	}
	ask("GET", 1, 200, 1, "at first")
	w.silent.Store(true)
	w.fails("good", core.ErrUnavailable)
	ask("GET", 5, 200, 1, "away")
	ask("POST", 2, 503, 2, "a change")
	w.pass(time.Second)
	ask("GET", 5, 200, 1, "a second later")
	w.fails("good", context.Canceled)
	w.pass(time.Second)
	ask("GET", 5, 200, 1, "a client that leaves")
	w.knows("good", ann)
	ask("GET", 5, 200, 0, "back, and not known yet")
	w.pass(time.Second)
	ask("GET", 5, 200, 5, "back")
	w.fails("good", core.ErrInvalidToken)
	ask("GET", 5, 401, 5, "ended")
}

// TestCheckAlways reads at each request.
func TestCheckAlways(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{Settings: guard.Settings{Check: guard.CheckAlways}})
	for range 3 {
		wantDecision(t, g, "good", guard.Allow)
	}
	w.wantReads(t, "good", 3)
	w.fails("good", core.ErrInvalidToken)
	wantDecision(t, g, "good", guard.Deny)
}

// asserter signs by counting.
type asserter struct {
	w     *world
	calls atomic.Int32
	err   error
}

func (a *asserter) Assert(_ context.Context, who core.Identity, audience string) (string, time.Time, error) {
	return fmt.Sprint(who.User, " for ", audience, " ", a.calls.Add(1)), a.w.time().Add(time.Minute), a.err
}

// TestAssertion tells it, keeps it for half its life, and refuses where there is none.
func TestAssertion(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	signs := &asserter{w: w}
	g := w.guard(t, guard.Options{Settings: guard.Settings{Assertion: "shop", CopyHeaders: map[string]string{}, Public: []string{"/open"}}, Asserter: signs})
	ask := func(want string) {
		t.Helper()
		r := with("good")
		r.Header.Set("X-Postern-Assertion", "evil")
		_, seen := serve(g, r)
		wantHeaders(t, seen.Header, map[string]string{"X-Postern-Assertion": want})
	}
	ask("usr_ann for shop 1")
	w.pass(29 * time.Second)
	ask("usr_ann for shop 1")
	w.pass(2 * time.Second)
	ask("usr_ann for shop 2")
	_, seen := serve(g, request("GET", "/open", "X-Postern-Assertion", "evil"))
	wantHeaders(t, seen.Header, map[string]string{})
	w.pass(time.Minute)
	signs.err = core.ErrUnavailable
	wantDecision(t, g, "good", guard.CannotKnow)
	signs.err = core.ErrTokenTooLong
	for _, optional := range []bool{false, true} {
		g = w.guard(t, guard.Options{Settings: guard.Settings{Assertion: "shop", Optional: optional, Public: []string{"/open"}}, Asserter: signs})
		if v := g.Judge(with("good")); v.Decision != guard.Deny || v.Refusal.Status != http.StatusForbidden || v.Refusal.Reason != "assertion_too_long" {
			t.Errorf("optional %t: Judge of somebody of whom there is too much to tell = %s %+v, want 403", optional, v.Decision, v.Refusal)
		}
		if _, seen = serve(g, request("GET", "/open", "Authorization", "Bearer good")); seen == nil {
			t.Fatal("somebody of whom there is too much to tell is kept from what is public")
		}
		wantHeaders(t, seen.Header, map[string]string{})
	}
}

// TestRetire holds that a guard watches over those inside until they have left, remembering nobody else meanwhile, and then ends.
func TestRetire(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	s := newStreams(t, g.Handler)
	body := s.begin("good")
	retired := make(chan struct{})
	g.Retire(func() { close(retired) })
	if n := g.Remembers(); n != 0 {
		t.Errorf("a guard that retired remembers %d credentials", n)
	}
	before := w.readsOf("good")
	w.listener.Forget([]string{"usr_ann"}) // another name, say
	eventually(t, "it is read again", func() bool { return w.readsOf("good") > before })
	if n := w.stops.Load(); n != 0 {
		t.Errorf("the watch was stopped %d times while somebody was inside", n)
	}
	w.fails("good", core.ErrInvalidToken)
	w.listener.Forget([]string{"usr_ann"})
	s.ends(body)
	hosttest.Within(t, "the guard is done", retired)
	if w.stops.Load() == 0 {
		t.Error("the watch was not stopped when all had left")
	}
	at := false
	if g.Retire(func() { at = true }); !at {
		t.Error("with nobody inside, Retire returned before it was done")
	}
}

// TestCloseSendsAllAway ends what is open, and what begins yet, when nobody looks after it any more.
func TestCloseSendsAllAway(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	g.EndsAtOnce()
	s := newStreams(t, g.Handler)
	body := s.begin("good")
	g.Close()
	s.ends(body)
	late := make(chan struct{})
	go func() {
		g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })).ServeHTTP(httptest.NewRecorder(), with("good"))
		close(late)
	}()
	select {
	case <-late:
	case <-time.After(10 * time.Second):
		t.Error("what began after Close goes on")
	}
}

// handlersOwn is a writer as hosts put one before handlers: it is for one goroutine alone.
type handlersOwn struct {
	http.ResponseWriter
	t *testing.T
}

func (w handlersOwn) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w handlersOwn) SetWriteDeadline(time.Time) error {
	w.t.Error("a deadline was set from elsewhere")
	return nil
}

// TestDownloadEndsBehindOtherWriters cuts what a handler sends that heeds no context, through a writer that must not be called from elsewhere.
func TestDownloadEndsBehindOtherWriters(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	failed := make(chan error, 1)
	app := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, 64<<10))
		}
		failed <- err
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { app.ServeHTTP(handlersOwn{w, t}, r) }))
	defer server.Close()
	r := with("good")
	r.URL.Scheme, r.URL.Host, r.RequestURI = "http", server.Listener.Addr().String(), ""
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	w.fails("good", core.ErrInvalidToken)
	w.listener.Forget([]string{"usr_ann"})
	untilCut(t, resp.Body)
	hosttest.Within(t, "the handler cannot write", failed)
}
