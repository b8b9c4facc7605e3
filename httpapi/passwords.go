package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// changePassword serves PUT /v1/users/{user}/update_password (Users API, "Update a password"). Where session_id is
// given, that session goes on.
func (a *API) changePassword(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "user")
	if err != nil {
		return err
	}
	in := core.PasswordChange{
		Current:      orEmpty(b.either("current_password")),
		Password:     orEmpty(b.either("password")),
		Confirmation: b.either("password_confirmation"),
		Keep:         core.SessionID(orEmpty(b.either("session_id"))),
	}
	name, err := a.namedWith(c, realm, b)
	if err != nil {
		return err
	}
	if err := a.core.Passwords.Change(c.Context(), realm, name, in, b.request); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// generatePasswordToken serves POST /v1/users/{user}/generate_password_token (Users API, "Generate a password token").
func (a *API) generatePasswordToken(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "user")
	if err != nil {
		return err
	}
	name, err := a.namedWith(c, realm, b)
	if err != nil {
		return err
	}
	user, token, err := a.core.Passwords.NewToken(c.Context(), realm, name, b.request)
	if err != nil {
		return err
	}
	body := tokenUser(user, token)
	body.PasswordResetToken = token
	write(w, http.StatusOK, mediaJSON, body)
	return nil
}

// resetPassword serves POST /v1/users/{user}/reset_password_with_token (Users API, "Reset password with a token"), and
// the same without a user in the path, as newer clients send it.
func (a *API) resetPassword(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "user")
	if err != nil {
		return err
	}
	in := core.PasswordReset{
		Token:        orEmpty(b.either("token")),
		Password:     orEmpty(b.either("password")),
		Confirmation: b.either("password_confirmation"),
	}
	if in.User, err = a.namedOrToken(c, realm, b); err != nil {
		return err
	}
	user, err := a.core.Passwords.Reset(c.Context(), realm, in, b.request)
	if err != nil {
		return err
	}
	if b.devices {
		c.device = user.NewDevice
	}
	return a.writeUser(w, c, http.StatusOK, user, "")
}

// namedWith returns the user that the path is about, once all of the body was understood.
func (a *API) namedWith(c *call, realm core.RealmID, b *body) (string, error) {
	if err := b.end(); err != nil {
		return "", err
	}
	return a.named(c, realm)
}

// byToken stands in the place of a user whom the token alone names (Users API, "Path rules").
const byToken = "--"

// namedOrToken is namedWith for calls whose token may stand for the user: then it returns "".
func (a *API) namedOrToken(c *call, realm core.RealmID, b *body) (string, error) {
	if _, there := c.path.named("user"); !there || c.segment("user") == byToken {
		return "", b.end()
	}
	return a.namedWith(c, realm, b)
}

// tokenUser returns a user with a one-time token.
func tokenUser(u *core.User, token string) wire.TokenUser {
	return wire.TokenUser{ID: string(u.ID), RealmID: string(u.Realm), Username: u.Username, Object: "user", Token: token}
}
