package httpapi

import (
	"cmp"
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// Management keys are for whoever holds one of all realms: a key of one realm must not make itself a greater one.

// overseer checks that a call shows a management key of all realms with the manage permission.
func (a *API) overseer(c *call) error {
	key, err := a.permitted(c, core.PermissionManage)
	if err != nil {
		return err
	}
	if key.Realm != "" {
		return errRealm
	}
	return nil
}

// overseerBody is overseer for a call with a body about an object named root.
func (a *API) overseerBody(w http.ResponseWriter, c *call, root string) (*body, error) {
	if err := a.overseer(c); err != nil {
		return nil, err
	}
	return c.readBody(w, root)
}

// listManagementKeys serves GET /v1/management_keys?after=&max_results=.
func (a *API) listManagementKeys(w http.ResponseWriter, c *call) error {
	if err := a.overseer(c); err != nil {
		return err
	}
	q := fields{}
	values := q.query(c.URL.RawQuery)
	limit := cmp.Or(q.limit(values), 100)
	q.byID(values)
	if q.descending(values) {
		q.complain("direction", "must be asc")
	}
	if err := q.wrong(); err != nil {
		return err
	}
	keys, more, err := a.core.ManagementKeys.List(c.Context(), core.ManagementKeyID(values["after"]), limit)
	if err != nil {
		return err
	}
	list := wire.List[wire.ManagementKey]{MoreResults: more, Collection: []wire.ManagementKey{}}
	for _, key := range keys {
		list.Collection = append(list.Collection, managementKeyBody(key))
	}
	write(w, http.StatusOK, mediaJSON, list)
	return nil
}

// getManagementKey serves GET /v1/management_keys/{key}.
func (a *API) getManagementKey(w http.ResponseWriter, c *call) error {
	if err := a.overseer(c); err != nil {
		return err
	}
	key, err := a.core.ManagementKeys.Get(c.Context(), core.ManagementKeyID(c.segment("key")))
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, managementKeyBody(key))
	return nil
}

// createManagementKey serves POST /v1/management_keys. The answer, and nothing ever after, has the secret.
func (a *API) createManagementKey(w http.ResponseWriter, c *call) error {
	b, err := a.overseerBody(w, c, "management_key")
	if err != nil {
		return err
	}
	f := &b.object
	realm, err := a.realmOfKey(c)
	if err != nil {
		return err
	}
	in := core.NewManagementKey{Name: orEmpty(f.text("name")), Realm: realm, Permissions: f.permissions()}
	if at := f.time("expires_at"); at != nil {
		in.ExpiresAt = *at
	}
	if err := b.end(); err != nil {
		return err
	}
	secret, err := a.core.ManagementKeys.NewSecret()
	if err != nil {
		return err
	}
	key, err := a.core.ManagementKeys.Create(c.Context(), in, secret, b.request)
	if err != nil {
		return err
	}
	body := managementKeyBody(key)
	body.Secret, c.shownOnce = secret, true
	write(w, http.StatusCreated, mediaJSON, body)
	return nil
}

// realmOfKey returns the realm that a management key is to be for: the one that the call names, like any other call, or "", which is all,
// where it names none or says that its realm_id is null. A client that has a realm set must not get a key for all by leaving something out.
func (a *API) realmOfKey(c *call) (core.RealmID, error) {
	f := &c.body.object
	if string(f.members.value("realm_id")) == "null" {
		f.ignore("realm_id")
		return "", nil
	}
	named, err := c.namedRealm()
	if err != nil || named == "" {
		return "", err
	}
	realm, err := a.core.Realms.Find(c.Context(), string(named))
	if err != nil {
		return "", err
	}
	return realm.ID, nil
}

// updateManagementKey serves PUT /v1/management_keys/{key}.
func (a *API) updateManagementKey(w http.ResponseWriter, c *call) error {
	b, err := a.overseerBody(w, c, "management_key")
	if err != nil {
		return err
	}
	f := &b.object
	in := core.ManagementKeyChange{Name: f.text("name"), ExpiresAt: f.time("expires_at")}
	if permissions := f.permissions(); permissions != nil {
		in.Permissions = &permissions
	}
	f.ignore("id", "realm_id", "last_used_at", "created_at", "object")
	if err := b.end(); err != nil {
		return err
	}
	key, err := a.core.ManagementKeys.Update(c.Context(), core.ManagementKeyID(c.segment("key")), in, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, managementKeyBody(key))
	return nil
}

// deleteManagementKey serves DELETE /v1/management_keys/{key}.
func (a *API) deleteManagementKey(w http.ResponseWriter, c *call) error {
	b, err := a.overseerBody(w, c, "management_key")
	if err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	if err := a.core.ManagementKeys.Delete(c.Context(), core.ManagementKeyID(c.segment("key")), b.request); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// permissions takes the permissions of a key: one text, or an array.
func (f *fields) permissions() []core.Permission {
	var list []core.Permission
	for _, p := range f.texts("permissions") {
		list = append(list, core.Permission(p))
	}
	return list
}

// managementKeyBody returns a key as it is answered.
func managementKeyBody(k *core.ManagementKey) wire.ManagementKey {
	body := wire.ManagementKey{
		ID: string(k.ID), Name: k.Name, RealmID: orNull(string(k.Realm)), Permissions: []string{},
		LastUsedAt: wire.Time{Time: k.LastUsedAt}, ExpiresAt: wire.Time{Time: k.ExpiresAt.Time}, CreatedAt: wire.Time{Time: k.CreatedAt.Time}, Object: "management_key",
	}
	for _, p := range k.Permissions {
		body.Permissions = append(body.Permissions, string(p))
	}
	return body
}
