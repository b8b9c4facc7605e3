package httpapi

import (
	"maps"
	"slices"
	"strings"

	"github.com/postern-auth/postern/core"
)

// managementPrefix is what a management key begins with, so that one sent as a bearer is told from a token.
const managementPrefix = "ko_"

// managementKey returns the secret of the management key that a call shows, or "".
func (c *call) managementKey() string {
	if key := c.header("X-Authrocket-Api-Key", "Authrocket-Api-Key"); key != "" {
		return key
	}
	if token, _ := c.bearer(); strings.HasPrefix(token, managementPrefix) {
		return token
	}
	return ""
}

// Failures of management. A bad key is 403: to the Users API's clients 401 means that a user could not sign in.
var (
	errPermission = &core.Error{Kind: core.KindForbidden, Code: "permission", Detail: "this management key does not have the permission that the call needs"}
	errRealm      = &core.Error{Kind: core.KindForbidden, Code: "realm", Detail: "this management key is for another realm"}
	errNoRealm    = &core.Error{Kind: core.KindInvalid, Code: "validation", Fields: []core.FieldError{
		{Attribute: "realm_id", Message: "Realm is required: name it in the X-Authrocket-Realm header or as realm_id"}}}
)

// manage checks that a call shows a management key with permission p for the realm that it names, and returns the
// realm. A body must have been read before, since it may name the realm.
func (a *API) manage(c *call, p core.Permission) (core.RealmID, error) {
	key, err := a.core.ManagementKeys.Authenticate(c.Context(), c.managementKey())
	if err != nil {
		return "", err
	}
	if !key.Allows(p) {
		return "", errPermission
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

// sortedNames returns the keys of m in order.
func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
