package guard

import (
	"context"
	"net/http"

	"github.com/postern-auth/postern/core"
)

// contextKey is where Prepare leaves a request's passage.
type contextKey struct{}

// passage is a request's way through a guard, and through those before it. Each removes the credentials, so that each
// notes what it removed for those that follow, and whom it found. It is the context of the request from there on.
type passage struct {
	context.Context
	guard  *Guard
	who    standing // of nobody where it passed as nobody's; in memory of its own
	source Source
	stale  bool // as in Verdict
	former *passage

	authorization, cookies, keys []string // as the guard found them

	texts [4]string // of the headers about who, unless there are more
}

// Value returns the passage itself, and what the request's context holds otherwise.
func (p *passage) Value(key any) any {
	if key == (contextKey{}) {
		return p
	}
	return p.Context.Value(key)
}

// passageOf returns the latest passage of a request, or nil.
func passageOf(ctx context.Context) *passage {
	p, _ := ctx.Value(contextKey{}).(*passage)
	return p
}

// FromContext returns who a request comes from, in a handler behind a Guard. It reports false where the
// request passed without identity.
func FromContext(ctx context.Context) (core.Identity, bool) {
	for p := passageOf(ctx); p != nil; p = p.former {
		if p.who.known != "" {
			return p.who.known.identity(), true
		}
	}
	return core.Identity{}, false
}

// FieldsFrom returns what FieldOf says of who the last guard let in, in a handler behind it; nil where it let pass without identity. It
// costs less than FromContext while nobody asks.
func FieldsFrom(ctx context.Context) func(name string) (value string, exists bool) {
	if p := passageOf(ctx); p != nil && p.who.known != "" {
		return p.who.known.fields()
	}
	return nil
}

// found returns the passage in which a guard of the same house found who it is, by a credential that g accepts too, and as surely as g wants to
// know; or nil.
func (p *passage) found(g *Guard) *passage {
	for ; p != nil; p = p.former {
		if p.who.known != "" && p.guard.names == g.names && p.guard.c.Realm == g.c.Realm && g.c.sources.has(p.source) && g.accepts(&p.who) && p.sureFor(g) {
			return p
		}
	}
	return nil
}

// sureFor reports whether who it is was found as surely as g wants to know: from the store, where g always asks that, and no longer ago than g relies
// on while the store is away.
func (p *passage) sureFor(g *Guard) bool {
	return (g.c.Check != CheckAlways || p.guard.c.Check == CheckAlways) && (!p.stale || g.c.StaleOK >= p.guard.c.StaleOK)
}

// accepts reports whether g takes who another guard knows: one of ours, or of an issuer that g takes on the same terms.
func (g *Guard) accepts(s *standing) bool {
	from := s.issuer()
	if from == nil {
		return true
	}
	f := g.foreign[from.Issuer.Issuer]
	return f != nil && f.text == from.text
}

// sent returns headers as the client sent them, as far as former guards removed credentials.
func (p *passage) sent(h http.Header) http.Header {
	if p == nil {
		return h
	}
	h = h.Clone()
	for ; p != nil; p = p.former { // the first guard, which saw most, comes last
		restore(h, "Authorization", p.authorization)
		restore(h, "Cookie", p.cookies)
		if p.guard.c.sources.key {
			restore(h, p.guard.c.APIKeyHeader, p.keys)
		}
	}
	return h
}

// Anew returns r, of which guards have made prepared, for a guard that meets it as if it were the first of these, as on an error route. That goes by the credentials
// that they have removed, and finds out anew who that is, for whoever it was may have been turned away since. A request on its way through them is returned as it is.
func Anew(r, prepared *http.Request) *http.Request {
	outer, latest := passageOf(r.Context()), passageOf(prepared.Context())
	if outer == latest {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), contextKey{}, latest.ofNobody(outer)))
}

// ofNobody returns what a passage and those before it, up to one further out, removed, and not whom they found.
func (p *passage) ofNobody(outer *passage) *passage {
	if p == nil || p == outer {
		return p
	}
	return &passage{guard: p.guard, former: p.former.ofNobody(outer), authorization: p.authorization, cookies: p.cookies, keys: p.keys}
}

// restore sets a header to what it was.
func restore(h http.Header, name string, values []string) {
	if len(values) > 0 {
		h[name] = values
	}
}

// told returns the headers that former guards set, which g would take for the client's: those about the user that g knows, but for what g tells
// itself, and where it lets pass without identity, about whom they let in. The client's own are gone: the first guard has removed all that any guard sets.
func (p *passage) told(g *Guard, h http.Header, k known) map[string][]string {
	for p != nil && p.who.known == "" {
		p = p.former
	}
	if p == nil || p.guard.names != g.names || k != "" && !p.who.known.sameUser(k) { // what is there is about whom the last guard let in, whoever came before
		return nil
	}
	told := map[string][]string{}
	for name, values := range h {
		if g.names.owns(name) && (k == "" || !g.c.headers.have(name)) {
			told[name] = values
		}
	}
	return told
}
