package sidecar

import (
	"encoding"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Setting is one thing that can be set of a sidecar, under one word everywhere: redis_url in a configuration file is
// POSTERN_REDIS_URL in the environment and, for most, --redis-url on the command line.
type Setting struct {
	Name    string // in a file
	Flag    string // on the command line, without dashes; "" = it has none
	Usage   string // what it is for, in a line
	Default string // "" = none

	to func(*Options) any // *string, *bool, *int, *time.Duration, *[]string, or what reads and writes texts
}

// Env returns the setting's name in the environment.
func (s Setting) Env() string { return envName(s.Name) }

// envName returns what a setting is called in the environment.
func envName(name string) string { return "POSTERN_" + strings.ToUpper(name) }

// IsSwitch reports whether the setting is true or false.
func (s Setting) IsSwitch() bool {
	_, is := s.to(&Options{}).(*bool)
	return is
}

// Settings are all that have one value, or a list of them. What has a structure of its own, such as issuers, is in files, and in the environment as YAML.
var Settings = []Setting{
	{"upstream", "upstream", "the app to guard: http://127.0.0.1:3000, https://, h2c://, or unix:/run/app.sock", "", func(o *Options) any { return &o.Upstream }},
	{"upstream_ca", "", "file with the certificates (PEM) that may vouch for an https upstream", "the system's", func(o *Options) any { return &o.UpstreamCA }},
	{"listen", "listen", "guarded address: host:port (port 0 takes a free one, for the API too) or unix:/run/postern.sock", "127.0.0.1:8080", func(o *Options) any { return &o.Listen }},
	{"tls_cert", "tls-cert", "certificate chain (PEM) of the guarded address; read again when it changes", "plain HTTP", func(o *Options) any { return &o.TLSCert }},
	{"tls_key", "tls-key", "private key (PEM) of tls_cert", "", func(o *Options) any { return &o.TLSKey }},
	{"h2c", "", "accept HTTP/2 without TLS, as gRPC clients inside a network speak it", "false", func(o *Options) any { return &o.H2C }},
	{"trusted_proxies", "trusted-proxies", "who may say where a request comes from, in X-Forwarded-*: addresses, networks, private, or unix", "nobody", func(o *Options) any { return &o.TrustedProxies }},
	{"api_listen", "api-listen", "address of the /v1 API, or off", "127.0.0.1:8081", func(o *Options) any { return &o.APIListen }},
	{"api_mount", "", "serve /v1 under the guarded address too: account (what holders of tokens need) or all", "neither", func(o *Options) any { return &o.APIMount }},
	{"api_rate", "", "how many calls a second each management key may make here, and ten times that at once", "no bound", func(o *Options) any { return &o.APIRate }},
	{"forward_auth_listen", "forward-auth-listen", "address where the proxies in trusted_proxies ask for verdicts; upstream may then be left out", "off", func(o *Options) any { return &o.ForwardAuthListen }},
	{"admin_listen", "admin-listen", "address of /healthz, /readyz and /metrics", "off", func(o *Options) any { return &o.AdminListen }},
	{"data", "data", "folder for the data and the keys", "postern-data", func(o *Options) any { return &o.Data }},
	{"redis_url", "redis", "keep the data in this Redis: redis://user:password@host:6379/0", "the embedded store", func(o *Options) any { return &o.RedisURL }},
	{"durability", "durability", "with Redis, what revocations and the like must have outlived: default, none, replicas (WAIT) or disk (WAITAOF)", "default", func(o *Options) any { return &o.Durability }},
	{"wait_replicas", "wait-replicas", "with durability replicas or disk, on how many replicas", "", func(o *Options) any { return &o.WaitReplicas }},
	{"master_key_file", "master-key-file", "file with the master key", "master.key in the data folder; required with Redis", func(o *Options) any { return &o.MasterKeyFile }},
	{"former_master_key_file", "former-master-key-file", "file with the former master key, while it is being replaced", "", func(o *Options) any { return &o.FormerMasterKeyFile }},
	{"hash_memory", "hash-memory", "KiB of memory that a password hash takes; see 'postern hash calibrate'", "19456", func(o *Options) any { return &o.Hashing.HashMemory }},
	{"hash_passes", "hash-passes", "how many times a password hash passes over its memory", "2", func(o *Options) any { return &o.Hashing.HashPasses }},
	{"hash_slots", "hash-slots", "how many passwords are hashed at once", "one less than the cores, within a quarter of the memory", func(o *Options) any { return &o.Hashing.HashSlots }},
	{"password_list", "", "file of passwords that nobody may choose: docs/passwords.md", "none", func(o *Options) any { return &o.PasswordList }},
	{"public_url", "public-url", "where the outside reaches the API, without /v1; part of the issuer of new realms", "", func(o *Options) any { return &o.PublicURL }},
	{"realm", "realm", "realm whose users get in, by id or name", "default", func(o *Options) any { return &o.Guard.Realm }},
	{"public", "", "paths that anybody may ask for: /healthz, /assets/*", "none", func(o *Options) any { return &o.Guard.Public }},
	{"require", "", "permissions that a user must have, all of them", "none", func(o *Options) any { return &o.Guard.Require }},
	{"login_url", "", "where a browser is sent to sign in: a path, or an address", "it gets 401", func(o *Options) any { return &o.Guard.LoginURL }},
	{"origins", "", "where browsers reach the app: https://app.example.com; needed where TLS ends at a proxy that is not trusted", "none", func(o *Options) any { return &o.Guard.Origins }},
	{"assertion", "", "tell the app who it is in a signed X-Postern-Assertion too, meant for this audience", "none", func(o *Options) any { return &o.Guard.Assertion }},
	{"stale_ok", "", "for how long users who were known may still read while the store is away", "0s", func(o *Options) any { return &o.Guard.StaleOK }},
	{"pass_token", "", "pass the bearer token on to the app", "false", func(o *Options) any { return &o.Guard.PassToken }},
	{"pages", "pages", "path of the hosted pages at the guarded address, or off", "/auth", func(o *Options) any { return &o.Pages }},
	{"title", "", "what people sign in to, as the pages call it", "the host that they reach it by", func(o *Options) any { return &o.Title }},
	{"forgot_url", "", "where the page to sign in sends who forgot their password: a path, an address, or mailto:help@example.com", "nowhere", func(o *Options) any { return &o.ForgotURL }},
	{"sign_up_url", "", "where it sends who has no account yet, likewise", "nowhere", func(o *Options) any { return &o.SignUpURL }},
	{"smtp_host", "", "mail server that takes e-mails; docs/hooks.md", "none", func(o *Options) any { return &o.SMTP.Host }},
	{"smtp_port", "", "port of the mail server", "587, 465 or 25, as smtp_tls asks for", func(o *Options) any { return &o.SMTP.Port }},
	{"smtp_tls", "", "how the connection to the mail server is encrypted: starttls, implicit, or none", "starttls", func(o *Options) any { return &o.SMTP.TLS }},
	{"smtp_user", "", "user name at the mail server", "nobody", func(o *Options) any { return &o.SMTP.User }},
	{"smtp_password_file", "", "file with the password of smtp_user", "", func(o *Options) any { return &o.SMTP.PasswordFile }},
	{"smtp_from", "", "sender of e-mails, unless a hook names another", "", func(o *Options) any { return &o.SMTP.From }},
	{"smtp_ca", "", "file with the certificates (PEM) that may vouch for the mail server", "the system's", func(o *Options) any { return &o.SMTP.CAFile }},
	{"mail_links", "", "where the pages are that links in e-mails lead to: https://app.example.com/auth", "links are left out", func(o *Options) any { return &o.MailLinks }},
	{"webhook_allow", "", "networks inside that webhooks may reach: 127.0.0.1, 10.0.0.0/8", "public addresses alone", func(o *Options) any { return &o.WebhookAllow }},
	{"access_log", "access-log", "write a line for each guarded request", "false", func(o *Options) any { return &o.AccessLog }},
	{"drain", "", "how long a stop waits for requests under way", "10s", func(o *Options) any { return &o.Drain }},
	{"slow_client", "", "how long a client may take nothing, or send nothing of a body that it began", "1m", func(o *Options) any { return &o.SlowClient }},
}

// settingNamed returns a setting by its name in files.
func settingNamed(name string) (Setting, bool) {
	i := slices.IndexFunc(Settings, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return Setting{}, false
	}
	return Settings[i], true
}

// Set sets it from a text, as the environment and the command line have it. Lists are separated by commas.
func (s Setting) Set(o *Options, text string) error {
	switch to := s.to(o).(type) {
	case *string:
		*to = text
	case *bool:
		return setSwitch(s.Name, to, text)
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s is %q; it must be a whole number", s.Name, text)
		}
		*to = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil || d == 0 { // which would be the default
			return fmt.Errorf("%s is %q; it must be a duration like 10s or 5m", s.Name, text)
		}
		*to = d
	case encoding.TextUnmarshaler:
		if err := to.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	case *[]string:
		*to = nil
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				*to = append(*to, item)
			}
		}
		if *to == nil && text != "" {
			return namesNothing(s.Name, text)
		}
	}
	return nil
}

// namesNothing complains of a list without an entry: whoever was to be asked for something would be asked for nothing.
func namesNothing(name, text string) error {
	return fmt.Errorf("%s is %q, which names nothing; name something, or leave it out", name, text)
}

// setSwitch sets what is true or false from a text, in any of the words that YAML 1.1 or Go have for that.
func setSwitch(name string, to *bool, text string) error {
	switch strings.ToLower(text) {
	case "true", "t", "yes", "y", "on", "1":
		*to = true
	case "false", "f", "no", "n", "off", "0":
		*to = false
	default:
		return fmt.Errorf("%s is %q; it must be true or false", name, text)
	}
	return nil
}

// guardSwitch returns the setting of the guard that has a name, is true or false, and is none of Settings; nil where there is none.
func (o *Options) guardSwitch(name string) *bool {
	switch name {
	case "optional":
		return &o.Guard.Optional
	case "mfa":
		return &o.Guard.MFA
	case "email_verified":
		return &o.Guard.EmailVerified
	}
	return nil
}

// text returns what is set, as a text that tells it from another.
func (s Setting) text(o *Options) string {
	switch at := s.to(o).(type) {
	case *string:
		return *at
	case *bool:
		return strconv.FormatBool(*at)
	case *int:
		return strconv.Itoa(*at)
	case *time.Duration:
		return at.String()
	case *[]string:
		return strings.Join(*at, ",")
	case encoding.TextMarshaler:
		text, _ := at.MarshalText()
		return string(text)
	}
	return ""
}
