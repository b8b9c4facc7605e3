package wire

// CredentialRef names a credential of a user.
type CredentialRef struct {
	ID             string `json:"id"`
	CredentialType string `json:"credential_type"`
	Object         string `json:"object"` // "credential"
}

// Credential is a credential in full (Users API, "Credentials"). What only one kind has is in the struct of that name,
// which is nil in all others.
type Credential struct {
	Tagged
	ID             string  `json:"id"`
	UserID         string  `json:"user_id"`
	CredentialType string  `json:"credential_type"`
	AuthProviderID *string `json:"auth_provider_id"` // null where the realm has none for this kind
	Name           string  `json:"name"`
	LastUsedAt     Time    `json:"last_used_at"` // minutes behind
	CreatedAt      Time    `json:"created_at"`
	Object         string  `json:"object"` // "credential"

	*APIKey
	*TOTP
	*RecoveryCodes
}

// APIKey is what only API keys have.
type APIKey struct {
	ExpiresAt        Time     `json:"expires_at"`
	Permissions      []string `json:"permissions"`       // null = all of the user's
	AllowedAddresses []string `json:"allowed_addresses"` // CIDRs; empty = any
	Key              string   `json:"api_key,omitempty"` // in the answer that made it, or where the realm has the policy encrypt
}

// TOTP is what only authenticators have.
type TOTP struct {
	State           string `json:"state"`                      // new, or active once a good code was seen
	OTPSecret       string `json:"otp_secret,omitempty"`       // base32, while it is new
	ProvisioningURI string `json:"provisioning_uri,omitempty"` // otpauth://, while it is new
}

// RecoveryCodes is what only recovery codes have.
type RecoveryCodes struct {
	Remaining int      `json:"remaining"`
	Codes     []string `json:"recovery_codes,omitempty"` // in the answer that made them alone
}
