package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestExpandAnywhere asks for memberships wherever a client can put that, in every call that answers with a user. Some put all
// that they are given into the object.
func TestExpandAnywhere(t *testing.T) {
	w := newWorld(t)
	w.secret(goodPassword)
	const joined = `"memberships":[{"id":"mb_`
	robot := w.want(w.manage("POST /v1/users", `{"user":{"user_type":"api","api_key":"generate","permissions":"run"}}`), 201, "")
	w.secret(robot.field("api_key"))
	key := `"api_key":"` + robot.field("api_key") + `"`
	w.want(w.manage("POST /v1/users/authenticate_key", `{"expand":"memberships",`+key+`}`), 200, joined)
	w.want(w.manage("POST /v1/users/authenticate_key?expand=memberships", `{`+key+`}`), 200, joined)
	if plain := w.want(w.manage("POST /v1/users/authenticate_key", `{"expand":["custom"],`+key+`}`), 200, ""); strings.Contains(plain.text, "memberships") {
		t.Errorf("without asking for memberships = %s", plain.text)
	}

	w.want(w.manage("POST /v1/users", `{"user":{"user_type":"human","username":"ann","email":"ann@example.com","password":"`+goodPassword+`","permissions":["read"]}}`), 201, "")
	phone := w.want(w.manage("POST /v1/credentials", `{"credential":{"user_id":"ann","credential_type":"totp","name":"phone"}}`), 201, "")
	w.secret(phone.field("otp_secret"))
	w.want(w.manage("POST /v1/credentials/"+phone.field("id")+"/verify", `{"credential":{"code":"`+w.code(phone.field("otp_secret"))+`"}}`), 200, "")
	for _, ending := range []string{`},"expand":"memberships"}`, `,"expand":["memberships"]}}`} {
		half := w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`"}`), 200, `"kli_`).field("token")
		w.secret(half)
		w.clock.Advance(time.Minute)
		w.want(w.manage("POST /v1/users/ann/authenticate_code", `{"user":{"token":"`+half+`","code":"`+w.code(phone.field("otp_secret"))+`"`+ending), 200, joined)
	}
	w.want(w.manage("PUT /v1/users/ann", `{"user":{"first_name":"Ann","expand":"memberships"}}`), 200, joined)
	w.want(w.manage("PUT /v1/users/ann", `{"user":{"first_name":"Ann","expand":{}}}`), 422, "Expand must be")
}

// TestInactiveRealm holds that nobody signs in to a realm that is inactive, by whatever means, and is told why.
func TestInactiveRealm(t *testing.T) {
	w := newWorld(t)
	w.secret(goodPassword)
	w.human("ann")
	robot := w.want(w.manage("POST /v1/users", `{"user":{"user_type":"api","api_key":"generate"}}`), 201, "")
	w.secret(robot.field("api_key"))
	w.want(w.manage("PUT /v1/realms/"+string(w.realm.ID), `{"realm":{"state":"inactive"}}`), 200, "")
	for line, body := range map[string]string{
		"POST /v1/users/ann/authenticate":      `{"password":"` + goodPassword + `"}`,
		"POST /v1/users/nobody/authenticate":   `{"password":"x"}`,
		"POST /v1/users/authenticate_key":      `{"api_key":"` + robot.field("api_key") + `"}`,
		"POST /v1/users/ann/authenticate_code": `{"user":{"token":"kli_x","code":"123456"}}`,
	} {
		w.want(w.manage(line, body), http.StatusForbidden, "realm is inactive")
	}
	w.want(w.manage("GET /v1/users/ann", ""), 200, "")
	w.want(w.manage("PUT /v1/realms/"+string(w.realm.ID), `{"realm":{"state":"active"}}`), 200, "")
	w.want(w.manage("POST /v1/users/authenticate_key", `{"api_key":"`+robot.field("api_key")+`"}`), 200, robot.field("id"))
}

// TestOnlyWhenMade holds that memberships are made with a user and changed by themselves: an update that names orgs or
// permissions says so, in place of passing over what its sender takes for done.
func TestOnlyWhenMade(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	org := w.manage("POST /v1/orgs", `{"org":{"name":"Acme"}}`).field("id")
	for _, member := range []string{`"org_ids":["` + org + `"]`, `"permissions":"boss"`, `"org":{"name":"N"}`} {
		for _, body := range []string{`{"user":{"first_name":"Ann",` + member + `}}`, `{"user":{"first_name":"Ann"},` + member + `}`} {
			w.want(w.manage("PUT /v1/users/ann", body), 422, "changed at /v1/memberships")
		}
	}
	if ann := w.want(w.manage("GET /v1/users/ann", ""), 200, `"membership_count":0`); ann.field("first_name") != "" {
		t.Errorf("a refused update changed %s", ann.text)
	}
}

// TestEventRetention sets how long events are kept.
func TestEventRetention(t *testing.T) {
	w := newWorld(t)
	path := "PUT /v1/realms/" + string(w.realm.ID)
	w.want(w.manage(path, `{"realm":{"event_retention":86400}}`), 200, `"event_retention":86400`)
	w.want(w.manage(path, `{"realm":{"event_retention":60}}`), 422, "Event retention must be from 86400 to 316224000 seconds")
	w.want(w.manage("GET /v1/events?event_type=realm.updated", ""), 200, "realm.updated")
	w.clock.Advance(48 * time.Hour)
	if got := w.want(w.manage("GET /v1/events?created_at_after=1", ""), 200, "").collection("event_type"); got != "" {
		t.Errorf("events after two days = %q; want none", got)
	}
	w.want(w.manage(path, `{"realm":{"event_retention":null}}`), 200, `"event_retention":34560000`)
}

// TestLongAddress holds that an address has an end, and that whoever sends one without is told in their own form.
func TestLongAddress(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 17<<10)
	w.want(w.manage("GET /v1/users/"+long, ""), http.StatusRequestURITooLong, `{"errors":{"base":["The address is longer than 16 KiB"]}}`)
	w.want(w.do("GET /v1/users?reference="+long, "Accept: application/vnd.api+json", ""), http.StatusRequestURITooLong, `"code":"uri_too_long_error"`)
	w.want(w.manage("GET /v1/users/"+long[:8<<10], ""), http.StatusNotFound, "User not found")
}

// TestSentBack sends whole objects back as they were got, which is how some programs save a change.
func TestSentBack(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	org := w.want(w.manage("POST /v1/orgs", `{"org":{"name":"Acme","reference":"A1","custom":{"tier":1}}}`), 201, "")
	joined := w.want(w.manage("POST /v1/memberships", `{"membership":{"user_id":"`+w.manage("GET /v1/users/ann", "").field("id")+`","org_id":"`+org.field("id")+`","permissions":["read"]}}`), 201, "")
	for path, root := range map[string]string{
		"/v1/users/ann?expand=memberships":      "user",
		"/v1/orgs/" + org.field("id"):           "org",
		"/v1/memberships/" + joined.field("id"): "membership",
		"/v1/realms/" + string(w.realm.ID):      "realm",
	} {
		before := w.want(w.manage("GET "+path, ""), 200, "")
		after := w.want(w.manage("PUT "+path, `{"`+root+`":`+before.text+`}`), 200, "")
		if after.text != before.text {
			t.Errorf("%s sent back became %s; want %s", root, after.text, before.text)
		}
	}
}

// TestNothingIsNotAcceptable holds that no call is refused for what it accepts: some clients say nothing, some say */*, and
// whoever reads HTML is told in JSON all the same.
func TestNothingIsNotAcceptable(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	for _, accept := range []string{"text/html", "*/*", "application/xml;q=0.9", "application/json;q=0", ""} {
		a := w.want(w.do("GET /v1/users/ann", "X-Authrocket-Api-Key: "+w.key+"\nX-Authrocket-Realm: "+string(w.realm.ID)+"\nAccept: "+accept, ""), 200, `"object":"user"`)
		if got := a.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("Accept: %s is answered in %q", accept, got)
		}
	}
}

// TestEmptyArrays takes [] for an object without members, as PHP writes one, wherever a client that is given nothing sends it.
func TestEmptyArrays(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.want(w.manage("POST /v1/users/ann/request_email_verification", `[]`), 200, "kv_")
		w.want(w.manage("POST /v1/users/ann/generate_password_token", `[]`), 200, "kpw_")
		w.want(w.manage("PUT /v1/users/ann", `{"user":[],"request":{"ip":"192.0.2.7"}}`), 200, `"username":"ann"`)
		w.want(w.manage("POST /v1/users", `{"user":[]}`), 422, `"username":["Username can't be blank"]`)
		w.want(w.manage("POST /v1/users", `{"user":{"user_type":"api","org":[]}}`), 422, `"org":["Org name can't be blank"]`)
		w.want(w.manage("POST /v1/users/ann/authenticate", `[]`), 422, "Password can't be blank")
		w.want(w.manage("PUT /v1/users/ann", `[{}]`), 400, "it is not a JSON object")
		w.want(w.manage("PUT /v1/users/ann", `{"user":[{}]}`), 400, "must be an object")
		w.want(w.provide("POST /v1/users", w.apt(""), `[]`), 400, "bad_request_error")
		w.want(w.provide("POST /v1/users", w.apt(""), `{"data":[]}`), 400, "bad_request_error")
		w.want(w.manage("DELETE /v1/users/ann", `[]`), 204, "")
	})
}
