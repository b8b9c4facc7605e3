package core

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/postern-auth/postern/internal/jose"
)

// Realm is an isolated set of users with its keys and policies. The Work-API's "environment" is the
// same record seen by an account provider, under its guid.
type Realm struct {
	ID              RealmID       `json:"id"`
	Name            string        `json:"name"`
	EnvironmentGUID string        `json:"guid"` // a UUID in lower case
	Issuer          string        `json:"iss"`  // of its tokens; fixed when the realm is made
	FormerIssuers   []string      `json:"former_iss,omitempty"`
	Partitions      int           `json:"partitions"`
	CreatedAt       Instant       `json:"created"`
	Settings        RealmSettings `json:"settings"`

	// LongestIdle is the greatest SessionIdle that there was before the present one: older sessions go by it.
	LongestIdle Seconds `json:"longest_idle,omitempty"`

	// ChosenKeys says that somebody's API key was chosen by a caller, at some time. Until then whatever lacks the
	// checksum of a generated one is garbage, and costs no lookup.
	ChosenKeys bool `json:"chosen_keys,omitempty"`

	KeyEra int `json:"key_era,omitempty"` // how often APIKeyPolicy has changed: what was kept of API keys before is not shown

	State         State           `json:"state,omitempty"` // StateActive; inactive: nobody signs in or is let in, while management goes on
	Reference     string          `json:"ref,omitempty"`   // free, may repeat
	Custom        Custom          `json:"custom,omitempty"`
	ResourceLinks json.RawMessage `json:"links,omitempty"` // an object or array that the Users API's clients keep here

	ResetBy   JobID   `json:"reset_by,omitempty"` // the job that is deleting all users; until it is done nobody can be found or made
	ResetAt   Instant `json:"reset_at,omitzero"`  // when that was last done; a signup parked before makes no user
	DeletedAt Instant `json:"deleted,omitzero"`   // a tombstone, until the job that removes the rest is done
}

func (r *Realm) key(Partition) Key { return realmKey(r.ID) }

// withDefaults returns r with its zero values filled, its settings' among them.
func (r Realm) withDefaults() *Realm {
	defaultTo(&r.State, StateActive)
	r.Settings = r.Settings.withDefaults()
	return &r
}

// RealmSettings are the policies of a realm. Zero values stand for the defaults.
type RealmSettings struct {
	TokenAlg jose.Alg `json:"token_alg,omitempty"` // of session tokens; default EdDSA

	TokenLifetime         Seconds `json:"token_lifetime,omitempty"`          // of a token from a sign-in; 1 minute to 30 days, default 360 minutes
	APTTokenLifetime      Seconds `json:"apt_token_lifetime,omitempty"`      // of a token from an APT; 1 minute to 90 days, default 28 days
	EmailTokenLifetime    Seconds `json:"email_token_lifetime,omitempty"`    // of a token that proves an address; 1 minute to 7 days, default 7 days
	PasswordTokenLifetime Seconds `json:"password_token_lifetime,omitempty"` // of a token that sets a new password; 1 minute to 3 days, default 3 days
	SessionIdle           Seconds `json:"session_idle,omitempty"`            // a session not seen for this long is over; default 28 days
	SessionAbsolute       Seconds `json:"session_absolute,omitempty"`        // and at the latest this long after sign-in; default 90 days

	APTLifetime Seconds `json:"apt_lifetime,omitempty"` // longest accepted exp - iat of an APT; default 5 minutes
	APTSkew     Seconds `json:"apt_skew,omitempty"`     // how far an account provider's clock may be off; default 30 seconds

	APTRequireJTI         bool `json:"apt_require_jti,omitempty"`          // refuse an APT that could be used twice
	APTRequireArbitraryID bool `json:"apt_require_arbitrary_id,omitempty"` // refuse an APT that does not say whom it is for

	APTEncryption APTEncryption `json:"apt_encryption,omitempty"` // default off

	KeyRotation Seconds `json:"key_rotation,omitempty"` // how old signing keys get before new ones are made; 1 day to 10 years, 0 = until told

	EventRetention Seconds `json:"event_retention,omitempty"` // for how long events are kept; 1 day to 10 years, default 400 days

	PasswordMinLength int  `json:"password_min,omitempty"`  // characters; 8 to 128, default 15
	SharedEmails      bool `json:"shared_emails,omitempty"` // e-mail addresses may repeat, and then do not sign in; may change while there are no users

	// SessionFixed, where it is not zero, is how long a session lives that no APT vouched for, whatever happens: the
	// session_minutes of realms made through the Users API; 1 minute to 30 days.
	SessionFixed Seconds `json:"session_fixed,omitempty"`

	PasswordRequired   []CharacterKind `json:"password_required,omitempty"`   // kinds of characters that each new password must have
	PasswordComplexity int             `json:"password_complexity,omitempty"` // the level that each new password must reach, of zxcvbn's 0 to 4

	// Providers are the ways to sign in that the realm has, active or not; nil = a password.
	Providers map[ProviderType]State `json:"providers"`

	TokenFields []TokenField `json:"token_fields,omitempty"` // what session tokens tell besides who it is

	EmailUsernames bool `json:"email_usernames,omitempty"` // usernames of people must be e-mail addresses; those from before may stay

	APIKeyPolicy APIKeyPolicy `json:"api_key_policy,omitempty"` // default APIKeyHash

	APIKeyTokens Seconds `json:"api_key_tokens,omitempty"` // how long tokens live that stand for API keys; 1 minute to 30 days, 0 = there are none

	// UnmanagedSessions is what the Users API's session_type says. It is kept for its clients and changes nothing: a
	// session that nobody keeps could not be ended, so people's are kept whatever it says, and an API key's never are.
	UnmanagedSessions bool `json:"unmanaged_sessions,omitempty"`

	APIKeyPrefix string `json:"api_key_prefix,omitempty"` // what generated API keys begin with; 1 to 20 letters, digits and underscores, default "ak_"
}

// ForUsersAPI returns s with what a realm made through the Users API has where nothing else is said, as its clients
// expect: HS256, passwords of 8 characters, sessions of 360 minutes.
func (s RealmSettings) ForUsersAPI() RealmSettings {
	defaultTo(&s.TokenAlg, jose.HS256)
	defaultTo(&s.PasswordMinLength, 8)
	if s.SessionIdle == 0 && s.SessionAbsolute == 0 && s.TokenLifetime == 0 {
		defaultTo(&s.SessionFixed, 360*60)
	}
	return s
}

// withDefaults returns s with its zero values filled.
func (s RealmSettings) withDefaults() RealmSettings {
	defaultTo(&s.TokenAlg, jose.EdDSA)
	defaultTo(&s.TokenLifetime, s.SessionFixed)
	defaultTo(&s.TokenLifetime, 360*60)
	defaultTo(&s.APTTokenLifetime, 28*day)
	defaultTo(&s.SessionIdle, max(28*day, s.SessionFixed))
	defaultTo(&s.SessionAbsolute, 90*day)
	defaultTo(&s.APTLifetime, 5*60)
	defaultTo(&s.APTSkew, 30)
	defaultTo(&s.EventRetention, 400*day)
	defaultTo(&s.PasswordMinLength, 15)
	defaultTo(&s.APIKeyPrefix, prefixAPIKey)
	defaultTo(&s.EmailTokenLifetime, 7*day)
	defaultTo(&s.PasswordTokenLifetime, 3*day)
	return s
}

const day Seconds = 24 * 60 * 60

// APTEncryption says whether APTs may come encrypted to the realm: signed first, then encrypted to one of the keys
// that its key set has with the use "enc".
type APTEncryption string

// The choices.
const (
	APTEncryptionOff     APTEncryption = ""        // an encrypted APT is refused unread
	APTEncryptionAccept  APTEncryption = "accept"  // both kinds are accepted
	APTEncryptionRequire APTEncryption = "require" // one that is not encrypted is refused
)

// validate refuses settings outside their bounds.
func (s RealmSettings) validate() error {
	var fields []FieldError
	bound := func(name string, v, low, high Seconds) {
		if v < low || v > high {
			fields = append(fields, FieldError{name, fmt.Sprintf("%s must be from %d to %d seconds", settingLabel(name), low, high)})
		}
	}
	bound("token_lifetime", s.TokenLifetime, 60, 30*day)
	bound("apt_token_lifetime", s.APTTokenLifetime, 60, 90*day)
	bound("session_idle", s.SessionIdle, 60, 366*day)
	bound("session_absolute", s.SessionAbsolute, 60, 3660*day)
	bound("apt_lifetime", s.APTLifetime, 1, day)
	bound("apt_skew", s.APTSkew, 0, 5*60)
	if s.SessionFixed != 0 && (s.SessionFixed < 60 || s.SessionFixed > 30*day) {
		fields = append(fields, FieldError{"session_minutes", "Session minutes must be from 1 to 43200"})
	}
	if s.APIKeyTokens != 0 && (s.APIKeyTokens < 60 || s.APIKeyTokens > 30*day) {
		fields = append(fields, FieldError{"api_key_minutes", "API key minutes must be from 0 to 43200"})
	}
	bound("event_retention", s.EventRetention, day, 3660*day)
	fields = append(fields, s.validateLists()...)
	bound("email_token_lifetime", s.EmailTokenLifetime, 60, 7*day)
	bound("password_token_lifetime", s.PasswordTokenLifetime, 60, 3*day)
	if s.KeyRotation != 0 {
		bound("key_rotation", s.KeyRotation, day, 3660*day)
	}
	if s.PasswordMinLength < 8 || s.PasswordMinLength > 128 {
		fields = append(fields, FieldError{"password_min_length", "Password min length must be from 8 to 128 characters"})
	}
	if s.PasswordComplexity < 0 || s.PasswordComplexity > 4 {
		fields = append(fields, FieldError{"min_complexity", "Min complexity must be from 0 to 4"})
	}
	if fields = append(fields, s.validateWords()...); len(fields) > 0 {
		return &Error{Kind: KindInvalid, Code: "validation", Fields: fields}
	}
	return nil
}

// validateWords refuses words that are none of those to choose from.
func (s RealmSettings) validateWords() (fields []FieldError) {
	if !isAPIKeyPrefix(s.APIKeyPrefix) || beginsLike(s.APIKeyPrefix, shownSecrets) {
		fields = append(fields, FieldError{"api_key_prefix", "API key prefix must have 1 to 20 letters, digits and underscores, and not begin like other secrets"})
	}
	if s.APIKeyPolicy != APIKeyHash && s.APIKeyPolicy != APIKeyEncrypt {
		fields = append(fields, FieldError{"api_key_policy", "API key policy must be hash or encrypt"})
	}
	if !slices.Contains([]APTEncryption{APTEncryptionOff, APTEncryptionAccept, APTEncryptionRequire}, s.APTEncryption) {
		fields = append(fields, FieldError{"apt_encryption", "APT encryption must be accept or require, or left out"})
	}
	if !slices.Contains([]jose.Alg{jose.EdDSA, jose.ES256, jose.RS256, jose.HS256}, s.TokenAlg) {
		fields = append(fields, FieldError{"jwt_algo", "JWT algo must be EdDSA, ES256, RS256 or HS256"})
	}
	return fields
}

// settingLabel returns the name of a setting as messages have it.
func settingLabel(name string) string {
	words := strings.ReplaceAll(name, "_", " ")
	if of, apt := strings.CutPrefix(words, "apt "); apt {
		return "APT " + of
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// CharacterKind is a kind of characters (Users API, "required_chars").
type CharacterKind string

// The kinds. Letters of scripts without case are of no kind but special.
const (
	CharacterLower   CharacterKind = "lower"
	CharacterUpper   CharacterKind = "upper"
	CharacterDigit   CharacterKind = "digit"
	CharacterSpecial CharacterKind = "special" // whatever is none of the others
)

// kindOf returns the kind that a character is of.
func kindOf(r rune) CharacterKind {
	switch {
	case unicode.IsLower(r):
		return CharacterLower
	case unicode.IsUpper(r):
		return CharacterUpper
	case unicode.IsDigit(r):
		return CharacterDigit
	}
	return CharacterSpecial
}

// validateLists returns what is wrong with settings that are lists.
func (s RealmSettings) validateLists() (fields []FieldError) {
	for _, k := range s.PasswordRequired {
		if !slices.Contains([]CharacterKind{CharacterLower, CharacterUpper, CharacterDigit, CharacterSpecial}, k) {
			fields = append(fields, FieldError{"required_chars", "Required chars must be of lower, upper, digit and special"})
			break
		}
	}
	for kind, state := range s.Providers {
		if !slices.Contains(providerTypes, kind) || state != StateActive && state != StateInactive {
			fields = append(fields, FieldError{"auth_providers", "Auth providers must be of password and totp, and active or inactive"})
			break
		}
	}
	for _, f := range s.TokenFields {
		if !slices.Contains(tokenFields, f) {
			fields = append(fields, FieldError{"jwt_fields", "JWT fields can be custom, memberships and orgs"})
			break
		}
	}
	return fields
}

// Failures of realms.
var (
	ErrRealmNotFound       = &Error{Kind: KindNotFound, Code: "realm_not_found", Detail: "realm not found"}
	ErrEnvironmentNotFound = &Error{Kind: KindNotFound, Code: "environment_not_found", Detail: "environment not found"}

	// ErrRealmInactive says that nobody signs in to a realm, or is let in, until it is active again.
	ErrRealmInactive = &Error{Kind: KindForbidden, Code: "realm_inactive", Detail: "this realm is inactive, and nobody can sign in to it"}

	// ErrRealmResetting says that a realm's users are being deleted, so that none can be found or made.
	ErrRealmResetting = &Error{Kind: KindConflict, Code: "realm_resetting", Detail: "this realm is being reset; try again when that is done"}
)

// member is a realm's place among the realms, by name.
func (r *Realm) member() string { return r.Name + "\x00" + string(r.ID) }

// changed returns a realm, as it is kept, with what in asks for.
func (r *Realm) changed(in RealmChange) (*Realm, error) {
	after := *r
	if in.Name != nil {
		name, err := realmName(*in.Name)
		if err != nil {
			return nil, err
		}
		after.Name = name
	}
	if in.Settings != nil {
		in.Settings(&after.Settings)
	}
	if err := after.Settings.withDefaults().validate(); err != nil {
		return nil, err
	}
	if after.Settings.APIKeyPolicy != r.Settings.APIKeyPolicy {
		after.KeyEra++
	}
	after.LongestIdle = max(r.LongestIdle, r.Settings.withDefaults().SessionIdle)
	return &after, after.describe(in)
}

// maxLinksSize bounds resource links, in bytes of JSON.
const maxLinksSize = 16 << 10

// describe sets what in asks for beside name and settings.
func (r *Realm) describe(in RealmChange) error {
	var errs fieldErrors
	if in.State != nil {
		errs.check(*in.State == StateActive || *in.State == StateInactive, "state", "State must be active or inactive")
		r.State = *in.State
	}
	errs.text(&r.Reference, in.Reference, "reference", "Reference")
	if in.Custom != nil {
		errs.add(in.Custom.validate())
		r.Custom = *in.Custom
	}
	if in.ResourceLinks != nil {
		links := bytes.TrimSpace(*in.ResourceLinks)
		if string(links) == "null" {
			links = nil
		}
		errs.check(plainLength(links) <= maxLinksSize && (len(links) == 0 || links[0] == '{' || links[0] == '['), "resource_links",
			"Resource links must be an object or array of at most 16 KiB")
		r.ResourceLinks = links
	}
	return errs.err()
}
