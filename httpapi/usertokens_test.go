package httpapi_test

import (
	"net/http"
	"testing"
)

// TestUserTokens parks a signup and makes the user of it, as the Users API's page shows.
func TestUserTokens(t *testing.T) {
	each(t, func(w *world) {
		const password = "a password for ann's neighbour"
		parked := w.want(w.ruby("POST /v1/user_tokens", `{"user_token":{"username":"Dave","email":"dave@example.com","first_name":"Dave",
			"credential_type":"password","password":"`+password+`"}}`), http.StatusCreated, `"object":"user_token"`)
		token := parked.field("id")
		w.secret(password, token)
		got := w.want(w.ruby("GET /v1/user_tokens/"+token, ""), http.StatusOK, `"credential_type":"password"`)
		if got.field("username") != "dave" || got.field("id") != token {
			t.Errorf("GET of a token = %s; want dave's", got.text)
		}
		use := `{"user":{"token":"` + token + `"}}`
		w.want(w.ruby("POST /v1/users", `{"user":{"token":"`+token+`","email":"eve@example.com"}}`), http.StatusUnprocessableEntity, `"email"`)
		w.want(w.ruby("POST /v1/users", `{"user":{"token":"`+token+`","user_type":"api"}}`), http.StatusUnprocessableEntity, "User type must be human")
		w.want(w.ruby("POST /v1/users", use), http.StatusCreated, `"username":"dave"`)
		w.want(w.ruby("POST /v1/users", use), http.StatusUnprocessableEntity, "Signup token already used")
		w.want(w.ruby("GET /v1/user_tokens/"+token, ""), http.StatusNotFound, "")
		w.want(w.ruby("POST /v1/users", `{"user":{"token":"utk_abcdefg"}}`), http.StatusUnprocessableEntity, "Signup token is invalid")
		w.want(w.ruby("POST /v1/users/dave/authenticate", `{"password":"`+password+`"}`), http.StatusOK, "")
		w.want(w.ruby("POST /v1/user_tokens", `{"user_token":{"username":"bob"}}`), http.StatusUnprocessableEntity, "Email can't be blank")
		w.want(w.ruby("POST /v1/user_tokens", `{"user_token":{"username":"bob","email":"b@example.com","credential_type":"google"}}`),
			http.StatusUnprocessableEntity, "Credential type must be password")
		w.want(w.ruby("POST /v1/user_tokens", `{"user_token":{"username":"bob","email":"b@example.com","credential_type":"password"}}`),
			http.StatusUnprocessableEntity, `{"errors":{"password":["Password can't be blank"]}}`)
		w.want(w.ruby("POST /v1/user_tokens", `{"user_token":{"username":"bob","email":"b@example.com","credential_type":null}}`),
			http.StatusCreated, `"credential_type":null`)
	})
}
