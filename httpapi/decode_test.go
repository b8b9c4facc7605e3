package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestStrict sends bodies that decoders disagree about: none is taken.
func TestStrict(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, body := range map[string]string{
		"no JSON":                     `hello`,
		"cut short":                   `{"user":{"first_name":"A"}`,
		"only blanks":                 ` `,
		"null":                        `null`,
		"an array":                    `[{"user":{}}]`,
		"a text":                      `"user"`,
		"user is null":                `{"user":null}`,
		"user is an array":            `{"user":[{}]}`,
		"user twice":                  `{"user":{"first_name":"A"},"user":{"first_name":"B"}}`,
		"an attribute twice":          `{"user":{"first_name":"A","first_name":"B"}}`,
		"twice by an escape":          `{"user":{"first_name":"A","first_n\u0061me":"B"}}`,
		"twice further down":          `{"user":{"custom":{"a":1,"a":2}}}`,
		"twice in an array":           `{"user":{"custom":{"a":[{"b":1,"b":2}]}}}`,
		"something after it":          `{"user":{"first_name":"A"}} {}`,
		"a byte after it":             `{"user":{"first_name":"A"}}x`,
		"a comma too many":            `{"user":{"first_name":"A",}}`,
		"too deep":                    `{"user":{"custom":{"a":` + deep(14) + `}}}`,
		"far too deep":                strings.Repeat("[", 100_000),
		"no UTF-8":                    "{\"user\":{\"first_name\":\"\xff\"}}",
		"half a character":            `{"user":{"first_name":"\ud800"}}`,
		"the other half":              `{"user":{"first_name":"\udc00"}}`,
		"halves in the wrong order":   `{"user":{"first_name":"\udc00\ud800"}}`,
		"half and a letter":           `{"user":{"first_name":"\ud800\u0041"}}`,
		"half a character in a name":  `{"user":{"custom":{"\ud800":1}}}`,
		"half, then an escaped slash": `{"user":{"first_name":"\ud800\\udc00"}}`,
	} {
		if a := w.manage("PUT /v1/users/ann", body); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.text, "The body could not be read") {
			t.Errorf("%s: %d %s; want 400", name, a.StatusCode, a.text)
		}
	}
	for _, body := range []string{``, `{}`, `{"user":{}}`, `{"user":{"first_name":"\ud83d\ude00"}}`, `{"user":{"first_name":"\\ud800"}}`, ` {"user":{"custom":{}}} `} {
		w.want(w.manage("PUT /v1/users/ann", body), http.StatusOK, "")
	}
	w.want(w.manage("PUT /v1/users/ann", `{"user":{"custom":{"a":[[1]]}}}`), http.StatusUnprocessableEntity, "Custom values")

	for _, body := range []string{`{"data":null}`, `{"data":[]}`, `{"data":{"attributes":null}}`, `{"data":{"attributes":[]}}`} {
		w.want(w.provide("POST /v1/users", w.apt(""), body), http.StatusBadRequest, "bad_request_error")
	}
}

// TestAttributes sends attributes that cannot be set, or not to that: each answer names the attribute, and nothing is
// changed.
func TestAttributes(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	before := w.manage("GET /v1/users/ann", "").text
	for body, names := range map[string]string{
		`{"user":{"Password":"x"}}`:                             `"Password"`,
		`{"user":{"paſſword":"x"}}`:                             `"paſſword"`,
		`{"user":{"PASSWORD":"x","first_name":"B"}}`:            `"PASSWORD"`,
		`{"User":{"first_name":"B"}}`:                           `"User"`,
		`{"first_name":"B"}`:                                    `"first_name"`,
		`{"user":{"first_name":"B"},"org_ids":"org_1"}`:         `"org_ids"`,
		`{"user":{"first_name":"B","permissions":"boss"}}`:      `"permissions"`,
		`{"user":{"first_name":"B","org":{"name":"N"}}}`:        `"org"`,
		`{"user":{"first_name":"B","api_key":"x"}}`:             `"api_key"`,
		`{"user":{"first_name":"B","admin":true}}`:              `"admin"`,
		`{"user":{"first_name":"B","ärger":1}}`:                 `{"ärger":["Ärger is not an attribute that can be set here"]}`,
		`{"user":{"first_name":"B","generation":9}}`:            `"generation"`,
		`{"user":{"first_name":"B","environment_guid":"x"}}`:    `"environment_guid"`,
		`{"user":{"first_name":1}}`:                             `{"first_name":["First name must be a text"]}`,
		`{"user":{"username":["a"]}}`:                           `{"username":["Username must be a text"]}`,
		`{"user":{"email":false}}`:                              `"email"`,
		`{"user":{"email":null}}`:                               `{"email":["Email can't be blank"]}`,
		`{"user":{"username":null}}`:                            `{"username":["Username can't be blank"]}`,
		`{"user":{"first_name":"a\u0000b"}}`:                    `{"first_name":["First name contains characters that are not allowed"]}`,
		`{"user":{"password":{}}}`:                              `"password"`,
		`{"user":{"state":"gone"}}`:                             `"state"`,
		`{"user":{"state":0}}`:                                  `"state"`,
		`{"user":{"user_type":"api"}}`:                          `"user_type"`,
		`{"user":{"email_verification":"maybe"}}`:               `"email_verification"`,
		`{"user":{"custom":"x"}}`:                               `{"custom":["Custom must be an object"]}`,
		`{"user":{"custom":{"a b":1}}}`:                         `"custom"`,
		`{"user":{"realm_id":7}}`:                               `"realm_id"`,
		`{"user":{"last_name":2,"first_name":1,"b":1,"a":1}}`:   `{"first_name":["First name must be a text"],"last_name":["Last name must be a text"],"a":["A is not an attribute that can be set here"],"b":["B is not an attribute that can be set here"]}`,
		`{"user":{"username":"me","email":"x","password":"y"}}`: `{"username":["Username is reserved"],"email":["Email is not a valid address"]}`,
	} {
		a := w.manage("PUT /v1/users/ann", body)
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, names) {
			t.Errorf("PUT %s = %d %s; want 422 with %s", body, a.StatusCode, a.text, names)
		}
	}
	if after := w.manage("GET /v1/users/ann", "").text; after != before {
		t.Errorf("user = %s; want it as before, %s", after, before)
	}
	w.want(w.manage("POST /v1/users/ann/authenticate", `{"Password":"`+goodPassword+`"}`), http.StatusUnprocessableEntity, `"Password"`)
	w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":7}`), http.StatusUnprocessableEntity, `"password"`)
	w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":null}`), http.StatusUnprocessableEntity, "Password can't be blank")
	w.want(w.manage("POST /v1/users/ann/authenticate", ``), http.StatusUnprocessableEntity, "Password can't be blank")
	w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":""}`), http.StatusUnauthorized, "")

	body := strings.Replace(w.document("bob"), `"arbitrary_id"`, `"state":"active","Arbitrary_ID":"x","arbitrary_id"`, 1)
	w.want(w.provide("POST /v1/users", w.apt(""), body), http.StatusUnprocessableEntity, "State is not an attribute")
	body = strings.Replace(w.document("bob"), `"bob"`, `7`, 1)
	w.want(w.provide("POST /v1/users", w.apt(""), body), http.StatusUnprocessableEntity, "Arbitrary id must be a text")
}

// TestManyNames sends as many names that nobody knows as a body has room for, and one as long as a body, which takes no key: the answers stay short.
func TestManyNames(t *testing.T) {
	w := newWorld(t)
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, `"n%04d":1,`, i)
	}
	for name, attributes := range map[string]string{"many": many.String(), "long": `"` + strings.Repeat("<", 60<<10) + "ä" + `":1,`, "cut": `"x` + strings.Repeat("ä", 40) + `":1,`} {
		body := strings.Replace(w.document("ann"), `"arbitrary_id"`, attributes+`"arbitrary_id"`, 1)
		a := w.want(w.provide("POST /v1/users/reauth", "x", body), http.StatusUnprocessableEntity, "is not an attribute that can be set here")
		if len(a.text) > 5000 || strings.Contains(a.text, "\ufffd") {
			t.Errorf("%s: the answer has %d bytes, %.200q; want a few", name, len(a.text), a.text)
		}
		a = w.want(w.manage("PUT /v1/users/x", `{"user":{`+strings.TrimSuffix(attributes, ",")+`}}`), http.StatusUnprocessableEntity, "")
		if len(a.text) > 5000 {
			t.Errorf("%s: the answer has %d bytes, %.200q; want a few", name, len(a.text), a.text)
		}
	}
}

// readOnly is every attribute that callers see and may not set, with a value that would show.
const readOnly = `"id":"usr_000000000000000000000000","object":"realm","created_at":1,"last_login_at":2,"membership_count":7,` +
	`"credentials":[{"id":"crd_x","credential_type":"api_key"}],"memberships":[{}],"token":"x"`

// TestReadOnly sends back what must not be taken, as clients that save a whole user do.
func TestReadOnly(t *testing.T) {
	w := newWorld(t)
	user := `"user_type":"human","username":"ann","email":"ann@example.com","realm_id":"` + string(w.realm.ID) + `",`
	created := w.want(w.manage("POST /v1/users", `{"user":{`+user+readOnly+`}}`), http.StatusCreated, "")
	updated := w.want(w.manage("PUT /v1/users/ann", `{"user":{`+user+readOnly+`,"arbitrary_id":"stolen"}}`), http.StatusOK, "")
	for _, a := range []*answer{created, updated} {
		for name, want := range map[string]string{"id": created.field("id"), "object": "user", "arbitrary_id": "", "token": "", "realm_id": string(w.realm.ID)} {
			if got := a.field(name); got != want || got == "usr_000000000000000000000000" {
				t.Errorf("%s = %q; want %q", name, got, want)
			}
		}
		if a.json["membership_count"] != 0.0 || a.json["last_login_at"] != nil || a.json["created_at"] == 1.0 || fmt.Sprint(a.json["credentials"]) != "[]" {
			t.Errorf("user = %s; want nothing of what is read-only set", a.text)
		}
	}
	in := w.provided("bob")
	w.want(w.manage("PUT /v1/users/"+string(in.User.ID), `{"user":{`+readOnly+`,"arbitrary_id":"stolen","email":null,"first_name":"Bob"}}`), http.StatusOK, `"arbitrary_id":"bob"`)

	// Who makes a user and says by what an account provider knows them means it.
	w.want(w.manage("POST /v1/users", `{"user":{"user_type":"human","username":"dan","email":"dan@example.com","arbitrary_id":"dan"}}`), http.StatusUnprocessableEntity,
		`{"arbitrary_id":["Arbitrary id is for account provider tokens and imports to say"]}`)
	w.want(w.manage("POST /v1/users", `{"user":{"user_type":"human","username":"dan","email":"dan@example.com","arbitrary_id":null}}`), http.StatusCreated, "")

	body := strings.Replace(w.document("cid"), `"arbitrary_id"`, `"id":"usr_x","token":"t","created_at":1,"integrations":[],"arbitrary_id"`, 1)
	if a := w.want(w.provide("POST /v1/users", w.apt(""), body), http.StatusCreated, ""); a.attribute("arbitrary_id") != "cid" || a.attribute("token") == "t" {
		t.Errorf("user by APT = %s", a.text)
	}
}

// TestSize sends the largest body and one byte more.
func TestSize(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	const most = 128 << 10
	fill := func(n int) string { return `{"user":{}` + strings.Repeat(" ", n-len(`{"user":{}}`)) + `}` }
	w.want(w.manage("PUT /v1/users/ann", fill(most)), http.StatusOK, "")
	w.want(w.manage("PUT /v1/users/ann", fill(most+1)), http.StatusRequestEntityTooLarge, "128 KiB")
	w.want(w.provide("POST /v1/users", w.apt(""), fill(most+1)), http.StatusRequestEntityTooLarge, "content_too_large_error")
}

// TestMediaTypes sends bodies of other media types.
func TestMediaTypes(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	key := "\nX-Authrocket-Api-Key: " + w.key + "\nX-Authrocket-Realm: " + string(w.realm.ID)
	for contentType, status := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "Application/JSON;charset=UTF-8": 200, "application/json;": 200,
		"text/plain": 415, "multipart/form-data": 415, "": 415, "application/jsonp": 415, "application/json, text/plain": 415,
	} {
		headers := key
		if contentType != "" {
			headers = "Content-Type: " + contentType + key
		}
		if a := w.do("PUT /v1/users/ann", headers, `{"user":{}}`); a.StatusCode != status {
			t.Errorf("Content-Type %q = %d %s; want %d", contentType, a.StatusCode, a.text, status)
		}
	}
	for coding, status := range map[string]int{"gzip": 415, "GZIP, identity": 415, "identity": 200} {
		headers := "Content-Type: application/json\nContent-Encoding: " + coding + key
		if a := w.do("PUT /v1/users/ann", headers, `{"user":{}}`); a.StatusCode != status || status == 415 && !strings.Contains(a.text, "without a Content-Encoding") {
			t.Errorf("Content-Encoding %q = %d %s; want %d", coding, a.StatusCode, a.text, status)
		}
	}
	w.want(w.do("POST /v1/bulk/users", "Content-Type: application/x-ndjson\nContent-Encoding: gzip"+key, "x"), http.StatusUnsupportedMediaType, "without a Content-Encoding")
	// The family says how a body is read; what the caller may do is the key's affair.
	a := w.do("PUT /v1/users/ann", "Content-Type: application/vnd.api+json; charset=utf-8"+key, `{"data":{"type":"users","attributes":{"first_name":"Ann"}}}`)
	w.want(a, http.StatusOK, `"type":"user"`)
	if u, _ := w.Users.Get(w.ctx, w.realm.ID, "ann"); u.FirstName != "Ann" {
		t.Errorf("first name = %q; want Ann", u.FirstName)
	}
}
