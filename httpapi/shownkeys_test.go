package httpapi_test

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestShownAPIKeys has a realm keep API keys so that they can be shown again, and takes that back.
func TestShownAPIKeys(t *testing.T) {
	each(t, func(w *world) {
		realm := "/v1/realms/" + string(w.realm.ID)
		hashed := w.want(w.manage("POST /v1/users", `{"user":{"user_type":"api","username":"hashed","api_key":"generate"}}`), 201, "ak_")
		w.secret(hashed.field("api_key"))
		w.want(w.manage("PUT "+realm, `{"realm":{"api_key_policy":"encrypt"}}`), 200, `"api_key_policy":"encrypt"`)
		made := w.want(w.manage("POST /v1/users", `{"user":{"user_type":"api","username":"robot","api_key":"generate"}}`), 201, "ak_")
		first := made.field("api_key")
		second := w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"robot","credential_type":"api_key","api_key":"Zk3vQ9xLpT2mWc8RbYh5Nd"}}`), 201, "Zk3v")
		path := "/v1/credentials/" + second.field("id")
		w.secret(first, second.field("api_key"))

		w.shows("/v1/users/robot", first)
		w.shows(path, second.field("api_key"))
		w.shows("/v1/users/hashed", "") // only its digest was kept
		reader := "X-Authrocket-Api-Key: " + w.newKey(w.realm.ID, core.PermissionRead)
		for _, thing := range []string{"/v1/users/robot", path} {
			if a := w.want(w.do("GET "+thing, reader, ""), 200, "object"); strings.Contains(a.text, `"api_key":`) {
				t.Errorf("a key that only reads is shown an API key: %s", a.text)
			}
		}
		if list := w.want(w.manage("GET /v1/users", ""), 200, "robot"); strings.Contains(list.text, first) {
			t.Error("the list of users shows an API key")
		}

		// A change has the tag of what GET shows, and the key in it may be sent back.
		w.sameTag("PUT", w.want(w.manage("PUT /v1/users/robot", `{"user":{"reference":"r"}}`), 200, first), "/v1/users/robot")
		w.sameTag("PUT", w.want(w.manage("PUT "+path, `{"credential":{"name":"n"}}`), 200, "Zk3v"), path)
		w.want(w.manage("PUT /v1/users/robot", `{"user":{"api_key":"`+first+`"}}`), 200, first)
		w.shows("/v1/users/robot", first)
		fresh := w.want(w.manage("PUT "+path, `{"credential":{"api_key":"generate"}}`), 200, "ak_").field("api_key")
		w.secret(fresh)
		w.shows(path, fresh)

		for _, policy := range []string{`"hash"`, `"encrypt"`} { // what was kept before is not shown later either
			w.want(w.manage("PUT "+realm, `{"realm":{"api_key_policy":`+policy+`}}`), 200, `"api_key_policy":`+policy)
			w.shows("/v1/users/robot", "")
			w.shows(path, "")
		}
		w.want(w.manage("POST /v1/users/authenticate_key", `{"api_key":"`+fresh+`"}`), 200, "robot")
		w.want(w.manage("PUT "+realm, `{"realm":{"api_key_policy":"plain"}}`), 422, "API key policy must be hash or encrypt")
		w.want(w.manage("PUT "+realm, `{"realm":{"api_key_policy":null}}`), 200, `"api_key_policy":"hash"`)
	})
}

// shows holds which API key GET shows of a thing; "" is none.
func (w *world) shows(path, key string) {
	w.Helper()
	a := w.want(w.manage("GET "+path, ""), 200, "object")
	if got := a.field("api_key"); got != key {
		w.Errorf("GET %s shows the API key %q; want %q", path, got, key)
	}
	if key != "" && a.Header.Get("Cache-Control") != "no-store" {
		w.Errorf("GET %s has Cache-Control %q; want no-store", path, a.Header.Get("Cache-Control"))
	}
}
