package client

import (
	"context"

	"github.com/postern-auth/postern/httpapi/wire"
)

// UserToken is what calls about parked signups answer with.
type UserToken = wire.UserToken

// UserTokens are signups that are parked until they become users (Users API, "user_tokens").
type UserTokens struct{ c *Client }

// UserTokenCreate is a signup to be parked.
type UserTokenCreate struct {
	Username  string `json:"username,omitempty"`
	Email     string `json:"email,omitempty"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Password  string `json:"password,omitempty"`
}

// Create parks a signup. The id in the answer is the token, to be given to Redeem, and is nowhere else. It fails with ErrInvalid.
func (s *UserTokens) Create(ctx context.Context, in UserTokenCreate, opts ...CallOption) (*UserToken, error) {
	return do[UserToken](ctx, s.c, to("POST", "/v1/user_tokens").about("user_token", in), opts)
}

// Get returns a signup that is still parked. It fails with ErrNotFound.
func (s *UserTokens) Get(ctx context.Context, token string, opts ...CallOption) (*UserToken, error) {
	return do[UserToken](ctx, s.c, to("GET", "/v1/user_tokens/{token}", token), opts)
}

// Joining is what a user who is made of a parked signup becomes a member of.
type Joining struct {
	Org         *OrgCreate // an org to be made with the user in it
	OrgIDs      []string   // orgs to be a member of
	Permissions []string   // in those
}

// Redeem makes the user who was parked, once. It fails with ErrInvalid where the token is none, or no longer, and where a name
// was taken meanwhile.
func (s *UserTokens) Redeem(ctx context.Context, token string, in Joining, opts ...CallOption) (*User, error) {
	object := struct {
		Token       string     `json:"token"`
		Org         *OrgCreate `json:"org,omitempty"`
		OrgIDs      []string   `json:"org_ids,omitempty"`
		Permissions []string   `json:"permissions,omitempty"`
	}{token, in.Org, in.OrgIDs, in.Permissions}
	return do[User](ctx, s.c, to("POST", "/v1/users").about("user", object), opts)
}
