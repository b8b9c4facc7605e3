package caddymodule

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/postern-auth/postern/httpapi"
)

// API serves Postern's API, `/v1`: users, credentials and sessions. Its endpoints authenticate their callers themselves, so
// it belongs before the guard, where the order of directives puts it. A request for any other path is passed on.
//
// A request that writes and came as TLS early data, which an eavesdropper can send again, gets 425 until
// the handshake is complete. While the store cannot be opened, calls get 503 with `Retry-After`. All errors of the API have
// its own bodies, in the form that each caller speaks; `handle_errors` is not asked.
type API struct {
	app *App
}

// CaddyModule returns the Caddy module information.
func (*API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.postern_api", New: func() caddy.Module { return new(API) }}
}

// Provision takes the app.
func (a *API) Provision(ctx caddy.Context) (err error) {
	a.app, err = appOf(ctx)
	return err
}

// openPatience is for how long a call waits for the store to be opened.
const openPatience = 5 * time.Second

// keySetPath is where the default realm's public keys are, beside /v1, if the directive is used without a matcher.
const keySetPath = "/.well-known/jwks.json"

// ServeHTTP serves a call of the API.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !a.serves(r) {
		return next.ServeHTTP(w, r)
	}
	lastIfUnsure(w, r)
	r = withID(r)
	awaitBody(w, r)
	if isEarlyWrite(r) {
		httpapi.Refuse(w, r, httpapi.ErrTooEarly)
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), openPatience)
	parts, err := a.app.engine.open(ctx)
	cancel()
	if err != nil {
		httpapi.Refuse(w, r, errNotOpen)
		return nil
	}
	parts.API.ServeHTTP(w, r)
	return nil
}

// serves reports whether a request is for the API.
func (*API) serves(r *http.Request) bool {
	return r.URL.Path == "/v1" || strings.HasPrefix(r.URL.Path, "/v1/") || r.URL.Path == keySetPath
}

// isEarlyWrite reports whether a request writes and came as TLS early data, which an eavesdropper can send again.
func isEarlyWrite(r *http.Request) bool {
	return r.TLS != nil && !r.TLS.HandshakeComplete && r.Method != http.MethodGet && r.Method != http.MethodHead
}

// Interface guards.
var (
	_ caddy.Provisioner           = (*API)(nil)
	_ caddyhttp.MiddlewareHandler = (*API)(nil)
)
