package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
	"github.com/postern-auth/postern/internal/jose"
)

// listAPTKeys serves GET /v1/apt_keys: those of a realm, of which there are few.
func (a *API) listAPTKeys(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionManage)
	if err != nil {
		return err
	}
	if err := c.unnarrowed(); err != nil {
		return err
	}
	keys, err := a.core.APTKeys.List(c.Context(), realm)
	if err != nil {
		return err
	}
	list := wire.List[wire.APTKey]{Collection: []wire.APTKey{}}
	for i := range keys {
		body, err := a.aptKeyBody(c, &keys[i])
		if err != nil {
			return err
		}
		list.Collection = append(list.Collection, body)
	}
	write(w, http.StatusOK, mediaJSON, list)
	return nil
}

// getAPTKey serves GET /v1/apt_keys/{key}.
func (a *API) getAPTKey(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionManage)
	if err != nil {
		return err
	}
	key, err := a.core.APTKeys.Get(c.Context(), realm, core.APTKeyID(c.segment("key")))
	if err != nil {
		return err
	}
	return a.writeAPTKey(w, c, http.StatusOK, key, nil)
}

// createAPTKey serves POST /v1/apt_keys, with a public_key, or with generate: then the answer, and nothing ever
// after, has the private_key.
func (a *API) createAPTKey(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionManage, "apt_key")
	if err != nil {
		return err
	}
	f := &b.object
	name, public, generate, alg := f.text("name"), f.text("public_key"), f.text("generate"), f.text("alg")
	if (public == nil) == (generate == nil) {
		f.complain("public_key", "is required, or generate in its place")
	}
	if generate != nil && alg != nil && *alg != *generate {
		f.complain("alg", "must be what generate says, or be left out")
	}
	if err := b.end(); err != nil {
		return err
	}
	if generate != nil {
		key, private, err := a.core.APTKeys.Generate(c.Context(), realm, orEmpty(name), jose.Alg(*generate), b.request)
		if err != nil {
			return err
		}
		return a.writeAPTKey(w, c, http.StatusCreated, key, private)
	}
	key, err := a.core.APTKeys.Add(c.Context(), realm, orEmpty(name), []byte(*public), jose.Alg(orEmpty(alg)), b.request)
	if err != nil {
		return err
	}
	return a.writeAPTKey(w, c, http.StatusCreated, key, nil)
}

// updateAPTKey serves PUT /v1/apt_keys/{key}: its name, until when it is good, and its retirement, which with
// end_sessions ends what it vouched for.
func (a *API) updateAPTKey(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionManage, "apt_key")
	if err != nil {
		return err
	}
	f := &b.object
	in := core.APTKeyChange{Name: f.optional("name"), NotAfter: f.time("not_after"), State: word[core.State](f, "state"), EndSessions: f.flag("end_sessions")}
	f.ignore("id", "realm_id", "environment_guid", "kid", "alg", "public_key", "last_used_at", "created_at", "object")
	if err := b.end(); err != nil {
		return err
	}
	key, err := a.core.APTKeys.Update(c.Context(), realm, core.APTKeyID(c.segment("key")), in, b.request)
	if err != nil {
		return err
	}
	return a.writeAPTKey(w, c, http.StatusOK, key, nil)
}

// deleteAPTKey serves DELETE /v1/apt_keys/{key}.
func (a *API) deleteAPTKey(w http.ResponseWriter, c *call) error {
	from, realm, err := a.manageRequest(w, c, core.PermissionManage, "apt_key")
	if err != nil {
		return err
	}
	if err := a.core.APTKeys.Delete(c.Context(), realm, core.APTKeyID(c.segment("key")), from); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// writeAPTKey answers with a key, and with its private half where it was made in this call.
func (a *API) writeAPTKey(w http.ResponseWriter, c *call, status int, key *core.APTKey, private []byte) error {
	body, err := a.aptKeyBody(c, key)
	if err != nil {
		return err
	}
	body.PrivateKey, c.shownOnce = string(private), private != nil
	write(w, status, mediaJSON, body)
	return nil
}

// aptKeyBody returns a key as it is answered.
func (a *API) aptKeyBody(c *call, key *core.APTKey) (wire.APTKey, error) {
	realm, err := a.core.Realms.Get(c.Context(), key.Realm)
	if err != nil {
		return wire.APTKey{}, err
	}
	return wire.APTKey{
		ID: string(key.ID), RealmID: string(key.Realm), EnvironmentGUID: realm.EnvironmentGUID, KID: key.KeyID, Alg: string(key.Alg),
		PublicKey: key.PublicKey, Name: key.Name, State: string(key.State), NotAfter: wire.Time{Time: key.NotAfter.Time},
		LastUsedAt: wire.Time{Time: key.LastUsedAt},
		CreatedAt:  wire.Time{Time: key.CreatedAt.Time}, Object: "apt_key",
	}, nil
}
