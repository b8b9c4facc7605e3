package caddymodule

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// Auth lets through only requests with a known user: those with the session token of a user of the realm, as
// `Authorization: Bearer`. What lies behind is told who that is in request headers. It may trust them: whatever a client
// sent under such a name, or under any name that begins with `X-Postern-`, is removed from every request.
//
// All other requests are refused: with 401 where the user must sign in (and `WWW-Authenticate`), 403 where the user is known
// and may not enter, 400 where the request meddles with identity headers, and 503 with `Retry-After` where that cannot be
// checked because the store is away. The site's `handle_errors` answers a refusal where it has a route for it, and finds the
// reason in `{http.auth.postern.error}`; otherwise a browser gets a small page, and a program `application/problem+json`.
//
// Guarded requests have these placeholders: `{http.auth.user.id}`, which is also the `user_id` of access logs,
// `{http.auth.user.username}`, `{http.auth.user.email}`, `{http.auth.user.name}`, `{http.auth.user.arbitrary_id}`,
// `{http.auth.user.user_type}`, `{http.auth.user.realm}` and `{http.auth.user.session}`.
//
// Do not use a matcher to leave some paths open: on those nothing is removed, and a client can pretend to be anybody.
type Auth struct {
	// Realm is the id or the name of the realm whose users may enter. The default is `default`. While there is no such
	// realm, requests get 503 and the log says so.
	Realm string `json:"realm,omitempty"`

	// CopyHeaders are the names of the request headers that tell who the user is, and what each carries: `id`, `username`,
	// `email`, `name`, `arbitrary_id`, `user_type`, `realm` or `session`. An empty map tells nothing. The default is
	// `X-Postern-User-Id`: `id`, `X-Postern-Username`: `username`, `X-Postern-Email`: `email` and
	// `X-Postern-Arbitrary-Id`: `arbitrary_id`. A text that a header cannot carry unharmed is left out.
	CopyHeaders map[string]string `json:"copy_headers,omitzero"`

	// PassToken passes the bearer token on with the request. The default is to remove it.
	PassToken bool `json:"pass_token,omitempty"`

	guard *sharedGuard // nil until provisioned
}

// CaddyModule returns the Caddy module information.
func (*Auth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.postern_auth", New: func() caddy.Module { return new(Auth) }}
}

// Provision takes the guard. It opens nothing.
func (a *Auth) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	a.guard, err = app.guard(a)
	return err
}

// appOf returns the app postern, made with all defaults where the configuration has none.
func appOf(ctx caddy.Context) (*App, error) {
	app, err := ctx.App("postern")
	if err != nil {
		return nil, fmt.Errorf("the app postern: %w", err)
	}
	return app.(*App), nil
}

// Cleanup gives the guard back.
func (a *Auth) Cleanup() error {
	if a.guard == nil {
		return nil
	}
	_, err := guards.Delete(a.guard.key)
	a.guard = nil
	return err
}

// ServeHTTP asks the guard, and passes an allowed request on.
func (a *Auth) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	passed := passageOf(r)
	v := passed.judge(a.guard, r)
	if v.Decision != guard.Allow {
		return a.refuse(w, a.guard.Prepare(r, v), v)
	}
	r = passed.through(a.guard, r, v)
	return next.ServeHTTP(w, r)
}

// refuse leaves the answer to the site's error routes where one of them speaks, and else gives it itself.
func (a *Auth) refuse(w http.ResponseWriter, r *http.Request, v guard.Verdict) error {
	replacerOf(r).Set("http.auth.postern.error", v.Refusal.Reason)
	failure := caddyhttp.Error(v.Refusal.Status, errors.New(v.Refusal.Reason))
	if !hasErrorRoute(r, failure) {
		a.guard.Refuse(w, r, v)
		return nil
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if v.Refusal.Challenge != "" {
		h.Set("WWW-Authenticate", v.Refusal.Challenge)
	}
	setRetryAfter(h, v.Refusal.RetryAfter)
	return failure
}

// replacerOf returns what resolves the placeholders of a request.
func replacerOf(r *http.Request) *caddy.Replacer {
	return r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
}

// introduce makes the placeholders of a request speak of who, and no longer of whom another handler saw.
func introduce(r *http.Request, who core.Identity) {
	const prefix = "http.auth.user."
	replacer := replacerOf(r)
	replacer.DeleteByPrefix(prefix)
	replacer.Map(func(name string) (any, bool) {
		if len(name) <= len(prefix) || name[:len(prefix)] != prefix {
			return nil, false
		}
		switch name[len(prefix):] {
		case "id":
			return string(who.User), true
		case "username":
			return who.Username, true
		case "email":
			return who.Email, true
		case "name":
			return who.Name, true
		case "arbitrary_id":
			return who.ArbitraryID, true
		case "user_type":
			return string(who.Type), true
		case "realm":
			return string(who.Realm), true
		case "session":
			return string(who.Session), true
		}
		return nil, false
	})
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Auth)(nil)
	_ caddy.CleanerUpper          = (*Auth)(nil)
	_ caddyhttp.MiddlewareHandler = (*Auth)(nil)
)
