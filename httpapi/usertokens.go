package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// createUserToken serves POST /v1/user_tokens: it parks a signup.
func (a *API) createUserToken(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "user_token")
	if err != nil {
		return err
	}
	f := &b.object
	in := core.UserChange{
		Username: f.text("username"), Email: f.optional("email"),
		FirstName: f.optional("first_name"), LastName: f.optional("last_name"),
		Password: f.text("password"), PasswordConfirmation: f.text("password_confirmation"),
	}
	switch kind := orEmpty(f.text("credential_type")); {
	case kind != "" && kind != string(core.CredentialPassword):
		f.complain("credential_type", "must be password")
	case kind != "" && in.Password == nil: // as at /v1/credentials: a password that never comes would be none
		in.Password = new(string)
	}
	f.ignore("id", "object", "created_at", "expires_at")
	if err := b.end(); err != nil {
		return err
	}
	signup, token, err := a.core.Users.Park(c.Context(), realm, in)
	if err != nil {
		return err
	}
	write(w, http.StatusCreated, mediaJSON, userTokenBody(signup, token))
	return nil
}

// getUserToken serves GET /v1/user_tokens/{token}: a signup that is still parked.
func (a *API) getUserToken(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionRead)
	if err != nil {
		return err
	}
	token := c.segment("token")
	signup, err := a.core.Users.Parked(c.Context(), realm, token)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, userTokenBody(signup, token))
	return nil
}

// createParked serves POST /v1/users with a signup token: it makes the user who was parked.
func (a *API) createParked(w http.ResponseWriter, c *call, b *body, realm core.RealmID, token string) error {
	var in core.UserChange
	joins(b, &in)
	if kind := b.object.text("user_type"); kind != nil && *kind != string(core.UserHuman) {
		b.object.complain("user_type", "must be human")
	}
	if err := b.end(); err != nil {
		return err
	}
	user, err := a.core.Users.CreateParked(c.Context(), realm, token, in, b.request)
	if err != nil {
		return err
	}
	return a.writeUser(w, c, http.StatusCreated, user, "")
}

// userTokenBody returns a parked signup.
func userTokenBody(s *core.Signup, token string) wire.UserToken {
	body := wire.UserToken{
		ID: token, RealmID: string(s.Realm), Username: s.Username, Email: orNull(s.Email), FirstName: orNull(s.FirstName),
		LastName: orNull(s.LastName), CreatedAt: wire.Time{Time: s.CreatedAt.Time}, ExpiresAt: wire.Seconds(s.ExpiresAt.Unix()), Object: "user_token",
	}
	if s.HasPassword() {
		kind := string(core.CredentialPassword)
		body.CredentialType = &kind
	}
	return body
}
