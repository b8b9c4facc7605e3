package wire

import "encoding/json"

// Realm is a realm with its policies (Users API, "Realms", and beside them ours). Times are in seconds unless the name
// says minutes.
type Realm struct {
	Tagged
	ID              string                     `json:"id"`
	Name            string                     `json:"name"`
	State           string                     `json:"state"`
	Reference       *string                    `json:"reference"`
	Custom          map[string]json.RawMessage `json:"custom"`
	ResourceLinks   json.RawMessage            `json:"resource_links"` // as it was sent, or null
	EnvironmentGUID string                     `json:"environment_guid"`
	Issuer          string                     `json:"issuer"`

	JWTAlgo   string   `json:"jwt_algo"`
	JWTFields []string `json:"jwt_fields"`
	JWTKey    *string  `json:"jwt_key,omitempty"`    // not in lists: the secret of HS256, the public key of RS256 (PEM)
	JWTSecret *string  `json:"jwt_secret,omitempty"` // the former name of jwt_key, of HS256 only

	UsernameValidationHuman string `json:"username_validation_human"` // standard or email
	RequireUniqueEmails     bool   `json:"require_unique_emails"`
	APIKeyPolicy            string `json:"api_key_policy"` // hash or encrypt
	APIKeyPrefix            string `json:"api_key_prefix"`
	APIKeyMinutes           int64  `json:"api_key_minutes"` // of tokens that stand for API keys; 0 = there are none
	SessionType             string `json:"session_type"`    // managed or unmanaged; people's sessions are managed in both
	SessionMinutes          *int64 `json:"session_minutes"` // null: session_idle and session_absolute bound a session
	Resetting               bool   `json:"resetting"`       // its users are being deleted

	TokenLifetime         int64   `json:"token_lifetime"`     // of a token from a sign-in
	APTTokenLifetime      int64   `json:"apt_token_lifetime"` // of a token from an APT
	SessionIdle           int64   `json:"session_idle"`
	SessionAbsolute       int64   `json:"session_absolute"`
	APTLifetime           int64   `json:"apt_lifetime"` // longest accepted exp - iat
	APTSkew               int64   `json:"apt_skew"`
	APTRequireJTI         bool    `json:"apt_require_jti"`
	APTRequireArbitraryID bool    `json:"apt_require_arbitrary_id"`
	APTEncryption         *string `json:"apt_encryption"` // accept, require, or null for off
	KeyRotation           int64   `json:"key_rotation"`   // 0 = until told
	PasswordMinLength     int     `json:"password_min_length"`
	EventRetention        int64   `json:"event_retention"`
	EmailTokenLifetime    int64   `json:"email_token_lifetime"`
	PasswordTokenLifetime int64   `json:"password_token_lifetime"`

	CreatedAt Time   `json:"created_at"`
	Object    string `json:"object"` // "realm"
}

// JWTKey is a key of a realm's session tokens (Users API, "JWT keys").
type JWTKey struct {
	Tagged
	ID            string `json:"id"`
	RealmID       string `json:"realm_id"`
	Algo          string `json:"algo"`
	Key           string `json:"key"` // PEM of the public key, or the secret of HS256
	Use           string `json:"use"` // "sign"
	KeyID         string `json:"kid"`
	SignsFrom     Time   `json:"signs_from"`
	VerifiesUntil Time   `json:"verifies_until"` // null for the newest
	Expired       bool   `json:"expired"`
	Object        string `json:"object"` // "jwt_key"
}

// AuthProvider is a way to sign in (Users API, "Auth providers").
type AuthProvider struct {
	Tagged
	ID            string   `json:"id"`
	RealmID       string   `json:"realm_id"`
	ProviderType  string   `json:"provider_type"` // password or totp
	State         string   `json:"state"`
	MinLength     *int     `json:"min_length,omitempty"`     // of passwords
	MinComplexity *int     `json:"min_complexity,omitempty"` // of passwords: 0 to 4, levels of zxcvbn
	RequiredChars []string `json:"required_chars,omitzero"`  // of passwords: lower, upper, digit, special
	Object        string   `json:"object"`                   // "auth_provider"
}

// LoginPolicy is how a realm's sign-in pages look (Users API, "Login policies").
type LoginPolicy struct {
	Tagged
	ID            string   `json:"id"`
	RealmID       string   `json:"realm_id"`
	Name          string   `json:"name"`
	Subdomain     *string  `json:"subdomain"`
	Domains       []string `json:"domains"`
	Header        *string  `json:"header"`
	Footer        *string  `json:"footer"`
	ExternalCSS   *string  `json:"external_css"`
	LoginHandler  *string  `json:"login_handler"`
	SignupHandler *string  `json:"signup_handler"`
	RedirectURIs  []string `json:"redirect_uris"`
	CreatedAt     Time     `json:"created_at"`
	Object        string   `json:"object"` // "login_policy"
}
