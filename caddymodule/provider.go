package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/postern-auth/postern/guard"
)

// Provider tells Caddy's `authentication` handler who a request comes from, beside other providers: whoever one of them knows
// is let in.
//
// It sets placeholders and the `user_id` of access logs, and nothing else. It tells the app nothing in headers and removes none that a
// client forged, because Caddy asks providers in any order and stops at the first that knows somebody; every refusal
// is a 401, also while the store is away. Wherever that matters, and it does where an app trusts `X-Postern-*`, use `postern_auth`.
type Provider struct {
	guard.Settings

	guard *sharedGuard // nil until provisioned
}

// CaddyModule returns the Caddy module information.
func (*Provider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.authentication.providers.postern", New: func() caddy.Module { return new(Provider) }}
}

// Provision takes the guard, as that of Auth does.
func (p *Provider) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	if err := resolveTexts(&p.Settings); err != nil {
		return err
	}
	p.guard, err = app.guard(p.Settings)
	return err
}

// Cleanup gives the guard back.
func (p *Provider) Cleanup() error {
	if p.guard == nil {
		return nil
	}
	_, err := guards.Delete(p.guard.key)
	return err
}

// Authenticate says who a request comes from.
func (p *Provider) Authenticate(_ http.ResponseWriter, r *http.Request) (caddyauth.User, bool, error) {
	v := p.guard.Judge(r)
	if v.Decision == guard.CannotKnow {
		return caddyauth.User{}, false, errors.New(v.Refusal.Reason)
	}
	who, ok := v.Identity()
	if !ok {
		return caddyauth.User{}, false, nil
	}
	user := caddyauth.User{ID: string(who.User), Metadata: map[string]string{}}
	for _, name := range guard.FieldNames() {
		if text, _ := guard.FieldOf(name, &who); name != "id" && text != "" {
			user.Metadata[name] = text
		}
	}
	return user, true, nil
}

// Interface guards.
var (
	_ caddy.Provisioner       = (*Provider)(nil)
	_ caddy.CleanerUpper      = (*Provider)(nil)
	_ caddyauth.Authenticator = (*Provider)(nil)
)
