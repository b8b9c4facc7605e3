package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/failure"
)

// getUser serves GET /v1/users/{user} (Users API, "Get a user").
func (a *API) getUser(w http.ResponseWriter, c *call) error {
	key, err := a.permitted(c, core.PermissionRead)
	if err != nil {
		return err
	}
	realm, err := a.realm(c, key)
	if err != nil {
		return err
	}
	name, err := a.named(c, realm)
	if err != nil {
		return err
	}
	user, err := a.core.Users.Get(c.Context(), realm, name)
	if err != nil {
		return err
	}
	if key.Allows(core.PermissionWrite) {
		return a.writeUserShowing(w, c, user)
	}
	return a.writeUser(w, c, http.StatusOK, user, "")
}

// writeUserShowing answers with a user and, where the realm shows it again, the API key: for keys that could set another.
func (a *API) writeUserShowing(w http.ResponseWriter, c *call, user *core.User) error {
	if user.NewAPIKey != "" {
		return a.writeUser(w, c, http.StatusOK, user, "")
	}
	key, err := a.core.APIKeys.ShownOf(c.Context(), user)
	if err != nil {
		return err
	}
	c.apiKey = key
	return a.writeUser(w, c, http.StatusOK, user, "")
}

// updateUser serves PUT /v1/users/{user} (Users API, "Update a user").
func (a *API) updateUser(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "user")
	if err != nil {
		return err
	}
	if err := a.mayImport(c, b); err != nil {
		return err
	}
	joinedElsewhere(b)
	in, err := userChange(b)
	if err != nil {
		return err
	}
	name, err := a.named(c, realm)
	if err != nil {
		return err
	}
	user, err := a.core.Users.Update(c.Context(), realm, name, in, b.request)
	if err != nil {
		return err
	}
	return a.writeUserShowing(w, c, user)
}

// deleteUser serves DELETE /v1/users/{user} (Users API, "Delete a user").
func (a *API) deleteUser(w http.ResponseWriter, c *call) error {
	from, realm, err := a.manageRequest(w, c, core.PermissionWrite, "user")
	if err != nil {
		return err
	}
	name, err := a.named(c, realm)
	if err != nil {
		return err
	}
	if err := a.core.Users.Delete(c.Context(), realm, name, from); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// authenticate serves POST /v1/users/{user}/authenticate (Users API, "Authenticate using a password").
func (a *API) authenticate(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "user")
	if err != nil {
		return err
	}
	password := b.top.text("password")
	if password == nil {
		password = b.object.text("password") // newer clients
	}
	if err := b.end(); err != nil {
		return err
	}
	if password == nil {
		return invalid("password", "Password can't be blank")
	}
	name, err := a.named(c, realm)
	if err != nil {
		return err
	}
	in, err := a.core.Passwords.Authenticate(c.Context(), realm, name, *password, b.request)
	if err != nil {
		return err
	}
	if b.devices {
		c.device = in.Device
	}
	return a.writeUser(w, c, http.StatusOK, in.User, in.Token+in.LoginToken) // one of the two is there
}

// readOnly are attributes that callers send back as they got them.
var readOnly = []string{"id", "object", "created_at", "last_login_at", "membership_count", "credentials", "memberships",
	"arbitrary_id", "token", "realm_id"}

// mayImport refuses a password hash from a key without the permission to manage: whoever may set one can plant any.
func (a *API) mayImport(c *call, b *body) error {
	if !b.object.members.has("password_hash") {
		return nil
	}
	_, err := a.permitted(c, core.PermissionManage)
	return err
}

// userChange reads the attributes of a user that a management key may set.
func userChange(b *body) (core.UserChange, error) {
	f := &b.object
	in := core.UserChange{
		Type:                 word[core.UserType](f, "user_type"),
		State:                word[core.State](f, "state"),
		Username:             f.optional("username"),
		Email:                f.optional("email"),
		EmailVerification:    word[core.EmailVerification](f, "email_verification"),
		FirstName:            f.optional("first_name"),
		LastName:             f.optional("last_name"),
		Name:                 f.optional("name"),
		Reference:            f.reference(),
		Password:             f.text("password"),
		PasswordConfirmation: f.text("password_confirmation"),
		APIKey:               f.text("api_key"),
		PasswordHash:         f.text("password_hash"),
		Custom:               f.custom(),
	}
	f.ignore(readOnly...)
	return in, b.end()
}

// word takes a text that is one of a type's words; which, core knows.
func word[T ~string](f *fields, name string) *T {
	text := f.text(name)
	if text == nil {
		return nil
	}
	word := T(*text)
	return &word
}

// writeUser answers with a user, and with a token where one was minted.
func (a *API) writeUser(w http.ResponseWriter, c *call, status int, user *core.User, token string) error {
	c.shownOnce = token != "" || user.NewAPIKey != "" || c.device != ""
	if c.wants.Answer == failure.JSONAPI {
		write(w, status, mediaJSONAPI, wire.Document{Data: wire.Resource{ID: string(user.ID), Type: "user",
			Attributes: wire.Attributes{ArbitraryID: user.ArbitraryID, Token: token}}})
		return nil
	}
	body := userBody(user)
	if c.expands("memberships") {
		var err error
		if body.Memberships, err = a.membershipsOf(c, user); err != nil {
			return err
		}
	}
	body.Token, body.Device = token, c.device
	body.APIKey = user.NewAPIKey + c.apiKey // one of the two at most is there
	write(w, status, mediaJSON, &body)      // a value would be copied
	return nil
}

// userBody returns a user as Get answers.
func userBody(u *core.User) wire.User {
	body := wire.User{
		ID: string(u.ID), RealmID: string(u.Realm), Username: u.Username, State: string(u.State), UserType: string(u.Type),
		Reference: orNull(u.Reference), Custom: u.Custom, Name: u.Name(), Email: orNull(u.Email),
		EmailVerification: string(u.EmailVerification), EmailChanged: u.EmailChanged, Object: "user", LastLoginAt: wire.Time{Time: u.LastLoginAt.Time},
		CreatedAt: wire.Time{Time: u.CreatedAt.Time}, FirstName: orNull(u.FirstName), LastName: orNull(u.LastName),
		MembershipCount: u.Memberships, Credentials: []wire.CredentialRef{}, ArbitraryID: u.ArbitraryID,
	}
	if body.Custom == nil {
		body.Custom = map[string]json.RawMessage{}
	}
	for _, c := range u.Credentials {
		body.Credentials = append(body.Credentials, wire.CredentialRef{ID: string(c.ID), CredentialType: string(c.Type), Object: "credential"})
	}
	return body
}

// orNull returns nil for an empty text.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
