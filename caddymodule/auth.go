package caddymodule

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/failure"
)

// Auth lets through only requests with a known user: those with the session token of a user of the realm, as
// `Authorization: Bearer` or in a cookie, or with an API key. What lies behind is told who that is in request headers. It may trust them: whatever a client
// sent under such a name, or under any name that begins with `X-Postern-`, is removed from every request.
//
// All other requests are refused: with 401 where the user must sign in (and `WWW-Authenticate`, or for a browser the way to
// `login_url`), 403 where the user is known and may not enter, 400 where the request meddles with identity headers or its path
// can be read in two ways, 405 for CONNECT and TRACE, and 503 with `Retry-After` where that cannot be checked because the store is away. The site's `handle_errors` answers a refusal where it has a route for it, and finds the
// reason in `{http.auth.postern.error}` and what to find it by in the logs in `{http.auth.postern.request_id}`; otherwise a browser gets a small page, and a program `application/problem+json`.
//
// Guarded requests have these placeholders: `{http.auth.user.id}`, which is also the `user_id` of access logs,
// and likewise for every other field that `copy_headers` knows: `{http.auth.user.username}`, `{http.auth.user.permissions}`,
// `{http.auth.user.custom.plan}`. Where a user is known and refused, they are in `{http.auth.candidate.id}` and so on.
//
// Do not use a matcher to leave some paths open: on those nothing is removed, and a client can pretend to be anybody. That is
// what `public` is for.
//
// Texts may hold `{env.NAME}` and `{file./path}`, which are read when the configuration is loaded.
type Auth struct {
	guard.Settings

	// PublicMatchers are further requests that anybody may make, beside those to the paths that are `public`. Their paths must be
	// ones that nobody can read in two ways; others are refused.
	PublicMatchers caddyhttp.RawMatcherSets `json:"public_matchers,omitempty" caddy:"namespace=http.matchers"`

	guard  *sharedGuard // nil until provisioned
	public caddyhttp.MatcherSets
}

// CaddyModule returns the Caddy module information.
func (*Auth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.postern_auth", New: func() caddy.Module { return new(Auth) }}
}

// Provision takes the guard. It opens nothing; the keys of issuers elsewhere are fetched from now on, in the background.
func (a *Auth) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	if err := resolveTexts(&a.Settings); err != nil {
		return err
	}
	if a.PublicMatchers != nil {
		loaded, err := ctx.LoadModule(a, "PublicMatchers")
		if err != nil {
			return fmt.Errorf("public: %w", err)
		}
		if err := a.public.FromInterface(loaded); err != nil {
			return fmt.Errorf("public: %w", err)
		}
	}
	if a.guard, err = app.guard(a.Settings); err != nil {
		return err
	}
	if server, is := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); is {
		server.RegisterConnContext(guard.ConnContext)
	}
	return a.guard.gateErrorRoutes(ctx)
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
	return err
}

// ServeHTTP asks the guard, and passes an allowed request on.
func (a *Auth) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	lastIfUnsure(w, r)
	met := asMet(r)
	if met != r { // whom the former guards let in is nobody until this one says so
		introduceNobody(r)
	}
	v, err := a.judge(met)
	if err != nil { // of a matcher: it is not known what the request is for
		a.guard.leaveToErrorRoutes(r, a.guard.Prepare(met, guard.Verdict{Decision: guard.CannotKnow}))
		introduceNobody(r)
		return err
	}
	if v.Decision != guard.Allow {
		prepared := a.guard.Prepare(met, v)
		a.guard.leaveToErrorRoutes(r, prepared)
		return a.refuse(w, prepared, v)
	}
	admitted, leave := a.guard.Admit(w, met, v)
	defer leave()
	introduce(admitted, userPrefix, guard.FieldsFrom(admitted.Context()))
	a.guard.leaveToErrorRoutes(r, admitted)
	defer showBody(r, admitted).end()
	answer, end := a.guard.Answer(w, admitted)
	defer end()
	return next.ServeHTTP(untilEnd(answer, admitted), admitted)
}

// judge asks the guard.
func (a *Auth) judge(r *http.Request) (guard.Verdict, error) {
	if len(a.public) > 0 && !guard.IsTunnel(r) { // which nobody may have, and no error route either
		public, err := a.public.AnyMatchWithError(r)
		if err != nil {
			return guard.Verdict{}, err
		}
		if public {
			return a.guard.JudgePublic(r), nil
		}
	}
	return a.guard.Judge(r), nil
}

// refuse leaves the answer to the site's error routes where one of them speaks, and else gives it itself.
func (a *Auth) refuse(w http.ResponseWriter, r *http.Request, v guard.Verdict) error {
	leaveBody(w, r)
	v.Refusal.RequestID = requestID(r)
	logField(r, zap.String("reason", v.Refusal.Reason))
	replacerOf(r).Set(refusalReason, v.Refusal.Reason)
	replacerOf(r).Set(refusalID, v.Refusal.RequestID)
	introduceNobody(r)
	introduce(r, candidatePrefix, v.Fields())
	why := caddyhttp.Error(v.Refusal.Status, errors.New(v.Refusal.Reason))
	asked := asAsked(r)
	if a.guard.MustAnswer(asked, v) || !hasErrorRoute(asked, why) {
		a.guard.Refuse(w, asked, v)
		return nil
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set(failure.IDHeader, v.Refusal.RequestID)
	if v.Refusal.Challenge != "" {
		h.Set("WWW-Authenticate", v.Refusal.Challenge)
	}
	setRetryAfter(h, v.Refusal.RetryAfter)
	return why
}

// asAsked returns a refused request as its client sent it, before anything was rewritten: that is where a browser returns to, and what error routes are for.
func asAsked(r *http.Request) *http.Request {
	original, is := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !is || original.URL == nil {
		return r
	}
	asked := *r
	asked.Method, asked.URL = original.Method, original.URL
	return &asked
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Auth)(nil)
	_ caddy.CleanerUpper          = (*Auth)(nil)
	_ caddyhttp.MiddlewareHandler = (*Auth)(nil)
)
