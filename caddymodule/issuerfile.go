package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/postern-auth/postern/guard"
)

// unmarshalIssuer reads an issuer elsewhere, as UnmarshalCaddyfile says.
func (a *Auth) unmarshalIssuer(d *caddyfile.Dispenser) error {
	var i guard.Issuer
	if !d.AllArgs(&i.Name, &i.Issuer) {
		return d.Err("issuer takes a name, the iss of its tokens, and a block with their audience")
	}
	known := subdirectives{
		"jwks_url":      text(&i.JWKSURL),
		"audience":      texts(&i.Audience),
		"algorithms":    texts(&i.Algorithms),
		"claim":         claim(&i),
		"require_claim": requiredClaim(&i),
		"emails":        text(&i.Emails),
		"user_type":     text(&i.UserType),
		"mfa_amr":       texts(&i.MFAMethods),
		"mfa_acr":       texts(&i.MFAClasses),
		"unprefixed":    alone(&i.Unprefixed),
		"skew":          age(&i.Skew),
		"max_age":       age(&i.MaxAge),
		"allow":         texts(&i.Allow),
		"ca_file":       text(&i.CAFile),
	}
	if err := block(d, known, "claim", "require_claim"); err != nil {
		return err
	}
	a.Issuers = append(a.Issuers, i)
	return nil
}

// claim reads what is told by which claim, or by none.
func claim(to *guard.Issuer) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) == 0 || len(args) > 2 {
			return d.ArgErr()
		}
		if _, there := to.Claims[args[0]]; there {
			return d.Errf("claim %s is there twice", args[0])
		}
		if to.Claims == nil {
			to.Claims = map[string]string{}
		}
		to.Claims[args[0]] = append(args, "")[1]
		return nil
	}
}

// requiredClaim reads a claim that tokens must have, and its values.
func requiredClaim(to *guard.Issuer) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) < 2 {
			return d.Err("require_claim takes a claim, and the values that it may have")
		}
		if _, there := to.RequireClaims[args[0]]; there {
			return d.Errf("require_claim %s is there twice", args[0])
		}
		if to.RequireClaims == nil {
			to.RequireClaims = map[string][]string{}
		}
		to.RequireClaims[args[0]] = args[1:]
		return nil
	}
}
