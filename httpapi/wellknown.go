package httpapi

import (
	"net/http"

	"github.com/postern-auth/postern/core"
)

// realmKeySet serves GET /v1/realms/{realm}/.well-known/jwks.json: what verifies the realm's tokens (RFC 7517 §5).
// It needs no key.
func (a *API) realmKeySet(w http.ResponseWriter, c *call) error {
	return a.writeKeySet(w, c, core.RealmID(c.segment("realm")))
}

// defaultKeySet serves GET /.well-known/jwks.json: that of the realm that the store was set up with, whatever it is called.
func (a *API) defaultKeySet(w http.ResponseWriter, c *call) error {
	realm, err := a.core.Realms.Find(c.Context(), core.DefaultRealm)
	if err != nil {
		return err
	}
	return a.writeKeySet(w, c, realm.ID)
}

// writeKeySet answers with a realm's public keys. They may be kept for half the time that a new key is published
// before it signs.
func (a *API) writeKeySet(w http.ResponseWriter, c *call, realm core.RealmID) error {
	set, err := a.core.Realms.KeySet(c.Context(), realm)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Type", "application/jwk-set+json")
	_, _ = w.Write(set) // a caller that has gone
	return nil
}
