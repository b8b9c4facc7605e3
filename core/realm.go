package core

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

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

	// ChosenKeys says that somebody's API key was chosen by a caller, at some time. Until then whatever lacks the
	// checksum of a generated one is garbage, and costs no lookup.
	ChosenKeys bool `json:"chosen_keys,omitempty"`
}

func (r *Realm) key(Partition) Key { return realmKey(r.ID) }

// RealmSettings are the policies of a realm. Zero values stand for the defaults.
type RealmSettings struct {
	TokenAlg jose.Alg `json:"token_alg,omitempty"` // of session tokens; default EdDSA

	TokenLifetime    Seconds `json:"token_lifetime,omitempty"`     // of a token from a sign-in; 1 minute to 30 days, default 360 minutes
	APTTokenLifetime Seconds `json:"apt_token_lifetime,omitempty"` // of a token from an APT; 1 minute to 90 days, default 28 days
	SessionIdle      Seconds `json:"session_idle,omitempty"`       // a session not seen for this long is over; default 28 days
	SessionAbsolute  Seconds `json:"session_absolute,omitempty"`   // and at the latest this long after sign-in; default 90 days

	APTLifetime Seconds `json:"apt_lifetime,omitempty"` // longest accepted exp - iat of an APT; default 5 minutes
	APTSkew     Seconds `json:"apt_skew,omitempty"`     // how far an account provider's clock may be off; default 30 seconds

	APTRequireJTI         bool `json:"apt_require_jti,omitempty"`          // refuse an APT that could be used twice
	APTRequireArbitraryID bool `json:"apt_require_arbitrary_id,omitempty"` // refuse an APT that does not say whom it is for

	APTEncryption APTEncryption `json:"apt_encryption,omitempty"` // default off

	KeyRotation Seconds `json:"key_rotation,omitempty"` // how old signing keys get before new ones are made; 1 day to 10 years, 0 = until told

	PasswordMinLength int  `json:"password_min,omitempty"`  // characters; 8 to 128, default 15
	SharedEmails      bool `json:"shared_emails,omitempty"` // e-mail addresses may repeat, and then do not sign in

	APIKeyPrefix string `json:"api_key_prefix,omitempty"` // what generated API keys begin with; 1 to 20 letters, digits and underscores, default "ak_"
}

// withDefaults returns s with its zero values filled.
func (s RealmSettings) withDefaults() RealmSettings {
	defaultTo(&s.TokenAlg, jose.EdDSA)
	defaultTo(&s.TokenLifetime, 360*60)
	defaultTo(&s.APTTokenLifetime, 28*day)
	defaultTo(&s.SessionIdle, 28*day)
	defaultTo(&s.SessionAbsolute, 90*day)
	defaultTo(&s.APTLifetime, 5*60)
	defaultTo(&s.APTSkew, 30)
	defaultTo(&s.PasswordMinLength, 15)
	defaultTo(&s.APIKeyPrefix, "ak_")
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
			fields = append(fields, FieldError{name, fmt.Sprintf("%s must be from %s to %s", name, low.Duration(), high.Duration())})
		}
	}
	bound("token_lifetime", s.TokenLifetime, 60, 30*day)
	bound("apt_token_lifetime", s.APTTokenLifetime, 60, 90*day)
	bound("session_idle", s.SessionIdle, 60, 366*day)
	bound("session_absolute", s.SessionAbsolute, 60, 3660*day)
	bound("apt_lifetime", s.APTLifetime, 1, day)
	bound("apt_skew", s.APTSkew, 0, 5*60)
	if s.KeyRotation != 0 {
		bound("key_rotation", s.KeyRotation, day, 3660*day)
	}
	if s.PasswordMinLength < 8 || s.PasswordMinLength > 128 {
		fields = append(fields, FieldError{"password_min_length", "password_min_length must be from 8 to 128 characters"})
	}
	if !apiKeyPrefix.MatchString(s.APIKeyPrefix) || ownSecret(s.APIKeyPrefix) {
		fields = append(fields, FieldError{"api_key_prefix", "api_key_prefix must have 1 to 20 letters, digits and underscores, and not begin like other secrets"})
	}
	if !slices.Contains([]APTEncryption{APTEncryptionOff, APTEncryptionAccept, APTEncryptionRequire}, s.APTEncryption) {
		fields = append(fields, FieldError{"apt_encryption", "apt_encryption must be accept or require, or left out"})
	}
	if !slices.Contains([]jose.Alg{jose.EdDSA, jose.ES256, jose.RS256, jose.HS256}, s.TokenAlg) {
		fields = append(fields, FieldError{"token_alg", "token_alg must be EdDSA, ES256, RS256 or HS256"})
	}
	if len(fields) > 0 {
		return &Error{Kind: KindInvalid, Code: "validation", Fields: fields}
	}
	return nil
}

// Failures of realms.
var (
	ErrRealmNotFound       = &Error{Kind: KindNotFound, Code: "realm_not_found", Detail: "realm not found"}
	ErrEnvironmentNotFound = &Error{Kind: KindNotFound, Code: "environment_not_found", Detail: "environment not found"}
)

// member is a realm's place among the realms, by name.
func (r *Realm) member() string { return r.Name + "\x00" + string(r.ID) }

// realmName returns the form in which a realm's name is kept, or a KindInvalid error.
func realmName(s string) (string, error) {
	name := strings.TrimSpace(s)
	if name == "" || utf8.RuneCountInString(name) > 100 || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return "", invalid("name", "Name must have 1 to 100 characters")
	}
	return name, nil
}
