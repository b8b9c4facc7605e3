package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/failure"
	"github.com/postern-auth/postern/pages"
)

// Pages serves plain pages for people to sign in and out, which need no script: `/auth/sign-in` and `/auth/sign-out`. They set
// the cookie that `postern_auth` on the same site reads, and stand before it, so that nobody must be signed in to sign in. A
// request for any other path is passed on.
//
// Set `login_url` of the guard to `/auth/sign-in`, so that browsers are sent there. Where the guard has a `realm`, a `cookie` or
// `origins`, give the pages the same. While the store cannot be opened, the pages answer 503 with `Retry-After`. Texts may hold `{env.NAME}` and `{file./path}`.
type Pages struct {
	// Mount is the path that the pages are under, without a slash at its end. The default is `/auth`.
	Mount string `json:"mount,omitempty"`

	// Realm is the realm whose users sign in, by id or name. The default is `default`.
	Realm string `json:"realm,omitempty"`

	// Title is what people sign in to, in at most 100 bytes. The default is the host that they reach the pages by.
	Title string `json:"title,omitempty"`

	// ForgotURL is where the page to sign in sends who forgot their password: a path, an address, or `mailto:help@example.com`. The default is nowhere.
	ForgotURL string `json:"forgot_url,omitempty"`

	// SignUpURL is where it sends who has no account yet, likewise.
	SignUpURL string `json:"sign_up_url,omitempty"`

	// Cookie is the cookie that the pages set. The default is that of the guard.
	Cookie guard.Cookie `json:"cookie,omitzero"`

	// Origins are where one may return to after signing in, beside the site itself: `https://app.example.com`.
	Origins []string `json:"origins,omitempty"`

	app   *App
	guard *sharedGuard                // makes the cookie; nil until provisioned
	made  atomic.Pointer[pages.Pages] // nil until the store is open
}

// CaddyModule returns the Caddy module information.
func (*Pages) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.postern_pages", New: func() caddy.Module { return new(Pages) }}
}

// Provision takes the app and a guard, for its cookie. It opens nothing.
func (p *Pages) Provision(ctx caddy.Context) (err error) {
	if err := errors.Join(resolveTexts(p), p.check()); err != nil {
		return err
	}
	if p.app, err = appOf(ctx); err != nil {
		return err
	}
	if p.guard, err = p.app.guard(p.settings()); err != nil {
		return err
	}
	return p.guard.gateErrorRoutes(ctx)
}

// Cleanup gives the guard back. It forgets nothing: requests under way still use it.
func (p *Pages) Cleanup() error {
	if p.guard == nil {
		return nil
	}
	_, err := guards.Delete(p.guard.key)
	return err
}

// settings are those that the pages and the guard of a site have in common.
func (p *Pages) settings() guard.Settings {
	return guard.Settings{Realm: p.Realm, Cookie: p.Cookie, Origins: p.Origins}
}

// mount returns the path that the pages are under.
func (p *Pages) mount() string {
	if p.Mount == "" {
		return pages.DefaultMount
	}
	return p.Mount
}

// check refuses settings that make no sense.
func (p *Pages) check() error {
	var title error
	if len(p.Title) > 100 {
		title = errors.New("title must have at most 100 bytes")
	}
	settings := p.settings()
	return errors.Join(pages.CheckMount(p.mount()), title, pages.CheckLink("forgot_url", p.ForgotURL), pages.CheckLink("sign_up_url", p.SignUpURL), settings.Validate())
}

// ServeHTTP serves a page.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !pages.IsUnder(p.mount(), r) {
		return next.ServeHTTP(w, r)
	}
	lastIfUnsure(w, r)
	asked := r
	r = withID(r)
	w.Header().Set(failure.IDHeader, failure.IDOf(r))
	awaitBody(w, r)
	if guard.IsTunnel(r) {
		p.guard.Refuse(w, r, p.guard.Judge(r))
		return nil
	}
	if isEarlyWrite(r) {
		return p.fail(asked, http.StatusTooEarly, errors.New("a form that came as early data could be sent twice"))
	}
	hosted, err := p.open(r.Context())
	if err != nil {
		setRetryAfter(w.Header(), openAgain)
		w.Header().Set("Cache-Control", "no-store")
		return p.fail(asked, http.StatusServiceUnavailable, err)
	}
	hosted.ServeHTTP(w, r)
	return nil
}

// fail leaves the answer to the site's error routes, which may ask an app: what a client forged is gone there, as behind a guard.
func (p *Pages) fail(r *http.Request, status int, why error) error {
	p.guard.leaveToErrorRoutes(r, p.guard.Prepare(r, guard.Verdict{Decision: guard.CannotKnow}))
	return caddyhttp.Error(status, why)
}

// open returns the pages, as soon as the store is open.
func (p *Pages) open(ctx context.Context) (*pages.Pages, error) {
	if made := p.made.Load(); made != nil {
		return made, nil
	}
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	parts, err := p.app.engine.open(ctx)
	if err != nil {
		return nil, err
	}
	made, err := parts.NewPages(p.guard.Guard, pages.Options{Realm: p.Realm, Mount: p.Mount, Origins: p.Origins, Title: p.Title, Forgot: p.ForgotURL, SignUp: p.SignUpURL,
		Address: func(r *http.Request) string { return clientAddress(r).String() }})
	if err != nil {
		return nil, err
	}
	p.made.Store(made)
	return made, nil
}

// UnmarshalCaddyfile reads the directive. It takes no matcher: its argument is the path of the pages. Syntax:
//
//	postern_pages [<mount>] {
//		realm       <realm>
//		title       <text>
//		forgot_url  <address>
//		sign_up_url <address>
//		cookie      <name> [insecure]
//		origins     <origin...>
//	}
func (p *Pages) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the directive
	if d.NextArg() {
		p.Mount = d.Val()
		if d.NextArg() {
			return d.ArgErr()
		}
	}
	err := block(d, subdirectives{"realm": text(&p.Realm), "title": text(&p.Title), "forgot_url": text(&p.ForgotURL), "sign_up_url": text(&p.SignUpURL),
		"cookie": cookie(&p.Cookie), "origins": texts(&p.Origins)})
	if err != nil {
		return err
	}
	return checkParsed(d, p, p.check)
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*Pages)(nil)
	_ caddy.CleanerUpper          = (*Pages)(nil)
	_ caddyhttp.MiddlewareHandler = (*Pages)(nil)
	_ caddyfile.Unmarshaler       = (*Pages)(nil)
)
