package guard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

// Settings are what whoever runs a Guard decides. The names in their tags are the words of every host: JSON and YAML use
// them as they stand, and a Caddyfile as subdirectives.
type Settings struct {
	// Realm is the id or the name of the realm whose users may enter; default `default`.
	Realm string `json:"realm,omitempty" yaml:"realm"`

	// From are the places where a credential is looked for: `bearer`, `cookie`, `api_key`. The default is `bearer` and `cookie`. A
	// request that shows two credentials that differ is refused.
	From []Source `json:"from,omitempty" yaml:"from"`

	// Cookie is the cookie that holds a session token. It never reaches the application.
	Cookie Cookie `json:"cookie,omitzero" yaml:"cookie"`

	// APIKeyHeader is the header that an API key comes in, besides `Authorization: ApiKey` and Basic with the key as
	// password and no user, or the user `api`; default `X-Api-Key`.
	APIKeyHeader string `json:"api_key_header,omitempty" yaml:"api_key_header"`

	// Issuers are others whose tokens are taken too, as bearer and in the cookie.
	Issuers []Issuer `json:"issuers,omitempty" yaml:"issuers"`

	// Public are paths that anybody may ask for. Who is signed in is told to the application there too, and forged
	// identity headers are removed. See Rule for how paths are written.
	Public []string `json:"public,omitempty" yaml:"public"`

	// Optional lets requests pass without credential, or with one that is expired or revoked, as nobody's. Rules may still
	// ask for more.
	Optional bool `json:"optional,omitempty" yaml:"optional"`

	// Policy is what a user must be to enter, where no rule says otherwise.
	Policy `yaml:",inline"`

	// Rules say otherwise for some paths and methods. The first that matches decides, in the place of Policy.
	Rules []Rule `json:"rules,omitempty" yaml:"rules"`

	// LoginURL is where a browser that navigates is sent to sign in: a path, or an address elsewhere. Without one it gets 401.
	LoginURL string `json:"login_url,omitempty" yaml:"login_url"`

	// ReturnParam is the parameter of LoginURL that says where to go after signing in; default `return_to`.
	ReturnParam string `json:"return_param,omitempty" yaml:"return_param"`

	// Origins are the origins under which browsers reach the application, such as `https://app.example.com`. They are needed
	// where TLS ends before the guard. A request from a page of one of them counts as the application's own.
	Origins []string `json:"origins,omitempty" yaml:"origins"`

	// CopyHeaders says what the application is told: names of request headers, and for each the field it
	// carries, one of `id`, `username`, `email`, `email_verified`, `name`, `first_name`, `last_name`, `arbitrary_id`, `reference`, `user_type`, `realm`,
	// `session`, `credential`, `signed_in_at`, `mfa`, `permissions`, `orgs`, `org_permissions`, and `custom.<name>`. Names have 1 to 64 letters, digits and hyphens. An empty map tells nothing. The
	// default is `X-Postern-User-Id id`, `X-Postern-Username username`, `X-Postern-Email email`, `X-Postern-Arbitrary-Id arbitrary_id`.
	CopyHeaders map[string]string `json:"copy_headers,omitzero" yaml:"copy_headers"`

	// PassToken lets the bearer token of an allowed request reach the application. API keys and cookies never do.
	PassToken bool `json:"pass_token,omitempty" yaml:"pass_token"`

	// Assertion has the application told who it is in `X-Postern-Assertion` too: a JWT signed by the realm, good for a
	// minute, whose `aud` is this text. The default is none. An application that verifies it need not trust the network.
	Assertion string `json:"assertion,omitempty" yaml:"assertion"`

	// Check says whether a remembered verdict may be relied on while the news confirms it (`feed`, the default), or
	// whether the store is asked at each request (`always`).
	Check Check `json:"check,omitempty" yaml:"check"`

	// StaleOK is for how long, while the store is away, safe requests of users who were known before may still pass; at most
	// `1h`. The default is 0: they get 503.
	StaleOK Duration `json:"stale_ok,omitempty" yaml:"stale_ok"`
}

// Source is a place where a credential may come from.
type Source string

// The sources.
const (
	SourceBearer Source = "bearer"  // Authorization: Bearer, a session token
	SourceCookie Source = "cookie"  // a session token
	SourceAPIKey Source = "api_key" // a header, Authorization: ApiKey, or Basic
)

// Check says when the store is asked.
type Check string

// The choices.
const (
	CheckFeed   Check = "feed"
	CheckAlways Check = "always"
)

// Cookie is the cookie that holds a session token: for the whole site, HttpOnly, SameSite=Lax, and Secure.
type Cookie struct {
	// Name is `__Host-postern` by default. Browsers take a cookie whose name begins with `__Host-` from this very host only.
	Name string `json:"name,omitempty" yaml:"name"`

	// Insecure leaves Secure out, for plain HTTP on a network that nobody else uses. The name must then not begin with `__Host-` or
	// `__Secure-`.
	Insecure bool `json:"insecure,omitempty" yaml:"insecure"`
}

// Policy is what a user must be to enter. The zero Policy lets every active user in.
type Policy struct {
	// UserType is the only type of users who may enter: `human` or `api`.
	UserType core.UserType `json:"user_type,omitempty" yaml:"user_type"`

	// VouchedBy are the names of `issuers` elsewhere of which one must vouch for a user; `postern` stands for the realm itself.
	VouchedBy []string `json:"vouched_by,omitzero" yaml:"vouched_by"`

	// Require are permissions that a user must have, all of them.
	Require []string `json:"require,omitempty" yaml:"require"`

	// RequireAny are permissions of which a user must have at least one.
	RequireAny []string `json:"require_any,omitzero" yaml:"require_any"`

	// Org is the id of an org that a user must be a member of. Permissions then count only in this org.
	Org core.OrgID `json:"org,omitempty" yaml:"org"`

	// EmailVerified asks for users whose e-mail address is proven.
	EmailVerified bool `json:"email_verified,omitempty" yaml:"email_verified"`

	// MFA asks for users who signed in with a second factor.
	MFA bool `json:"mfa,omitempty" yaml:"mfa"`

	// SignedInWithin asks for users who signed in at most so long ago, such as `15m`; from `1s` to `87840h`.
	SignedInWithin *Duration `json:"signed_in_within,omitempty" yaml:"signed_in_within"`
}

// Rule is a Policy for some paths and methods.
//
// A path begins with a slash. A `*` that stands for a whole segment matches one segment, or at the end all that follows:
// `/admin/*`, `/users/*/avatar`. A rule without paths is for all paths, one without methods for all methods.
//
// A path is read as it is spelled, and as an application might read it that minds neither case nor a slash at the end (`/ADMIN`, and `/admin` as well as
// `/admin/`); unless the rule for it names what is there, also as one that minds no ending (`/admin.json`), has it for the page of its folder
// (`/admin/index.html`), or takes what follows a file for something else (`/admin.php/x`). Where these lead to different rules, a request must
// satisfy all. So a rule that asks for more catches all spellings, and one that asks for less only its own.
type Rule struct {
	// Paths are what the rule is for, such as `/admin/*`. The default is all paths.
	Paths []string `json:"path,omitempty" yaml:"path"`

	// Methods are what it is for, such as `POST`. The default is all methods.
	Methods []string `json:"method,omitempty" yaml:"method"`

	// Public lets anybody in, and then there is no Policy.
	Public bool `json:"public,omitempty" yaml:"public"`

	Policy `yaml:",inline"`
}

// Duration is a length of time that is written like 90s, 15m or 1h30m.
type Duration time.Duration

// MarshalText writes d.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads d.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	if err != nil {
		return fmt.Errorf("%q is no duration like 90s, 15m or 1h30m", text)
	}
	return nil
}

// maxAge bounds the ages that are asked for: no session can be older.
const maxAge = Duration(3660 * 24 * time.Hour)

// checkAge refuses an age that could not be meant: one of 0 would ask for nothing, or for what nobody has.
func checkAge(name string, d *Duration) error {
	if d == nil || *d >= Duration(time.Second) && *d <= maxAge {
		return nil
	}
	return fmt.Errorf("%s is %s; it must be from 1s to %.0fh, or left out", name, time.Duration(*d), time.Duration(maxAge).Hours())
}

// defaultCookie is the name that the session cookie has unless told otherwise.
const defaultCookie = "__Host-postern"

// maxStaleOK bounds Settings.StaleOK.
const maxStaleOK = time.Hour

// withDefaults returns s with its zero values filled.
func (s Settings) withDefaults() Settings {
	fill := func(to *string, text string) {
		if *to == "" {
			*to = text
		}
	}
	fill(&s.Realm, core.DefaultRealm)
	fill(&s.Cookie.Name, defaultCookie)
	fill(&s.APIKeyHeader, "X-Api-Key")
	fill(&s.ReturnParam, "return_to")
	if s.Check == "" {
		s.Check = CheckFeed
	}
	if s.From == nil {
		s.From = []Source{SourceBearer, SourceCookie}
	}
	if s.CopyHeaders == nil {
		s.CopyHeaders = map[string]string{
			"X-Postern-User-Id": "id", "X-Postern-Username": "username",
			"X-Postern-Email": "email", "X-Postern-Arbitrary-Id": "arbitrary_id",
		}
	}
	return s
}

// Words are the names of all settings in JSON and YAML.
func Words() []string { return words(reflect.TypeFor[Settings]()) }

func words(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous {
			names = append(names, words(f.Type)...)
		} else {
			names = append(names, name)
		}
	}
	return names
}

// Validate returns all complaints about s at once. It fills nothing, and reads nothing.
func (s Settings) Validate() error {
	_, err := s.compile()
	return err
}

// compiled are settings as a Guard uses them.
type compiled struct {
	Settings
	headers identityHeaders
	sources sourceSet
	device  string // name of the device cookie
	wanted  string // what to show, for whoever shows nothing
	rules   []rule

	byMethod bool     // a rule looks at methods
	endings  []string // that paths of rules have
	depth    int      // in segments

	top     rule     // what holds where none matches
	login   *url.URL // nil = none
	origins []origin
	issuers []*outside
	secure  func(*http.Request) bool   // see Options
	host    func(*http.Request) string // likewise
}

// compile checks settings, whose defaults it fills, and prepares them.
func (s Settings) compile() (*compiled, error) {
	c := &compiled{Settings: s.withDefaults()}
	c.APIKeyHeader = http.CanonicalHeaderKey(c.APIKeyHeader)
	c.device = c.Cookie.Name + deviceSuffix
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	var err error
	c.headers, err = newIdentityHeaders(c.CopyHeaders)
	note(err)
	c.sources, err = newSourceSet(c.From)
	note(err)
	if err == nil {
		note(c.validateUse(s))
	}
	c.wanted = c.sources.wanted(c.Cookie.Name, c.APIKeyHeader)
	note(c.Cookie.validate())
	c.top = rule{set: Rule{Policy: c.Policy}, name: withoutRule, optional: c.Optional}
	c.rules, err = newRules(c.Public, c.Rules, c.saidOfAll())
	note(err)
	c.endings, c.depth = endingsOf(c.rules), depthOf(c.rules)
	c.byMethod = slices.ContainsFunc(c.rules, func(r rule) bool { return len(r.methods) > 0 })
	c.top.policy, err = newPolicy("", c.Policy)
	note(err)
	if c.Optional && !c.Policy.isZero() {
		note(errors.New("optional lets everybody in, so nothing can be asked of all; ask for it in rules"))
	}
	c.login, err = parseLogin(c.LoginURL)
	note(err)
	c.origins, err = parseOrigins(c.Origins)
	note(err)
	c.issuers, err = newOutsides(c.Issuers)
	note(err)
	if err == nil { // else it is not known what their users may be
		note(c.validateAdmission())
	}
	note(c.validateVouchers())
	note(c.validateRest())
	return c, errors.Join(errs...)
}

// validateRest checks what stands alone.
func (c *compiled) validateRest() error {
	var errs []error
	complain := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	complain(!isPlainName(c.APIKeyHeader) || slices.Contains(reserved, strings.ToLower(c.APIKeyHeader)) || foldsToOurs(c.APIKeyHeader),
		"api_key_header: %q cannot carry a key; take another name", c.APIKeyHeader)
	complain(!isToken(c.ReturnParam), "return_param: %q is not a name of letters, digits, - and _", c.ReturnParam)
	complain(c.Check != CheckFeed && c.Check != CheckAlways, "check is %q; it must be feed or always", c.Check)
	complain(c.StaleOK < 0 || time.Duration(c.StaleOK) > maxStaleOK, "stale_ok is %s; it must be from 0s to %s", time.Duration(c.StaleOK), maxStaleOK)
	complain(c.StaleOK > 0 && c.Check == CheckAlways, "stale_ok and check always contradict each other")
	complain(len(c.Assertion) > 256 || c.Assertion != "" && !sendable(c.Assertion), "assertion: the audience must have 1 to 256 characters without controls")
	return errors.Join(errs...)
}

// validate checks a cookie's settings.
func (c Cookie) validate() error {
	lower := strings.ToLower(c.Name)
	bound := strings.HasPrefix(lower, "__host-") || strings.HasPrefix(lower, "__secure-")
	switch {
	case !isToken(c.Name):
		return fmt.Errorf("cookie name %q must have 1 to 64 letters, digits, - and _", c.Name)
	case c.Insecure && bound:
		return fmt.Errorf("cookie name %q is for secure cookies; an insecure one needs another name", c.Name)
	}
	return nil
}

// isToken reports whether name has 1 to 64 letters, digits, hyphens and underscores.
func isToken(name string) bool {
	for i := range len(name) {
		if c := fold(name[i]); c == '-' && name[i] != '-' && name[i] != '_' {
			return false
		}
	}
	return name != "" && len(name) <= 64
}
