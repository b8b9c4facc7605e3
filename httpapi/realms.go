package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/jose"
)

// getRealm serves GET /v1/realms/{realm}. It needs the manage permission.
func (a *API) getRealm(w http.ResponseWriter, c *call) error {
	id, err := a.managedRealm(c)
	if err != nil {
		return err
	}
	realm, err := a.core.Realms.Get(c.Context(), id)
	if err != nil {
		return err
	}
	return a.writeRealm(w, c, http.StatusOK, realm)
}

// managedRealm returns the realm that the path names, which the call's key must be allowed to manage.
func (a *API) managedRealm(c *call) (core.RealmID, error) {
	key, err := a.permitted(c, core.PermissionManage)
	if err != nil {
		return "", err
	}
	id := core.RealmID(c.segment("realm"))
	if !key.Reaches(id) {
		return "", errRealm
	}
	return id, nil
}

// managedRealmBody is managedRealm for a call with a body.
func (a *API) managedRealmBody(w http.ResponseWriter, c *call) (*body, core.RealmID, error) {
	id, err := a.managedRealm(c)
	if err != nil {
		return nil, "", err
	}
	b, err := c.readBody(w, "realm")
	return b, id, err
}

// updateRealm serves PUT /v1/realms/{realm}: its name and policies. Only provided attributes are changed; null
// brings a default back.
func (a *API) updateRealm(w http.ResponseWriter, c *call) error {
	b, id, err := a.managedRealmBody(w, c)
	if err != nil {
		return err
	}
	f := &b.object
	in := f.aboutRealm()
	in.Name, in.Settings = f.text("name"), f.settings()
	f.ignore("jwt_key", "jwt_secret")
	f.ignore(realmReadOnly...)
	if err := b.end(); err != nil {
		return err
	}
	realm, err := a.core.Realms.Update(c.Context(), id, in, b.request)
	if err != nil {
		return err
	}
	return a.writeRealm(w, c, http.StatusOK, realm)
}

// realmReadOnly are attributes that callers send back as they got them.
var realmReadOnly = []string{"id", "environment_guid", "issuer", "resetting", "created_at", "object"}

// aboutRealm takes what there is to say of a realm beside its name and policies.
func (f *fields) aboutRealm() core.RealmChange {
	in := core.RealmChange{State: word[core.State](f, "state"), Reference: f.reference(), Custom: f.custom()}
	if raw, there := f.take("resource_links"); there {
		in.ResourceLinks = &raw
	}
	return in
}

// createRealm serves POST /v1/realms. What is not said is as the Users API's clients expect it: HS256, passwords of 8
// characters, sessions of 360 minutes.
func (a *API) createRealm(w http.ResponseWriter, c *call) error {
	b, err := a.overseerBody(w, c, "realm")
	if err != nil {
		return err
	}
	f := &b.object
	in := core.NewRealm{Name: orEmpty(f.text("name")), About: f.aboutRealm(), Mail: true}
	set := f.settings()
	f.ignore(realmReadOnly...)
	if err := b.end(); err != nil {
		return err
	}
	set(&in.Settings)
	in.Settings = in.Settings.ForUsersAPI()
	realm, err := a.core.Realms.Create(c.Context(), in, b.request)
	if err != nil {
		return err
	}
	return a.writeRealm(w, c, http.StatusCreated, realm)
}

// listRealms serves GET /v1/realms. A key of one realm sees that one.
func (a *API) listRealms(w http.ResponseWriter, c *call) error {
	key, err := a.permitted(c, core.PermissionManage)
	if err != nil {
		return err
	}
	q := fields{}
	values := q.query(c.URL.RawQuery, "reference", "state")
	in := core.ListRealms{State: core.State(values["state"]), After: core.RealmID(values["after"]), Sort: core.RealmOrder(values["sort"]),
		Descending: q.descending(values), Limit: q.limit(values), Only: key.Realm}
	if reference, there := values["reference"]; there {
		in.Reference = &reference
	}
	if len(q.errs) > 0 {
		return &core.Error{Kind: core.KindInvalid, Code: "validation", Fields: q.errs}
	}
	page, more, err := a.core.Realms.List(c.Context(), in)
	if err != nil {
		return err
	}
	list := wire.List[wire.Realm]{MoreResults: more, Collection: []wire.Realm{}}
	for _, realm := range page {
		list.Collection = append(list.Collection, realmBody(realm))
	}
	write(w, http.StatusOK, mediaJSON, list)
	return nil
}

// deleteRealm serves DELETE /v1/realms/{realm}. It is gone at once; what it held is removed in the background.
func (a *API) deleteRealm(w http.ResponseWriter, c *call) error {
	b, err := a.overseerBody(w, c, "realm")
	if err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	if err := a.core.Realms.Delete(c.Context(), core.RealmID(c.segment("realm")), b.request); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// resetRealm serves POST /v1/realms/{realm}/reset: 200 where all users and orgs are deleted, 202 where that goes on.
func (a *API) resetRealm(w http.ResponseWriter, c *call) error {
	b, id, err := a.managedRealmBody(w, c)
	if err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	realm, done, err := a.core.Realms.Reset(c.Context(), id, b.request)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !done {
		status = http.StatusAccepted
	}
	return a.writeRealm(w, c, status, realm)
}

// rotateKeys serves POST /v1/realms/{realm}/rotate_keys: new signing keys, with nobody signed out.
func (a *API) rotateKeys(w http.ResponseWriter, c *call) error {
	b, id, err := a.managedRealmBody(w, c)
	if err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	if err := a.core.Realms.RotateKeys(c.Context(), id, b.request); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// writeRealm answers with a realm and the key that checks its tokens, for clients that are configured with one.
func (a *API) writeRealm(w http.ResponseWriter, c *call, status int, r *core.Realm) error {
	body := realmBody(r)
	key, err := a.core.Realms.NewestJWTKey(c.Context(), r.ID)
	if err != nil {
		return err
	}
	switch key.Alg {
	case jose.HS256:
		body.JWTKey, body.JWTSecret = &key.Key, &key.Key
	case jose.RS256:
		body.JWTKey = &key.Key
	}
	write(w, status, mediaJSON, body)
	return nil
}

// realmBody returns a realm as lists show it, without the keys that get adds.
func realmBody(r *core.Realm) wire.Realm {
	s := r.Settings
	body := wire.Realm{
		ID: string(r.ID), Name: r.Name, State: string(r.State), Reference: orNull(r.Reference), Custom: r.Custom, ResourceLinks: r.ResourceLinks,
		EnvironmentGUID: r.EnvironmentGUID, Issuer: r.Issuer, JWTAlgo: string(s.TokenAlg), JWTFields: []string{},
		UsernameValidationHuman: "standard", RequireUniqueEmails: !s.SharedEmails, APIKeyPolicy: "hash", APIKeyPrefix: s.APIKeyPrefix, APIKeyMinutes: int64(s.APIKeyTokens) / 60,
		SessionType: "managed", Resetting: r.ResetBy != "",
		TokenLifetime: int64(s.TokenLifetime), APTTokenLifetime: int64(s.APTTokenLifetime),
		SessionIdle: int64(s.SessionIdle), SessionAbsolute: int64(s.SessionAbsolute),
		APTLifetime: int64(s.APTLifetime), APTSkew: int64(s.APTSkew), APTRequireJTI: s.APTRequireJTI,
		APTRequireArbitraryID: s.APTRequireArbitraryID, APTEncryption: orNull(string(s.APTEncryption)),
		KeyRotation: int64(s.KeyRotation), PasswordMinLength: s.PasswordMinLength,
		EventRetention:     int64(s.EventRetention),
		EmailTokenLifetime: int64(s.EmailTokenLifetime), PasswordTokenLifetime: int64(s.PasswordTokenLifetime),
		CreatedAt: wire.Time{Time: r.CreatedAt.Time}, Object: "realm",
	}
	if s.APIKeyPolicy == core.APIKeyEncrypt {
		body.APIKeyPolicy = "encrypt"
	}
	if s.EmailUsernames {
		body.UsernameValidationHuman = "email"
	}
	if s.UnmanagedSessions {
		body.SessionType = "unmanaged"
	}
	if s.SessionFixed != 0 {
		minutes := int64(s.SessionFixed) / 60
		body.SessionMinutes = &minutes
	}
	for _, field := range s.TokenFields {
		body.JWTFields = append(body.JWTFields, string(field))
	}
	if body.Custom == nil {
		body.Custom = map[string]json.RawMessage{}
	}
	return body
}
