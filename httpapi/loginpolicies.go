package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// listLoginPolicies serves GET /v1/login_policies: those of a realm, the oldest first.
func (a *API) listLoginPolicies(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionManage)
	if err != nil {
		return err
	}
	q := fields{}
	page := pageByID(&q, q.query(c.URL.RawQuery), "lpl_", "a login policy")
	if err := q.wrong(); err != nil {
		return err
	}
	policies, err := a.core.LoginPolicies.List(c.Context(), realm)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, listed(page, policies, func(p *core.LoginPolicy) string { return string(p.ID) }, loginPolicyBody))
	return nil
}

// getLoginPolicy serves GET /v1/login_policies/{policy}.
func (a *API) getLoginPolicy(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionManage)
	if err != nil {
		return err
	}
	policy, err := a.core.LoginPolicies.Get(c.Context(), realm, core.LoginPolicyID(c.segment("policy")))
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, loginPolicyBody(policy))
	return nil
}

// createLoginPolicy serves POST /v1/login_policies.
func (a *API) createLoginPolicy(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionManage, "login_policy")
	if err != nil {
		return err
	}
	in, err := policyChange(b)
	if err != nil {
		return err
	}
	policy, err := a.core.LoginPolicies.Create(c.Context(), realm, in, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusCreated, mediaJSON, loginPolicyBody(policy))
	return nil
}

// updateLoginPolicy serves PUT /v1/login_policies/{policy}.
func (a *API) updateLoginPolicy(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionManage, "login_policy")
	if err != nil {
		return err
	}
	in, err := policyChange(b)
	if err != nil {
		return err
	}
	policy, err := a.core.LoginPolicies.Update(c.Context(), realm, core.LoginPolicyID(c.segment("policy")), in, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, loginPolicyBody(policy))
	return nil
}

// deleteLoginPolicy serves DELETE /v1/login_policies/{policy}.
func (a *API) deleteLoginPolicy(w http.ResponseWriter, c *call) error {
	from, realm, err := a.manageRequest(w, c, core.PermissionManage, "login_policy")
	if err != nil {
		return err
	}
	if err := a.core.LoginPolicies.Delete(c.Context(), realm, core.LoginPolicyID(c.segment("policy")), from); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// policyChange reads what may be set of a login policy.
func policyChange(b *body) (core.LoginPolicyChange, error) {
	f := &b.object
	in := core.LoginPolicyChange{
		Name: f.text("name"), Subdomain: f.optional("subdomain"), Domains: f.optionalTexts("domains"),
		Header: f.optional("header"), Footer: f.optional("footer"), ExternalCSS: f.optional("external_css"),
		LoginHandler: f.optional("login_handler"), SignupHandler: f.optional("signup_handler"), RedirectURIs: f.optionalTexts("redirect_uris"),
	}
	f.ignore("id", "created_at", "object")
	return in, b.end()
}

// optionalTexts takes an array of texts where null means to empty it. One that is missing gives nil.
func (f *fields) optionalTexts(name string) *[]string {
	if !f.members.has(name) {
		return nil
	}
	list := f.texts(name)
	return &list
}

// loginPolicyBody returns a login policy as it is answered.
func loginPolicyBody(p *core.LoginPolicy) wire.LoginPolicy {
	body := wire.LoginPolicy{
		ID: string(p.ID), RealmID: string(p.Realm), Name: p.Name, Subdomain: orNull(p.Subdomain), Domains: p.Domains,
		Header: orNull(p.Header), Footer: orNull(p.Footer), ExternalCSS: orNull(p.ExternalCSS),
		LoginHandler: orNull(p.LoginHandler), SignupHandler: orNull(p.SignupHandler), RedirectURIs: p.RedirectURIs,
		CreatedAt: wire.Time{Time: p.CreatedAt.Time}, Object: "login_policy",
	}
	if body.Domains == nil {
		body.Domains = []string{}
	}
	if body.RedirectURIs == nil {
		body.RedirectURIs = []string{}
	}
	return body
}
