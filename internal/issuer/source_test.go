package issuer

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/internal/jose"
)

// script stands for an issuer's server within a bubble of fake time: what it answers, and when it was asked.
type script struct {
	mu    sync.Mutex
	keys  []*jose.PrivateKey
	cache string
	fails error
	slow  time.Duration
	asked []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	if s.slow > 0 {
		select {
		case <-time.After(s.slow):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if s.fails != nil {
		return nil, s.fails
	}
	var published []jose.Published
	for _, k := range s.keys {
		published = append(published, k.Public())
	}
	text, err := jose.JWKS(published...)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Cache-Control": {s.cache}}, Body: io.NopCloser(strings.NewReader(string(text)))}, err
}

// set changes the script.
func (s *script) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// times returns how often it was asked.
func (s *script) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// scripted has keys fetched from s until stop is called. gone returns which are gone.
func scripted(s *script) (l *Lease, log *observer.ObservedLogs, gone func() []string, stop func()) {
	core, log := observer.New(zap.InfoLevel)
	config := Config{Issuer: "elsewhere", JWKSURL: "https://login.example.com/keys"}
	var mu sync.Mutex
	var prints []string
	l = &Lease{pool: &Pool{}, gone: func(more []string) {
		mu.Lock()
		defer mu.Unlock()
		prints = append(prints, more...)
	}}
	newSource(shared{Config: config}, &fetcher{config, &http.Client{Transport: s}}, l.pool, l, zap.New(core))
	synctest.Wait()
	return l, log, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(prints)
	}, l.Close
}

func generated(t *testing.T) *jose.PrivateKey {
	t.Helper()
	key, err := jose.Generate(jose.EdDSA, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestRefreshOnSchedule goes by what the issuer says about its keys, within bounds.
func TestRefreshOnSchedule(t *testing.T) {
	for cache, want := range map[string]time.Duration{
		"": usualRefresh, "no-store": usualRefresh, "max-age=0": usualRefresh, "public, max-age=1200, must-revalidate": 20 * time.Minute,
		"max-age=1": minRefresh, "max-age=31536000": maxRefresh, "Max-Age=\"1800\"": 30 * time.Minute, "max-age=99999999999999999999": usualRefresh, "max-age=-5": usualRefresh,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{keys: []*jose.PrivateKey{generated(t)}, cache: cache}
			_, _, _, stop := scripted(s)
			defer stop()
			time.Sleep(want*9/10 - time.Millisecond)
			if n := s.times(); n != 1 {
				t.Errorf("Cache-Control %q: %d fetches before %s are over, want 1", cache, n, want)
			}
			time.Sleep(want/10 + time.Second)
			if n := s.times(); n != 2 {
				t.Errorf("Cache-Control %q: %d fetches after %s, want 2", cache, n, want)
			}
		})
	}
}

// TestRotation takes new keys, and tells which are gone.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := generated(t), generated(t)
		s := &script{keys: []*jose.PrivateKey{old}}
		l, _, gone, stop := scripted(s)
		defer stop()
		s.set(func() { s.keys = []*jose.PrivateKey{old, next} })
		time.Sleep(usualRefresh)
		if keys := l.Keys(); !keys.Has(old.ID()) || !keys.Has(next.ID()) || len(gone()) > 0 {
			t.Errorf("with a second key there are %v, and gone are %q; want both and none", keys.Fingerprints(), gone())
		}
		s.set(func() { s.keys = []*jose.PrivateKey{next} })
		time.Sleep(usualRefresh)
		if keys := l.Keys(); keys.Has(old.ID()) || !slices.Equal(gone(), []string{old.Public().Fingerprint()}) {
			t.Errorf("without the first key there are %v, and gone are %q; want the second, and the first", keys.Fingerprints(), gone())
		}
	})
}

// TestAsksAreBounded: a flood of tokens with keys that nobody knows costs the issuer a fetch now and then.
func TestAsksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{keys: []*jose.PrivateKey{generated(t)}, cache: "max-age=3600"} // so that no other fetch is due
		l, _, _, stop := scripted(s)
		defer stop()
		for range 6000 {
			l.Ask()
			time.Sleep(10 * time.Millisecond)
		}
		if n := s.times(); n < 5 || n > 8 {
			t.Errorf("%d fetches in a minute of asking, want one each %s", n, usualAsk)
		}
		time.Sleep(maxRefresh / 2)
		before := s.times()
		l.Ask()
		time.Sleep(time.Millisecond)
		if n := s.times(); n != before+1 {
			t.Errorf("%d fetches right after somebody asked, long after the last; want 1", n-before)
		}
	})
}

// TestBrokenFetches leave the last good set, are tried again ever more seldom, and are in the log when they begin and end.
func TestBrokenFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := generated(t)
		s := &script{keys: []*jose.PrivateKey{key}}
		l, log, _, stop := scripted(s)
		defer stop()
		s.set(func() { s.fails = errors.New("connection refused") })
		time.Sleep(usualRefresh + 10*time.Minute)
		if keys := l.Keys(); keys == nil || !keys.Has(key.ID()) || time.Since(keys.At) < 20*time.Minute {
			t.Errorf("while fetches fail, keys are %v; want those from before, of then", keys)
		}
		if n := s.times(); n < 12 || n > 25 {
			t.Errorf("%d fetches in 10 minutes of failure, want about one a minute", n)
		}
		if n := log.FilterMessageSnippet("those from before hold").Len(); n != 1 {
			t.Errorf("the log says %d times that fetches fail, want once", n)
		}
		s.set(func() { s.fails = nil })
		time.Sleep(2 * time.Minute)
		if n := log.FilterMessageSnippet("can be fetched again").Len(); n != 1 || time.Since(l.Keys().At) > 3*time.Minute {
			t.Errorf("when the issuer is back the log says so %d times, and keys are of %s", n, l.Keys().At)
		}
	})
}

// TestDownAtStart has no keys until there are some, soon after the issuer is there.
func TestDownAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{fails: errors.New("connection refused"), keys: []*jose.PrivateKey{generated(t)}}
		l, log, _, stop := scripted(s)
		defer stop()
		<-l.Tried()
		if l.Keys() != nil || log.FilterMessageSnippet("503").Len() != 1 {
			t.Errorf("after a first fetch that failed, keys are %v and the log says %v", l.Keys(), log.All())
		}
		s.set(func() { s.fails = nil })
		time.Sleep(firstRetry)
		if l.Keys() == nil {
			t.Errorf("%s after the issuer is there, there are no keys", firstRetry)
		}
	})
}

// TestAskingDelaysNothing asks for keys just before they are fetched again after a failure.
func TestAskingDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{fails: errors.New("connection refused"), keys: []*jose.PrivateKey{generated(t)}}
		l, _, _, stop := scripted(s)
		defer stop()
		<-l.Tried()
		s.set(func() { s.fails = nil })
		time.Sleep(firstRetry * 8 / 10)
		l.Ask()
		time.Sleep(firstRetry * 2 / 10)
		if synctest.Wait(); l.Keys() == nil {
			t.Errorf("%s after a fetch that failed, as somebody asked meanwhile, there are no keys", firstRetry)
		}
	})
}

// TestSlowIssuer is given up, and holds up neither who reads the keys nor who closes.
func TestSlowIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{keys: []*jose.PrivateKey{generated(t)}, slow: time.Hour}
		l, log, _, stop := scripted(s)
		began := time.Now()
		l.Ask()
		if keys := l.Keys(); keys != nil || time.Since(began) > 0 {
			t.Errorf("Keys while a fetch hangs = %v after %s, want nil at once", keys, time.Since(began))
		}
		time.Sleep(fetchTimeout + time.Millisecond)
		if log.Len() != 1 {
			t.Errorf("after %s the log says %v, want that the fetch failed", fetchTimeout, log.All())
		}
		time.Sleep(2 * time.Second) // into the next fetch
		began = time.Now()
		stop()
		if d := time.Since(began); d > 0 {
			t.Errorf("closing took %s of the issuer's time", d)
		}
	})
}

// TestFetchReachesNothingInside unless that is allowed: what a name leads to is known only when it is dialed.
func TestFetchReachesNothingInside(t *testing.T) {
	var reached atomic.Bool
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer inside.Close()
	f := fetcher{client: newClient(nil, nil)}
	for _, address := range []string{inside.URL, strings.Replace(inside.URL, "127.0.0.1", "localhost", 1)} {
		if _, _, err := f.get(t.Context(), address); CodeOf(err) != "address_refused" || reached.Load() {
			t.Errorf("get of %s, which is not allowed: %v, reached %t; want address_refused", address, err, reached.Load())
		}
	}
}

// TestFetchAsksNoProxy, which would reach what it likes: where it leads to, only the one who dials can see.
func TestFetchAsksNoProxy(t *testing.T) {
	if newClient(nil, nil).Transport.(*http.Transport).Proxy != nil {
		t.Error("keys are fetched by way of the proxy that the environment names; want them fetched directly")
	}
}
