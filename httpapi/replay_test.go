package httpapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// lines ends each line as HTTP does, and the headers with an empty one.
func lines(head, body string) string {
	return strings.ReplaceAll(strings.TrimSpace(head), "\n", "\r\n") + "\r\n\r\n" + body
}

// TestWorkAPIRequests replays what the Work-API SDK sends, byte for byte (Work-API, "Exact requests sent by the SDK").
func TestWorkAPIRequests(t *testing.T) {
	each(t, func(w *world) {
		body := `{"data":{"attributes":{"arbitrary_id":"user_xyz123","environment_guid":"` + w.realm.EnvironmentGUID + `"},"type":"user"}}`
		post := func(path, apt string) *answer {
			return w.raw(lines(`POST `+path+` HTTP/1.1
Authorization: Bearer `+apt+`
Accept: application/vnd.api+json
User-Agent: Faraday v1.1.0
Content-Type: application/vnd.api+json
Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3
Host: 127.0.0.1:18475
Content-Length: 126`, body))
		}
		me := func(method, token string) *answer {
			return w.raw(lines(method+` /v1/users/me HTTP/1.1
Authorization: Bearer `+token+`
Accept: application/vnd.api+json
User-Agent: Faraday v1.1.0
Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3
Host: 127.0.0.1:18475`, ""))
		}

		created := w.want(post("/v1/users", w.sdkAPT("")), http.StatusCreated, `"arbitrary_id":"user_xyz123"`)
		w.exactly(created)
		w.want(post("/v1/users", w.sdkAPT("")), http.StatusConflict, "user_already_exists_error")

		reissued := w.want(post("/v1/users/reauth", w.sdkAPT("user_xyz123")), http.StatusCreated, "")
		w.exactly(reissued)
		w.want(post("/v1/users/reauth", w.sdkAPT("user_xyz123")), http.StatusCreated, "") // the same bytes, within a second

		got := w.want(me("GET", reissued.attribute("token")), http.StatusOK, "")
		w.exactly(got)
		again := w.want(me("GET", reissued.attribute("token")), http.StatusOK, "")
		if got.attribute("token") == again.attribute("token") || got.attribute("token") == reissued.attribute("token") {
			w.Error("GET /v1/users/me minted no new token")
		}
		w.want(me("GET", got.attribute("token")), http.StatusOK, "")
		w.want(me("DELETE", ""), http.StatusUnauthorized, "invalid_token_error")
		w.want(me("GET", ""), http.StatusUnauthorized, "invalid_token_error")
		w.want(me("DELETE", reissued.attribute("token")), http.StatusNoContent, "")
		w.want(me("GET", got.attribute("token")), http.StatusUnauthorized, "invalid_token_error")
		w.want(post("/v1/users/reauth", w.sdkAPT("user_xyz123")), http.StatusNotFound, "user_not_found_error")
		w.want(post("/v1/users", w.sdkAPT("")), http.StatusUnauthorized, "used before") // would bring the user back
	})
}

// exactly asserts that a user is shown as Work-API shows one.
func (w *world) exactly(a *answer) {
	w.Helper()
	data, _ := a.json["data"].(map[string]any)
	want := fmt.Sprintf(`{"data":{"id":%q,"type":"user","attributes":{"arbitrary_id":"user_xyz123","token":%q}}}`, data["id"], a.attribute("token"))
	if a.text != want || a.attribute("token") == "" {
		w.Errorf("answer = %s; want %s", a.text, want)
	}
}

// TestWorkAPIVariants replays what other clients of Work-API send.
func TestWorkAPIVariants(t *testing.T) {
	w := newWorld(t)
	// The tasks for developers leave out the type.
	w.want(w.provide("POST /v1/users", w.apt(""), strings.Replace(w.document("a"), `,"type":"user"`, "", 1)), http.StatusCreated, `"a"`)
	w.want(w.provide("POST /v1/users", w.apt(""), strings.Replace(w.document("b"), `"type":"user"`, `"type":"robot"`, 1)), http.StatusConflict, "type_conflict_error")

	// Java sends a Content-Type and no Accept.
	token := w.provided("java").Token
	got := w.do("GET /v1/users/me", "Authorization: Bearer "+token+"\nContent-Type: application/vnd.api+json", "")
	w.want(got, http.StatusOK, `"arbitrary_id":"java"`)
	if got.Header.Get("Content-Type") != "application/vnd.api+json" {
		t.Errorf("Java is answered in %q", got.Header.Get("Content-Type"))
	}

	// An account provider may speak plain JSON, with the same rights.
	body := fmt.Sprintf(`{"user":{"arbitrary_id":"plain","environment_guid":%q}}`, w.realm.EnvironmentGUID)
	plain := w.do("POST /v1/users", "Content-Type: application/json\nAuthorization: Bearer "+w.apt(""), body)
	w.want(plain, http.StatusCreated, `"arbitrary_id":"plain"`)
	if plain.field("token") == "" || plain.field("reference") != "plain" || plain.json["email"] != nil {
		t.Errorf("user by APT = %s", plain.text)
	}
	w.want(w.do("POST /v1/users", "Authorization: Bearer "+w.apt("bodiless"), ""), http.StatusCreated, `"arbitrary_id":"bodiless"`)
	w.want(w.do("POST /v1/users/reauth", "Authorization: Bearer "+w.apt("bodiless"), ""), http.StatusCreated, `"token"`)
}

// ruby sends a request as Ruby 2.4.1 does.
func (w *world) ruby(line, body string) *answer {
	w.Helper()
	head := line + ` HTTP/1.1
Host: 127.0.0.1:18475
User-Agent: AuthRocket/ruby v2.4.1 [nc 2.2.2]
Accept: application/json
Content-Type: application/json
X-Authrocket-Api-Key: ` + w.key + `
X-Authrocket-Realm: ` + string(w.realm.ID)
	if body != "" || strings.HasPrefix(line, "DELETE") {
		head += fmt.Sprintf("\nContent-Length: %d", len(body))
	}
	return w.raw(lines(head, body))
}

// php sends a request as PHP 1.3.0 does: without Accept, and with a length of 0 where a POST has no body.
func (w *world) php(line, body string) *answer {
	w.Helper()
	head := line + ` HTTP/1.1
Host: 127.0.0.1:18475
Accept-Encoding: gzip
Content-Type: application/json
User-Agent: AuthRocket/php v1.3.0
X-Authrocket-Api-Key: ` + w.key + `
X-Authrocket-Realm: ` + string(w.realm.ID)
	if body != "" || strings.HasPrefix(line, "POST") {
		head += fmt.Sprintf("\nContent-Length: %d", len(body))
	}
	return w.raw(lines(head, body))
}

// TestUsersAPIRequests replays what clients of the Users API send (Users API, "Requests as sent").
func TestUsersAPIRequests(t *testing.T) {
	each(t, func(w *world) {
		w.secret(goodPassword, "dave+tag@example.com")
		const user = `"user_type":"human","username":"Dave+Tag@example.com","email":"dave+tag@example.com","password":"` + goodPassword +
			`","password_confirmation":"` + goodPassword + `","first_name":"Dave","last_name":"Young","reference":"REF"`
		created := w.want(w.ruby("POST /v1/users", `{"user":{`+user+`}}`), http.StatusCreated, `"name":"Dave Young"`)
		id := created.field("id")
		w.want(w.ruby("POST /v1/users", `{"user":{`+user+`}}`), http.StatusUnprocessableEntity, `"username"`)

		for _, name := range []string{id, "Dave%2BTag%40example.com", "dave%2Btag%40example.com", "dave+tag%40example.com", "dave+tag@example.com"} {
			w.want(w.ruby("GET /v1/users/"+name, ""), http.StatusOK, id)
			w.want(w.php("GET /v1/users/"+name, ""), http.StatusOK, id)
		}
		w.want(w.ruby("PUT /v1/users/"+id, `{"user":{"username":"Dave\u00a0Young"}}`), http.StatusOK, `"username":"dave young"`)
		for _, name := range []string{"Dave+Young", "dave%20young", "+dave+young", "DAVE%C2%A0YOUNG"} {
			w.want(w.ruby("GET /v1/users/"+name, ""), http.StatusOK, id)
			w.want(w.php("GET /v1/users/"+name, ""), http.StatusOK, id)
		}
		w.want(w.ruby("PUT /v1/users/dave+young", `{"user":{"username":"Dave+Tag@example.com"}}`), http.StatusOK, id)
		w.want(w.ruby("GET /v1/users/"+id+"?expand[]=memberships", ""), http.StatusOK, id)
		w.want(w.php("GET /v1/users/"+id+"?expand%5B0%5D=memberships", ""), http.StatusOK, id)
		w.want(w.ruby("GET /v1/users/"+id+"?request=%7B%22ip%22%3D%3E%2210.0.0.1%22%7D", ""), http.StatusOK, id)
		w.want(w.ruby("PUT /v1/users/"+id, `{"user":{"first_name":"Ann","last_name":"Smith"}}`), http.StatusOK, `"name":"Ann Smith"`)
		w.want(w.ruby("PUT /v1/users/dave%2Btag%40example.com", `{"user":{"reference":"OTHER"}}`), http.StatusOK, `"reference":"OTHER"`)
		w.want(w.php("PUT /v1/users/"+id, `{"user":{"custom":{}}}`), http.StatusOK, `"custom":{}`)
		w.want(w.php("PUT /v1/users/"+id, `{"user":{"custom":[]}}`), http.StatusOK, `"custom":{}`) // as PHP sends back what it read
		w.want(w.php("PUT /v1/users/"+id, `{"user":{"custom":[1]}}`), http.StatusUnprocessableEntity, `Custom must be an object`)
		w.want(w.php("POST /v1/users/"+id+"/generate_password_token", ""), http.StatusOK, `"password_reset_token":"kpw_`)
		w.want(w.php("POST /v1/users/"+id+"/request_email_verification", ""), http.StatusOK, `"token":"kv_`)

		path := "/v1/users/dave%2Btag%40example.com/authenticate"
		in := w.want(w.ruby("POST "+path, `{"password":"`+goodPassword+`"}`), http.StatusOK, id)
		w.want(w.ruby("POST "+path, `{"expand":"memberships","password":"`+goodPassword+`","request":{"ip":"10.0.0.1","client":"app"}}`), http.StatusOK, `"token"`)
		w.want(w.ruby("POST "+path, `{"user":{"password":"`+goodPassword+`"}}`), http.StatusOK, `"token"`) // 3.10
		w.want(w.php("POST "+path, `{"password":"wrong"}`), http.StatusUnauthorized, "Authentication failed")
		w.want(w.php("POST /v1/users/nobody/authenticate", `{"password":"wrong"}`), http.StatusNotFound, "User not found")

		session := w.want(w.ruby("GET /v1/sessions/"+url.QueryEscape(in.field("token")), ""), http.StatusOK, `"object":"session"`)
		if session.field("user_id") != id || !strings.Contains(session.text, `"object":"user"`) {
			w.Errorf("session = %s; want one with user %s", session.text, id)
		}
		w.want(w.ruby("GET /v1/sessions/"+session.field("id"), ""), http.StatusOK, session.field("id"))
		list := w.want(w.ruby("GET /v1/sessions?user_id="+id, ""), http.StatusOK, session.field("id"))
		if got, _ := list.json["collection"].([]any); len(got) != 3 || !strings.Contains(list.text, `"request":{"client":"app","ip":"10.0.0.1"}`) {
			w.Errorf("sessions = %s; want 3, one with its request", list.text)
		}
		w.want(w.ruby("DELETE /v1/sessions/"+session.field("id"), ""), http.StatusNoContent, "")
		w.want(w.ruby("GET /v1/sessions/"+in.field("token"), ""), http.StatusNotFound, "Session not found")

		w.want(w.ruby("DELETE /v1/users/"+id, ""), http.StatusNoContent, "")
		w.want(w.php("DELETE /v1/users/"+id, ""), http.StatusNotFound, "User not found")
	})
}

// TestRequestPlaces sends the request attributes where each version of the clients puts them.
func TestRequestPlaces(t *testing.T) {
	w := newWorld(t)
	const user = `"user_type":"human","email":"%s@example.com","username":"%[1]s","password":"` + goodPassword + `"`
	request := `"request":{"ip":"10.0.0.1","client":"app"}`
	w.want(w.ruby("POST /v1/users", `{"user":{`+fmt.Sprintf(user, "two")+`},`+request+`}`), http.StatusCreated, "")
	w.want(w.ruby("POST /v1/users", `{"user":{`+fmt.Sprintf(user, "one")+`,`+request+`}}`), http.StatusCreated, "")
	w.want(w.php("POST /v1/users", `{"user":{`+fmt.Sprintf(user, "odd")+`},"request":[]}`), http.StatusCreated, "")
	w.want(w.ruby("PUT /v1/users/odd", `{"user":{"request":null},"request":{}}`), http.StatusOK, "")
	w.want(w.php("DELETE /v1/users/odd?request=%7B%22ip%22%3D%3E1%7D", `{`+request+`}`), http.StatusNoContent, "") // Ruby's text in a query is nobody's
}

// TestFlow is the life of a user of an account provider, on every store, with APTs that work once.
func TestFlow(t *testing.T) {
	each(t, func(w *world) {
		apt := w.apt("")
		created := w.want(w.provide("POST /v1/users", apt, w.document("ann")), http.StatusCreated, `"ann"`)
		w.want(w.provide("POST /v1/users", apt, w.document("bob")), http.StatusUnauthorized, "invalid_token_error")
		w.want(w.provide("POST /v1/users", w.apt(""), w.document("ann")), http.StatusConflict, "user_already_exists_error")

		reissue := w.apt("ann")
		w.want(w.provide("POST /v1/users/reauth", reissue, w.document("ann")), http.StatusCreated, `"token"`)
		w.want(w.provide("POST /v1/users/reauth", reissue, w.document("ann")), http.StatusUnauthorized, "used before")

		data, _ := created.json["data"].(map[string]any)
		id, _ := data["id"].(string)
		w.want(w.manage("PUT /v1/users/"+id, `{"user":{"state":"inactive"}}`), http.StatusOK, `"inactive"`)
		w.want(w.provide("POST /v1/users/reauth", w.apt("ann"), w.document("ann")), http.StatusForbidden, "user_inactive_error")
		w.want(w.provide("GET /v1/users/me", created.attribute("token"), ""), http.StatusUnauthorized, "invalid_token_error")
		w.want(w.manage("PUT /v1/users/"+id, `{"user":{"state":"active"}}`), http.StatusOK, `"active"`)
		w.want(w.provide("GET /v1/users/me", created.attribute("token"), ""), http.StatusUnauthorized, "invalid_token_error")

		w.want(w.provide("DELETE /v1/users/me", w.apt("bob"), ""), http.StatusNotFound, "user_not_found_error")
		w.want(w.provide("DELETE /v1/users/me", w.apt("ann"), ""), http.StatusNoContent, "")
		renewed := w.want(w.provide("POST /v1/users", w.apt(""), w.document("ann")), http.StatusCreated, "")
		if strings.Contains(renewed.text, id) {
			w.Error("a new user has the id of a deleted one")
		}
		w.clock.Advance(29 * 24 * time.Hour)
		w.want(w.provide("GET /v1/users/me", renewed.attribute("token"), ""), http.StatusUnauthorized, "invalid_token_error")
	})
}

// TestRace has eight callers create one user at once.
func TestRace(t *testing.T) {
	each(t, func(w *world) {
		counts := map[int]int{}
		for _, a := range w.atOnce(8, func(int) *answer { return w.provide("POST /v1/users", w.apt(""), w.document("one")) }) {
			counts[a.StatusCode]++
		}
		if counts[http.StatusCreated] != 1 || counts[http.StatusConflict] != 7 {
			w.Errorf("statuses of eight creations = %v; want one 201 and seven 409", counts)
		}
	})
}

// TestAPTRefused sends APTs that must not be taken.
func TestAPTRefused(t *testing.T) {
	w := newWorld(t)
	w.provided("ann")
	now := w.clock.Now().Unix()
	user := map[string]string{"environment_guid": w.realm.EnvironmentGUID, "arbitrary_id": "ann"}
	good := w.apt("ann")
	elsewhere := strings.Replace(w.document("ann"), w.realm.EnvironmentGUID, "00000000-0000-4000-8000-000000000000", 1)
	for name, call := range map[string]struct {
		apt, body string
		status    int
		code      string
	}{
		"a changed signature":          {good[:len(good)-6] + "AAAAAA", w.document("ann"), 401, "invalid_token_error"},
		"no APT":                       {"", w.document("ann"), 401, "invalid_token_error"},
		"an unknown environment first": {good[:len(good)-6] + "AAAAAA", elsewhere, 404, "environment_not_found_error"},
		"no data":                      {w.apt("ann"), `{"arbitrary_id":"ann"}`, 404, "environment_not_found_error"},
		"expired":                      {w.sign(map[string]any{"exp": now - 60, "iat": now - 120, "user": user}), w.document("ann"), 401, "invalid_token_error"},
		"of tomorrow":                  {w.sign(map[string]any{"exp": now + 90000, "iat": now + 86400, "user": user}), w.document("ann"), 401, "invalid_token_error"},
		"too long":                     {w.sign(map[string]any{"exp": now + 3600, "iat": now, "user": user}), w.document("ann"), 401, "invalid_token_error"},
		"for nobody":                   {w.apt(""), w.document("ann"), 401, "arbitrary_id"},
		"for another":                  {w.apt("bob"), w.document("ann"), 401, "arbitrary_id"},
		"for a stranger":               {w.apt("bob"), w.document("bob"), 404, "user_not_found_error"},
	} {
		w.want(w.provide("POST /v1/users/reauth", call.apt, call.body), call.status, call.code)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	w.want(w.provide("POST /v1/users", w.apt(""), w.document("")), http.StatusUnprocessableEntity, "validation_error")
	w.want(w.provide("POST /v1/users", w.apt(""), w.document(strings.Repeat("x", 256))), http.StatusUnprocessableEntity, "validation_error")
	w.want(w.provide("POST /v1/users", w.apt("bob"), w.document("cid")), http.StatusUnauthorized, "invalid_token_error")
}

// TestThrottled guesses until the account is shut, also for the right password.
func TestThrottled(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	for range 10 {
		w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"wrong"}`), http.StatusUnauthorized, "")
	}
	shut := w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`"}`), http.StatusTooManyRequests, "Too many attempts")
	until := w.clock.Now().Add(time.Minute)
	reset := fmt.Sprint(until.Unix())
	if date := shut.Header.Get("Ratelimit-Reset"); date != until.UTC().Format(http.TimeFormat) {
		t.Errorf("Ratelimit-Reset of 429 = %q; want the same time as a date, as newer clients read it", date)
	}
	if shut.Header.Get("Retry-After") != "60" || shut.Header.Get("X-Ratelimit-Limit") != "10" || shut.Header.Get("X-Ratelimit-Reset") != reset || shut.Header.Get("X-Ratelimit-Remaining") != "0" {
		t.Errorf("headers of 429 = %v; want ten tries, and a minute, until %s", shut.Header, reset)
	}
	w.clock.Advance(time.Minute)
	w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`"}`), http.StatusOK, "")
}

// TestUnavailable loses the store: that is neither a wrong credential nor a missing user.
func TestUnavailable(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	token := w.signIn("ann").Token
	w.store.breakWith(func() error { return fmt.Errorf("redisstore: get: %w", core.ErrUnavailable) })
	for _, line := range []string{"GET /v1/users/ann", "DELETE /v1/users/ann", "POST /v1/users/ann/authenticate", "GET /v1/sessions?user_id=ann",
		"GET /v1/sessions/" + token, "GET /v1/realms/" + string(w.realm.ID), "PUT /v1/users/ann", "POST /v1/users"} {
		body := ""
		if strings.HasPrefix(line, "P") {
			body = `{"user":{"password":"` + goodPassword + `"}}`
		}
		down := w.want(w.manage(line, body), http.StatusServiceUnavailable, "try again")
		if down.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: Retry-After = %q; want 1", line, down.Header.Get("Retry-After"))
		}
	}
	for _, line := range []string{"GET /v1/users/me", "DELETE /v1/users/me", "HEAD /v1/users/me"} {
		w.want(w.provide(line, token, ""), http.StatusServiceUnavailable, "")
	}
	w.want(w.provide("POST /v1/users", w.apt(""), w.document("bob")), http.StatusServiceUnavailable, "unavailable_error")
	w.want(w.provide("POST /v1/users/reauth", w.apt("ann"), w.document("ann")), http.StatusServiceUnavailable, "unavailable_error")
	if n, outages := w.logs.Len(), w.logs.FilterMessage("calls cannot be served").Len(); n != outages || outages < 1 {
		t.Errorf("%d entries in the log, %d of them of the outage; want it said, and what each caller is told not logged", n, outages)
	}
	w.store.breakWith(nil)
	w.want(w.manage("GET /v1/users/ann", ""), http.StatusOK, "")
}
