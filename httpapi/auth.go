package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/core"
)

// managementKey returns the secret of the management key that a call shows. there is false where it shows none.
// Several that differ prove nothing, and are there.
func (c *call) managementKey() (key string, there bool) {
	sent := slices.Concat(c.Header["X-Authrocket-Api-Key"], c.Header["Authrocket-Api-Key"])
	if token, _ := c.bearer(); core.LooksLikeManagementKey(token) {
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
	errTwoRealms  = invalid("realm_id", "Realm is named twice, and differs")
	errBadRealm   = invalid("realm_id", "Realm id is not encoded as UTF-8 in a URL")
)

// manage checks that a call shows a management key with permission p for the realm that it names, and returns the
// realm.
func (a *API) manage(c *call, p core.Permission) (core.RealmID, error) {
	key, err := a.permitted(c, p)
	if err != nil {
		return "", err
	}
	return a.realm(c, key)
}

// manageBody is manage for a call with a body about an object named root, which may name the realm. A body is read for
// nobody but the holder of a key.
func (a *API) manageBody(w http.ResponseWriter, c *call, p core.Permission, root string) (*body, core.RealmID, error) {
	key, err := a.permitted(c, p)
	if err != nil {
		return nil, "", err
	}
	b, err := c.readBody(w, root)
	if err != nil {
		return nil, "", err
	}
	realm, err := a.realm(c, key)
	return b, realm, err
}

// manageRequest is manageBody for a call that has nothing to say but on whose behalf it is made. It fails where a body says more.
func (a *API) manageRequest(w http.ResponseWriter, c *call, p core.Permission, root string) (core.Request, core.RealmID, error) {
	b, realm, err := a.manageBody(w, c, p, root)
	if err != nil {
		return core.Request{}, "", err
	}
	return b.request, realm, b.end()
}

// realm returns the realm that a call acts in: the one that it names, by id or name, and that its key is for.
func (a *API) realm(c *call, key *core.ManagementKey) (core.RealmID, error) {
	named, err := c.namedRealm()
	switch {
	case err != nil:
		return "", err
	case named == "" && key.Realm == "":
		return "", errNoRealm
	case named == "" || named == key.Realm:
		return key.Realm, nil
	}
	found, err := a.core.Realms.Find(c.Context(), string(named))
	switch {
	case key.Realm != "" && errors.Is(err, core.ErrRealmNotFound):
		return "", errRealm // a key of one realm learns nothing of others
	case err != nil:
		return "", err
	case !key.Reaches(found.ID):
		return "", errRealm
	}
	return found.ID, nil
}

// permitted returns the management key that a call shows, which must have permission p.
func (a *API) permitted(c *call, p core.Permission) (*core.ManagementKey, error) {
	secret, _ := c.managementKey()
	key, err := a.authenticated(c, secret)
	if err != nil {
		return nil, err
	}
	if !key.Allows(p) {
		return nil, errPermission
	}
	return key, nil
}

// authenticated returns the management key that a secret belongs to, and counts the call as one of its, once. It fails with
// core.ErrManagementKey, errKeyRate and like a store.
func (a *API) authenticated(c *call, secret string) (*core.ManagementKey, error) {
	key, err := a.core.ManagementKeys.Authenticate(c.Context(), secret)
	if err != nil || c.counted {
		return key, err
	}
	c.counted = true
	return key, a.rates.take(key.ID, a.core.Now)
}

// namedRealm returns the realm that a call names: in its query or body, which may do so each time, else in the
// headers. Two that differ are refused: whoever stands between us and the caller may have read the other.
func (c *call) namedRealm() (core.RealmID, error) {
	named, err := queriedRealms(c.URL.RawQuery)
	if err != nil {
		return "", err
	}
	if c.body != nil {
		for _, f := range []*fields{&c.body.object, &c.body.top} {
			if id := f.text("realm_id"); id != nil {
				named = append(named, *id)
			}
		}
	}
	if named = distinct(named); len(named) == 0 {
		named = distinct(slices.Concat(c.Header["X-Authrocket-Realm"], c.Header["Authrocket-Realm"]))
	}
	if len(named) > 1 {
		return "", errTwoRealms
	}
	return core.RealmID(strings.Join(named, "")), nil
}

// queriedRealms returns all that a query has as realm_id, or realm_id[], as clients write it who were given an array. It fails with
// errBadRealm: net/url passes over what it cannot read, and the call would act in the realm of the headers.
func queriedRealms(query string) (named []string, err error) {
	for pair := range strings.SplitSeq(query, "&") {
		escaped, text, _ := strings.Cut(pair, "=")
		name, _ := url.QueryUnescape(escaped)
		if name, _, _ = strings.Cut(name, "["); name != "realm_id" {
			continue
		}
		realm, err := url.QueryUnescape(text)
		if err != nil || !utf8.ValidString(realm) {
			return nil, errBadRealm
		}
		named = append(named, realm)
	}
	return named, nil
}

// distinct returns what there is to read in texts, each once.
func distinct(texts []string) []string {
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	slices.Sort(texts)
	return slices.Compact(texts)
}

// named returns the id or the name of the user that the path is about. Clients escape a space as "+", and a plus as
// %2B; so a bare plus stands for a space, unless somebody goes by it.
func (a *API) named(c *call, realm core.RealmID) (string, error) {
	name := c.segment("user")
	sent, _ := c.path.named("user")
	if !strings.Contains(sent, "+") {
		return name, nil
	}
	if _, err := a.core.Users.Get(c.Context(), realm, name); !errors.Is(err, core.ErrUserNotFound) {
		return name, err
	}
	spaced, _ := url.QueryUnescape(sent) // match has seen that it can be
	return spaced, nil
}

// owner returns the id of a user whom a query or body names by id or, as paths do, by username or address; "" for "". What has the form of
// an id is not looked up: there is what was somebody's who is gone.
func (a *API) owner(c *call, realm core.RealmID, name string) (core.UserID, error) {
	if name == "" || strings.HasPrefix(name, "usr_") {
		return core.UserID(name), nil
	}
	user, err := a.core.Users.Get(c.Context(), realm, name)
	if err != nil {
		return "", err
	}
	return user.ID, nil
}

// subject returns the token of whoever "me" is. A management key stands for no user.
func (a *API) subject(c *call) (string, error) {
	token, _ := c.bearer()
	key, managed := c.managementKey()
	if !managed || token != "" && !core.LooksLikeManagementKey(token) {
		return token, nil
	}
	if _, err := a.authenticated(c, key); err != nil {
		return "", err
	}
	return "", core.ErrUserNotFound
}
