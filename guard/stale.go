package guard

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/core"
)

// inGrace reports whether what was read at some time, in nanoseconds since the epoch, and overtaken by no news since, may still be relied on at
// now: for Settings.StaleOK from then on, or from when the feed ceased to confirm it.
func (g *Guard) inGrace(read int64, now time.Time) bool {
	grace := time.Duration(g.c.StaleOK)
	if grace == 0 {
		return false
	}
	h := g.home.Load()
	return now.UnixNano()-read <= int64(grace) && h.steady(read) || h != nil && h.watch.Fresh(now.Add(-grace))
}

// stale returns what was known of a credential before the store went away, or nothing where that may not be relied on: the
// grace (Settings.StaleOK) is over, the request might change something, or there was news of the user or session since.
func (g *Guard) stale(r *http.Request, q *question, now time.Time) known {
	if g.c.StaleOK == 0 || !isSafe(r) {
		return ""
	}
	k, _ := g.cache.get(q, now)
	if k == "" || !g.inGrace(k.nanos(atRead), now) {
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
