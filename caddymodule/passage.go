package caddymodule

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/postern-auth/postern/guard"
)

// passageKey is where a request's passage lies among its variables.
const passageKey = "postern"

// passage is a request's way through guards. Each removes the credential, so the first notes it for those that follow, and what
// it found. The zero passage is that of a request that passed none.
type passage struct {
	authorization []string // as the client sent it
	by            []step
}

// step is the passing of one guard.
type step struct {
	guard   *sharedGuard
	verdict guard.Verdict
}

// passageOf returns the passage of a request so far.
func passageOf(r *http.Request) *passage {
	if p, ok := caddyhttp.GetVar(r.Context(), passageKey).(*passage); ok {
		return p
	}
	return &passage{authorization: r.Header["Authorization"]}
}

// String keeps the credential out of {http.vars.postern}.
func (p *passage) String() string { return "passed" }

// judge returns what g says of r as the client sent it. What a guard of the same realm found holds for g too, unless
// the Connection header may name a header that only g knows of.
func (p *passage) judge(g *sharedGuard, r *http.Request) guard.Verdict {
	if len(p.by) == 0 {
		return g.Judge(r)
	}
	if len(r.Header["Connection"]) == 0 {
		for _, s := range p.by {
			if s.guard.engine == g.engine && s.guard.realm == g.realm {
				return s.verdict
			}
		}
	}
	sent := *r
	sent.Header = r.Header.Clone()
	sent.Header["Authorization"] = p.authorization
	if p.authorization == nil {
		delete(sent.Header, "Authorization")
	}
	return g.Judge(&sent)
}

// through prepares a request that g allows, and notes that. What former guards told of the same user stays.
func (p *passage) through(g *sharedGuard, r *http.Request, v guard.Verdict) *http.Request {
	told := p.told(g, r, v)
	r = g.Prepare(r, v)
	for name, values := range told {
		if _, ok := r.Header[name]; !ok {
			r.Header[name] = values
		}
	}
	if who, ok := v.Identity(); ok {
		introduce(r, who)
	}
	p.by = append(p.by, step{g, v})
	caddyhttp.SetVar(r.Context(), passageKey, p)
	return r
}

// told returns the headers that former guards set, which g would take for the client's. The client's own are gone: the
// first guard has removed all that any guard sets.
func (p *passage) told(g *sharedGuard, r *http.Request, v guard.Verdict) map[string][]string {
	who, ok := v.Identity()
	if !ok || !slices.ContainsFunc(p.by, func(s step) bool {
		former, ok := s.verdict.Identity()
		return ok && former.User == who.User && former.Realm == who.Realm
	}) {
		return nil
	}
	told := map[string][]string{}
	for name, values := range r.Header {
		if g.Owns(name) {
			told[name] = values
		}
	}
	return told
}
