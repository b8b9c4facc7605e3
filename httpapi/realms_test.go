package httpapi_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// inRealm sends a call of the Users API about a realm, with the key for everything.
func (w *world) inRealm(realm, line, body string) *answer {
	w.Helper()
	headers := strings.Replace(w.asManager(), "X-Authrocket-Realm: "+string(w.realm.ID), "X-Authrocket-Realm: "+realm, 1)
	return w.do(line, headers, body)
}

// ids returns the ids of a list.
func ids(a *answer) []string {
	var list []string
	collection, _ := a.json["collection"].([]any)
	for _, one := range collection {
		object, _ := one.(map[string]any)
		id, _ := object["id"].(string)
		list = append(list, id)
	}
	return list
}

// TestRealmOfTheUsersAPI makes a realm as an old client does, signs somebody in, and checks the token as the client
// does: with HMAC-SHA-256 under the bytes of the secret as it is written.
func TestRealmOfTheUsersAPI(t *testing.T) {
	each(t, func(w *world) {
		made := w.want(w.manage("POST /v1/realms", `{"realm":{"name":"Shop"},"request":{"ip":"10.0.0.1"}}`), 201, `"jwt_algo":"HS256"`)
		realm, secret := made.field("id"), made.field("jwt_key")
		w.secret(secret)
		if !strings.HasPrefix(secret, "jsk_") || len(secret) > 256 || made.field("jwt_secret") != secret {
			t.Errorf("jwt_key = %q; want jsk_..., of at most 256 characters, and jwt_secret the same", secret)
		}
		w.want(made, 201, `"session_minutes":360`)
		w.want(made, 201, `"password_min_length":8`)
		w.secret("pas8word", "dave@example.com")
		w.want(w.inRealm(realm, "POST /v1/users", `{"user":{"user_type":"human","username":"dave","email":"dave@example.com","first_name":"Dave","last_name":"Young","password":"xK4pas8w","custom":{"a":1}}}`), 201, "dave")
		in := w.want(w.inRealm(realm, "POST /v1/users/dave/authenticate", `{"password":"xK4pas8w"}`), 200, "token")
		claims := w.oldClient(in.field("token"), secret)
		for name, want := range map[string]any{"aud": realm, "uid": in.field("id"), "un": "dave", "fn": "Dave", "ln": "Young", "n": "Dave Young"} {
			if claims[name] != want {
				t.Errorf("claim %s = %v; want %v", name, claims[name], want)
			}
		}
		if tk, _ := claims["tk"].(string); !strings.HasPrefix(tk, "kss_") {
			t.Errorf("claim tk = %v; want a session", claims["tk"])
		}
		iat, _ := claims["iat"].(float64)
		if exp, _ := claims["exp"].(float64); exp-iat != 360*60 {
			t.Errorf("exp - iat = %v; want 360 minutes", exp-iat)
		}
		if _, there := claims["cs"]; there {
			t.Error("custom attributes are told without being asked for")
		}
		w.want(w.manage("PUT /v1/realms/"+realm, `{"realm":{"jwt_fields":["custom"],"session_minutes":30}}`), 200, `"jwt_fields":["custom"]`)
		in = w.inRealm(realm, "POST /v1/users/dave/authenticate", `{"password":"xK4pas8w"}`)
		claims = w.oldClient(in.field("token"), secret)
		if exp, _ := claims["exp"].(float64); fmt.Sprint(claims["cs"]) != "map[a:1]" || exp-claims["iat"].(float64) != 1800 {
			t.Errorf("claims = %v; want the custom attributes, and 30 minutes", claims)
		}
		keys, err := w.Realms.KeySet(w.ctx, core.RealmID(realm))
		w.must(err)
		if text := string(keys); !strings.Contains(text, "EdDSA") || strings.Contains(text, "oct") || strings.Contains(text, secret) {
			t.Errorf("the key set is %s; want the key of assertions alone", text)
		}
	})
}

// oldClient checks a token as the clients of the Users API do, and returns its claims.
func (w *world) oldClient(token, secret string) map[string]any {
	w.Helper()
	part := strings.Split(token, ".")
	if len(part) != 3 {
		w.Fatalf("%q is no token", token)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(part[0] + "." + part[1]))
	if got := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); got != part[2] {
		w.Fatalf("the signature is %s; want %s", part[2], got)
	}
	text, err := base64.RawURLEncoding.DecodeString(part[1])
	w.must(err)
	var claims map[string]any
	w.must(json.Unmarshal(text, &claims))
	return claims
}

// TestRealms makes, lists, changes, resets and deletes realms.
func TestRealms(t *testing.T) {
	each(t, func(w *world) {
		var made []string
		for _, name := range []string{"b", "a", "c"} {
			a := w.want(w.manage("POST /v1/realms", fmt.Sprintf(`{"realm":{"name":%q,"reference":"r-%s","jwt_algo":"EdDSA"}}`, name, name)), 201, name)
			made = append(made, a.field("id"))
			w.clock.Advance(time.Second)
		}
		def := string(w.realm.ID)
		for query, want := range map[string][]string{
			"":                                    {made[1], made[0], made[2], def},
			"?sort=id":                            {def, made[0], made[1], made[2]},
			"?sort=id&direction=desc":             {made[2], made[1], made[0], def},
			"?max_results=2":                      {made[1], made[0]},
			"?max_results=2&after=" + made[0]:     {made[2], def},
			"?reference=r-c":                      {made[2]},
			"?reference=":                         nil,
			"?state=inactive":                     nil,
			"?state=active&max_results=1&sort=id": {def},
		} {
			if got := ids(w.want(w.manage("GET /v1/realms"+query, ""), 200, "collection")); !slices.Equal(got, want) {
				t.Errorf("GET /v1/realms%s = %v; want %v", query, got, want)
			}
		}
		for _, query := range []string{"?sort=username", "?max_results=0", "?state=gone", "?after=rl_0000000000000000000000", "?direction=up"} {
			w.want(w.manage("GET /v1/realms"+query, ""), 422, "errors")
		}
		path := "/v1/realms/" + made[0]
		w.want(w.manage("PUT "+path, `{"realm":{"name":"B","state":"inactive","custom":{"k":[1]},"resource_links":[{"a":1}],"reference":null,"username_validation_human":"email","require_unique_emails":false}}`), 200, `"custom":{"k":[1]}`)
		got := w.want(w.manage("GET "+path, ""), 200, `"state":"inactive"`)
		for _, part := range []string{`"resource_links":[{"a":1}]`, `"reference":null`, `"username_validation_human":"email"`, `"require_unique_emails":false`} {
			w.want(got, 200, part)
		}
		w.want(w.inRealm(made[0], "POST /v1/users/x/authenticate", `{"password":"wrong"}`), 403, "inactive")
		if left := ids(w.manage("GET /v1/realms?state=inactive", "")); !slices.Equal(left, made[:1]) {
			t.Errorf("inactive realms = %v; want %v", left, made[:1])
		}

		own := "X-Authrocket-Api-Key: " + w.newKey(core.RealmID(made[1]), core.PermissionManage)
		if got := ids(w.want(w.do("GET /v1/realms", own, ""), 200, "collection")); !slices.Equal(got, made[1:2]) {
			t.Errorf("a key of one realm lists %v; want its own", got)
		}
		w.want(w.do("GET "+path, own, ""), 403, "another realm")
		w.want(w.do("DELETE /v1/realms/"+made[1], own, ""), 403, "another realm")
		w.want(w.do("POST /v1/realms", own+"\nContent-Type: application/json", `{"realm":{"name":"x"}}`), 403, "another realm")

		w.want(w.inRealm(made[2], "POST /v1/users", `{"user":{"user_type":"api","name":"Robot","username":"robot"}}`), 201, "robot")
		w.want(w.manage("POST /v1/realms/"+made[2]+"/reset", ""), 200, `"resetting":false`)
		w.want(w.inRealm(made[2], "GET /v1/users/robot", ""), 404, "not found")
		w.want(w.inRealm(made[2], "POST /v1/users", `{"user":{"user_type":"api","name":"Robot","username":"robot"}}`), 201, "robot")
		w.want(w.manage("DELETE /v1/realms/"+made[2], ""), 204, "")
		w.want(w.manage("DELETE /v1/realms/"+made[2], ""), 404, "not found")
		w.want(w.inRealm(made[2], "GET /v1/users/robot", ""), 404, "Realm not found")
		w.want(w.manage("DELETE /v1/realms/"+def, ""), 409, "stays")
	})
}

// TestRealmRefusals sends what a realm cannot have.
func TestRealmRefusals(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]string{
		`{"realm":{}}`: "Name can't be blank",
		`{"realm":{"name":"x","api_key_policy":"plain"}}`:             "must be hash or encrypt",
		`{"realm":{"name":"x","session_type":"none"}}`:                "must be managed or unmanaged",
		`{"realm":{"name":"x","api_key_minutes":-1}}`:                 "from 0 to 43200",
		`{"realm":{"name":"x","api_key_minutes":43201}}`:              "from 0 to 43200",
		`{"realm":{"name":"x","api_key_minutes":0.5}}`:                "from 0 to 43200",
		`{"realm":{"name":"x","session_minutes":0}}`:                  "from 1 to 43200",
		`{"realm":{"name":"x","session_minutes":1e300}}`:              "from 1 to 43200",
		`{"realm":{"name":"x","jwt_algo":"none"}}`:                    `"jwt_algo":["JWT algo must be EdDSA, ES256, RS256 or HS256"]`,
		`{"realm":{"name":"x","session_idle":5}}`:                     "Session idle must be from 60 to 31622400 seconds",
		`{"realm":{"name":"x","jwt_algo":7}}`:                         "JWT algo must be a text",
		`{"realm":{"name":"x","jwt_fields":["passwords"]}}`:           "can be custom",
		`{"realm":{"name":"x","jwt_key":"my own secret"}}`:            "can be set here",
		`{"realm":{"name":"x","username_validation_human":"phone"}}`:  "standard or email",
		`{"realm":{"name":"x","require_unique_emails":"yes"}}`:        "true or false",
		`{"realm":{"name":"x","custom":{"a":{"b":1}}}}`:               "Custom values",
		`{"realm":{"name":"x","resource_links":"x"}}`:                 "object or array",
		`{"realm":{"name":"x","state":"deleted"}}`:                    "active or inactive",
		`{"realm":{"name":"x","reference":"` + tooLong + `"}}`:        "too long",
		`{"realm":{"name":"x","partitions":7}}`:                       "can be set here",
		`{"realm":{"name":"x","api_key_prefix":"no spaces allowed"}}`: "API key prefix must have",
	} {
		w.want(w.manage("POST /v1/realms", body), 422, want)
	}
}

// TestAlgorithmsOfTheUsersAPI names the algorithms of tokens as the Users API writes them. No other is taken in small letters.
func TestAlgorithmsOfTheUsersAPI(t *testing.T) {
	w := newWorld(t)
	for sent, want := range map[string]string{"hs256": "HS256", "rs256": "RS256"} {
		realm := w.want(w.manage("POST /v1/realms", `{"realm":{"name":"`+sent+`","jwt_algo":"`+sent+`"}}`), 201, `"jwt_algo":"`+want+`"`).field("id")
		w.want(w.manage("PUT /v1/realms/"+realm, `{"realm":{"jwt_algo":"`+sent+`"}}`), 200, `"jwt_algo":"`+want+`"`)
		w.want(w.inRealm(realm, "POST /v1/jwt_keys", `{"jwt_key":{"algo":"`+sent+`"}}`), 201, `"algo":"`+want+`"`)
	}
	for _, sent := range []string{"es256", "eddsa", "Hs256", "none", "hs256 "} {
		w.want(w.manage("POST /v1/realms", `{"realm":{"name":"x","jwt_algo":"`+sent+`"}}`), 422, "JWT algo must be")
	}
}

// tooLong has more characters than any name may have.
var tooLong = strings.Repeat("x", 256)

// TestJWTKeys rotates the keys of an HS256 realm and retires the old one.
func TestJWTKeys(t *testing.T) {
	each(t, func(w *world) {
		realm := w.manage("POST /v1/realms", `{"realm":{"name":"hs"}}`).field("id")
		list := w.want(w.inRealm(realm, "GET /v1/jwt_keys", ""), 200, `"use":"sign"`)
		first := ids(list)[0]
		w.secret(w.want(w.inRealm(realm, "GET /v1/jwt_keys/"+first, ""), 200, "jsk_").field("key"))
		w.want(w.inRealm(realm, "DELETE /v1/jwt_keys/"+first, ""), 409, "successor")
		w.want(w.inRealm(realm, "POST /v1/jwt_keys", `{"jwt_key":{"algo":"RS256"}}`), 422, "must be the realm's")
		made := w.want(w.inRealm(realm, "POST /v1/jwt_keys", `{"jwt_key":{"algo":"HS256","use":"sign"}}`), 201, `"verifies_until":null`)
		w.secret(made.field("key"))
		w.want(w.inRealm(realm, "POST /v1/jwt_keys", ""), 409, "about to sign")
		if got := ids(w.inRealm(realm, "GET /v1/jwt_keys", "")); !slices.Equal(got, []string{first, made.field("id")}) {
			t.Errorf("GET /v1/jwt_keys = %v; want the old and the new", got)
		}
		if got := w.manage("GET /v1/realms/"+realm, "").field("jwt_key"); got != made.field("key") {
			t.Errorf("jwt_key of the realm = %s; want the newest", got)
		}
		w.want(w.inRealm(realm, "DELETE /v1/jwt_keys/"+first, ""), 204, "")
		w.want(w.inRealm(realm, "GET /v1/jwt_keys/"+first, ""), 404, "JWT key not found")

		rs := w.want(w.manage("POST /v1/realms", `{"realm":{"name":"rs","jwt_algo":"RS256"}}`), 201, "BEGIN PUBLIC KEY")
		if key := rs.field("jwt_key"); len(key) <= 256 || strings.Contains(rs.text, "jwt_secret") {
			t.Errorf("jwt_key of RS256 has %d characters; want more than 256, and no secret", len(key))
		}
		if ed := w.manage("GET /v1/realms/"+string(w.realm.ID), ""); strings.Contains(ed.text, "jwt_key") {
			t.Error("a realm with EdDSA has a jwt_key, which old clients would take for a secret")
		}
	})
}

// TestAuthProviders changes a realm's password rules through its provider, and takes passwords away.
func TestAuthProviders(t *testing.T) {
	each(t, func(w *world) {
		realm := w.manage("POST /v1/realms", `{"realm":{"name":"x"}}`).field("id")
		list := w.want(w.inRealm(realm, "GET /v1/auth_providers", ""), 200, `"provider_type":"password"`)
		w.want(list, 200, `"min_length":8`)
		password := "/v1/auth_providers/" + ids(list)[0]
		w.want(w.inRealm(realm, "PUT "+password, `{"auth_provider":{"min_length":10,"required_chars":["lower","digit"],"min_complexity":null}}`), 200, `"required_chars":["lower","digit"]`)
		w.want(w.manage("GET /v1/realms/"+realm, ""), 200, `"password_min_length":10`)
		create := func(name, pw string) *answer {
			w.secret(pw)
			return w.inRealm(realm, "POST /v1/users", fmt.Sprintf(`{"user":{"user_type":"human","username":%q,"email":"%s@example.com","password":%q}}`, name, name, pw))
		}
		w.want(create("ann", "xK4pa.8w"), 422, "too short")
		w.want(create("ann", "TROUBADOR THRICE"), 422, "lower case")
		w.want(create("ann", "troubador thrice"), 422, "a digit")
		w.want(w.inRealm(realm, "PUT "+password, `{"auth_provider":{"min_complexity":4}}`), 200, `"min_complexity":4`)
		w.want(create("ann", "monkeygarden1"), 422, "nothing to do with each other")
		w.want(create("ann", "troubador 3 thrice"), 201, "ann")
		w.want(w.inRealm(realm, "PUT "+password, `{"auth_provider":{"min_length":10}}`), 200, `"min_complexity":4`)
		in := w.want(w.inRealm(realm, "POST /v1/users/ann/authenticate", `{"password":"troubador 3 thrice"}`), 200, "token")

		w.want(w.inRealm(realm, "POST /v1/auth_providers", `{"auth_provider":{"provider_type":"password"}}`), 422, "already")
		w.want(w.inRealm(realm, "POST /v1/auth_providers", `{"auth_provider":{"provider_type":"github","client_id":"x","client_secret":"y"}}`), 422, "password or totp")
		totp := w.want(w.inRealm(realm, "POST /v1/auth_providers", `{"auth_provider":{"provider_type":"totp"}}`), 201, `"state":"active"`)
		w.want(w.inRealm(realm, "PUT /v1/auth_providers/"+totp.field("id"), `{"auth_provider":{"min_length":9,"min_complexity":1}}`), 422, "Min complexity is for passwords only")
		for _, body := range []string{`{"min_length":7}`, `{"min_length":"x"}`, `{"required_chars":["vowel"]}`, `{"min_complexity":5}`, `{"min_complexity":-1}`, `{"min_complexity":"x"}`, `{"state":"off"}`} {
			w.want(w.inRealm(realm, "PUT "+password, `{"auth_provider":`+body+`}`), 422, "errors")
		}

		w.want(w.inRealm(realm, "PUT "+password, `{"auth_provider":{"state":"inactive"}}`), 200, `"min_length":10`)
		for _, name := range []string{"ann", "nobody"} {
			w.want(w.inRealm(realm, "POST /v1/users/"+name+"/authenticate", `{"password":"troubador 3 thrice"}`), 403, "does not take passwords")
		}
		w.want(create("bob", "troubador 4 thrice"), 422, "does not take passwords")
		w.want(w.inRealm(realm, "GET /v1/sessions/"+in.field("token"), ""), 200, "kss_")
		w.want(w.inRealm(realm, "DELETE "+password, ""), 204, "")
		w.want(w.inRealm(realm, "GET "+password, ""), 404, "Auth provider not found")
		if got := ids(w.inRealm(realm, "GET /v1/auth_providers", "")); !slices.Equal(got, []string{totp.field("id")}) {
			t.Errorf("auth providers = %v; want totp alone", got)
		}
		w.want(w.inRealm(realm, "POST /v1/auth_providers", `{"auth_provider":{"provider_type":"password"}}`), 201, `"min_length":10`)
		w.want(w.inRealm(realm, "POST /v1/users/ann/authenticate", `{"password":"troubador 3 thrice"}`), 200, "token")
		w.want(w.inRealm(realm, "GET "+password+"/authorize", ""), 404, "sends nobody elsewhere")
		w.want(w.inRealm(realm, "GET /v1/auth_providers/authorize?redirect_uri=https%3A%2F%2Fapp.example.com", ""), 200, `"collection":[]`)
	})
}

// TestLoginPolicies keeps a login policy, and refuses what is none.
func TestLoginPolicies(t *testing.T) {
	each(t, func(w *world) {
		made := w.want(w.manage("POST /v1/login_policies", `{"login_policy":{"name":"Main","subdomain":"Shop","domains":["login.example.com"],"header":"<h1>x</h1>",`+
			`"external_css":"https://example.com/x.css","redirect_uris":"https://example.com/"}}`), 201, `"subdomain":"shop"`)
		path := "/v1/login_policies/" + made.field("id")
		w.want(w.manage("PUT "+path, `{"login_policy":{"name":"Other","footer":"x","external_css":null,"id":"lpl_x"}}`), 200, `"external_css":null`)
		w.want(w.manage("GET "+path, ""), 200, `"redirect_uris":["https://example.com/"]`)
		if got := ids(w.manage("GET /v1/login_policies", "")); !slices.Equal(got, []string{made.field("id")}) {
			t.Errorf("login policies = %v; want one", got)
		}
		other := w.manage("POST /v1/realms", `{"realm":{"name":"x"}}`).field("id")
		w.want(w.inRealm(other, "GET "+path, ""), 404, "Login policy not found")
		w.want(w.manage("DELETE "+path, ""), 204, "")
		w.want(w.manage("GET "+path, ""), 404, "Login policy not found")
		for body, want := range map[string]string{
			`{}`:                               "Name can't be blank",
			`{"name":"x","subdomain":"a.b"}`:   "one part of a host name",
			`{"name":"x","domains":["-bad-"]}`: "host names",
			`{"name":"x","external_css":"javascript:alert(1)"}`:             "http or https URL",
			`{"name":"x","login_handler":"https://a:b@example.com"}`:        "http or https URL",
			`{"name":"x","redirect_uris":["/relative"]}`:                    "http or https URLs",
			`{"name":"x","header":"` + strings.Repeat("x", 16<<10+1) + `"}`: "too long",
		} {
			w.want(w.manage("POST /v1/login_policies", `{"login_policy":`+body+`}`), 422, want)
		}
	})
}

// TestRealmAnswers holds every kind of answer about realms against a golden file.
func TestRealmAnswers(t *testing.T) {
	w := newWorld(t)
	told := map[string]json.RawMessage{}
	note := func(name string, a *answer) *answer {
		t.Helper()
		if a.StatusCode >= 300 {
			t.Fatalf("%s = %d %s", name, a.StatusCode, a.text)
		}
		text := a.text
		for _, v := range volatile {
			text = v.is.ReplaceAllString(text, v.say)
		}
		told[name] = json.RawMessage(text)
		return a
	}
	realm := note("create_realm", w.manage("POST /v1/realms", `{"realm":{"name":"Shop","custom":{"a":1},"reference":"r"}}`)).field("id")
	note("list_realms", w.manage("GET /v1/realms?reference=r", ""))
	note("create_rs256", w.manage("POST /v1/realms", `{"realm":{"name":"RS","jwt_algo":"RS256"}}`))
	note("jwt_keys", w.inRealm(realm, "GET /v1/jwt_keys", ""))
	note("auth_providers", w.inRealm(realm, "GET /v1/auth_providers", ""))
	note("create_totp", w.inRealm(realm, "POST /v1/auth_providers", `{"auth_provider":{"provider_type":"totp"}}`))
	note("create_login_policy", w.inRealm(realm, "POST /v1/login_policies", `{"login_policy":{"name":"Main"}}`))
	golden(t, "realms.json", indent(t, told))
}

// TestRequiredChars shows which characters passwords must have also where there are none: clients go through the list.
func TestRequiredChars(t *testing.T) {
	each(t, func(w *world) {
		w.want(w.manage("GET /v1/auth_providers", ""), 200, `"min_complexity":0,"required_chars":[]`)
		if totp := w.want(w.manage("POST /v1/auth_providers", `{"auth_provider":{"provider_type":"totp"}}`), 201, ""); totp.json["required_chars"] != nil {
			t.Errorf("a provider of codes = %s; want nothing of passwords", totp.text)
		}
	})
}
