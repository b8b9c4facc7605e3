package guard

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	renewTimeout = 2 * time.Second
	renewAgain   = time.Minute // when a cookie is renewed that comes again: the browser may have missed the new one
)

// renews reports whether who v admits may get a new cookie: not while the store is away, which would keep them waiting in vain.
func (v *Verdict) renews() bool { return v.source == SourceCookie && !v.Stale }

// renewCookie gives a session whose cookie is past half its life a new token, in a new cookie. Of requests at the same moment
// one does so; the others go on with the token they have, which stays good. Where it fails it is tried again later.
func (g *Guard) renewCookie(w http.ResponseWriter, r *http.Request, s *standing) {
	now := g.now()
	if g.renewer == nil || now.UnixNano() < s.known.nanos(atRenew) || !mayStoreCookie(r) || g.setsCookie(w.Header()) || !s.by.cache.claimRenewal(s.known, now) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), renewTimeout)
	defer cancel()
	in, err := g.renewer.RefreshSlim(ctx, s.asked.token)
	if err != nil {
		return
	}
	http.SetCookie(w, g.SessionCookie(in.Token, in.Session.ExpiresAt()))
	w.Header().Add("Cache-Control", "private") // no cache may give this cookie to anybody else
}

// setsCookie reports whether an answer sets the session cookie already, as one does that a guard before this one has renewed.
func (g *Guard) setsCookie(h http.Header) bool {
	return slices.ContainsFunc(h["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, g.c.Cookie.Name+"=") })
}

// mayStoreCookie reports whether the answer to r is a fit place for a cookie. What pages are made of is often kept by caches that
// others share.
func mayStoreCookie(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document", "iframe", "frame", "empty":
		return r.Header["Upgrade"] == nil
	}
	return false
}
