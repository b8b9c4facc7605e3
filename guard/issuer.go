package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/issuer"
	"github.com/postern-auth/postern/internal/jose"
)

// Issuer is somebody else who signs tokens for users, whom a Guard lets in as it does the realm's own: an OpenID provider, say. Its
// tokens are JWTs, shown where session tokens are. Nothing is asked of it while a request waits, and so a token holds until it
// expires, or until its key is withdrawn: there is no news of what was revoked elsewhere.
type Issuer struct {
	// Name stands for the issuer: in the ids of its users, `keycloak:9f2c`, in what copy_headers calls the realm, and in the log. It has 1 to
	// 32 letters, digits and hyphens.
	Name string `json:"name,omitempty" yaml:"name"`

	// Issuer is the `iss` of its tokens, to the letter. Unless JWKSURL is set it is an https address, and where the keys are is said by
	// the document below it at `/.well-known/openid-configuration`. http is for this very machine alone.
	Issuer string `json:"issuer,omitempty" yaml:"issuer"`

	// JWKSURL is where the issuer publishes its keys, for one that has no such document.
	JWKSURL string `json:"jwks_url,omitempty" yaml:"jwks_url"`

	// Audience is whom a token must be meant for: one of these is in its `aud`. It is required, since an issuer signs tokens for many.
	Audience []string `json:"audience,omitempty" yaml:"audience"`

	// Algorithms are those that tokens may be signed with, of `EdDSA` (or `Ed25519`, as some call it), `ES256`, `ES384`, `ES512`, `RS256`, `RS384`, `RS512`, `PS256`, `PS384` and
	// `PS512`; default all. What a key is for is said by the issuer's key set, and never by the token.
	Algorithms []string `json:"algorithms,omitempty" yaml:"algorithms"`

	// Claims says in which claim the issuer tells what: for `id` (default `sub`), `username` (`preferred_username`), `email` (`email`), `email_verified`
	// (`email_verified`), `name` (`name`), `first_name` (`given_name`), `last_name` (`family_name`), `signed_in_at` (`auth_time`), `arbitrary_id`, `reference`, `permissions` and `custom.<name>` (none) the name of a claim, or where
	// that lies deeper a JSON pointer (RFC 6901): `/realm_access/roles`. An empty text means none. Permissions are a list, or one text with spaces between.
	Claims map[string]string `json:"claims,omitempty" yaml:"claims"`

	// RequireClaims are claims that a token must have, each with one of some values: `hd` of `example.com`, say. Claims are named as in Claims. Where the
	// claim is a list, one of its texts must be among them.
	RequireClaims map[string][]string `json:"require_claims,omitempty" yaml:"require_claims"`

	// Emails says what the application is told of e-mail addresses: only those that the issuer calls verified (`verified`, the default), the
	// others too, as unverified (`all`), or all as verified (`trusted`), for an issuer that gives its users their addresses.
	Emails Emails `json:"emails,omitempty" yaml:"emails"`

	// UserType is what its users are, `human` or `api`. By default they are neither, and a policy that asks for one refuses them.
	UserType core.UserType `json:"user_type,omitempty" yaml:"user_type"`

	// MFAMethods are values of `amr` (RFC 8176) that mean a second factor; default `mfa`.
	MFAMethods []string `json:"mfa_amr,omitzero" yaml:"mfa_amr"`

	// MFAClasses are values of `acr` that mean a second factor; default none.
	MFAClasses []string `json:"mfa_acr,omitempty" yaml:"mfa_acr"`

	// Unprefixed leaves the name out of users' ids, for an application that knows the issuer's. One issuer may have it. An id that begins like
	// those of Postern's own users, `usr_`, or like those of another issuer's, `keycloak:`, is then refused.
	Unprefixed bool `json:"unprefixed,omitempty" yaml:"unprefixed"`

	// Skew is how far the issuer's clock may be ahead of ours, up to `5m`; default `1m`.
	Skew *Duration `json:"skew,omitempty" yaml:"skew"`

	// MaxAge is how long after it was issued a token is taken, though it has not expired. It bounds how long somebody gets in who was
	// locked out at the issuer. The default is as long as the token says.
	MaxAge *Duration `json:"max_age,omitempty" yaml:"max_age"`

	// Allow are networks inside where the issuer may be: `10.0.0.0/8`, `127.0.0.1`. The default is public addresses alone.
	Allow []string `json:"allow,omitempty" yaml:"allow"`

	// CAFile is a file with the certificates (PEM) that may vouch for the issuer's server; default the system's.
	CAFile string `json:"ca_file,omitempty" yaml:"ca_file"`
}

// Emails says what is told of e-mail addresses: see Issuer.Emails.
type Emails string

// The choices.
const (
	EmailsVerified Emails = "verified"
	EmailsAll      Emails = "all"
	EmailsTrusted  Emails = "trusted"
)

// usualClaims are where OpenID providers tell things (OpenID Connect Core 1.0 §2, §5.1).
var usualClaims = map[string]string{
	"id": "sub", "username": "preferred_username", "email": "email", "email_verified": "email_verified", "name": "name",
	"first_name": "given_name", "last_name": "family_name", "signed_in_at": "auth_time", "arbitrary_id": "", "reference": "", "permissions": "",
}

// Bounds of an Issuer.
const (
	defaultSkew = Duration(time.Minute)
	maxSkew     = Duration(5 * time.Minute)
	maxIssuers  = 64
)

// outside is an Issuer as a Guard uses it.
type outside struct {
	Issuer
	text   string // the settings, to be compared
	config issuer.Config
	trust  issuer.Trust
	claims map[string]claimPath // by what they tell; none = it is not told
	custom map[string]claimPath // by the attribute's name
	must   []requirement
	others []string // how ids begin that are not its users', folded; none unless it is Unprefixed
}

// requirement is a claim that a token must have.
type requirement struct {
	path   claimPath
	values []string
}

// newOutsides reads Settings.Issuers, and returns all complaints at once.
func newOutsides(issuers []Issuer) ([]*outside, error) {
	var all []*outside
	var errs []error
	if len(issuers) > maxIssuers {
		errs = append(errs, fmt.Errorf("issuers: there are %d; there may be %d", len(issuers), maxIssuers))
	}
	for i, settings := range issuers {
		where := settings.Name
		if where == "" {
			where = fmt.Sprintf("number %d", i+1)
		}
		o, complaints := newOutside(settings)
		for _, other := range all {
			if strings.EqualFold(other.Name, settings.Name) { // for an application that minds no case, ids of both would be alike
				complaints = append(complaints, errors.New("there are two of this name"))
			}
			if other.Issuer.Issuer == settings.Issuer {
				complaints = append(complaints, fmt.Errorf("%s has the same issuer; give one of them all audiences", other.Name))
			}
			if other.Unprefixed && settings.Unprefixed {
				complaints = append(complaints, fmt.Errorf("%s is unprefixed already; two could not be told apart", other.Name))
			}
		}
		for _, err := range complaints {
			errs = append(errs, fmt.Errorf("issuers: %s: %w", where, err))
		}
		all = append(all, o)
	}
	for _, o := range all {
		if o.Unprefixed {
			o.keepApart(all)
		}
	}
	return all, errors.Join(errs...)
}

// ownPrefix begins the ids of Postern's own users.
const ownPrefix = "usr_"

// keepApart notes which ids are Postern's own users', or those of other issuers among all, and so none that an issuer without a prefix may tell.
func (o *outside) keepApart(all []*outside) {
	o.others = []string{ownPrefix}
	for _, other := range all {
		if !other.Unprefixed {
			o.others = append(o.others, foldText(other.Name)+idSeparator)
		}
	}
	o.text += strings.Join(o.others, " ")
}

// newOutside fills the defaults of an Issuer, and returns all complaints.
func newOutside(i Issuer) (*outside, []error) {
	if i.Skew == nil {
		i.Skew = new(defaultSkew)
	}
	if i.Emails == "" {
		i.Emails = EmailsVerified
	}
	if i.MFAMethods == nil {
		i.MFAMethods = []string{"mfa"}
	}
	o := &outside{Issuer: i, claims: map[string]claimPath{}, custom: map[string]claimPath{}}
	errs := o.complaints()
	errs = append(errs, o.readClaims()...)
	o.config = issuer.Config{Issuer: i.Issuer, JWKSURL: i.JWKSURL, Allow: strings.Join(i.Allow, ","), CAFile: i.CAFile}
	errs = append(errs, o.config.Validate())
	o.trust = issuer.Trust{Issuer: i.Issuer, Audiences: i.Audience, Skew: time.Duration(*i.Skew), Algorithms: jose.ForeignAlgs()}
	if i.MaxAge != nil {
		o.trust.MaxAge = time.Duration(*i.MaxAge)
	}
	if len(i.Algorithms) > 0 {
		o.trust.Algorithms = nil
	}
	for _, name := range i.Algorithms {
		if !jose.Alg(name).Foreign() {
			errs = append(errs, fmt.Errorf("algorithm %q is none of %v", name, jose.ForeignAlgs()))
		}
		o.trust.Algorithms = append(o.trust.Algorithms, jose.Alg(name))
	}
	text, err := json.Marshal(i)
	o.text = string(text)
	return o, slices.DeleteFunc(append(errs, err), func(err error) bool { return err == nil })
}

// complaints returns what is wrong with what stands alone.
func (o *outside) complaints() []error {
	var errs []error
	complain := func(bad bool, format string, a ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, a...))
		}
	}
	complain(!isPlainName(o.Name) || len(o.Name) > 32, "name %q must have 1 to 32 letters, digits and hyphens", o.Name)
	complain(strings.EqualFold(o.Name, ownVoucher), "name %q is Postern's own", o.Name)
	complain(len(o.Audience) == 0 || slices.Contains(o.Audience, ""), "audience is missing: whom its tokens must be meant for")
	complain(o.Emails != EmailsVerified && o.Emails != EmailsAll && o.Emails != EmailsTrusted, "emails is %q; it must be verified, all or trusted", o.Emails)
	complain(o.UserType != "" && o.UserType != core.UserHuman && o.UserType != core.UserAPI, "user_type is %q; it must be human or api", o.UserType)
	complain(*o.Skew < 0 || *o.Skew > maxSkew, "skew is %s; it must be from 0s to %s", time.Duration(*o.Skew), time.Duration(maxSkew))
	errs = append(errs, checkAge("max_age", o.MaxAge))
	for _, name := range slices.Sorted(maps.Keys(o.RequireClaims)) { // so that complaints come in one order
		values := o.RequireClaims[name]
		path, err := parseClaimPath(name)
		complain(err != nil || path == nil, "require_claims: %q is no name of a claim", name)
		complain(len(values) == 0 || slices.Contains(values, ""), "require_claims: %s needs values, none of them empty", name) // as a variable is that is not set
		o.must = append(o.must, requirement{path, values})
	}
	return errs
}

// readClaims reads where the issuer tells things, and returns all complaints.
func (o *outside) readClaims() []error {
	named := maps.Clone(usualClaims)
	maps.Copy(named, o.Claims)
	var errs []error
	for _, told := range slices.Sorted(maps.Keys(named)) {
		path, err := parseClaimPath(named[told])
		if err != nil {
			errs = append(errs, fmt.Errorf("claims: %s: %w", told, err))
		}
		attribute, isCustom := strings.CutPrefix(told, customPrefix)
		_, isUsual := usualClaims[told]
		switch {
		case isCustom && isToken(attribute):
			o.custom[attribute] = path
		case isUsual:
			o.claims[told] = path
		default:
			errs = append(errs, fmt.Errorf("claims: nothing is called %q; there are %s and custom.<name>", told, strings.Join(slices.Sorted(maps.Keys(usualClaims)), ", ")))
		}
	}
	if o.claims["id"] == nil {
		errs = append(errs, errors.New("claims: id is missing"))
	}
	return errs
}

// ownVoucher stands for the realm in Policy.VouchedBy.
const ownVoucher = "postern"

// voucher returns who vouches for somebody: the name of an issuer elsewhere, or ownVoucher. No id of a realm is like the name of an issuer.
func voucher(who *core.Identity) string {
	if name := string(who.Realm); isPlainName(name) {
		return name
	}
	return ownVoucher
}

// validateVouchers refuses policies about issuers that there are not.
func (c *compiled) validateVouchers() error {
	var errs []error
	if len(c.issuers) > 0 && c.sources == (sourceSet{key: true}) {
		errs = append(errs, errors.New("issuers: their tokens could not be shown; from must name bearer or cookie"))
	}
	for _, p := range c.policies() {
		for _, name := range p.VouchedBy {
			if name != ownVoucher && !slices.ContainsFunc(c.issuers, func(o *outside) bool { return o.Name == name }) {
				errs = append(errs, fmt.Errorf("%svouched_by: there is no issuer %q; there is postern, and what issuers names", p.where, name))
			}
		}
	}
	return errors.Join(errs...)
}

// CheckFiles says all that is wrong with the files that issuers name, which New reads. It changes nothing.
func (s *Settings) CheckFiles() error {
	var errs []error
	for _, i := range s.Issuers {
		if err := (issuer.Config{Issuer: i.Issuer, CAFile: i.CAFile}).CheckFile(); err != nil {
			errs = append(errs, fmt.Errorf("issuers: %s: %w", i.Name, err))
		}
	}
	return errors.Join(errs...)
}

// claimPath leads to a claim: names, from the outermost object inwards; none = to nothing.
type claimPath []string

// parseClaimPath reads the name of a claim, or a JSON pointer to one.
func parseClaimPath(text string) (claimPath, error) {
	if len(text) > 200 {
		return nil, errors.New("the name of the claim is too long")
	}
	if text == "" {
		return nil, nil
	}
	pointer, is := strings.CutPrefix(text, "/")
	if !is {
		return claimPath{text}, nil
	}
	parts := strings.Split(pointer, "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~") // RFC 6901 §4
	}
	return parts, nil
}

// in returns the object that holds the claim, and the claim's name there. It reports false where there is none.
func (p claimPath) in(claims jose.Claims) (jose.Claims, string, bool) {
	if len(p) == 0 {
		return claims, "", false
	}
	for _, name := range p[:len(p)-1] {
		inner, ok := claims.Object(name)
		if !ok {
			return claims, "", false
		}
		claims = inner
	}
	return claims, p[len(p)-1], true
}
