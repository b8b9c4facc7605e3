package client

import (
	"context"

	"github.com/postern-auth/postern/httpapi/wire"
)

// What calls about how to sign in answer with.
type (
	AuthProvider = wire.AuthProvider
	LoginPolicy  = wire.LoginPolicy
)

// AuthProviders are the ways to sign in to a realm (Users API, "Auth providers"). All calls need the manage permission.
type AuthProviders struct{ c *Client }

// List returns all providers of the realm, of which there are few.
func (s *AuthProviders) List(ctx context.Context) (*List[AuthProvider], error) {
	return do[List[AuthProvider]](ctx, s.c, to("GET", "/v1/auth_providers"), nil)
}

// Get returns a provider. It fails with ErrNotFound.
func (s *AuthProviders) Get(ctx context.Context, provider string, opts ...CallOption) (*AuthProvider, error) {
	return do[AuthProvider](ctx, s.c, to("GET", "/v1/auth_providers/{provider}", provider), opts)
}

// AuthProviderCreate is a provider to be made.
type AuthProviderCreate struct {
	ProviderType  string   `json:"provider_type"`            // password or totp
	State         string   `json:"state,omitempty"`          // active or inactive
	MinLength     int      `json:"min_length,omitempty"`     // of passwords, 8 to 128; 0 = the default
	MinComplexity int      `json:"min_complexity,omitempty"` // of passwords, 0 to 4, levels of zxcvbn
	RequiredChars []string `json:"required_chars,omitempty"` // of passwords: lower, upper, digit, special
}

// Create makes a provider, of which there is one of each type. It fails with ErrInvalid.
func (s *AuthProviders) Create(ctx context.Context, in AuthProviderCreate, opts ...CallOption) (*AuthProvider, error) {
	return do[AuthProvider](ctx, s.c, to("POST", "/v1/auth_providers").about("auth_provider", in), opts)
}

// AuthProviderUpdate is what is to be set of a provider. What is nil stays as it is.
type AuthProviderUpdate struct {
	State         *string  `json:"state,omitempty"`
	MinLength     *int     `json:"min_length,omitempty"` // 0 brings the default back
	MinComplexity *int     `json:"min_complexity,omitempty"`
	RequiredChars []string `json:"required_chars,omitzero"` // empty and not nil = none
}

// Update changes a provider. It fails with ErrNotFound and ErrInvalid.
func (s *AuthProviders) Update(ctx context.Context, provider string, in AuthProviderUpdate, opts ...CallOption) (*AuthProvider, error) {
	return do[AuthProvider](ctx, s.c, to("PUT", "/v1/auth_providers/{provider}", provider).about("auth_provider", in), opts)
}

// Delete takes a way to sign in away. It fails with ErrNotFound.
func (s *AuthProviders) Delete(ctx context.Context, provider string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/auth_providers/{provider}", provider), nil, opts)
}

// LoginPolicies are how a realm's sign-in pages look (Users API, "Login policies"). All calls need the manage permission.
type LoginPolicies struct{ c *Client }

// List returns all policies of the realm, the oldest first.
func (s *LoginPolicies) List(ctx context.Context) (*List[LoginPolicy], error) {
	return do[List[LoginPolicy]](ctx, s.c, to("GET", "/v1/login_policies"), nil)
}

// Get returns a policy. It fails with ErrNotFound.
func (s *LoginPolicies) Get(ctx context.Context, policy string, opts ...CallOption) (*LoginPolicy, error) {
	return do[LoginPolicy](ctx, s.c, to("GET", "/v1/login_policies/{policy}", policy), opts)
}

// LoginPolicyChange is what is to be set of a policy, or of one to be made, which needs a name. What is nil stays as it is; an empty
// text, or a list that is empty and not nil, clears.
type LoginPolicyChange struct {
	Name          *string  `json:"name,omitempty"`
	Subdomain     *string  `json:"subdomain,omitempty"`
	Domains       []string `json:"domains,omitzero"`
	Header        *string  `json:"header,omitempty"`
	Footer        *string  `json:"footer,omitempty"`
	ExternalCSS   *string  `json:"external_css,omitempty"`
	LoginHandler  *string  `json:"login_handler,omitempty"`
	SignupHandler *string  `json:"signup_handler,omitempty"`
	RedirectURIs  []string `json:"redirect_uris,omitzero"`
}

// Create makes a policy. It fails with ErrInvalid, and with ErrConflict where there are 100.
func (s *LoginPolicies) Create(ctx context.Context, in LoginPolicyChange, opts ...CallOption) (*LoginPolicy, error) {
	return do[LoginPolicy](ctx, s.c, to("POST", "/v1/login_policies").about("login_policy", in), opts)
}

// Update changes a policy. It fails with ErrNotFound and ErrInvalid.
func (s *LoginPolicies) Update(ctx context.Context, policy string, in LoginPolicyChange, opts ...CallOption) (*LoginPolicy, error) {
	return do[LoginPolicy](ctx, s.c, to("PUT", "/v1/login_policies/{policy}", policy).about("login_policy", in), opts)
}

// Delete deletes a policy. It fails with ErrNotFound.
func (s *LoginPolicies) Delete(ctx context.Context, policy string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/login_policies/{policy}", policy), nil, opts)
}
