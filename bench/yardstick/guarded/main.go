// Command guarded is Caddy with Postern's module, and with a handler that does what every guard must do to a request
// and verifies nothing.
package main

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/postern-auth/postern/caddymodule"
)

func init() {
	caddy.RegisterModule(Nothing{})
	httpcaddyfile.RegisterHandlerDirective("bench_nothing", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return new(Nothing), nil
	})
}

func main() { caddycmd.Main() }

// Nothing lets every request through: it removes the credential and sets four identity headers.
type Nothing struct{}

// CaddyModule returns the Caddy module information.
func (Nothing) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_nothing", New: func() caddy.Module { return new(Nothing) }}
}

// The values of the headers, which the guard remembers ready-made too.
var (
	id       = []string{"usr_2TqAw8Yc4Zn0bV6sXe1uKd"}
	username = []string{"user-00000000"}
	email    = []string{"user-00000000@example.com"}
	account  = []string{"account-00000000"}
)

// ServeHTTP passes every request on.
func (Nothing) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	delete(r.Header, "Authorization")
	r.Header["X-Postern-User-Id"] = id
	r.Header["X-Postern-Username"] = username
	r.Header["X-Postern-Email"] = email
	r.Header["X-Postern-Arbitrary-Id"] = account
	return next.ServeHTTP(w, r)
}

var _ caddyhttp.MiddlewareHandler = (*Nothing)(nil)
