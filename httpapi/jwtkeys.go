package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// listJWTKeys serves GET /v1/jwt_keys: those of a realm, of which there are few, the oldest first.
func (a *API) listJWTKeys(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionManage)
	if err != nil {
		return err
	}
	if err := c.unnarrowed(); err != nil {
		return err
	}
	keys, err := a.core.Realms.JWTKeys(c.Context(), realm)
	if err != nil {
		return err
	}
	list := wire.List[wire.JWTKey]{Collection: []wire.JWTKey{}}
	for _, k := range keys {
		list.Collection = append(list.Collection, jwtKeyBody(k))
	}
	write(w, http.StatusOK, mediaJSON, list)
	return nil
}

// getJWTKey serves GET /v1/jwt_keys/{key}.
func (a *API) getJWTKey(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionManage)
	if err != nil {
		return err
	}
	keys, err := a.core.Realms.JWTKeys(c.Context(), realm)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if string(k.ID) == c.segment("key") {
			write(w, http.StatusOK, mediaJSON, jwtKeyBody(k))
			return nil
		}
	}
	return core.ErrJWTKeyNotFound
}

// createJWTKey serves POST /v1/jwt_keys: a rotation, which signs nobody out. The algorithm is the realm's.
func (a *API) createJWTKey(w http.ResponseWriter, c *call) error {
	b, id, err := a.manageBody(w, c, core.PermissionManage, "jwt_key")
	if err != nil {
		return err
	}
	realm, err := a.core.Realms.Get(c.Context(), id)
	if err != nil {
		return err
	}
	if alg := b.object.text("algo"); alg != nil && tokenAlg(*alg) != realm.Settings.TokenAlg {
		b.object.complain("algo", "must be the realm's, "+string(realm.Settings.TokenAlg)+"; another is chosen with the realm's jwt_algo")
	}
	b.object.only("use", "sign", "must be sign")
	if err := b.end(); err != nil {
		return err
	}
	if err := a.core.Realms.RotateKeys(c.Context(), id, b.request); err != nil {
		return err
	}
	key, err := a.core.Realms.NewestJWTKey(c.Context(), id)
	if err != nil {
		return err
	}
	write(w, http.StatusCreated, mediaJSON, jwtKeyBody(key))
	return nil
}

// deleteJWTKey serves DELETE /v1/jwt_keys/{key}: whatever it signed is refused from now on.
func (a *API) deleteJWTKey(w http.ResponseWriter, c *call) error {
	from, realm, err := a.manageRequest(w, c, core.PermissionManage, "jwt_key")
	if err != nil {
		return err
	}
	if err := a.core.Realms.RetireJWTKey(c.Context(), realm, core.JWTKeyID(c.segment("key")), from); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// jwtKeyBody returns a key as it is answered.
func jwtKeyBody(k core.JWTKey) wire.JWTKey {
	return wire.JWTKey{ID: string(k.ID), RealmID: string(k.Realm), Algo: string(k.Alg), Key: k.Key, Use: "sign", KeyID: k.KeyID,
		SignsFrom: wire.Time{Time: k.SignsFrom}, VerifiesUntil: wire.Time{Time: k.GoneAt}, Expired: k.Expired, Object: "jwt_key"}
}
