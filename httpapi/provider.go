package httpapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/failure"
)

// signupPrefix is what the token of a parked signup begins with.
const signupPrefix = "utk_"

// createUser serves POST /v1/users: with a management key it creates a user of any kind (Users API, "Create a user"),
// with an APT one that an account provider vouches for (Work-API, "create_user").
func (a *API) createUser(w http.ResponseWriter, c *call) error {
	if c.showsAPT() {
		return a.provide(w, c)
	}
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "user")
	if err != nil {
		return err
	}
	if err := a.mayImport(c, b); err != nil {
		return err
	}
	if token := orEmpty(b.object.text("token")); strings.HasPrefix(token, signupPrefix) { // others are sent back as they were got
		return a.createParked(w, c, b, realm, token)
	}
	if orEmpty(b.object.text("arbitrary_id")) != "" { // who is told of a user would look for them by it
		b.object.complain("arbitrary_id", "is for account provider tokens and imports to say")
	}
	var joining core.UserChange
	joins(b, &joining)
	in, err := userChange(b)
	if err != nil {
		return err
	}
	in.Org, in.OrgIDs, in.Permissions = joining.Org, joining.OrgIDs, joining.Permissions
	user, err := a.core.Users.Create(c.Context(), realm, in, b.request)
	if err != nil {
		return err
	}
	return a.writeUser(w, c, http.StatusCreated, user, "")
}

// showsAPT reports whether a call that may show a management key or an APT shows the latter. One that shows
// nothing is told what its family of clients lacks.
func (c *call) showsAPT() bool {
	_, bearer := c.bearer()
	_, managed := c.managementKey()
	return !managed && (bearer || c.wants.Answer == failure.JSONAPI)
}

// provide serves POST /v1/users with an APT.
func (a *API) provide(w http.ResponseWriter, c *call) error {
	apt, err := c.apt(w)
	if err != nil {
		return err
	}
	in, err := a.core.APTs.Create(c.Context(), apt)
	if err != nil {
		return err
	}
	return a.writeUser(w, c, http.StatusCreated, in.User, in.Token)
}

// reauth serves POST /v1/users/reauth (Work-API, "reauth_user").
func (a *API) reauth(w http.ResponseWriter, c *call) error {
	apt, err := c.apt(w)
	if err != nil {
		return err
	}
	in, err := a.core.APTs.Reissue(c.Context(), apt)
	if err != nil {
		return err
	}
	return a.writeUser(w, c, http.StatusCreated, in.User, in.Token)
}

// apt reads what a call with an APT asks for.
func (c *call) apt(w http.ResponseWriter) (core.APTCall, error) {
	b, err := c.readBody(w, "user")
	if err != nil {
		return core.APTCall{}, err
	}
	token, _ := c.bearer()
	if c.wants.Sent == failure.JSONAPI && !b.wrapped {
		return core.APTCall{}, core.ErrEnvironmentNotFound // as the original service answers
	}
	b.object.ignore("id", "token", "created_at", "integrations")
	apt := core.APTCall{
		Token:           token,
		EnvironmentGUID: b.object.text("environment_guid"),
		ArbitraryID:     b.object.text("arbitrary_id"),
		Request:         b.request,
	}
	return apt, b.end()
}

// refresh serves GET /v1/users/me: the user of a token, with a new token (Work-API, "get_user"). HEAD says
// whether the token is good, and mints nothing.
func (a *API) refresh(w http.ResponseWriter, c *call) error {
	token, err := a.subject(c)
	if err != nil {
		return err
	}
	if c.Method == http.MethodHead {
		if _, _, err := a.core.Sessions.ByToken(c.Context(), "", token); err != nil {
			return err
		}
		w.WriteHeader(http.StatusOK) // without a length: GET, with a token in its answer, has another (RFC 9110 §8.6)
		return nil
	}
	in, err := a.core.Sessions.Refresh(c.Context(), token)
	if err != nil {
		return err
	}
	return a.writeUser(w, c, http.StatusOK, in.User, in.Token)
}

// deleteMe serves DELETE /v1/users/me, by a user's token or an APT that names the user (Work-API, "delete_user").
func (a *API) deleteMe(w http.ResponseWriter, c *call) error {
	token, err := a.subject(c)
	if err != nil {
		return err
	}
	err = a.core.Sessions.DeleteUser(c.Context(), token, core.Request{})
	if errors.Is(err, core.ErrInvalidToken) && !core.IsSessionToken(token) {
		err = a.core.APTs.Delete(c.Context(), core.APTCall{Token: token})
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
