package guard

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/core"
)

// confirmed notes that the feed confirms at now what is remembered. Only its seconds matter, so that cores do not fight over it.
func (g *Guard) confirmed(now time.Time) {
	if g.c.StaleOK == 0 {
		return
	}
	if at, last := now.UnixNano(), g.lastFresh.Load(); at-last >= int64(time.Second) {
		g.lastFresh.CompareAndSwap(last, at)
	}
}

// stale returns what was known of a credential before the store went away, or nothing where that may not be relied on: the
// grace (Settings.StaleOK) is over, the request might change something, or there was news of the user or session since.
func (g *Guard) stale(r *http.Request, q *question, now time.Time) known {
	if g.c.StaleOK == 0 || !isSafe(r) {
		return ""
	}
	k, _ := g.cache.get(q, now)
	if k == "" || now.UnixNano()-max(k.nanos(atRead), g.lastFresh.Load()) > int64(g.c.StaleOK) {
		return ""
	}
	return k
}

// isSafe reports whether r only reads (RFC 9110 §9.2.1). A handshake is a GET, but what follows it may be anything; and so may be what
// an application makes of a GET that asks to be something else.
func isSafe(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.Header["Upgrade"] == nil && !overridesMethod(r)
	}
	return false
}

// lullEvery is how often a store that did not answer is tried again by those who need not wait for it.
const lullEvery = time.Second

// lull remembers that the store did not answer a moment ago. A store that hangs takes a second to say nothing, and whoever may be let in by what
// was known before (stale) would wait for that at each request. Safe for concurrent use.
type lull struct {
	until atomic.Int64 // nanoseconds since the epoch; 0 = the store answered last time
}

// holds reports whether the store need not be asked at now. It says no to one caller in lullEvery, who finds out whether that is over.
func (l *lull) holds(now time.Time) bool {
	until, at := l.until.Load(), now.UnixNano()
	return until != 0 && (at < until || !l.until.CompareAndSwap(until, at+int64(lullEvery)))
}

// heard notes at now what came of a read. A refusal is an answer; and who left before there was one says nothing of the store.
func (l *lull) heard(err error, now time.Time) {
	switch {
	case err == nil, core.IsRefusal(err):
		if l.until.Load() != 0 {
			l.until.Store(0)
		}
	case !errors.Is(err, context.Canceled):
		l.until.Store(now.Add(lullEvery).UnixNano())
	}
}
