package sidecar

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/httpapi"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/delivery"
	"github.com/postern-auth/postern/internal/egress"
	"github.com/postern-auth/postern/pages"
	"github.com/postern-auth/postern/redisstore"
)

// Options configures a Sidecar. Data is required, and Upstream unless there is ForwardAuthListen. Settings has the words for them in files, in the environment and
// on the command line.
type Options struct {
	Upstream   string // see parseUpstream: http://127.0.0.1:3000, https://..., h2c://..., unix:/run/app.sock
	UpstreamCA string // file of certificates in PEM; "" = the system's

	// Listen is the address that is guarded: host:port, where port 0 takes a free one, or unix:/path; default 127.0.0.1:8080.
	Listen          string
	TLSCert, TLSKey string        // files in PEM, both or neither; read again when they change
	H2C             bool          // accept HTTP/2 without TLS
	TrustedProxies  []string      // addresses and networks, "private" and "unix"; see parseProxies
	SlowClient      time.Duration // longest wait for a client to take or send something; 1s to 1h, default 1m
	AccessLog       bool          // write a line for each guarded request

	// APIListen is where /v1 is served, "off" for nowhere; default 127.0.0.1:8081, or a free port where Listen asks for one.
	APIListen string
	APIMount  string // part of the API that is served at Listen too: "", "account" or "all"
	APIRate   int    // calls a second that each management key may make: see httpapi.Options
	// ForwardAuthListen is where proxies in TrustedProxies ask for verdicts: see guard.Guard.ForwardAuth; "" and "off" = nowhere.
	ForwardAuthListen string
	AdminListen       string // where /healthz, /readyz and /metrics are; "" and "off" = nowhere

	Data          string // folder for the embedded store, the master key and the first management key
	RedisURL      string // redis://, rediss:// or unix://; "" = the embedded store
	Durability    string // of revocations and the like in Redis: see redisstore.Durability; "" = default
	WaitReplicas  int    // see redisstore.Options
	MasterKeyFile string // 32 bytes in base64 or hex; required with RedisURL unless MakeMasterKey
	// FormerMasterKeyFile is the master key before, while it is being replaced: see RotateMaster.
	FormerMasterKeyFile string
	MakeMasterKey       bool // make a master key in Data where there is none, also with Redis

	// AllowUnfit runs on a database that should not be a system of record, and only warns.
	AllowUnfit bool

	Hashing      core.Hashing   // what password hashes cost; see core.Options
	PasswordList string         // file of passwords that nobody may choose: see core.ReadPasswordList; "" = none
	PublicURL    string         // where the outside reaches the API, for issuers; see core.Options
	Guard        guard.Settings // who gets in, and what the app is told

	// Pages is the path of the hosted pages under Listen, "off" for none; default /auth. Unless Guard says otherwise,
	// browsers are sent there to sign in.
	Pages string
	Title string // what people sign in to: see pages.Options

	ForgotURL, SignUpURL string // where the page to sign in sends who forgot their password, or has no account: see pages.CheckLink

	SMTP         delivery.SMTP // the mail server
	MailLinks    string        // where the pages are that links in e-mails lead to: see core.Options
	WebhookAllow []string      // networks inside that webhooks may reach: see egress.ParseNetworks

	Drain time.Duration // how long a stop waits for requests under way; default 10s
	Log   *zap.Logger   // default none

	unread []string // variables of the environment with our prefix that are no settings
}

// The words that stand for themselves.
const (
	off          = "off"
	mountAccount = "account"
	mountAll     = "all"
)

// guard returns what concerns the guard.
func (o *Options) guard() guard.Options {
	settings := o.Guard
	takesCookies := settings.From == nil || slices.Contains(settings.From, guard.SourceCookie)
	if o.Pages != off && settings.LoginURL == "" && takesCookies { // else whoever signed in there would be sent back for good
		settings.LoginURL = o.Pages + "/sign-in"
	}
	return guard.Options{Settings: settings, Secure: isSecure, Host: hostOf}
}

// validate fills the defaults and returns all complaints at once.
func (o *Options) validate() error {
	o.fill()
	var errs []error
	complain := func(bad bool, format string, a ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, a...))
		}
	}
	errs = append(errs, o.Guard.Validate(), o.Hashing.Validate())
	allow, err := egress.ParseNetworks(o.WebhookAllow)
	errs = append(errs, about("webhook_allow", err))
	_, err = delivery.New(delivery.Options{Allow: allow, SMTP: o.SMTP})
	errs = append(errs, about("smtp", err))
	complain(o.Upstream == "" && o.ForwardAuthListen == off, "upstream, the app to guard, is not set; name it as in --upstream http://127.0.0.1:3000")
	if o.Upstream != "" {
		_, err = parseUpstream(o.Upstream, o.UpstreamCA)
		errs = append(errs, err)
	}
	complain(o.ForwardAuthListen != off && len(o.TrustedProxies) == 0, "forward_auth_listen answers only who is named in trusted_proxies; name the proxy there")
	_, err = parseProxies(o.TrustedProxies)
	errs = append(errs, err, o.checkListeners())
	if o.Pages != off {
		errs = append(errs, pages.CheckMount(o.Pages))
	}
	complain(len(o.Title) > 100, "title must have at most 100 bytes")
	errs = append(errs, pages.CheckLink("forgot_url", o.ForgotURL), pages.CheckLink("sign_up_url", o.SignUpURL))
	complain(o.Data == "", "a data folder is required")
	complain((o.TLSCert == "") != (o.TLSKey == ""), "tls_cert and tls_key go together")
	errs = append(errs, core.CheckAddresses(o.PublicURL, o.MailLinks), o.checkStore())
	complain(o.APIMount != "" && o.APIMount != mountAccount && o.APIMount != mountAll, "api_mount is %q; it must be %s or %s, or left out", o.APIMount, mountAccount, mountAll)
	_, err = assembly.ReadPasswordList(o.PasswordList)
	errs = append(errs, httpapi.CheckKeyRate(o.APIRate), err)
	complain(o.SlowClient < time.Second || o.SlowClient > time.Hour, "slow_client must be from 1s to 1h")
	complain(o.Drain < 0 || o.Drain > time.Hour, "drain must be between 0 and 1h")
	return errors.Join(errs...)
}

// about says of each complaint that is joined in err what it is about, since those who make them do not know how settings are called here.
func about(what string, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(what + ": " + strings.ReplaceAll(err.Error(), "\n", "\n"+what+": "))
}

// checkStore returns what is wrong with where the data is to be kept, and what seals it.
func (o *Options) checkStore() error {
	if o.RedisURL == "" {
		if o.Durability != "" && o.Durability != string(redisstore.DurabilityDefault) || o.WaitReplicas != 0 {
			return errors.New("durability and wait_replicas are for Redis; name it in redis_url")
		}
		return nil
	}
	err := about("redis", o.redis().Validate())
	if o.MasterKeyFile == "" && !o.MakeMasterKey {
		err = errors.Join(err, errors.New("with Redis, a master key file is required: "+
			"make one with 'head -c 32 /dev/urandom | base64 > master.key; chmod 600 master.key' and name it in "+
			"POSTERN_MASTER_KEY_FILE; keep a copy, without it no data can be read"))
	}
	return err
}

// fill fills the defaults.
func (o *Options) fill() {
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:8080")
	if o.APIListen == "" {
		o.APIListen = "127.0.0.1:8081"
		if _, port, err := net.SplitHostPort(o.Listen); err == nil && port == "0" {
			o.APIListen = "127.0.0.1:0"
		}
	}
	o.AdminListen = cmp.Or(o.AdminListen, off)
	o.ForwardAuthListen = cmp.Or(o.ForwardAuthListen, off)
	o.Pages = cmp.Or(o.Pages, pages.DefaultMount)
	o.SlowClient = cmp.Or(o.SlowClient, time.Minute)
	o.Drain = cmp.Or(o.Drain, 10*time.Second)
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
}
