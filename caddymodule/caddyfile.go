package caddymodule

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// registerDirectives makes the Caddyfile understand us. Each "after forward_auth" goes right behind that directive, so the
// last one registered comes first: the pages and the API before the guard, and both behind what limits rates.
func registerDirectives() {
	httpcaddyfile.RegisterGlobalOption("postern", parseApp)
	httpcaddyfile.RegisterHandlerDirective("postern_auth", parseAuth)
	httpcaddyfile.RegisterHandlerDirective("postern_api", parseAPI)
	httpcaddyfile.RegisterDirectiveOrder("postern_auth", httpcaddyfile.After, "forward_auth")
	httpcaddyfile.RegisterDirectiveOrder("postern_api", httpcaddyfile.After, "forward_auth")
	httpcaddyfile.RegisterDirective("postern_pages", parsePages)
	httpcaddyfile.RegisterDirectiveOrder("postern_pages", httpcaddyfile.After, "forward_auth")
}

// parseApp reads the global option.
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next() // for the line that the error names
		return nil, d.Err("there is a postern block already; put all settings into one")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "postern", Value: caddyconfig.JSON(app, nil)}, nil
}

// parseAuth reads the directive postern_auth.
func parseAuth(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(Auth)
	return a, a.UnmarshalCaddyfile(h.Dispenser)
}

// parseAPI reads the directive postern_api.
func parseAPI(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(API)
	return a, a.UnmarshalCaddyfile(h.Dispenser)
}

// parsePages reads the directive postern_pages, whose argument is a path and no matcher.
func parsePages(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	p := new(Pages)
	if err := p.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return h.NewRoute(nil, p), nil
}

// UnmarshalCaddyfile reads the global option. Syntax:
//
//	postern {
//		redis [<url>] {
//			address           <host:port...>
//			mode              single|sentinel|cluster
//			master_name       <name>
//			username          <name>
//			password          {env.NAME}|{file./path}
//			sentinel_username <name>
//			sentinel_password {env.NAME}|{file./path}
//			db                <number>
//			tls {
//				ca          <file>
//				cert        <file>
//				key         <file>
//				server_name <name>
//			}
//			key_prefix    <text>
//			pool_size     <number>
//			dial_timeout  <duration>
//			read_timeout  <duration>
//			write_timeout <duration>
//			call_timeout  <duration>
//			durability    default|none|replicas|disk
//			wait_replicas <number>
//			wait_timeout  <duration>
//			wait_all
//		}
//		master_key        {env.NAME}|{file./path}
//		former_master_key {env.NAME}|{file./path}
//		public_url        <url>
//		api_rate          <calls a second>
//		max_staleness     <duration>
//		hash_memory       <KiB>
//		hash_passes       <number>
//		hash_slots        <number>
//		password_list     <file>
//		data              <folder>
//
//		smtp_host          <host>
//		smtp_port          <number>
//		smtp_tls           starttls|implicit|none
//		smtp_user          <name>
//		smtp_password      {env.NAME}|{file./path}
//		smtp_password_file <file>
//		smtp_from          <address>
//		smtp_ca            <file>
//		mail_links         <url>
//		webhook_allow      <network...>
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the option
	if d.NextArg() {
		return d.ArgErr()
	}
	known := a.Outgoing.words()
	maps.Copy(known, subdirectives{
		"redis": func(d *caddyfile.Dispenser) error {
			a.Redis = new(Redis)
			return a.Redis.unmarshal(d)
		},
		"master_key":        secret(&a.MasterKey),
		"former_master_key": secret(&a.FormerMasterKey),
		"public_url":        text(&a.PublicURL),
		"api_rate":          number(&a.APIRate),
		"max_staleness":     duration(&a.MaxStaleness),
		"hash_memory":       number(&a.HashMemory),
		"hash_passes":       number(&a.HashPasses),
		"hash_slots":        number(&a.HashSlots),
		"password_list":     text(&a.PasswordList),
		"data":              text(&a.Data),
	})
	return block(d, known)
}

// words are what the block may hold about e-mails and webhooks.
func (o *Outgoing) words() subdirectives {
	return subdirectives{
		"smtp_host":          text(&o.SMTPHost),
		"smtp_port":          number(&o.SMTPPort),
		"smtp_tls":           text(&o.SMTPTLS),
		"smtp_user":          text(&o.SMTPUser),
		"smtp_password":      secret(&o.SMTPPassword),
		"smtp_password_file": text(&o.SMTPPasswordFile),
		"smtp_from":          text(&o.SMTPFrom),
		"smtp_ca":            text(&o.SMTPCA),
		"mail_links":         text(&o.MailLinks),
		"webhook_allow":      texts(&o.WebhookAllow),
	}
}

// unmarshal reads the block redis.
func (c *Redis) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		if c.URL = d.Val(); !isURLSafe(c.URL) {
			return d.WrapErr(secretError("redis url"))
		}
		if d.NextArg() {
			return d.ArgErr()
		}
	}
	return block(d, subdirectives{
		"address":           texts(&c.Addresses),
		"mode":              text(&c.Mode),
		"master_name":       text(&c.MasterName),
		"username":          text(&c.Username),
		"password":          secret(&c.Password),
		"sentinel_username": text(&c.SentinelUsername),
		"sentinel_password": secret(&c.SentinelPassword),
		"db":                number(&c.DB),
		"tls":               func(d *caddyfile.Dispenser) error { c.TLS = new(TLS); return c.TLS.unmarshal(d) },
		"key_prefix":        text(&c.KeyPrefix),
		"pool_size":         number(&c.PoolSize),
		"dial_timeout":      duration(&c.DialTimeout),
		"read_timeout":      duration(&c.ReadTimeout),
		"write_timeout":     duration(&c.WriteTimeout),
		"call_timeout":      duration(&c.CallTimeout),
		"durability":        text(&c.Durability),
		"wait_replicas":     number(&c.WaitReplicas),
		"wait_timeout":      duration(&c.WaitTimeout),
		"wait_all":          alone(&c.WaitAll),
	})
}

// unmarshal reads the block tls.
func (c *TLS) unmarshal(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	return block(d, subdirectives{
		"ca": text(&c.CA), "cert": text(&c.Cert), "key": text(&c.Key), "server_name": text(&c.ServerName),
	})
}

// UnmarshalCaddyfile reads the directive. Syntax:
//
//	postern_api [<matcher>]
func (a *API) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of the directive
	if d.NextArg() {
		return d.ArgErr()
	}
	return block(d, subdirectives{})
}

// subdirectives are what a block may hold, and what reads each.
type subdirectives map[string]func(d *caddyfile.Dispenser) error

// block reads a block, if there is one. Nothing may be there twice but what repeats.
func block(d *caddyfile.Dispenser, known subdirectives, repeats ...string) error {
	seen := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		read, ok := known[name]
		switch {
		case !ok && len(known) == 0:
			return d.Errf("unrecognized subdirective: %s; there are none here", name)
		case !ok:
			return d.Errf("unrecognized subdirective: %s; there are %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case seen[name] && !slices.Contains(repeats, name):
			return d.Errf("%s is there twice", name)
		}
		seen[name] = true
		if err := read(d); err != nil {
			return err
		}
	}
	return nil
}

// one returns the only argument of a subdirective.
func one(d *caddyfile.Dispenser) (string, error) {
	var value string
	if !d.AllArgs(&value) || value == "" {
		return "", d.ArgErr()
	}
	return value, nil
}

// text reads a text.
func text[T ~string](to *T) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		value, err := one(d)
		*to = T(value)
		return err
	}
}

// texts reads one or more texts.
func texts[T ~string](to *[]T) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) == 0 || slices.Contains(args, "") {
			return d.ArgErr()
		}
		for _, value := range args {
			*to = append(*to, T(value))
		}
		return nil
	}
}

// secret reads a text that must be nothing but placeholders.
func secret(to *string) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		value, err := one(d)
		if err != nil {
			return err
		}
		if !isSecretSafe(value) {
			return d.WrapErr(secretError(name))
		}
		*to = value
		return nil
	}
}

// number reads a whole number.
func number(to *int) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		value, err := one(d)
		if err != nil {
			return err
		}
		if *to, err = strconv.Atoi(value); err != nil {
			return d.Errf("%s is %q; a whole number is needed", name, value)
		}
		return nil
	}
}

// duration reads a length of time.
func duration(to *caddy.Duration) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		value, err := one(d)
		if err != nil {
			return err
		}
		parsed, err := caddy.ParseDuration(value)
		if err != nil {
			return d.Errf("%s is %q; a duration like 500ms or 5s is needed", name, value)
		}
		*to = caddy.Duration(parsed)
		return nil
	}
}

// alone reads a subdirective that stands alone.
func alone(to *bool) func(*caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		if d.NextArg() {
			return d.ArgErr()
		}
		*to = true
		return nil
	}
}

// Interface guards.
var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*Auth)(nil)
	_ caddyfile.Unmarshaler = (*API)(nil)
)
