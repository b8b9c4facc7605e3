package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/core"
)

// requestVerification serves POST /v1/users/{user}/request_email_verification (Users API, "Request email
// verification").
func (a *API) requestVerification(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "user")
	if err != nil {
		return err
	}
	name, err := a.namedWith(c, realm, b)
	if err != nil {
		return err
	}
	user, token, err := a.core.Users.RequestVerification(c.Context(), realm, name, b.request)
	if err != nil {
		return err
	}
	body := tokenUser(user, token)
	body.Email = user.Email
	write(w, http.StatusOK, mediaJSON, body)
	return nil
}

// verifyEmail serves POST /v1/users/{user}/verify_email (Users API, "Verify an email"), and the same without a user in
// the path, as newer clients send it.
func (a *API) verifyEmail(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "user")
	if err != nil {
		return err
	}
	token := orEmpty(b.either("token"))
	name, err := a.namedOrToken(c, realm, b)
	if err != nil {
		return err
	}
	user, err := a.core.Users.VerifyEmail(c.Context(), realm, name, token, b.request)
	if err != nil {
		return err
	}
	return a.writeUser(w, c, http.StatusOK, user, "")
}
