package wire

// APTKey is a public key of an account provider.
type APTKey struct {
	Tagged
	ID              string `json:"id"`
	RealmID         string `json:"realm_id"`
	EnvironmentGUID string `json:"environment_guid"`
	KID             string `json:"kid"` // RFC 7638 thumbprint
	Alg             string `json:"alg"`
	PublicKey       string `json:"public_key"` // PKIX PEM
	Name            string `json:"name"`
	State           string `json:"state"` // active or retired
	NotAfter        Time   `json:"not_after"`
	LastUsedAt      Time   `json:"last_used_at"` // seconds behind
	CreatedAt       Time   `json:"created_at"`
	Object          string `json:"object"`                // "apt_key"
	PrivateKey      string `json:"private_key,omitempty"` // PKCS#8 PEM, in the answer that made it alone
}

// ManagementKey is the right of a back end to call the API.
type ManagementKey struct {
	Tagged
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	RealmID     *string  `json:"realm_id"` // null = all realms
	Permissions []string `json:"permissions"`
	LastUsedAt  Time     `json:"last_used_at"` // seconds behind
	ExpiresAt   Time     `json:"expires_at"`
	CreatedAt   Time     `json:"created_at"`
	Object      string   `json:"object"`           // "management_key"
	Secret      string   `json:"secret,omitempty"` // ko_..., in the answer that made it alone
}
