package client

import (
	"context"
	"iter"
	"strings"

	"github.com/postern-auth/postern/httpapi/wire"
)

// What calls about users answer with.
type (
	User       = wire.User
	ListedUser = wire.ListedUser
	TokenUser  = wire.TokenUser
)

// Users are the users of a realm (Users API, "Users"). A user is named by id or username, or by e-mail address where that signs in.
type Users struct{ c *Client }

// UserListOptions says which users to list. The zero value is all of them.
type UserListOptions struct {
	Page
	Sort      string  // id, last_login, name, name_alt, email (of those who have one) or username, which is the default
	Desc      bool    // the last first
	Reference *string // of exactly this reference; "" is nobody's
	State     string  // active or inactive
	UserType  string  // human or api
	Prefix    string  // what their username, e-mail address, last or first name begins with; with a Sort, what that which it sorts by does
	Custom    bool    // with their custom attributes
}

// List returns a page of users. With a Prefix and no Sort the next page is after the Next of this one, which may have
// fewer users than asked for, even none, while there are more.
func (s *Users) List(ctx context.Context, o UserListOptions) (*List[ListedUser], error) {
	v := o.values()
	order(v, o.Sort, o.Desc)
	if o.Reference != nil {
		v.Set("reference", *o.Reference)
	}
	put(v, "state", o.State)
	put(v, "user_type", o.UserType)
	put(v, "prefix", o.Prefix)
	if o.Custom {
		v.Set("expand", "custom")
	}
	return do[List[ListedUser]](ctx, s.c, to("GET", "/v1/users").asking(v), nil)
}

// All returns all users from a page on.
func (s *Users) All(ctx context.Context, o UserListOptions) iter.Seq2[*ListedUser, error] {
	return all(ctx, o.Page, func(ctx context.Context, p Page) (*List[ListedUser], error) {
		part := o // the iterator may be run twice, or by two at once
		part.Page = p
		return s.List(ctx, part)
	}, func(u *ListedUser) string { return u.ID })
}

// Get returns a user. It fails with ErrNotFound.
func (s *Users) Get(ctx context.Context, user string, opts ...CallOption) (*User, error) {
	return do[User](ctx, s.c, to("GET", "/v1/users/{user}", user), opts)
}

// UserCreate is a user to be made (Users API, "Create a user").
type UserCreate struct {
	UserType          string         `json:"user_type"`       // human or api
	State             string         `json:"state,omitempty"` // active or inactive
	Username          string         `json:"username,omitempty"`
	Email             string         `json:"email,omitempty"`              // human users need one
	EmailVerification string         `json:"email_verification,omitempty"` // none, requested or verified
	FirstName         string         `json:"first_name,omitempty"`
	LastName          string         `json:"last_name,omitempty"`
	Name              string         `json:"name,omitempty"` // of api users
	Reference         string         `json:"reference,omitempty"`
	Password          string         `json:"password,omitempty"`
	PasswordHash      string         `json:"password_hash,omitempty"` // of another system, in place of a password
	APIKey            string         `json:"api_key,omitempty"`       // of api users; "generate" has one made, which the answer has once; "" = none
	Custom            map[string]any `json:"custom,omitzero"`         // texts, numbers, booleans, nil, or arrays of those

	Org         *OrgCreate `json:"org,omitempty"`         // an org to be made with the user in it
	OrgIDs      []string   `json:"org_ids,omitempty"`     // orgs to be a member of
	Permissions []string   `json:"permissions,omitempty"` // in those; where there is no org, in none
}

// Create makes a user. It fails with ErrInvalid, also where a name is taken.
func (s *Users) Create(ctx context.Context, in UserCreate, opts ...CallOption) (*User, error) {
	return do[User](ctx, s.c, to("POST", "/v1/users").about("user", in), opts)
}

// UserUpdate is what is to be set of a user (Users API, "Update a user"). What is nil stays as it is; an empty text clears.
type UserUpdate struct {
	State             *string        `json:"state,omitempty"`
	Username          *string        `json:"username,omitempty"`
	Email             *string        `json:"email,omitempty"`
	EmailVerification *string        `json:"email_verification,omitempty"`
	FirstName         *string        `json:"first_name,omitempty"`
	LastName          *string        `json:"last_name,omitempty"`
	Name              *string        `json:"name,omitempty"`
	Reference         *string        `json:"reference,omitempty"`
	Password          *string        `json:"password,omitempty"` // ends all sessions
	PasswordHash      *string        `json:"password_hash,omitempty"`
	APIKey            *string        `json:"api_key,omitempty"` // "" or "generate" has one made, which the answer has once
	Custom            map[string]any `json:"custom,omitzero"`   // replaces all there are; empty and not nil removes all
}

// Update changes a user. It fails with ErrNotFound and ErrInvalid.
func (s *Users) Update(ctx context.Context, user string, in UserUpdate, opts ...CallOption) (*User, error) {
	return do[User](ctx, s.c, to("PUT", "/v1/users/{user}", user).about("user", in), opts)
}

// Delete deletes a user, with all that is theirs. It fails with ErrNotFound.
func (s *Users) Delete(ctx context.Context, user string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/users/{user}", user), nil, opts)
}

// SignIn is a user who has signed in, or is half-way there.
type SignIn struct {
	User       *User
	Token      string // the session token; "" where a code is asked for
	LoginToken string // "kli_...", for AuthenticateCode, where a code is asked for; else ""
	Device     string // for the user's device to keep, and to be sent in Origin.Device; "" where that was nil
}

// signedIn takes apart what a sign-in answers with.
func signedIn(u *User, err error) (*SignIn, error) {
	if err != nil {
		return nil, err
	}
	in := &SignIn{User: u, Token: u.Token, Device: u.Device}
	if strings.HasPrefix(u.Token, "kli_") {
		in.Token, in.LoginToken = "", u.Token
	}
	u.Token, u.Device = "", ""
	return in, nil
}

// Authenticate signs a user in with a password. It fails with ErrUnauthenticated where the password is wrong or the user inactive,
// ErrNotFound where there is no such user, ErrForbidden where the realm is inactive or takes no passwords, and ErrThrottled after too many
// attempts. It has no IdempotencyKey of its own, since answers to those are kept for a day, and a second sign-in is no more than a second
// session.
func (s *Users) Authenticate(ctx context.Context, user, password string, opts ...CallOption) (*SignIn, error) {
	return signedIn(do[User](ctx, s.c, to("POST", "/v1/users/{user}/authenticate", user).with("password", password).repeated(always), opts))
}

// AuthenticateCode completes a sign-in with the code of an authenticator or a recovery code. The user may be "", as the login
// token says who it is. It fails with ErrUnauthenticated where the code does not match, and with ErrNotFound where the login token
// is none, or no longer.
func (s *Users) AuthenticateCode(ctx context.Context, user, loginToken, code string, opts ...CallOption) (*SignIn, error) {
	r := byToken(user, "/v1/users/{user}/authenticate_code", "/v1/users/authenticate_token")
	return signedIn(do[User](ctx, s.c, r.about("user", map[string]string{"token": loginToken, "code": code}), opts))
}

// byToken returns a POST about a user, or about whom a token in its body names where user is "".
func byToken(user, route, nameless string) *call {
	if user == "" {
		return to("POST", nameless)
	}
	return to("POST", route, user)
}

// AuthenticateKey returns the user whose API key this is. It fails with ErrNotFound where it is nobody's.
func (s *Users) AuthenticateKey(ctx context.Context, apiKey string, opts ...CallOption) (*User, error) {
	return do[User](ctx, s.c, to("POST", "/v1/users/authenticate_key").with("api_key", apiKey).repeated(always), opts)
}

// PasswordUpdate is a password in place of another.
type PasswordUpdate struct {
	CurrentPassword string `json:"current_password"`
	Password        string `json:"password"`
	SessionID       string `json:"session_id,omitempty"` // of the session that goes on; all others end
}

// UpdatePassword changes the password of a user who knows the current one. It fails with ErrInvalid, also where the current one
// does not match, and with ErrThrottled after too many attempts.
func (s *Users) UpdatePassword(ctx context.Context, user string, in PasswordUpdate, opts ...CallOption) error {
	return s.c.send(ctx, to("PUT", "/v1/users/{user}/update_password", user).about("user", in).repeated(never), nil, opts)
}

// GeneratePasswordToken makes a token to set a new password with, which goes to the user by e-mail.
func (s *Users) GeneratePasswordToken(ctx context.Context, user string, opts ...CallOption) (*TokenUser, error) {
	return do[TokenUser](ctx, s.c, to("POST", "/v1/users/{user}/generate_password_token", user), opts)
}

// ResetPassword sets a new password with a token from GeneratePasswordToken. The user may be "", as the token says who it is. It
// fails with ErrNotFound where the token is none, or no longer, and with ErrInvalid, which leaves the token good.
func (s *Users) ResetPassword(ctx context.Context, user, token, password string, opts ...CallOption) (*User, error) {
	r := byToken(user, "/v1/users/{user}/reset_password_with_token", "/v1/users/reset_password_with_token")
	return do[User](ctx, s.c, r.about("user", map[string]string{"token": token, "password": password}), opts)
}

// RequestEmailVerification makes a token that proves a user's e-mail address, to which it is to be sent.
func (s *Users) RequestEmailVerification(ctx context.Context, user string, opts ...CallOption) (*TokenUser, error) {
	return do[TokenUser](ctx, s.c, to("POST", "/v1/users/{user}/request_email_verification", user), opts)
}

// VerifyEmail takes a token from RequestEmailVerification. The user may be "", as the token says who it is. It fails with
// ErrInvalid where the token is none, or no longer.
func (s *Users) VerifyEmail(ctx context.Context, user, token string, opts ...CallOption) (*User, error) {
	r := byToken(user, "/v1/users/{user}/verify_email", "/v1/users/verify_email")
	return do[User](ctx, s.c, r.with("token", token), opts)
}
