package httpapi_test

import (
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestAPIKeyLife follows an API key through the API: made, used, limited, replaced, deleted.
func TestAPIKeyLife(t *testing.T) {
	each(t, func(w *world) {
		made := w.want(w.manage("POST /v1/users", `{"user":{"user_type":"api","username":"robot","api_key":"generate"}}`), 201, `"api_key":"ak_`)
		w.secret(made.field("api_key"))
		w.want(w.manage("POST /v1/users/authenticate_key", `{"api_key":"`+made.field("api_key")+`"}`), 200, `"username":"robot"`)

		a := w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"`+made.field("id")+`","credential_type":"api_key","name":"deploy",
			"permissions":["deploy"],"allowed_addresses":["192.0.2.0/24"]}}`), 201, `"permissions":["deploy"]`)
		key, path := a.field("api_key"), "/v1/credentials/"+a.field("id")
		w.secret(key)
		use := func(key, ip string) *answer {
			return w.manage("POST /v1/users/authenticate_key", `{"api_key":"`+key+`","request":{"ip":"`+ip+`"}}`)
		}
		w.want(use(key, "192.0.2.7"), 200, `"last_login_at":1`)
		w.want(use(key, "192.0.3.7"), 404, "User not found")
		w.want(use(key, ""), 404, "User not found")
		w.want(use("garbage", "192.0.2.7"), 404, "User not found")
		if again := w.want(w.manage("GET "+path, ""), 200, `"name":"deploy"`); again.field("api_key") != "" {
			t.Error("get shows the key again")
		}

		fresh := w.want(w.manage("PUT "+path, `{"credential":{"api_key":"","allowed_addresses":null,"permissions":null}}`), 200, `"permissions":null`).field("api_key")
		w.secret(fresh)
		w.want(use(key, "192.0.2.7"), 404, "User not found")
		w.want(use(fresh, ""), 200, "robot")
		w.want(w.manage("PUT "+path, `{"credential":{"colour":"red"}}`), 422, "Colour is not an attribute")
		w.want(w.manage("DELETE "+path, ""), 204, "")
		w.want(w.manage("GET "+path, ""), 404, "Credential not found")
		w.want(use(fresh, ""), 404, "User not found")

		again := w.want(w.manage("PUT /v1/users/robot", `{"user":{"api_key":"Zk3vQ9xLpT2mWc8RbYh5Nd"}}`), 200, `"api_key":"Zk3vQ9xLpT2mWc8RbYh5Nd"`)
		w.secret(again.field("api_key"))
		w.want(use(made.field("api_key"), ""), 404, "User not found")
		w.want(use("Zk3vQ9xLpT2mWc8RbYh5Nd", ""), 200, "robot")
		w.want(w.manage("PUT /v1/users/robot", `{"user":{"state":"inactive"}}`), 200, "inactive")
		w.want(use("Zk3vQ9xLpT2mWc8RbYh5Nd", ""), 404, "User not found")
	})
}

// TestPasswordsMadeAtOnce gives a user who has none a password, several at once: one is made, and the others are refused as
// they would have been a moment later.
func TestPasswordsMadeAtOnce(t *testing.T) {
	each(t, func(w *world) {
		u := w.human("ann")
		w.want(w.manage("DELETE /v1/credentials/"+string(u.Credentials[0].ID), ""), 204, "")
		answers := w.atOnce(6, func(int) *answer {
			return w.manage("POST /v1/credentials", `{"credential":{"user_id":"ann","credential_type":"password","password":"`+goodPassword+`"}}`)
		})
		made := 0
		for _, a := range answers {
			if a.StatusCode == 201 {
				made++
			} else {
				w.want(a, 422, `"user_id":["User has a password already"]`)
			}
		}
		if made != 1 {
			t.Errorf("%d of %d passwords were made; want 1", made, len(answers))
		}
	})
}

// TestPasswordAsCredential makes, changes and deletes a password through /v1/credentials.
func TestPasswordAsCredential(t *testing.T) {
	each(t, func(w *world) {
		u := w.human("ann")
		path := "/v1/credentials/" + string(u.Credentials[0].ID)
		w.want(w.manage("GET "+path, ""), 200, `"credential_type":"password"`)
		w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"ann","credential_type":"password","password":"`+goodPassword+`"}}`), 422, "has a password already")
		in := w.signIn("ann")
		const another = "another long row of words"
		w.secret(another)
		w.want(w.manage("PUT "+path, `{"credential":{"password":"`+another+`","password_confirmation":"no"}}`), 422, "Password confirmation does not match")
		w.want(w.manage("PUT "+path, `{"credential":{"password":"`+another+`","password_confirmation":"`+another+`"}}`), 200, "password")
		if _, err := w.Sessions.Resolve(w.ctx, w.realm.ID, in.Token); err == nil {
			t.Error("a session outlives the password that it began with")
		}
		w.want(w.manage("DELETE "+path, ""), 204, "")
		w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+another+`"}`), 401, "Authentication failed")
		w.want(w.manage("GET "+path, ""), 404, "Credential not found")
		w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"ann","credential_type":"password","password":"`+goodPassword+`"}}`), 201, "crd_")
		w.signIn("ann")
	})
}

// TestCredentialRefusals sends what makes no credential, and by whom it may not be sent.
func TestCredentialRefusals(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	for _, tt := range []struct{ body, part string }{
		{`{"credential":{"credential_type":"api_key"}}`, "User can't be blank"},
		{`{"credential":{"user_id":"ann","credential_type":"api_key"}}`, "API keys are for api users only"},
		{`{"credential":{"user_id":"ann","credential_type":"magic"}}`, "Credential type must be"},
		{`{"credential":{"user_id":"ann"}}`, "Credential type must be"},
	} {
		w.want(w.manage("POST /v1/credentials", tt.body), 422, tt.part)
	}
	w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"bob","credential_type":"api_key"}}`), 404, "User not found")
	w.want(w.manage("POST /v1/users/authenticate_key", `{}`), 422, "API key can't be blank")
	w.want(w.manage("GET /v1/credentials/crd_"+strings.Repeat("0", 22), ""), 404, "Credential not found")
	w.want(w.manage("GET /v1/credentials/-", ""), 404, "Credential not found")
	reader := "Content-Type: application/json\nX-Authrocket-Api-Key: " + w.newKey(w.realm.ID, core.PermissionRead)
	w.want(w.do("POST /v1/credentials", reader, `{"credential":{}}`), 403, "permission")
	w.want(w.do("POST /v1/users/authenticate_key", reader, `{"api_key":"x"}`), 403, "permission")
}
