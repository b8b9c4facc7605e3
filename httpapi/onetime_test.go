package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
)

// otherPassword passes the rules of the default realm, and is not goodPassword.
const otherPassword = "other words as long again"

// TestDevice signs in from a device that is remembered, while a stranger guesses.
func TestDevice(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	sign := func(password, request string, status int) *answer {
		t.Helper()
		return w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+password+`","request":{`+request+`}}`), status, "")
	}
	if a := sign(goodPassword, `"ip":"10.0.0.1"`, http.StatusOK); a.json["device"] != nil {
		t.Errorf("sign-in = %s; want no device, as none was asked for", a.text)
	}
	device := sign(goodPassword, `"device":""`, http.StatusOK).field("device")
	w.secret(device)
	for range 10 {
		sign("wrong", "", http.StatusUnauthorized)
	}
	sign(goodPassword, `"device":""`, http.StatusTooManyRequests)
	sign(goodPassword, `"device":"`+device+`"`, http.StatusOK)
	reset := func(request string) *answer {
		t.Helper()
		token := w.want(w.manage("POST /v1/users/ann/generate_password_token", `{}`), http.StatusOK, "").field("token")
		return w.want(w.manage("POST /v1/users/--/reset_password_with_token", `{"user":{"token":"`+token+`","password":"`+otherPassword+`"},"request":{`+request+`}}`), http.StatusOK, "")
	}
	if a := reset(`"ip":"10.0.0.1"`); a.json["device"] != nil {
		t.Errorf("reset = %s; want no device, as none was asked for", a.text)
	}
	mailed := reset(`"device":""`).field("device")
	w.secret(mailed)
	for range 10 {
		sign("wrong", "", http.StatusUnauthorized)
	}
	sign(otherPassword, `"device":"`+mailed+`"`, http.StatusOK)
}

// TestOneTimeRequests replays what clients of the Users API send about passwords and e-mail addresses (Users API,
// "Requests as sent").
func TestOneTimeRequests(t *testing.T) {
	each(t, func(w *world) {
		id := string(w.human("ann").ID)
		w.secret(otherPassword)
		ask := func(a *answer) string {
			t.Helper()
			w.want(a, http.StatusOK, `"object":"user","token":"k`)
			w.secret(a.field("token"))
			return a.field("token")
		}
		first := ask(w.ruby("POST /v1/users/"+id+"/request_email_verification", `{"request":{"ip":"127.0.0.1"}}`))
		ask(w.ruby("POST /v1/users/"+id+"/request_email_verification", `{}`))
		second := ask(w.php("POST /v1/users/"+id+"/request_email_verification", ""))
		w.want(w.php("POST /v1/users/"+id+"/verify_email", `{"user":{"token":"kv_x"}}`), http.StatusUnprocessableEntity, `{"errors":{"token":["Verification token is invalid"]}}`)
		w.want(w.ruby("POST /v1/users/"+id+"/verify_email", `{"user":{"token":"`+second+`"},"request":{"ip":"127.0.0.1"}}`), http.StatusOK, `"email_verification":"verified"`)
		w.want(w.ruby("POST /v1/users/"+id+"/verify_email", `{"user":{"token":"`+second+`"}}`), http.StatusUnprocessableEntity, `{"errors":{"token":["Verification token already used"]}}`)
		w.want(w.ruby("POST /v1/users/verify_email", `{"token":"`+first+`"}`), http.StatusUnprocessableEntity, `is invalid`)
		w.want(w.ruby("POST /v1/users/verify_email", `{"token":"`+ask(w.ruby("POST /v1/users/ann/request_email_verification", ""))+`"}`), http.StatusOK, id)

		pair := `"password":"` + otherPassword + `","password_confirmation":"` + otherPassword + `"`
		ask(w.php("POST /v1/users/ann/generate_password_token", ""))
		again := w.ruby("POST /v1/users/ann/generate_password_token", `{"request":{"ip":"127.0.0.1"}}`)
		token := ask(again)
		if again.field("password_reset_token") != token || !strings.HasPrefix(token, "kpw_") || again.json["email"] != nil {
			w.Errorf("password token = %s; want one kpw_ under both names", again.text)
		}
		w.want(w.ruby("POST /v1/users/%2D-/reset_password_with_token", `{"user":{"token":"`+token+`","password":"short"}}`), http.StatusUnprocessableEntity, `{"errors":{"password":["Password is too short`)
		w.want(w.ruby("POST /v1/users/--/reset_password_with_token", `{"user":{"token":"`+token+`",`+pair+`}}`), http.StatusOK, id)
		w.want(w.ruby("POST /v1/users/ann/reset_password_with_token", `{"user":{"token":"`+token+`",`+pair+`}}`), http.StatusNotFound, "Token already used")
		w.want(w.ruby("POST /v1/users/nobody/reset_password_with_token", `{"user":{"token":"`+token+`",`+pair+`}}`), http.StatusNotFound, "User not found")
		token = ask(w.ruby("POST /v1/users/ann/generate_password_token", `{}`))
		w.want(w.ruby("POST /v1/users/reset_password_with_token", `{"token":"`+token+`",`+pair+`}`), http.StatusOK, id)

		change := `{"user":{"current_password":"` + otherPassword + `","password":"` + goodPassword + `","password_confirmation":"`
		w.want(w.ruby("PUT /v1/users/"+id+"/update_password", change+`x"}}`), http.StatusUnprocessableEntity, `["Password confirmation does not match"]`)
		changed := w.want(w.ruby("PUT /v1/users/"+id+"/update_password", change+goodPassword+`"}}`), http.StatusNoContent, "")
		if changed.Header.Get("Content-Type") != "" {
			w.Error("a 204 has a Content-Type")
		}
		w.want(w.php("PUT /v1/users/ann/update_password", change+goodPassword+`"}}`), http.StatusUnprocessableEntity, `{"errors":{"current_password":["Current password does not match"]}}`)
		w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`"}`), http.StatusOK, `"token"`)
		for range 2 {
			w.want(w.manage("POST /v1/users/ann/generate_password_token", ""), http.StatusOK, "")
		}
		limited := w.want(w.manage("POST /v1/users/ann/generate_password_token", ""), http.StatusTooManyRequests, "Too many attempts")
		if limited.Header.Get("Retry-After") == "" || limited.Header.Get("X-Ratelimit-Reset") == "" || limited.Header.Get("X-Ratelimit-Limit") != "5" {
			w.Errorf("headers of 429 = %v; want that five are the most, and when to come back", limited.Header)
		}
	})
}
