package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// errCredentialType says that a credential of this kind cannot be made here.
var errCredentialType = invalid("credential_type", "Credential type must be password, api_key, totp or recovery_codes")

// errNoUpdate says that a credential has nothing that could be set.
var errNoUpdate = invalid("base", "Recovery codes can't be changed: make new ones, which replace them")

// createCredential serves POST /v1/credentials (Users API, "Credentials"). What is secret in it is in this answer alone.
func (a *API) createCredential(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "credential")
	if err != nil {
		return err
	}
	f := &b.object
	kind, owner := core.CredentialType(orEmpty(f.text("credential_type"))), orEmpty(f.text("user_id"))
	f.ignore("auth_provider_id") // of a kind there is one
	if owner == "" {
		return invalid("user_id", "User can't be blank")
	}
	user, err := a.core.Users.Get(c.Context(), realm, owner)
	if err != nil {
		return err
	}
	switch kind {
	case core.CredentialPassword:
		return a.createPassword(w, c, b, user)
	case core.CredentialAPIKey:
		return a.createAPIKey(w, c, b, user)
	case core.CredentialTOTP:
		return a.createTOTP(w, c, b, user)
	case core.CredentialRecovery:
		return a.createRecoveryCodes(w, c, b, user)
	}
	return errCredentialType
}

// createPassword gives a user without a password one.
func (a *API) createPassword(w http.ResponseWriter, c *call, b *body, user *core.User) error {
	f := &b.object
	in := core.UserChange{Password: f.text("password"), PasswordConfirmation: f.text("password_confirmation"), HasPassword: new(false)}
	if in.Password == nil {
		in.Password = new(string)
	}
	if err := b.end(); err != nil {
		return err
	}
	user, err := a.core.Users.Update(c.Context(), user.Realm, string(user.ID), in, b.request)
	if err != nil {
		return err
	}
	for _, held := range user.Credentials {
		if held.Type == core.CredentialPassword {
			return a.writeCredential(w, c, http.StatusCreated, user.Realm, held.ID)
		}
	}
	return core.ErrCredentialNotFound // deleted at the same moment
}

// createAPIKey gives an api user another key.
func (a *API) createAPIKey(w http.ResponseWriter, c *call, b *body, user *core.User) error {
	f := &b.object
	in := core.NewAPIKey{Key: orEmpty(f.text("api_key")), Name: orEmpty(f.text("name")), Permissions: f.texts("permissions"), Addresses: f.texts("allowed_addresses")}
	if at := f.time("expires_at"); at != nil {
		in.ExpiresAt = *at
	}
	if err := b.end(); err != nil {
		return err
	}
	credential, key, err := a.core.APIKeys.Create(c.Context(), user.Realm, string(user.ID), in, b.request)
	if err != nil {
		return err
	}
	return a.writeAPIKey(w, c, http.StatusCreated, credential, key)
}

// getCredential serves GET /v1/credentials/{credential}. The secret of a new authenticator is for keys that may write: who only reads
// could make its codes for good. So is an API key that the realm shows again.
func (a *API) getCredential(w http.ResponseWriter, c *call) error {
	key, err := a.permitted(c, core.PermissionRead)
	if err != nil {
		return err
	}
	realm, err := a.realm(c, key)
	if err != nil {
		return err
	}
	id := core.CredentialID(c.segment("credential"))
	if key.Allows(core.PermissionWrite) {
		return a.writeCredential(w, c, http.StatusOK, realm, id)
	}
	credential, err := a.core.Credentials.Get(c.Context(), realm, id)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, credentialBody(credential))
	return nil
}

// updateCredential serves PUT /v1/credentials/{credential}.
func (a *API) updateCredential(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "credential")
	if err != nil {
		return err
	}
	credential, err := a.core.Credentials.Get(c.Context(), realm, core.CredentialID(c.segment("credential")))
	if err != nil {
		return err
	}
	b.object.ignore("id", "user_id", "credential_type", "auth_provider_id", "last_used_at", "created_at", "object", "state")
	switch credential.Type {
	case core.CredentialPassword:
		return a.updatePassword(w, c, b, credential)
	case core.CredentialAPIKey:
		return a.updateAPIKey(w, c, b, credential)
	case core.CredentialTOTP:
		return a.updateTOTP(w, c, b, credential)
	}
	if err := b.end(); err != nil {
		return err
	}
	return errNoUpdate
}

// updatePassword sets a password anew, which ends all sessions.
func (a *API) updatePassword(w http.ResponseWriter, c *call, b *body, credential *core.Credential) error {
	f := &b.object
	in := core.UserChange{Password: f.text("password"), PasswordConfirmation: f.text("password_confirmation"), HasPassword: new(true)}
	f.ignore("name")
	if err := b.end(); err != nil {
		return err
	}
	if in.Password != nil {
		if _, err := a.core.Users.Update(c.Context(), credential.Realm, string(credential.User), in, b.request); err != nil {
			return err
		}
	}
	return a.writeCredential(w, c, http.StatusOK, credential.Realm, credential.ID)
}

// updateAPIKey changes an API key. One that is made anew is in the answer.
func (a *API) updateAPIKey(w http.ResponseWriter, c *call, b *body, credential *core.Credential) error {
	f := &b.object
	in := core.APIKeyChange{Key: f.text("api_key"), Name: f.optional("name"), ExpiresAt: f.time("expires_at")}
	if f.members.has("permissions") {
		permissions := f.texts("permissions")
		in.Permissions = &permissions
	}
	if f.members.has("allowed_addresses") {
		addresses := f.texts("allowed_addresses")
		in.Addresses = &addresses
	}
	if err := b.end(); err != nil {
		return err
	}
	credential, key, err := a.core.APIKeys.Update(c.Context(), credential.Realm, credential.ID, in, b.request)
	if err != nil {
		return err
	}
	return a.writeAPIKey(w, c, http.StatusOK, credential, key)
}

// deleteCredential serves DELETE /v1/credentials/{credential}.
func (a *API) deleteCredential(w http.ResponseWriter, c *call) error {
	from, realm, err := a.manageRequest(w, c, core.PermissionWrite, "credential")
	if err != nil {
		return err
	}
	if err := a.core.Credentials.Delete(c.Context(), realm, core.CredentialID(c.segment("credential")), from); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// writeCredential answers with a credential as it is now.
func (a *API) writeCredential(w http.ResponseWriter, c *call, status int, realm core.RealmID, id core.CredentialID) error {
	credential, err := a.core.Credentials.Get(c.Context(), realm, id)
	if err != nil {
		return err
	}
	if credential.TOTP != nil {
		enrolment, err := a.core.SecondFactors.Enrolment(c.Context(), realm, id)
		if err != nil {
			return err
		}
		writeEnrolment(w, status, enrolment)
		return nil
	}
	if credential.APIKey != nil {
		return a.writeAPIKey(w, c, status, credential, "")
	}
	write(w, status, mediaJSON, credentialBody(credential))
	return nil
}

// writeAPIKey answers with an API key, and with the secret where it is new or the realm shows it again.
func (a *API) writeAPIKey(w http.ResponseWriter, c *call, status int, credential *core.Credential, key string) error {
	body := credentialBody(credential)
	c.shownOnce = key != ""
	if key == "" {
		var err error
		if key, err = a.core.APIKeys.Shown(c.Context(), credential); err != nil {
			return err
		}
	}
	body.Key = key
	write(w, status, mediaJSON, body)
	return nil
}

// credentialBody returns a credential as it is answered, without what is secret.
func credentialBody(c *core.Credential) wire.Credential {
	body := wire.Credential{
		ID: string(c.ID), UserID: string(c.User), CredentialType: string(c.Type), AuthProviderID: orNull(string(c.Provider)), Name: c.Name,
		LastUsedAt: wire.Time{Time: c.LastUsedAt.Time}, CreatedAt: wire.Time{Time: c.CreatedAt.Time}, Object: "credential",
	}
	if k := c.APIKey; k != nil {
		body.APIKey = &wire.APIKey{ExpiresAt: wire.Time{Time: k.ExpiresAt.Time}, Permissions: k.Permissions, AllowedAddresses: []string{}}
		for _, p := range k.Addresses {
			body.AllowedAddresses = append(body.AllowedAddresses, p.String())
		}
	}
	if t := c.TOTP; t != nil {
		body.TOTP = &wire.TOTP{State: "new"}
		if t.Active {
			body.State = "active"
		}
	}
	if r := c.Recovery; r != nil {
		body.RecoveryCodes = &wire.RecoveryCodes{Remaining: len(r.Hashes)}
	}
	return body
}
