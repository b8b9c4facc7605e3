package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// listAuthProviders serves GET /v1/auth_providers.
func (a *API) listAuthProviders(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionManage)
	if err != nil {
		return err
	}
	if err := c.unnarrowed(); err != nil {
		return err
	}
	providers, err := a.core.Realms.AuthProviders(c.Context(), realm)
	if err != nil {
		return err
	}
	list := wire.List[wire.AuthProvider]{Collection: []wire.AuthProvider{}}
	for i := range providers {
		list.Collection = append(list.Collection, authProviderBody(&providers[i]))
	}
	write(w, http.StatusOK, mediaJSON, list)
	return nil
}

// getAuthProvider serves GET /v1/auth_providers/{provider}.
func (a *API) getAuthProvider(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionManage)
	if err != nil {
		return err
	}
	p, err := a.core.Realms.AuthProvider(c.Context(), realm, core.AuthProviderID(c.segment("provider")))
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, authProviderBody(p))
	return nil
}

// createAuthProvider serves POST /v1/auth_providers.
func (a *API) createAuthProvider(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionManage, "auth_provider")
	if err != nil {
		return err
	}
	kind := core.ProviderType(orEmpty(b.object.text("provider_type")))
	in, err := providerChange(b, kind)
	if err != nil {
		return err
	}
	p, err := a.core.Realms.AddAuthProvider(c.Context(), realm, kind, in, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusCreated, mediaJSON, authProviderBody(p))
	return nil
}

// updateAuthProvider serves PUT /v1/auth_providers/{provider}.
func (a *API) updateAuthProvider(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionManage, "auth_provider")
	if err != nil {
		return err
	}
	id := core.AuthProviderID(c.segment("provider"))
	b.object.ignore("id", "provider_type", "object")
	in, err := providerChange(b, "")
	if err != nil {
		return err
	}
	p, err := a.core.Realms.UpdateAuthProvider(c.Context(), realm, id, in, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, authProviderBody(p))
	return nil
}

// deleteAuthProvider serves DELETE /v1/auth_providers/{provider}.
func (a *API) deleteAuthProvider(w http.ResponseWriter, c *call) error {
	from, realm, err := a.manageRequest(w, c, core.PermissionManage, "auth_provider")
	if err != nil {
		return err
	}
	if err := a.core.Realms.DeleteAuthProvider(c.Context(), realm, core.AuthProviderID(c.segment("provider")), from); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Failures of signing in through others, which no realm offers. Clients show the second to whoever tried.
var (
	errNoSocial = &core.Error{Kind: core.KindNotFound, Code: "no_social_sign_in", Detail: "this auth provider sends nobody elsewhere to sign in"}
	errNoSignIn = invalid("base", "Signing in through others is not supported")
)

// authorizeURLs serves GET /v1/auth_providers/authorize: where people may be sent to sign in, which is nowhere. Sign-in pages
// show a button for each.
func (a *API) authorizeURLs(w http.ResponseWriter, c *call) error {
	if _, err := a.manage(c, core.PermissionWrite); err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, wire.List[wire.AuthProvider]{Collection: []wire.AuthProvider{}})
	return nil
}

// authorizeURL serves GET /v1/auth_providers/{provider}/authorize.
func (a *API) authorizeURL(_ http.ResponseWriter, c *call) error {
	if _, err := a.manage(c, core.PermissionWrite); err != nil {
		return err
	}
	return errNoSocial
}

// authorize serves POST /v1/auth_providers/authorize, and the same of one provider: somebody comes back from elsewhere.
func (a *API) authorize(_ http.ResponseWriter, c *call) error {
	if _, err := a.manage(c, core.PermissionWrite); err != nil {
		return err
	}
	return errNoSignIn
}

// providerChange reads what may be set of a provider. Of a kind that core refuses the rest is not looked at, so that
// what is wrong is said.
func providerChange(b *body, kind core.ProviderType) (core.AuthProviderChange, error) {
	f := &b.object
	in := core.AuthProviderChange{State: word[core.State](f, "state")}
	in.MinLength, in.MinComplexity = f.wholeNumber("min_length"), f.wholeNumber("min_complexity")
	if f.members.has("required_chars") {
		kinds := []core.CharacterKind{}
		for _, k := range f.texts("required_chars") {
			kinds = append(kinds, core.CharacterKind(k))
		}
		in.Required = &kinds
	}
	if kind != "" && kind != core.ProviderPassword && kind != core.ProviderTOTP {
		return in, nil
	}
	return in, b.end()
}

// wholeNumber takes a number, where null is 0.
func (f *fields) wholeNumber(name string) *int {
	raw, there := f.take(name)
	if !there {
		return nil
	}
	n := new(int)
	if !f.read(raw, n) {
		f.complain(name, "must be a whole number")
	}
	return n
}

// authProviderBody returns a provider as it is answered.
func authProviderBody(p *core.AuthProvider) wire.AuthProvider {
	body := wire.AuthProvider{ID: string(p.ID), RealmID: string(p.Realm), ProviderType: string(p.Type), State: string(p.State), Object: "auth_provider"}
	if p.Type == core.ProviderPassword {
		body.MinLength, body.MinComplexity, body.RequiredChars = &p.Settings.PasswordMinLength, &p.Settings.PasswordComplexity, []string{}
		for _, k := range p.Settings.PasswordRequired {
			body.RequiredChars = append(body.RequiredChars, string(k))
		}
	}
	return body
}
