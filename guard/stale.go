package guard

import (
	"net/http"
	"time"
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
