package client

import (
	"context"

	"github.com/postern-auth/postern/httpapi/wire"
)

// Credential is what calls about credentials answer with. What only API keys, authenticators or recovery codes have is in the
// embedded struct of their kind, which is nil in all others.
type Credential = wire.Credential

// The kinds of credentials that can be made.
const (
	CredentialPassword      = "password"
	CredentialAPIKey        = "api_key"
	CredentialTOTP          = "totp" // an authenticator
	CredentialRecoveryCodes = "recovery_codes"
)

// Credentials are what users prove themselves with (Users API, "Credentials"). Those of a user are listed in User.Credentials.
type Credentials struct{ c *Client }

// CredentialCreate is a credential to be made.
type CredentialCreate struct {
	UserID         string `json:"user_id"`
	CredentialType string `json:"credential_type"`

	Name             string   `json:"name,omitempty"`              // of an API key or authenticator
	Password         string   `json:"password,omitempty"`          // of a user without one
	APIKey           string   `json:"api_key,omitempty"`           // one of your own choice; "" has one made
	ExpiresAt        *Time    `json:"expires_at,omitempty"`        // of an API key; nil = never
	Permissions      []string `json:"permissions,omitzero"`        // of an API key; nil = all of the user's, empty = none
	AllowedAddresses []string `json:"allowed_addresses,omitempty"` // of an API key, as CIDRs; empty = any
}

// Create makes a credential. What is secret in it, an API key, the secret of an authenticator or recovery codes, is in this answer
// alone. It fails with ErrNotFound and ErrInvalid.
func (s *Credentials) Create(ctx context.Context, in CredentialCreate, opts ...CallOption) (*Credential, error) {
	return do[Credential](ctx, s.c, to("POST", "/v1/credentials").about("credential", in), opts)
}

// Get returns a credential. It fails with ErrNotFound.
func (s *Credentials) Get(ctx context.Context, credential string, opts ...CallOption) (*Credential, error) {
	return do[Credential](ctx, s.c, to("GET", "/v1/credentials/{credential}", credential), opts)
}

// CredentialUpdate is what is to be set of a credential. What is nil stays as it is.
type CredentialUpdate struct {
	Name             *string   `json:"name,omitempty"`
	Password         *string   `json:"password,omitempty"`         // ends all of the user's sessions
	APIKey           *string   `json:"api_key,omitempty"`          // "" or "generate" has one made, which the answer has once; the former is refused at once
	ExpiresAt        *Time     `json:"expires_at,omitempty"`       // the zero Time takes the limit away
	Permissions      *[]string `json:"permissions,omitempty"`      // a nil list takes the limit away, an empty one all permissions
	AllowedAddresses []string  `json:"allowed_addresses,omitzero"` // empty and not nil takes the limit away
}

// Update changes a credential. It fails with ErrNotFound and ErrInvalid.
func (s *Credentials) Update(ctx context.Context, credential string, in CredentialUpdate, opts ...CallOption) (*Credential, error) {
	return do[Credential](ctx, s.c, to("PUT", "/v1/credentials/{credential}", credential).about("credential", in), opts)
}

// Delete takes a credential away. It fails with ErrNotFound.
func (s *Credentials) Delete(ctx context.Context, credential string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/credentials/{credential}", credential), nil, opts)
}

// Verify checks a code of an authenticator, which counts from its first good one. It fails with ErrInvalid where the code does
// not match, and ErrThrottled after too many attempts.
func (s *Credentials) Verify(ctx context.Context, credential, code string, opts ...CallOption) (*Credential, error) {
	r := to("POST", "/v1/credentials/{credential}/verify", credential)
	return do[Credential](ctx, s.c, r.about("credential", map[string]string{"code": code}), opts)
}
