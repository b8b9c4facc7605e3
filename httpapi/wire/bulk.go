package wire

import "encoding/json"

// UserLine is a user in an export, and one to import: a line of NDJSON. What is missing or null is empty.
type UserLine struct {
	ID                string                     `json:"id,omitempty"`     // usr_..., kept where it is free
	Source            string                     `json:"source,omitempty"` // imports only: who the user is in another system, or which the org; without an id, one is made of it
	UserType          string                     `json:"user_type,omitempty"`
	State             string                     `json:"state,omitempty"`
	Username          string                     `json:"username,omitempty"`
	Email             string                     `json:"email,omitempty"`
	EmailVerification string                     `json:"email_verification,omitempty"`
	EmailChanged      bool                       `json:"email_changed,omitempty"` // it was another address that was verified
	FirstName         string                     `json:"first_name,omitempty"`
	LastName          string                     `json:"last_name,omitempty"`
	Name              string                     `json:"name,omitempty"` // api users only
	Reference         string                     `json:"reference,omitempty"`
	ArbitraryID       string                     `json:"arbitrary_id,omitempty"`
	Custom            map[string]json.RawMessage `json:"custom,omitempty"`
	CreatedAt         Time                       `json:"created_at,omitzero"`
	LastLoginAt       Time                       `json:"last_login_at,omitzero"`
	Password          *PasswordLine              `json:"password,omitempty"`

	// Object is "org" in the lines of orgs, which come before the users: of the fields above they have an id, a name, state, reference,
	// custom and created_at. It is "realm" in the line of the realm's settings, which comes before all others and has Realm and
	// AuthProviders alone. In those of users it is missing.
	Object string `json:"object,omitempty"`

	Realm         *Realm         `json:"realm,omitempty"`         // an import takes what may be set of a realm, but for its name
	AuthProviders []AuthProvider `json:"auth_providers,omitzero"` // all that the realm has

	Memberships    []MembershipLine    `json:"memberships,omitempty"`
	APIKeys        []APIKeyLine        `json:"api_keys,omitempty"`
	ChosenKeys     bool                `json:"chosen_keys,omitempty"` // some of the API keys may have been chosen by a caller
	Authenticators []AuthenticatorLine `json:"authenticators,omitempty"`
	RecoveryCodes  *RecoveryLine       `json:"recovery_codes,omitempty"`
}

// MembershipLine is a user's membership in an export.
type MembershipLine struct {
	ID          string                     `json:"id,omitempty"`         // missing = made of the user's and the org's
	OrgID       string                     `json:"org_id,omitempty"`     // missing = in no org
	OrgSource   string                     `json:"org_source,omitempty"` // imports only, in the place of OrgID: the Source in the line of the org
	Permissions []string                   `json:"permissions,omitempty"`
	ExpiresAt   Time                       `json:"expires_at,omitzero"`
	Custom      map[string]json.RawMessage `json:"custom,omitempty"`
	CreatedAt   Time                       `json:"created_at,omitzero"`
}

// APIKeyLine is a user's API key in an export: enough to know it again and, where it is sealed, to show it again.
type APIKeyLine struct {
	ID          string   `json:"id,omitempty"`     // missing = made of the user's and the digest
	Digest      string   `json:"digest"`           // SHA-256 of the key, in base64 for URLs without padding
	Sealed      string   `json:"sealed,omitempty"` // the key itself, sealed under the server's master key; missing = the realm does not show it again
	Name        string   `json:"name,omitempty"`
	Permissions []string `json:"permissions,omitzero"` // missing = all of the user's
	Addresses   []string `json:"allowed_addresses,omitempty"`
	ExpiresAt   Time     `json:"expires_at,omitzero"`
	CreatedAt   Time     `json:"created_at,omitzero"`
	LastUsedAt  Time     `json:"last_used_at,omitzero"`
}

// AuthenticatorLine is a user's authenticator for one-time codes in an export.
type AuthenticatorLine struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Sealed     string `json:"sealed"`              // the secret, sealed under the server's master key
	LastStep   int64  `json:"last_step,omitempty"` // the last thirty seconds since 1970 of which a code was accepted; no code up to then counts again
	New        bool   `json:"new,omitempty"`       // no good code was seen: it does not count yet
	CreatedAt  Time   `json:"created_at,omitzero"`
	LastUsedAt Time   `json:"last_used_at,omitzero"`
}

// RecoveryLine is a user's recovery codes in an export: those that are left.
type RecoveryLine struct {
	ID         string `json:"id"`
	Sealed     string `json:"sealed"` // their hashes and the key of these, sealed under the server's master key
	CreatedAt  Time   `json:"created_at,omitzero"`
	LastUsedAt Time   `json:"last_used_at,omitzero"`
}

// PasswordLine is a password in an export. With the hash alone it is one of another system.
type PasswordLine struct {
	Hash      string `json:"hash"`
	Own       bool   `json:"own,omitempty"` // made by Postern, which prepares a password before it hashes it
	CreatedAt Time   `json:"created_at,omitzero"`
}

// ImportLine says what became of a line of an import.
type ImportLine struct {
	Line   int      `json:"line"`             // from 1 on
	Status string   `json:"status"`           // created, updated (a realm), exists or failed; in a dry run the first two stand for what would be
	ID     string   `json:"id,omitempty"`     // of the user, org or realm
	Errors []string `json:"errors,omitempty"` // whole sentences
}

// ImportSummary is the last line of the answer to an import. Without it, the import did not come to its end.
type ImportSummary struct {
	Lines   int    `json:"lines"`
	Created int    `json:"created"`
	Updated int    `json:"updated"` // 1 where the realm's settings were not as the import has them
	Exists  int    `json:"exists"`
	Failed  int    `json:"failed"`
	DryRun  bool   `json:"dry_run"`
	Object  string `json:"object"` // "import"
}

// ImportEnded is the last line of the answer to an import that could not go on, in the place of a summary. It can be repeated.
type ImportEnded struct {
	Error  string `json:"error"`  // a sentence
	Code   string `json:"code"`   // as in the answers about other failures
	Object string `json:"object"` // "error"
}
