package guard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

const realmID = core.RealmID("rlm_1")

// world stands for core: a realm, tokens and what they stand for, and a feed that a test speaks through.
type world struct {
	mu       sync.Mutex
	now      time.Time
	realmErr error
	answers  map[string]answer
	reads    map[string]int // of each token
	finds    int
	listener core.Listener

	anyone func(token string) core.Identity // if set, answers for all tokens, and no reads are counted
	during func(token string)               // called in each read, before it answers
	silent silence                          // the feed confirms nothing
	stood  atomic.Bool                      // the clock has stood still
	stops  atomic.Int32
}

type answer struct {
	who core.Identity
	err error
}

func newWorld() *world {
	w := &world{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), answers: map[string]answer{}, reads: map[string]int{}}
	w.silent.now = w.time
	return w
}

// silence is a time in which a feed confirms nothing.
type silence struct {
	now   func() time.Time
	since atomic.Pointer[time.Time] // nil = it confirms
}

// Store begins or ends it.
func (s *silence) Store(begins bool) {
	var since *time.Time
	if begins {
		since = new(s.now())
	}
	s.since.Store(since)
}

// at reports whether there was silence at a time.
func (s *silence) at(at time.Time) bool {
	since := s.since.Load()
	return since != nil && !at.Before(*since)
}

func (w *world) Find(_ context.Context, idOrName string) (*core.Realm, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finds++
	if w.realmErr != nil {
		return nil, w.realmErr
	}
	return &core.Realm{ID: realmID, Name: idOrName}, nil
}

func (w *world) Resolve(ctx context.Context, realm core.RealmID, token string) (core.Identity, error) {
	if w.anyone != nil {
		return w.anyone(strings.Clone(token)), nil
	}
	w.mu.Lock()
	a, ok := w.answers[token]
	w.reads[token]++
	during := w.during
	w.mu.Unlock()
	if during != nil {
		during(token)
	}
	switch {
	case ctx.Err() != nil:
		return core.Identity{}, ctx.Err()
	case !ok || realm != realmID:
		return core.Identity{}, core.ErrInvalidToken
	}
	return a.who, a.err
}

func (w *world) Follow(_ context.Context, _ core.RealmID, l core.Listener) (guard.Watch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener = l
	return watch{w}, nil
}

type watch struct{ w *world }

func (w watch) Fresh(now time.Time) bool { return !w.w.silent.at(now) && w.Steady(now) }
func (w watch) Steady(time.Time) bool    { return !w.w.stood.Load() }
func (w watch) Stop()                    { w.w.stops.Add(1) }

// knows lets a token stand for who, for an hour.
func (w *world) knows(token string, who core.Identity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if who.ExpiresAt.IsZero() {
		who.ExpiresAt = w.now.Add(time.Hour)
	}
	w.answers[token] = answer{who: who}
}

// fails makes reading a token fail.
func (w *world) fails(token string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[token] = answer{err: err}
}

func (w *world) readsOf(token string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reads[token]
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// guard returns a Guard over w that ends with the test.
func (w *world) guard(t testing.TB, o guard.Options) *guard.Guard {
	t.Helper()
	o.Realms, o.Resolver, o.Feed = w, w, w
	if o.Now == nil {
		o.Now = w.time
	}
	g, err := guard.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

var ann = core.Identity{
	Realm: realmID, User: "usr_ann", Session: "kss_ann1", Type: core.UserHuman,
	Username: "ann", Email: "ann@example.com", Name: "Ann Döe", ArbitraryID: "42",
}

// with returns a request that shows a token.
func with(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// wantDecision fails the test unless g decides so about a token.
func wantDecision(t *testing.T, g *guard.Guard, token string, want guard.Decision) {
	t.Helper()
	if v := g.Judge(with(token)); v.Decision != want {
		t.Errorf("Judge(%s) = %s %+v, want %s", token, v.Decision, v.Refusal, want)
	}
}

// wantReads fails the test unless a token has been read so often.
func (w *world) wantReads(t *testing.T, token string, want int) {
	t.Helper()
	if got := w.readsOf(token); got != want {
		t.Errorf("%s was read %d times, want %d", token, got, want)
	}
}

// eventually fails the test unless ok comes true soon.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute in vain until %s", what)
		}
	}
}

// soon calls what a guard may be waiting for, though it should not, after half a minute, so that the test fails and does not hang. It does so at its
// end at the latest.
func soon(t *testing.T, call func()) {
	late := time.AfterFunc(30*time.Second, call)
	t.Cleanup(func() {
		late.Stop()
		call()
	})
}
