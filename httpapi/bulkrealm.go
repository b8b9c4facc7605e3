package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// exportSettings writes the line of a realm's own settings, which comes before all others.
func (a *API) exportSettings(w http.ResponseWriter, c *call, realm *core.Realm) error {
	providers, err := a.core.Realms.AuthProviders(c.Context(), realm.ID)
	if err != nil {
		return err
	}
	body := realmBody(realm)
	line := wire.UserLine{Object: "realm", Realm: &body, AuthProviders: []wire.AuthProvider{}}
	for i := range providers {
		line.AuthProviders = append(line.AuthProviders, authProviderBody(&providers[i]))
	}
	writeLine(w, line)
	return nil
}

// realmLine takes a realm's settings as exports have them. What is of one realm alone, such as its name, is passed over.
func (f *fields) realmLine() *core.RealmChange {
	r := f.inside("realm", "must be an object")
	if r == nil {
		r = &fields{} // with nothing to set
	}
	in := r.aboutRealm()
	policies := r.settings()
	r.ignore("name", "jwt_key", "jwt_secret")
	r.ignore(realmReadOnly...)
	f.errs = append(f.errs, r.rest()...)
	providers := f.providersLine()
	in.Settings = func(s *core.RealmSettings) { policies(s); providers(s) }
	return &in
}

// providersLine takes the ways to sign in that a realm has, and returns what sets them. Where they are missing it sets nothing.
func (f *fields) providersLine() func(*core.RealmSettings) {
	raw := f.members.value("auth_providers")
	there := raw != nil && string(raw) != "null"
	all := map[core.ProviderType]core.State{}
	var required []core.CharacterKind
	complexity := 0
	for p := range f.objects("auth_providers") {
		all[core.ProviderType(orEmpty(p.text("provider_type")))] = core.State(orEmpty(p.text("state")))
		for _, kind := range p.texts("required_chars") {
			required = append(required, core.CharacterKind(kind))
		}
		if n := p.wholeNumber("min_complexity"); n != nil {
			complexity = *n // only the one of passwords has it
		}
		p.ignore("id", "realm_id", "object", "min_length") // the realm's password_min_length says the same
	}
	return func(s *core.RealmSettings) {
		if there {
			s.Providers, s.PasswordRequired, s.PasswordComplexity = all, required, complexity
		}
	}
}
