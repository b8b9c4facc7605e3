package guard

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
)

// Guard judges requests for one realm. Make it with New, end it with Close. Safe for concurrent use.
type Guard struct {
	realms    Realms
	resolver  Resolver
	feed      Feed
	realm     string // as configured
	headers   identityHeaders
	names     *Names
	passToken bool
	log       *zap.Logger
	now       func() time.Time

	home  atomic.Pointer[home] // nil until the realm is found
	cache *cache
	crew  *crew
	looks flights[string, *home]
	reads flights[question, *known]

	slots    chan struct{} // one is taken for each read under way
	rechecks chan struct{} // and here for those in the background
	warned   atomic.Int64  // nanoseconds since the epoch: when the log last heard that requests cannot be judged
}

// New returns a Guard. It reads nothing yet: the realm is looked for at the first request that shows a token. The error
// joins all that is wrong with o.
func New(o Options) (*Guard, error) {
	headers, err := o.validate()
	if err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	o.Names.add(headers)
	crew := newCrew()
	return &Guard{
		realms: o.Realms, resolver: o.Resolver, feed: o.Feed, realm: o.Realm,
		headers: headers, names: o.Names, passToken: o.PassToken, log: o.Logger, now: o.Now,
		cache: newCache(o.CacheSize), crew: crew,
		looks:    flights[string, *home]{crew: crew, aloft: map[string]*flight[*home]{}},
		reads:    flights[question, *known]{crew: crew, aloft: map[question]*flight[*known]{}},
		slots:    make(chan struct{}, maxReads),
		rechecks: make(chan struct{}, maxRechecks),
	}, nil
}

// Close ends the watch over the realm and all work in the background. From then on CannotKnow is said of tokens.
func (g *Guard) Close() {
	g.crew.dismiss()
	if h := g.home.Load(); h != nil {
		h.watch.Stop()
	}
}

// Handler returns next behind the guard. next gets requests as Prepare leaves them; the others are answered by Refuse.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := g.Judge(r)
		r = g.Prepare(r, v)
		if v.Decision != Allow {
			g.Refuse(w, r, v)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Judge says what is to become of r, which it does not change. For a token seen before it neither allocates
// nor waits; otherwise it reads the store, for at most 5 seconds (10 while the realm is not found yet) and no longer
// than r's context lasts.
func (g *Guard) Judge(r *http.Request) Verdict {
	if g.names.named(r.Header["Connection"]) { // a proxy would remove what we set
		return g.refused(deny(refuseMeddling))
	}
	if isPreflight(r) {
		return Verdict{Decision: Allow}
	}
	token, why := credential(r.Header)
	if why != nil {
		return g.refused(deny(*why))
	}
	k, err := g.identify(r.Context(), token)
	if err != nil {
		v := judgeError(err)
		if v.Decision == CannotKnow {
			g.warn(r.Context(), err)
			return v
		}
		return g.refused(v)
	}
	return Verdict{Decision: Allow, known: k}
}

// Prepare makes r fit to be passed on, whatever the verdict: it removes every identity header that the client
// sent, and the bearer token unless it was found good and is to be passed. Where v allows somebody, it sets the identity headers
// and returns r with the identity in its context. It changes r's headers in place.
func (g *Guard) Prepare(r *http.Request, v Verdict) *http.Request {
	g.names.strip(r.Header)
	g.names.strip(r.Trailer)
	if !g.passToken || v.known == nil {
		removeBearer(r.Header)
	}
	if v.known == nil {
		return r
	}
	g.headers.set(r.Header, &v.known.identity, v.known.sendable)
	return r.WithContext(context.WithValue(r.Context(), contextKey{}, v.known))
}

// Owns reports whether a header, by its name in any spelling, is one that only the guards that share Names may set.
func (g *Guard) Owns(name string) bool { return g.names.owns(name) }

// refused logs a refusal and returns it.
func (g *Guard) refused(v Verdict) Verdict {
	if entry := g.log.Check(zap.DebugLevel, "request refused"); entry != nil {
		entry.Write(zap.String("realm", g.realm), zap.Int("status", v.Refusal.Status), zap.String("reason", v.Refusal.Reason))
	}
	return v
}

// warnEvery is how often the log hears that requests cannot be judged.
const warnEvery = 10 * time.Second

// warn logs why a request could not be judged, unless its client has left or the log heard it a moment ago.
func (g *Guard) warn(ctx context.Context, err error) {
	now, last := g.now().UnixNano(), g.warned.Load()
	if ctx.Err() != nil || now-last < int64(warnEvery) || !g.warned.CompareAndSwap(last, now) {
		return
	}
	level := zap.WarnLevel
	if coreError(err).Kind == core.KindInternal {
		level = zap.ErrorLevel
	}
	g.log.Log(level, "requests cannot be judged", zap.String("realm", g.realm), zap.Error(err))
}
