package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestPermissions tries keys of every permission and reach on calls that need each.
func TestPermissions(t *testing.T) {
	w := newWorld(t)
	other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
	w.must(err)
	w.human("ann")
	token := w.signIn("ann").Token
	realm := string(w.realm.ID)
	needs := map[core.Permission][]string{
		core.PermissionRead:  {"GET /v1/users/ann", "HEAD /v1/users/ann", "GET /v1/sessions?user_id=ann", "GET /v1/sessions/" + token},
		core.PermissionWrite: {"PUT /v1/users/ann", "POST /v1/users", "POST /v1/users/ann/authenticate", "DELETE /v1/users/nobody", "DELETE /v1/sessions/kss_x"},
		core.PermissionManage: {"GET /v1/realms/" + realm, "PUT /v1/realms/" + realm, "POST /v1/realms/" + realm + "/reset", "GET /v1/jwt_keys",
			"DELETE /v1/jwt_keys/jky_x", "GET /v1/auth_providers", "POST /v1/auth_providers", "GET /v1/login_policies", "POST /v1/login_policies"},
	}
	body := func(line string) string {
		if strings.HasPrefix(line, "P") {
			return `{}`
		}
		return ""
	}
	for has := range needs {
		for needed, calls := range needs {
			for _, line := range calls {
				ask := func(key string) int {
					return w.do(line, "Content-Type: application/json\nX-Authrocket-Realm: "+realm+"\nX-Authrocket-Api-Key: "+key, body(line)).StatusCode
				}
				if status := ask(w.newKey(w.realm.ID, has)); (status == http.StatusForbidden) != (has != needed) {
					t.Errorf("%s with %s = %d; it needs %s", line, has, status, needed)
				}
				if status := ask(w.newKey("", has)); (status == http.StatusForbidden) != (has != needed) {
					t.Errorf("%s with %s for all realms = %d; it needs %s", line, has, status, needed)
				}
				if status := ask(w.newKey(other.ID, needed)); status != http.StatusForbidden {
					t.Errorf("%s with a key for another realm = %d; want 403", line, status)
				}
			}
		}
	}
}

// TestKeyPlaces shows a management key in each header, twice, and badly.
func TestKeyPlaces(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	good, other := w.newKey(w.realm.ID, core.PermissionRead), w.newKey(w.realm.ID, core.PermissionRead)
	for _, c := range []struct {
		headers string
		status  int
	}{
		{"X-Authrocket-Api-Key: " + good, 200},
		{"x-authrocket-api-key: " + good, 200},
		{"authrocket-api-key: " + good, 200},
		{"Authorization: Bearer " + good, 200},
		{"authorization: bearer " + good, 200},
		{"X-Authrocket-Api-Key: " + good + "\nX-Authrocket-Api-Key: " + good, 200},
		{"X-Authrocket-Api-Key: " + good + "\nAuthorization: Bearer " + good, 200},
		{"X-Authrocket-Api-Key: " + good + "\nX-Authrocket-Account: org_1", 200},
		{"X-Authrocket-Api-Key: " + good + "\nX-Authrocket-Api-Key: " + other, 403},
		{"X-Authrocket-Api-Key: " + good + "\nAuthrocket-Api-Key: " + other, 403},
		{"X-Authrocket-Api-Key: " + good + "\nAuthorization: Bearer " + other, 403},
		{"X-Authrocket-Api-Key: " + good + ", " + good, 403},
		{"X-Authrocket-Api-Key:", 403},
		{"X-Authrocket-Api-Key: " + good[:len(good)-1], 403},
		{"X-Authrocket-Api-Key: ko_unknown", 403},
		{"X-Authrocket-Api-Key: key_1\nX-Authrocket-Account: org_1", 403},
		{"Authorization: Basic " + good, 403},
		{"Authorization: " + good, 403},
		{"", 403},
	} {
		if a := w.do("GET /v1/users/ann", c.headers, ""); a.StatusCode != c.status {
			t.Errorf("GET with %q = %d %s; want %d", c.headers, a.StatusCode, a.text, c.status)
		}
	}
	for _, line := range []string{"GET /v1/users/ann?api_key=" + good, "GET /v1/users/ann?X-Authrocket-Api-Key=" + good} {
		w.want(w.do(line, "", ""), http.StatusForbidden, "")
	}
	differing := "Content-Type: application/json\nX-Authrocket-Api-Key: " + good + "\nX-Authrocket-Api-Key: " + other
	w.want(w.do("POST /v1/users", differing+"\nAuthorization: Bearer "+w.apt("x"), `{}`), http.StatusForbidden, "management key")
}

// TestRealmPlaces names the realm in each place, for a key that needs it named.
func TestRealmPlaces(t *testing.T) {
	w := newWorld(t)
	other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
	w.must(err)
	w.human("ann")
	here, there := string(w.realm.ID), string(other.ID)
	one := w.newKey(w.realm.ID, core.PermissionRead, core.PermissionWrite)
	for _, c := range []struct {
		key, line, header, body string
		status                  int
	}{
		{w.key, "PUT /v1/users/ann", "", `{}`, 422},
		{w.key, "PUT /v1/users/ann", "X-Authrocket-Realm: " + here, `{}`, 200},
		{w.key, "PUT /v1/users/ann", "authrocket-realm: " + here, `{}`, 200},
		{w.key, "PUT /v1/users/ann?realm_id=" + here, "", `{}`, 200},
		{w.key, "PUT /v1/users/ann", "", `{"realm_id":"` + here + `"}`, 200},
		{w.key, "PUT /v1/users/ann", "", `{"user":{"realm_id":"` + here + `"}}`, 200},
		{w.key, "PUT /v1/users/ann", "X-Authrocket-Realm: " + there, `{"user":{"realm_id":"` + here + `"}}`, 200}, // a call's own word beats the default
		{w.key, "PUT /v1/users/ann?realm_id=" + here, "X-Authrocket-Realm: " + there, `{}`, 200},
		{w.key, "PUT /v1/users/ann?realm_id=", "X-Authrocket-Realm: " + here, `{}`, 200},
		{w.key, "PUT /v1/users/ann", "X-Authrocket-Realm: " + there, `{}`, 404},
		{w.key, "PUT /v1/users/ann", "X-Authrocket-Realm: rl_0000000000000000000000", `{}`, 404},
		{w.key, "PUT /v1/users/ann", "X-Authrocket-Realm: default", `{}`, 200}, // a name is as good, where it is one realm's
		{w.key, "PUT /v1/users/ann?realm_id=../x", "", `{}`, 404},
		{one, "PUT /v1/users/ann", "", `{}`, 200},
		{one, "PUT /v1/users/ann", "X-Authrocket-Realm: " + here, `{}`, 200},
		{one, "PUT /v1/users/ann", "X-Authrocket-Realm: " + there, `{}`, 403},
		{one, "PUT /v1/users/ann?realm_id=" + there, "X-Authrocket-Realm: " + here, `{}`, 403},
		{one, "PUT /v1/users/ann", "", `{"realm_id":"` + there + `"}`, 403},
		{one, "PUT /v1/users/ann", "", `{"user":{"realm_id":"` + there + `"}}`, 403},
		{one, "PUT /v1/users/ann", "X-Authrocket-Realm: rl_0000000000000000000000", `{}`, 403},
	} {
		a := w.do(c.line, "Content-Type: application/json\nX-Authrocket-Api-Key: "+c.key+"\n"+c.header, c.body)
		if a.StatusCode != c.status {
			t.Errorf("%s, %q, %s = %d %s; want %d", c.line, c.header, c.body, a.StatusCode, a.text, c.status)
		}
	}
	w.want(w.manage("GET /v1/realms/rl_0000000000000000000000", ""), http.StatusNotFound, "Realm not found")
	w.want(w.manage("GET /v1/realms/"+here, ""), http.StatusOK, w.realm.EnvironmentGUID)
}
