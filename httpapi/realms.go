package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
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
	write(w, http.StatusOK, mediaJSON, realmBody(realm))
	return nil
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

// updateRealm serves PUT /v1/realms/{realm}: its name and policies. Only provided attributes are changed; null
// brings a default back.
func (a *API) updateRealm(w http.ResponseWriter, c *call) error {
	id, err := a.managedRealm(c)
	if err != nil {
		return err
	}
	b, err := c.readBody(w, "realm")
	if err != nil {
		return err
	}
	f := &b.object
	name, settings := f.text("name"), f.settings()
	f.ignore("id", "environment_guid", "issuer", "jwt_algo", "created_at", "object")
	if err := b.end(); err != nil {
		return err
	}
	realm, err := a.core.Realms.Update(c.Context(), id, core.RealmChange{Name: name, Settings: settings}, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, realmBody(realm))
	return nil
}

// settings takes the policies of a realm, and returns what sets them.
func (f *fields) settings() func(*core.RealmSettings) {
	var sets []func(*core.RealmSettings)
	taken(f, &sets, "token_lifetime", func(s *core.RealmSettings) *core.Seconds { return &s.TokenLifetime })
	taken(f, &sets, "apt_token_lifetime", func(s *core.RealmSettings) *core.Seconds { return &s.APTTokenLifetime })
	taken(f, &sets, "session_idle", func(s *core.RealmSettings) *core.Seconds { return &s.SessionIdle })
	taken(f, &sets, "session_absolute", func(s *core.RealmSettings) *core.Seconds { return &s.SessionAbsolute })
	taken(f, &sets, "apt_lifetime", func(s *core.RealmSettings) *core.Seconds { return &s.APTLifetime })
	taken(f, &sets, "apt_skew", func(s *core.RealmSettings) *core.Seconds { return &s.APTSkew })
	taken(f, &sets, "apt_require_jti", func(s *core.RealmSettings) *bool { return &s.APTRequireJTI })
	taken(f, &sets, "apt_require_arbitrary_id", func(s *core.RealmSettings) *bool { return &s.APTRequireArbitraryID })
	taken(f, &sets, "apt_encryption", func(s *core.RealmSettings) *core.APTEncryption { return &s.APTEncryption })
	taken(f, &sets, "key_rotation", func(s *core.RealmSettings) *core.Seconds { return &s.KeyRotation })
	taken(f, &sets, "password_min_length", func(s *core.RealmSettings) *int { return &s.PasswordMinLength })
	return func(s *core.RealmSettings) {
		for _, set := range sets {
			set(s)
		}
	}
}

// taken takes one policy, if it is there, and adds what sets it.
func taken[T any](f *fields, sets *[]func(*core.RealmSettings), name string, of func(*core.RealmSettings) *T) {
	raw, there := f.take(name)
	if !there {
		return
	}
	var value T // null leaves it zero, which stands for the default
	if json.Unmarshal(raw, &value) != nil {
		f.complain(name, "is not of the right kind")
	}
	*sets = append(*sets, func(s *core.RealmSettings) { *of(s) = value })
}

// rotateKeys serves POST /v1/realms/{realm}/rotate_keys: new signing keys, with nobody signed out.
func (a *API) rotateKeys(w http.ResponseWriter, c *call) error {
	id, err := a.managedRealm(c)
	if err != nil {
		return err
	}
	b, err := c.readBody(w, "realm")
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

// realmBody returns a realm as it is answered.
func realmBody(r *core.Realm) wire.Realm {
	s := r.Settings
	return wire.Realm{
		ID: string(r.ID), Name: r.Name, EnvironmentGUID: r.EnvironmentGUID, Issuer: r.Issuer, JWTAlgo: string(s.TokenAlg),
		TokenLifetime: int64(s.TokenLifetime), APTTokenLifetime: int64(s.APTTokenLifetime),
		SessionIdle: int64(s.SessionIdle), SessionAbsolute: int64(s.SessionAbsolute),
		APTLifetime: int64(s.APTLifetime), APTSkew: int64(s.APTSkew), APTRequireJTI: s.APTRequireJTI,
		APTRequireArbitraryID: s.APTRequireArbitraryID, APTEncryption: orNull(string(s.APTEncryption)),
		KeyRotation: int64(s.KeyRotation), PasswordMinLength: s.PasswordMinLength,
		CreatedAt: wire.Time{Time: r.CreatedAt.Time}, Object: "realm",
	}
}
