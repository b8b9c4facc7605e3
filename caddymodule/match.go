package caddymodule

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/postern-auth/postern/guard"
)

// MatchUser matches requests of users that a guard has let in, and that are what it asks for; without settings, of anybody
// who is signed in. It looks nothing up, and matches nothing that passed no `postern_auth` before: in a Caddyfile, use it
// on directives that come later, such as `reverse_proxy`. Texts may hold `{env.NAME}` and `{file./path}`.
type MatchUser struct {
	guard.Policy
}

// CaddyModule returns the Caddy module information.
func (*MatchUser) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.postern", New: func() caddy.Module { return new(MatchUser) }}
}

// Provision resolves the placeholders.
func (m *MatchUser) Provision(caddy.Context) error { return resolveTexts(&m.Policy) }

// Validate refuses settings that make no sense.
func (m *MatchUser) Validate() error { return m.Policy.Validate() }

// Match reports whether a request matches.
func (m *MatchUser) Match(r *http.Request) bool {
	who, ok := guard.FromContext(r.Context())
	return ok && m.Admits(&who, time.Now())
}

// MatchWithError reports whether a request matches; it never fails.
func (m *MatchUser) MatchWithError(r *http.Request) (bool, error) { return m.Match(r), nil }

// UnmarshalCaddyfile reads the matcher. Syntax:
//
//	postern {
//		user_type        human|api
//		vouched_by       <issuer...>
//		require          <permission...>
//		require_any      <permission...>
//		org              <id>
//		email_verified
//		mfa
//		signed_in_within <duration>
//	}
func (m *MatchUser) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the matcher
	if d.NextArg() {
		return d.ArgErr()
	}
	if err := block(d, policyWords(&m.Policy)); err != nil {
		return err
	}
	return checkParsed(d, &m.Policy, m.Policy.Validate)
}

// Interface guards.
var (
	_ caddy.Provisioner                 = (*MatchUser)(nil)
	_ caddy.Validator                   = (*MatchUser)(nil)
	_ caddyhttp.RequestMatcherWithError = (*MatchUser)(nil)
	_ caddyfile.Unmarshaler             = (*MatchUser)(nil)
)
