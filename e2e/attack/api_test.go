package attack

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// route is a line of the API's table, and what it takes.
type route struct{ method, path, needs string }

// What a route needs: the permission of a management key, "all" the permission manage for all realms, "" nothing.
var exceptions = map[string]string{
	"GET /v1/users/me": "token", "DELETE /v1/users/me": "token", "POST /v1/users/reauth": "token",
	"GET /v1/realms/{realm}/.well-known/jwks.json": "", "GET /.well-known/jwks.json": "",
	"POST /v1/realms": "all", "DELETE /v1/realms/{realm}": "all",
	"GET /v1/auth_providers/authorize": "write", "POST /v1/auth_providers/authorize": "write",
	"GET /v1/auth_providers/{provider}/authorize": "write", "POST /v1/auth_providers/{provider}/authorize": "write",
}

// routes returns the whole table, from the source, so that none can be forgotten here.
func routes(t *testing.T) []route {
	t.Helper()
	text, err := os.ReadFile("../../httpapi/api.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []route
	for _, line := range regexp.MustCompile(`\{"([A-Z]+)", "(/[^"]+)", `).FindAllStringSubmatch(string(text), -1) {
		r := route{method: line[1], path: line[2], needs: "write"}
		if r.method == "GET" {
			r.needs = "read"
		}
		switch first := strings.Split(r.path, "/")[2]; first {
		case "management_keys":
			r.needs = "all"
		case "realms", "apt_keys", "jwt_keys", "auth_providers", "login_policies", "app_hooks", "bulk":
			r.needs = "manage"
		case "openapi.json", "openapi.yaml", "openapi", "docs", "reference":
			r.needs = ""
		}
		if needs, there := exceptions[r.method+" "+r.path]; there {
			r.needs = needs
		}
		all = append(all, r)
	}
	if len(all) < 90 {
		t.Fatalf("found %d routes in httpapi/api.go; want all", len(all))
	}
	return all
}

// nobody puts the id of nobody in the place of what a path names, but its realm.
func (r route) nobody(realm string) string {
	path := strings.ReplaceAll(r.path, "{realm}", realm)
	return regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(path, "kss_0000000000000000000000")
}

// newKey makes a management key.
func (h *host) newKey(realm string, permissions ...string) string {
	h.Helper()
	fields := map[string]any{"name": "key " + stamp(), "permissions": permissions, "realm_id": nil} // for all
	if realm != "" {
		fields["realm_id"] = realm
	}
	status, body := h.call("POST", "/v1/management_keys", map[string]any{"management_key": fields})
	secret, _ := body["secret"].(string)
	if status != 201 || secret == "" {
		h.Fatalf("a management key = %d %v", status, body)
	}
	return secret
}

// newRealm makes a realm.
func (h *host) newRealm() string {
	h.Helper()
	status, body := h.call("POST", "/v1/realms", map[string]any{"realm": map[string]any{"name": "realm " + stamp()}})
	if status != 201 {
		h.Fatalf("a realm = %d %v", status, body)
	}
	return body["id"].(string)
}

// TestPermissionMatrix tries every kind of key, and none, at every route.
func TestPermissionMatrix(t *testing.T) {
	each(t, func(h *host) {
		mine, other := h.newRealm(), h.newRealm()
		someone := h.newUser("matrix"+stamp(), nil).token
		type holder struct {
			name, header string
			has          []string
			all, other   bool
		}
		holders := []holder{
			{name: "nothing"}, {name: "an empty key", header: "X-Authrocket-Api-Key"}, {name: "garbage", header: "X-Authrocket-Api-Key: ko_aaaaaaaaaaaaaaaaaaaaaaaa"},
			{name: "two keys", header: "X-Authrocket-Api-Key: " + h.key + "\nAuthrocket-Api-Key: " + h.newKey("", "read")},
			{name: "a session token", header: "Authorization: Bearer " + someone}, {name: "a session token as key", header: "X-Authrocket-Api-Key: " + someone},
			{name: "Basic", header: "Authorization: Basic OmtvXw=="}, {name: "the key in a cookie", header: "Cookie: key=" + h.key},
		}
		for _, p := range []string{"read", "write", "manage"} {
			holders = append(holders, holder{name: p, header: "X-Authrocket-Api-Key: " + h.newKey(mine, p), has: []string{p}},
				holder{name: p + " for all", header: "X-Authrocket-Api-Key: " + h.newKey("", p), has: []string{p}, all: true},
				holder{name: p + " for another realm", header: "X-Authrocket-Api-Key: " + h.newKey(other, p), has: []string{p}, other: true})
		}
		for _, r := range routes(h.T) {
			for _, who := range holders {
				headers := []string{"X-Authrocket-Realm", mine}
				for line := range strings.SplitSeq(who.header, "\n") {
					if name, value, _ := strings.Cut(line, ":"); name != "" {
						headers = append(headers, name, strings.TrimSpace(value))
					}
				}
				var body any
				if r.method != "GET" {
					body = "{}"
				}
				realm := mine
				if r.needs == "all" {
					realm = "rl_0000000000000000000000"
				}
				status, _, text := h.send(r.method, "http://"+h.api+r.nobody(realm), body, nil, headers...)
				allowed := slices.Contains(who.has, r.needs) && !who.other || r.needs == "all" && who.all && slices.Contains(who.has, "manage")
				what := fmt.Sprintf("%s %s with %s = %d %.120s", r.method, r.path, who.name, status, text)
				switch {
				case status >= 500 || status == 0:
					h.Errorf("%s", what)
				case r.needs == "":
					if status == 401 || status == 403 {
						h.Errorf("%s; want it open to all", what)
					}
				case r.needs == "token":
					if status < 400 && who.name != "a session token" {
						h.Errorf("%s; want a refusal", what)
					}
				case r.path == "/v1/realms" && r.method == "GET" && slices.Contains(who.has, "manage"): // each sees its own
				case allowed && (status == 401 || status == 403):
					h.Errorf("%s; want it allowed, it needs %s", what, r.needs)
				case !allowed && status != 401 && status != 403:
					h.Errorf("%s; want a refusal, it needs %s", what, r.needs)
				}
			}
		}
	})
}

// TestIdempotencyKeysAreNobodyElses repeats, under the name that somebody else gave it, a call whose answer holds a secret.
func TestIdempotencyKeysAreNobodyElses(t *testing.T) {
	each(t, func(h *host) {
		mine := h.newTenant()
		robot := h.create(mine.realm, "/v1/users", "user", map[string]any{"user_type": "api", "name": "robot"})
		body, name := map[string]any{"credential": map[string]any{"user_id": robot, "credential_type": "api_key", "name": "k"}}, stamp()
		ask := func(key string) (int, map[string]any) {
			return h.callAs(key, "POST", "/v1/credentials?realm_id="+mine.realm, body, "Idempotency-Key", name)
		}
		status, first := ask(mine.key)
		if status != 201 {
			h.Fatalf("an API key = %d %v", status, first)
		}
		if status, again := ask(mine.key); status != 201 || again["id"] != first["id"] {
			h.Errorf("the same call again = %d %v; want the first answer", status, again)
		}
		for who, key := range map[string]string{"another key": h.newKey(mine.realm, "write"), "a key that reads": h.newKey(mine.realm, "read"), "another realm's key": h.newKey(h.newRealm(), "write"), "a key for all": h.key, "no key": "", "garbage": "ko_aaaaaaaaaaaaaaaaaaaaaaaa"} {
			if status, answer := ask(key); answer["id"] == first["id"] || status == 201 && who != "another key" && who != "a key for all" {
				h.Errorf("the call by %s = %d %v; want nothing of the first answer", who, status, answer)
			}
		}
		if status, answer := h.callAs(mine.key, "POST", "/v1/credentials?realm_id="+mine.realm, map[string]any{"credential": map[string]any{"user_id": robot, "credential_type": "api_key", "name": "other"}}, "Idempotency-Key", name); status < 400 {
			h.Errorf("another call under the same name = %d %v; want a refusal", status, answer)
		}
		name = stamp()
		if statuses, won := h.race("POST", "/v1/credentials?realm_id="+mine.realm, always(body), "Idempotency-Key", name); len(won) > 0 {
			for _, answer := range won {
				if answer["id"] != won[0]["id"] {
					h.Errorf("one call at once: %v and different answers", statuses)
				}
			}
		}
	})
}
