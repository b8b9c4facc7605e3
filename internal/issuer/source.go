package issuer

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// When keys are fetched again.
const (
	usualRefresh = 10 * time.Minute // where the issuer says nothing about it
	minRefresh   = time.Minute
	maxRefresh   = time.Hour        // whatever it says, so that a key that was withdrawn is noticed
	usualAsk     = 10 * time.Second // at most, where tokens name keys that are not known
	firstRetry   = time.Second      // after a fetch that failed, twice as long each time
	maxRetry     = time.Minute
)

// source fetches the keys of one issuer, in one goroutine, until it is closed.
type source struct {
	config   shared
	fetcher  *fetcher
	fetched  func(issuer string, err error)
	askEvery time.Duration
	began    time.Time // when it was first tried

	keys  atomic.Pointer[Keys] // the last good set; nil = none yet
	asked chan struct{}        // holds one while somebody asks for a fetch
	tried chan struct{}        // closed after the first

	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	leases []*Lease
	log    *zap.Logger // that of the newest lease
}

// newSource starts to fetch, for l.
func newSource(c shared, f *fetcher, p *Pool, l *Lease, log *zap.Logger) *source {
	ctx, cancel := context.WithCancel(context.Background())
	s := &source{config: c, fetcher: f, fetched: p.Fetched, askEvery: cmp.Or(p.AskEvery, usualAsk), began: time.Now(),
		asked: make(chan struct{}, 1), tried: make(chan struct{}), cancel: cancel, done: make(chan struct{})}
	l.source = s
	s.add(l, log)
	go s.run(ctx)
	return s
}

// add notes one more who uses the keys.
func (s *source) add(l *Lease, log *zap.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases, s.log = append(s.leases, l), log
}

// remove notes one less, and reports whether that was the last.
func (s *source) remove(l *Lease) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.leases)
	s.leases = slices.DeleteFunc(s.leases, func(other *Lease) bool { return other == l })
	return before > 0 && len(s.leases) == 0
}

// close ends the fetching, and waits for that.
func (s *source) close() {
	s.cancel()
	<-s.done
	s.fetcher.client.CloseIdleConnections()
}

// run fetches now and again, until ctx ends.
func (s *source) run(ctx context.Context) {
	defer close(s.done)
	failures := 0
	for first := true; ; first = false {
		began := time.Now()
		fresh, err := s.refresh(ctx)
		if ctx.Err() != nil {
			return
		}
		s.say(err, failures > 0)
		wait := untilNext(fresh)
		if err != nil {
			wait = untilRetry(failures)
			failures++
		} else {
			failures = 0
		}
		if first {
			close(s.tried)
		}
		if !s.pause(ctx, began, wait) {
			return
		}
	}
}

// refresh fetches once, and takes what comes for the keys that hold from now on. What is no good changes nothing.
func (s *source) refresh(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	set, fresh, err := s.fetcher.fetch(ctx)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if s.fetched != nil {
		s.fetched(s.config.Issuer, err)
	}
	if err != nil {
		return 0, err
	}
	before := s.keys.Swap(&Keys{KeySet: set, At: began})
	if before == nil {
		return fresh, nil
	}
	now := set.Fingerprints()
	gone := slices.DeleteFunc(before.Fingerprints(), func(f string) bool { return slices.Contains(now, f) })
	if len(gone) > 0 {
		s.tell(gone)
	}
	return fresh, nil
}

// tell tells all who use the keys that some of them are gone.
func (s *source) tell(gone []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.leases {
		l.gone(gone)
	}
	s.log.Info("an issuer has withdrawn keys; what they vouched for is no longer taken", zap.String("issuer", s.config.Issuer), zap.Strings("keys", gone))
}

// say logs when fetches begin to fail, and when they go well again.
func (s *source) say(err error, failing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil && failing:
		s.log.Info("an issuer's keys can be fetched again", zap.String("issuer", s.config.Issuer))
	case err == nil || failing:
	case s.keys.Load() == nil:
		s.log.Error("an issuer's keys cannot be fetched; its tokens get 503 until they can", zap.String("issuer", s.config.Issuer), zap.Error(err))
	default:
		s.log.Warn("an issuer's keys cannot be fetched; those from before hold", zap.String("issuer", s.config.Issuer), zap.Error(err))
	}
}

// pause waits until it is time to fetch again, which is sooner where somebody asks. It reports false where ctx ends first.
func (s *source) pause(ctx context.Context, began time.Time, wait time.Duration) bool {
	timer, due := time.NewTimer(wait), time.Now().Add(wait)
	defer timer.Stop()
	asked := s.asked
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-asked:
			asked = nil // once is enough
			timer.Reset(max(0, min(time.Until(due), time.Until(began.Add(s.askEvery)))))
		}
	}
}

// untilNext returns how long to wait after a good fetch, by how long the issuer said that it is good for. It varies, so that many who began
// together do not come together.
func untilNext(fresh time.Duration) time.Duration {
	if fresh == 0 {
		fresh = usualRefresh
	}
	return vary(min(max(fresh, minRefresh), maxRefresh))
}

// untilRetry returns how long to wait after a fetch that failed, as so many before it did.
func untilRetry(failures int) time.Duration {
	return vary(min(firstRetry<<min(failures, 10), maxRetry))
}

// vary returns up to a tenth less than d.
func vary(d time.Duration) time.Duration { return d - rand.N(d/10) }

// CodeOf returns what a metric calls the outcome of a fetch: "ok", or the code of a FetchError.
func CodeOf(err error) string {
	if err == nil {
		return "ok"
	}
	if f, is := errors.AsType[*FetchError](err); is {
		return f.Code
	}
	return "failed"
}
