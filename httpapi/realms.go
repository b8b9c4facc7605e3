package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// getRealm serves GET /v1/realms/{realm}. It needs the manage permission.
func (a *API) getRealm(w http.ResponseWriter, c *call) error {
	key, err := a.permitted(c, core.PermissionManage)
	if err != nil {
		return err
	}
	id := core.RealmID(c.segment("realm"))
	if !key.Reaches(id) {
		return errRealm
	}
	realm, err := a.core.Realms.Get(c.Context(), id)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, wire.Realm{
		ID: string(realm.ID), Name: realm.Name, EnvironmentGUID: realm.EnvironmentGUID, Issuer: realm.Issuer,
		JWTAlgo: string(realm.Settings.TokenAlg), CreatedAt: wire.Time{Time: realm.CreatedAt.Time}, Object: "realm",
	})
	return nil
}
