package httpapi

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"

	"github.com/postern-auth/postern/core"
)

// createTOTP enrols an authenticator (Users API, "Credentials"). Its secret is shown until a good code of it was seen.
func (a *API) createTOTP(w http.ResponseWriter, c *call, b *body, user *core.User) error {
	name := orEmpty(b.object.text("name"))
	if err := b.end(); err != nil {
		return err
	}
	enrolment, err := a.core.SecondFactors.Enrol(c.Context(), user.Realm, string(user.ID), name, b.request)
	if err != nil {
		return err
	}
	writeEnrolment(w, http.StatusCreated, enrolment)
	return nil
}

// writeEnrolment answers with an authenticator, and its secret while it is new.
func writeEnrolment(w http.ResponseWriter, status int, e *core.Enrolment) {
	body := credentialBody(e.Credential)
	body.OTPSecret, body.ProvisioningURI = e.Secret, e.URI
	write(w, status, mediaJSON, body)
}

// verifyCredential serves POST /v1/credentials/{credential}/verify: a code of an authenticator, which counts from its first
// good one.
func (a *API) verifyCredential(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "credential")
	if err != nil {
		return err
	}
	code := b.object.code()
	if err := b.end(); err != nil {
		return err
	}
	credential, err := a.core.SecondFactors.Verify(c.Context(), realm, core.CredentialID(c.segment("credential")), code, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, credentialBody(credential))
	return nil
}

// code takes a code. Some programs have it as a number, which has lost the zeros that a code of an authenticator begins with.
func (f *fields) code() string {
	n, err := strconv.ParseUint(string(f.members.value("code")), 10, 64)
	if err != nil {
		return orEmpty(f.text("code"))
	}
	f.ignore("code")
	return fmt.Sprintf("%06d", n)
}

// updateTOTP renames an authenticator.
func (a *API) updateTOTP(w http.ResponseWriter, c *call, b *body, credential *core.Credential) error {
	name := b.object.text("name")
	if err := b.end(); err != nil {
		return err
	}
	if name != nil {
		if err := a.core.SecondFactors.Rename(c.Context(), credential.Realm, credential.ID, *name, b.request); err != nil {
			return err
		}
	}
	return a.writeCredential(w, c, http.StatusOK, credential.Realm, credential.ID)
}

// createRecoveryCodes makes a user's recovery codes, in place of those before. They are in this answer alone.
func (a *API) createRecoveryCodes(w http.ResponseWriter, c *call, b *body, user *core.User) error {
	if err := b.end(); err != nil {
		return err
	}
	credential, codes, err := a.core.SecondFactors.NewRecoveryCodes(c.Context(), user.Realm, string(user.ID), b.request)
	if err != nil {
		return err
	}
	body := credentialBody(credential)
	body.Codes, c.shownOnce = codes, true
	write(w, http.StatusCreated, mediaJSON, body)
	return nil
}

// authenticateCode serves POST /v1/users/{user}/authenticate_code (Users API, "Complete an MFA authentication"). A path
// with -- for the user leaves that to the token.
func (a *API) authenticateCode(w http.ResponseWriter, c *call) error {
	return a.complete(w, c, func(realm core.RealmID) (string, error) { return a.named(c, realm) })
}

// authenticateToken serves POST /v1/users/authenticate_token, as newer clients complete an MFA authentication.
func (a *API) authenticateToken(w http.ResponseWriter, c *call) error {
	return a.complete(w, c, func(core.RealmID) (string, error) { return "", nil })
}

// complete takes the code that a sign-in waits for.
func (a *API) complete(w http.ResponseWriter, c *call, who func(core.RealmID) (string, error)) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "user")
	if err != nil {
		return err
	}
	token, code := orEmpty(b.either("token")), cmp.Or(b.object.code(), b.top.code())
	if err := b.end(); err != nil {
		return err
	}
	name, err := who(realm)
	if err != nil {
		return err
	}
	in, err := a.core.SecondFactors.Complete(c.Context(), realm, name, token, code, b.request)
	if err != nil {
		return err
	}
	if b.devices {
		c.device = in.Device
	}
	return a.writeUser(w, c, http.StatusOK, in.User, in.Token)
}
