package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/postern-auth/postern/guard"
)

// UnmarshalCaddyfile reads the directive. Syntax:
//
//	postern_auth [<matcher>] [<realm>] {
//		from           bearer|cookie|api_key...
//		cookie         <name> [insecure]
//		api_key_header <name>
//		issuer         <name> <issuer> {
//			jwks_url      <url>
//			audience      <audience...>
//			algorithms    <name...>
//			claim         <what> [<claim>]
//			require_claim <claim> <value...>
//			emails        verified|all|trusted
//			user_type     human|api
//			mfa_amr       <value...>
//			mfa_acr       <value...>
//			unprefixed
//			skew          <duration>
//			max_age       <duration>
//			allow         <network...>
//			ca_file       <file>
//		}
//		public         <path...>
//		public {
//			<matchers>
//		}
//		optional
//		user_type        human|api
//		vouched_by       <issuer...>
//		require          <permission...>
//		require_any      <permission...>
//		org              <id>
//		email_verified
//		mfa
//		signed_in_within <duration>
//		rule [<path...>] {
//			method <method...>
//			public
//			<what users must be, as above>
//		}
//		login_url <url> [<parameter>]
//		origins   <origin...>
//		copy_headers {
//			<header> <field>
//		}
//		pass_token
//		assertion <audience>
//		check     feed|always
//		stale_ok  <duration>
//	}
func (a *Auth) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the directive
	if d.NextArg() {
		if a.Realm = d.Val(); a.Realm == "" {
			return d.Err("the name of the realm is empty")
		}
		if d.NextArg() {
			return d.ArgErr()
		}
	}
	known := policyWords(&a.Policy)
	for name, read := range a.words() {
		known[name] = read
	}
	if err := block(d, known, "public", "rule", "issuer"); err != nil {
		return err
	}
	return checkParsed(d, &a.Settings, a.Settings.Validate)
}

// words are what the block may hold besides what users must be.
func (a *Auth) words() subdirectives {
	return subdirectives{
		"from":           texts(&a.From),
		"cookie":         cookie(&a.Cookie),
		"api_key_header": text(&a.APIKeyHeader),
		"issuer":         a.unmarshalIssuer,
		"public":         a.unmarshalPublic,
		"optional":       alone(&a.Optional),
		"rule":           a.unmarshalRule,
		"login_url":      a.unmarshalLogin,
		"origins":        texts(&a.Origins),
		"copy_headers":   a.unmarshalCopyHeaders,
		"pass_token":     alone(&a.PassToken),
		"assertion":      text(&a.Assertion),
		"check":          text(&a.Check),
		"stale_ok":       period(&a.StaleOK),
	}
}

// policyWords are what users must be.
func policyWords(p *guard.Policy) subdirectives {
	return subdirectives{
		"user_type":        text(&p.UserType),
		"vouched_by":       texts(&p.VouchedBy),
		"require":          texts(&p.Require),
		"require_any":      texts(&p.RequireAny),
		"org":              text(&p.Org),
		"email_verified":   alone(&p.EmailVerified),
		"mfa":              alone(&p.MFA),
		"signed_in_within": age(&p.SignedInWithin),
	}
}

// period reads a length of time.
func period(to *guard.Duration) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		var parsed caddy.Duration
		if err := duration(&parsed)(d); err != nil {
			return err
		}
		*to = guard.Duration(time.Duration(parsed))
		return nil
	}
}

// age reads a length of time that may be left out.
func age(to **guard.Duration) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		*to = new(guard.Duration)
		return period(*to)(d)
	}
}

// cookie reads the name of the cookie, and whether it may travel in the clear.
func cookie(to *guard.Cookie) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) == 0 || len(args) > 2 || args[0] == "" {
			return d.ArgErr()
		}
		*to = guard.Cookie{Name: args[0], Insecure: len(args) == 2}
		if len(args) == 2 && args[1] != "insecure" {
			return d.Errf("cookie: %q is unknown; there is insecure", args[1])
		}
		return nil
	}
}

// unmarshalPublic reads paths, or a block of matchers.
func (a *Auth) unmarshalPublic(d *caddyfile.Dispenser) error {
	paths := d.RemainingArgs()
	a.Public = append(a.Public, paths...)
	if len(paths) > 0 {
		return nil
	}
	set, err := caddyhttp.ParseCaddyfileNestedMatcherSet(d)
	if err != nil {
		return err
	}
	if len(set) == 0 {
		return d.Err("public takes paths, or a block of matchers")
	}
	a.PublicMatchers = append(a.PublicMatchers, set)
	return nil
}

// unmarshalRule reads a rule.
func (a *Auth) unmarshalRule(d *caddyfile.Dispenser) error {
	var r guard.Rule
	if paths := d.RemainingArgs(); len(paths) > 0 {
		r.Paths = paths
	}
	known := policyWords(&r.Policy)
	known["method"] = texts(&r.Methods)
	known["public"] = alone(&r.Public)
	if err := block(d, known); err != nil {
		return err
	}
	a.Rules = append(a.Rules, r)
	return nil
}

// unmarshalLogin reads where to sign in, and the parameter for the way back.
func (a *Auth) unmarshalLogin(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 || args[0] == "" || args[len(args)-1] == "" {
		return d.ArgErr()
	}
	a.LoginURL = args[0]
	if len(args) == 2 {
		a.ReturnParam = args[1]
	}
	return nil
}

// unmarshalCopyHeaders reads the block copy_headers, which may be empty.
func (a *Auth) unmarshalCopyHeaders(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Err("copy_headers takes a block with a line for each header: its name, and what it carries")
	}
	a.CopyHeaders = map[string]string{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if _, ok := a.CopyHeaders[name]; ok {
			return d.Errf("header %s is there twice", name)
		}
		if !d.NextArg() {
			return d.Errf("header %s: what should it carry?", name)
		}
		a.CopyHeaders[name] = d.Val()
		if d.NextArg() {
			return d.ArgErr()
		}
	}
	return nil
}
