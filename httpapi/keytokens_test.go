package httpapi_test

import (
	"reflect"
	"testing"
)

// TestAPIKeyMinutes has authenticate_key answer with a token, which the clients of the Users API check by themselves.
func TestAPIKeyMinutes(t *testing.T) {
	each(t, func(w *world) {
		made := w.want(w.manage("POST /v1/realms", `{"realm":{"name":"tokens","api_key_minutes":5,"jwt_fields":["memberships"]}}`), 201, `"api_key_minutes":5`)
		realm := made.field("id")
		w.secret(made.field("jwt_key"))
		w.want(w.inRealm(realm, "POST /v1/users", `{"user":{"user_type":"api","username":"robot","org":{"name":"o"},"permissions":["deploy","look"]}}`), 201, "robot")
		key := w.want(w.inRealm(realm, "POST /v1/credentials", `{"credential":{"user_id":"robot","credential_type":"api_key","permissions":["deploy"]}}`), 201, "ak_")
		w.secret(key.field("api_key"))
		use := func() *answer {
			return w.inRealm(realm, "POST /v1/users/authenticate_key", `{"api_key":"`+key.field("api_key")+`"}`)
		}
		token := w.want(use(), 200, `"token"`).field("token")
		w.secret(token)
		claims := w.oldClient(token, made.field("jwt_key"))
		if claims["un"] != "robot" || claims["tk"] != key.field("id") || claims["aud"] != realm || claims["sid"] != nil ||
			claims["exp"].(float64)-claims["iat"].(float64) != 300 {
			t.Errorf("claims = %v; want the robot's, of the key, for five minutes", claims)
		}
		memberships := claims["m"].([]any)
		if got := memberships[0].(map[string]any)["p"]; len(memberships) != 1 || !reflect.DeepEqual(got, []any{"deploy"}) {
			t.Errorf("memberships = %v; want the key's permissions alone", memberships)
		}
		w.want(w.inRealm(realm, "GET /v1/sessions/"+token, ""), 404, "Session not found")
		w.want(w.inRealm(realm, "DELETE /v1/sessions/"+token, ""), 404, "Session not found")
		w.want(w.inRealm(realm, "GET /v1/sessions?user_id=robot", ""), 200, `"collection":[]`)
		w.want(w.do("GET /v1/users/me", "Authorization: Bearer "+token, ""), 401, "")
		w.want(w.manage("PUT /v1/realms/"+realm, `{"realm":{"api_key_minutes":null}}`), 200, `"api_key_minutes":0`)
		if a := w.want(use(), 200, "robot"); a.field("token") != "" {
			t.Error("there is a token where the realm has api_key_minutes 0")
		}
	})
}
