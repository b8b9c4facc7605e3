package httpapi_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
)

// TestAPTKeys has the API make a key pair, signs with it, retires it and ends what it vouched for.
func TestAPTKeys(t *testing.T) {
	each(t, func(w *world) {
		made := w.want(w.manage("POST /v1/apt_keys", `{"apt_key":{"name":"shop","generate":"ES256"}}`), 201, `"alg":"ES256"`)
		private := made.field("private_key")
		w.secret(private)
		key, err := jose.ParsePrivateKey([]byte(private))
		w.must(err)
		if made.field("kid") != key.ID() || made.field("environment_guid") != w.realm.EnvironmentGUID || made.field("state") != "active" {
			t.Errorf("create = %s; want the key's thumbprint, the environment, active", made.text)
		}
		path := "/v1/apt_keys/" + made.field("id")
		if again := w.want(w.manage("GET "+path, ""), 200, `"name":"shop"`); again.field("private_key") != "" {
			t.Error("get shows the private key again")
		}
		w.want(w.manage("GET /v1/apt_keys", ""), 200, made.field("id"))

		now := w.clock.Now().Unix()
		claims, err := json.Marshal(map[string]any{"exp": now + 60, "iat": now, "jti": rand.Text(), "user": map[string]any{"environment_guid": w.realm.EnvironmentGUID}})
		w.must(err)
		apt, err := key.SignBare(claims)
		w.must(err)
		token := w.want(w.provide("POST /v1/users", apt, w.document("by-key")), 201, "by-key").attribute("token")

		w.want(w.manage("PUT "+path, `{"apt_key":{"name":"old shop","not_after":`+strconv.FormatInt(now+3600, 10)+`}}`), 200, `"name":"old shop"`)
		w.want(w.manage("PUT "+path, `{"apt_key":{"end_sessions":true}}`), 422, "goes with retiring")
		w.want(w.manage("PUT "+path, `{"apt_key":{"state":"retired","end_sessions":true}}`), 200, `"state":"retired"`)
		w.want(w.provide("GET /v1/users/me", token, ""), 401, "invalid_token_error")
		w.want(w.manage("PUT "+path, `{"apt_key":{"state":"active"}}`), 422, "stays retired")
		w.want(w.manage("DELETE "+path, ""), 409, "must be kept")

		public, err := key.Public().MarshalPEM()
		w.must(err)
		text, err := json.Marshal(map[string]any{"apt_key": map[string]any{"public_key": string(public)}})
		w.must(err)
		added := w.want(w.manage("POST /v1/apt_keys", string(text)), 201, `"state":"active"`)
		w.want(w.manage("DELETE /v1/apt_keys/"+added.field("id"), ""), 204, "")
		w.want(w.manage("GET /v1/apt_keys/"+added.field("id"), ""), 404, "not found")
	})
}

// TestAPTKeyRefusals sends what is no key, and by whom it may not be sent.
func TestAPTKeyRefusals(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]string{
		`{"apt_key":{}}`: "Public key is required",
		`{"apt_key":{"generate":"ES256","public_key":"x"}}`:       "Public key is required",
		`{"apt_key":{"generate":"HS256"}}`:                        "must be RS256, PS256, ES256 or EdDSA",
		`{"apt_key":{"generate":"RS256","alg":"EdDSA"}}`:          "Alg must be what generate says",
		`{"apt_key":{"public_key":"x"}}`:                          "not one that can be used",
		`{"apt_key":{"public_key":5}}`:                            "must be a text",
		`{"apt_key":{"generate":"ES256","state":"retired"}}`:      "can be set here",
		`{"apt_key":{"generate":"ES256","id":"apk_something"}}`:   "can be set here",
		`{"apt_key":{"generate":"ES256"},"end_sessions":"maybe"}`: "can be set here",
	} {
		w.want(w.manage("POST /v1/apt_keys", body), 422, want)
	}
	reader := w.newKey(w.realm.ID, core.PermissionRead, core.PermissionWrite)
	w.want(w.do("GET /v1/apt_keys", "X-Authrocket-Api-Key: "+reader, ""), 403, "permission")
	w.want(w.do("GET /v1/apt_keys", "", ""), 403, "management key")
}

// TestManagementKeys makes a lesser key, uses it, and takes it away.
func TestManagementKeys(t *testing.T) {
	each(t, func(w *world) {
		made := w.want(w.manage("POST /v1/management_keys", `{"management_key":{"name":"shop","realm_id":"`+string(w.realm.ID)+`","permissions":["read","write"]}}`), 201, `"secret":"ko_`)
		secret := made.field("secret")
		w.secret(secret)
		as := "X-Authrocket-Api-Key: " + secret
		w.want(w.do("GET /v1/users/nobody", as, ""), 404, "User not found")
		w.want(w.do("GET /v1/management_keys", as, ""), 403, "permission")

		path := "/v1/management_keys/" + made.field("id")
		if again := w.want(w.manage("GET "+path, ""), 200, `"name":"shop"`); again.field("secret") != "" {
			t.Error("get shows the secret again")
		}
		w.want(w.manage("GET /v1/management_keys?max_results=1", ""), 200, `"more_results":true`)
		w.want(w.manage("PUT "+path, `{"management_key":{"permissions":"manage"}}`), 200, `"permissions":["manage"]`)
		w.want(w.do("GET /v1/management_keys", as, ""), 403, "another realm")
		w.want(w.manage("PUT "+path, `{"management_key":{"expires_at":`+strconv.FormatInt(w.clock.Now().Unix()-1, 10)+`}}`), 200, "expires_at")
		w.want(w.do("GET /v1/realms/"+string(w.realm.ID), as, ""), 403, "management key")
		w.want(w.manage("DELETE "+path, ""), 204, "")
		w.want(w.manage("GET "+path, ""), 404, "not found")
		for body, want := range map[string]string{
			`{"management_key":{"permissions":["read"]}}`:                                   "Name must have",
			`{"management_key":{"name":"x"}}`:                                               "Permissions can't be blank",
			`{"management_key":{"name":"x","permissions":["all"]}}`:                         "of read, write and manage",
			`{"management_key":{"name":"x","permissions":[1]}}`:                             "array of texts",
			`{"management_key":{"name":"x","permissions":"read","secret":"ko_mine"}}`:       "can be set here",
			`{"management_key":{"name":"x","permissions":"read","expires_at":"next year"}}`: "number of seconds",
			`{"management_key":{"name":"x","permissions":"read","expires_at":3600}}`:        "must be in the future",
			`{"management_key":{"name":"x","permissions":"read","expires_at":-1}}`:          "must be in the future",
			`{"management_key":{"name":" ","permissions":"read"}}`:                          "Name must have",
			`{"management_key":{"name":"a\u0000b","permissions":"read"}}`:                   "not allowed",
		} {
			w.want(w.manage("POST /v1/management_keys", body), 422, want)
		}
	})
}

// TestManagementKeyRealm holds for which realm a key is made: for all only where the call says so, or names no realm at all.
func TestManagementKeyRealm(t *testing.T) {
	w := newWorld(t)
	other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
	w.must(err)
	const named = "X-Authrocket-Realm: default\n"
	for _, c := range []struct {
		headers, query, realm string
		want                  any
	}{
		{"", "", ``, nil},
		{"", "", `,"realm_id":null`, nil},
		{named, "", `,"realm_id":null`, nil},
		{named, "", ``, string(w.realm.ID)},
		{named, "", `,"realm_id":""`, string(w.realm.ID)},
		{"", "?realm_id=other", ``, string(other.ID)},
		{named, "?realm_id=other", ``, string(other.ID)},
		{named, "", `,"realm_id":"other"`, string(other.ID)},
		{named, "", `,"realm_id":"` + string(other.ID) + `"`, string(other.ID)},
	} {
		made := w.do("POST /v1/management_keys"+c.query, c.headers+"Content-Type: application/json\nX-Authrocket-Api-Key: "+w.key,
			`{"management_key":{"name":"shop","permissions":["read"]`+c.realm+`}}`)
		if w.secret(made.field("secret")); made.StatusCode != http.StatusCreated || made.json["realm_id"] != c.want {
			t.Errorf("POST /v1/management_keys%s, %q, %s = %d %s; want a key for %v", c.query, c.headers, c.realm, made.StatusCode, made.text, c.want)
		}
	}
	w.want(w.manage("POST /v1/management_keys", `{"management_key":{"name":"shop","permissions":["read"],"realm_id":"nowhere"}}`), 404, "Realm not found")
	w.want(w.manage("POST /v1/management_keys?realm_id=other", `{"management_key":{"name":"shop","permissions":["read"],"realm_id":"default"}}`), 422, "named twice")
}

// TestKeySet fetches the public keys without any key, before and after a rotation.
func TestKeySet(t *testing.T) {
	each(t, func(w *world) {
		token := w.provided("acct").Token
		w.must(w.Realms.RotateKeys(w.ctx, w.realm.ID, core.Request{}))
		w.clock.Advance(11 * time.Minute)
		again, err := w.Sessions.Refresh(w.ctx, token)
		w.must(err)
		for _, path := range []string{"/v1/realms/" + string(w.realm.ID) + "/.well-known/jwks.json", "/.well-known/jwks.json"} {
			res, err := http.Get(w.server.URL + path)
			w.must(err)
			body, err := io.ReadAll(res.Body)
			w.must(err)
			w.must(res.Body.Close())
			if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/jwk-set+json" || !strings.HasPrefix(res.Header.Get("Cache-Control"), "public") {
				t.Errorf("GET %s = %d %v", path, res.StatusCode, res.Header)
			}
			keys, err := jose.ParseJWKS(body)
			w.must(err)
			for _, text := range []string{token, again.Token} {
				parsed, err := jose.Parse(text)
				w.must(err)
				verified := false
				for _, k := range keys {
					if _, err := parsed.Verify(k); err == nil {
						verified = true
					}
				}
				if !verified {
					t.Errorf("GET %s has no key for a token by %s", path, parsed.KeyID())
				}
			}
		}
		res, err := http.Get(w.server.URL + "/v1/realms/rl_0000000000000000000000/.well-known/jwks.json")
		w.must(err)
		w.must(res.Body.Close())
		if res.StatusCode != 404 {
			t.Errorf("the key set of no realm = %d; want 404", res.StatusCode)
		}
	})
}

// TestUsage reads what was counted, which is nothing before it is written.
func TestUsage(t *testing.T) {
	w := newWorld(t)
	path := "GET /v1/realms/" + string(w.realm.ID) + "/usage"
	w.provided("acct")
	w.want(w.manage(path, ""), 200, `"collection":[]`)
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	w.Core.Run(ctx) // as a process that ends, which writes what it counted
	w.want(w.manage(path, ""), 200, `"users_created":1`)
	w.want(w.manage(path+"?from=2020-01-01&to=2020-12-31", ""), 200, `"collection":[]`)
	w.want(w.manage(path+"?from=yesterday", ""), 422, "days like 2026-11-23")
	w.want(w.manage(path+"?from=2020-01-01&from=2020-01-02", ""), 422, "From must be given once")
	w.want(w.manage(path+"?until=2020-01-02", ""), 422, "not a parameter of this call")
	w.want(w.manage(path+"?to=%zz", ""), 400, "could not be read")
	reader := w.newKey(w.realm.ID, core.PermissionRead)
	w.want(w.do(path, "X-Authrocket-Api-Key: "+reader, ""), 403, "permission")
}

// TestRealmPolicies sets what a realm demands, and rotates its keys.
func TestRealmPolicies(t *testing.T) {
	each(t, func(w *world) {
		path := "/v1/realms/" + string(w.realm.ID)
		w.want(w.manage("GET "+path, ""), 200, `"apt_require_jti":false`)
		w.want(w.manage("PUT "+path, `{"realm":{"name":"main","apt_require_jti":true,"apt_encryption":"accept","password_min_length":8,"key_rotation":7776000,"object":"realm"}}`), 200, `"name":"main"`)
		w.want(w.manage("GET "+path, ""), 200, `"apt_require_jti":true,"apt_require_arbitrary_id":false,"apt_encryption":"accept","key_rotation":7776000,"password_min_length":8`)
		w.want(w.provide("POST /v1/users", w.sdkAPT(""), w.document("acct")), 401, "jti")
		w.want(w.manage("PUT "+path, `{"realm":{"password_min_length":null,"apt_encryption":null}}`), 200, `"apt_encryption":null,"key_rotation":7776000,"password_min_length":15`)
		for body, want := range map[string]string{
			`{"realm":{"apt_require_jti":"yes"}}`:    "APT require JTI must be true or false",
			`{"realm":{"apt_lifetime":864000}}`:      "APT lifetime must be from 1 to 86400 seconds",
			`{"realm":{"apt_encryption":"perhaps"}}`: "APT encryption must be accept or require",
			`{"realm":{"token_alg":"none"}}`:         "can be set here",
			`{"realm":{"name":" "}}`:                 "Name can't be blank",
		} {
			w.want(w.manage("PUT "+path, body), 422, want)
		}
		w.want(w.manage("POST "+path+"/rotate_keys", ""), 204, "")
		w.want(w.manage("POST "+path+"/rotate_keys", ""), 409, "about to sign")
		reader := w.newKey(w.realm.ID, core.PermissionRead, core.PermissionWrite)
		w.want(w.do("PUT "+path, "X-Authrocket-Api-Key: "+reader, ""), 403, "permission")
	})
}
