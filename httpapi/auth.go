package httpapi

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/core"
)

// managementPrefix is what a management key begins with, so that one sent as a bearer is told from a token.
const managementPrefix = "ko_"

// managementKey returns the secret of the management key that a call shows. there is false where it shows none.
// Several that differ prove nothing, and are there.
func (c *call) managementKey() (key string, there bool) {
	sent := slices.Concat(c.Header["X-Authrocket-Api-Key"], c.Header["Authrocket-Api-Key"])
	if token, _ := c.bearer(); strings.HasPrefix(token, managementPrefix) {
		sent = append(sent, token)
	}
	slices.Sort(sent)
	sent = slices.Compact(sent)
	if len(sent) != 1 {
		return "", len(sent) > 1
	}
	return sent[0], sent[0] != ""
}

// Failures of management. A bad key is 403: to the Users API's clients 401 means that a user could not sign in.
var (
	errPermission = &core.Error{Kind: core.KindForbidden, Code: "permission", Detail: "this management key does not have the permission that the call needs"}
	errRealm      = &core.Error{Kind: core.KindForbidden, Code: "realm", Detail: "this management key is for another realm"}
	errNoRealm    = invalid("realm_id", "Realm is required: name it in the X-Authrocket-Realm header or as realm_id")
)

// manage checks that a call shows a management key with permission p for the realm that it names, and returns the
// realm. A body must have been read before, since it may name the realm.
func (a *API) manage(c *call, p core.Permission) (core.RealmID, error) {
	key, err := a.permitted(c, p)
	if err != nil {
		return "", err
	}
	realm := core.RealmID(c.namedRealm())
	switch {
	case realm == "" && key.Realm == "":
		return "", errNoRealm
	case realm == "":
		return key.Realm, nil
	case !key.Reaches(realm):
		return "", errRealm
	}
	if _, err := a.core.Realms.Get(c.Context(), realm); err != nil {
		return "", err
	}
	return realm, nil
}

// permitted returns the management key that a call shows, which must have permission p.
func (a *API) permitted(c *call, p core.Permission) (*core.ManagementKey, error) {
	secret, _ := c.managementKey()
	key, err := a.core.ManagementKeys.Authenticate(c.Context(), secret)
	if err != nil {
		return nil, err
	}
	if !key.Allows(p) {
		return nil, errPermission
	}
	return key, nil
}

// namedRealm returns the realm that a call names: in its query or body, which may do so each time, else in the
// header.
func (c *call) namedRealm() string {
	realm := c.URL.Query().Get("realm_id")
	if c.body != nil {
		for _, f := range []*fields{&c.body.object, &c.body.top} {
			if id := f.text("realm_id"); id != nil && *id != "" {
				realm = *id
			}
		}
	}
	if realm == "" {
		realm = c.header("X-Authrocket-Realm", "Authrocket-Realm")
	}
	return realm
}
