package attack

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// tenant is a realm with one thing of each kind, by the names that the API's routes have for them.
type tenant struct {
	realm string
	key   string // for it alone, with every permission
	ids   map[string]string
}

// create makes something in a realm, and returns its id.
func (h *host) create(realm, path, root string, fields map[string]any) string {
	h.Helper()
	status, body := h.call("POST", path+"?realm_id="+realm, map[string]any{root: fields})
	id, _ := body["id"].(string)
	if status != 201 || id == "" {
		h.Fatalf("POST %s %v = %d %v", path, fields, status, body)
	}
	return id
}

// newTenant makes a realm with one thing of each kind.
func (h *host) newTenant() tenant {
	h.Helper()
	realm := h.newRealm()
	x := tenant{realm: realm, key: h.newKey(realm, "read", "write", "manage"), ids: map[string]string{"realm": realm}}
	x.ids["user"] = h.create(realm, "/v1/users", "user", map[string]any{"user_type": "human", "username": "ann", "email": "ann@example.com", "password": password})
	api := h.create(realm, "/v1/users", "user", map[string]any{"user_type": "api", "name": "robot"})
	x.ids["credential"] = h.create(realm, "/v1/credentials", "credential", map[string]any{"user_id": api, "credential_type": "api_key", "name": "k"})
	x.ids["org"] = h.create(realm, "/v1/orgs", "org", map[string]any{"name": "org"})
	x.ids["membership"] = h.create(realm, "/v1/memberships", "membership", map[string]any{"org_id": x.ids["org"], "user_id": x.ids["user"], "permissions": []string{"fly"}})
	x.ids["session"] = h.create(realm, "/v1/sessions", "session", map[string]any{"user_id": x.ids["user"]})
	x.ids["token"] = h.create(realm, "/v1/user_tokens", "user_token", map[string]any{"username": "parked", "email": "parked@example.com", "password": password})
	x.ids["hook"] = h.create(realm, "/v1/app_hooks", "app_hook", map[string]any{"hook_type": "webhook", "event_type": "user.created", "destination": "https://example.com/hook"})
	x.ids["policy"] = h.create(realm, "/v1/login_policies", "login_policy", map[string]any{"name": "p"})
	x.ids["apt key"] = h.create(realm, "/v1/apt_keys", "apt_key", map[string]any{"name": "k", "generate": "EdDSA"})
	for path, name := range map[string]string{"/v1/jwt_keys": "jwt key", "/v1/auth_providers": "provider", "/v1/events": "event"} {
		status, body := h.call("GET", path+"?realm_id="+realm, nil)
		list, _ := body["collection"].([]any)
		if status != 200 || len(list) == 0 {
			h.Fatalf("GET %s = %d %v", path, status, body)
		}
		x.ids[name] = list[0].(map[string]any)["id"].(string)
	}
	return x
}

// fill puts ids of the tenant in the places that a route names.
func (x tenant) fill(r route) string {
	path := r.path
	for name, id := range x.ids {
		path = strings.ReplaceAll(path, "{"+name+"}", id)
	}
	which := "jwt key"
	if strings.HasPrefix(path, "/v1/apt_keys") {
		which = "apt key"
	}
	return strings.ReplaceAll(strings.ReplaceAll(path, "{key}", x.ids[which]), "{notification}", "nt_0000000000000000000000")
}

// snapshot returns all that there is to read of a tenant.
func (h *host) snapshot(x tenant) map[string]string {
	h.Helper()
	all := map[string]string{}
	for _, r := range routes(h.T) {
		if r.method != "GET" || r.needs != "read" && r.needs != "manage" || strings.Contains(r.path, "notification") || strings.HasSuffix(r.path, "/usage") || strings.HasSuffix(r.path, "authorize") || strings.Contains(r.path, "/login/") {
			continue
		}
		path := x.fill(r)
		if strings.HasSuffix(path, "/sessions") {
			path += "?user_id=" + x.ids["user"]
		}
		status, _, text := h.send("GET", "http://"+h.api+path, nil, http.Header{"X-Authrocket-Api-Key": {x.key}})
		if status != 200 {
			h.Fatalf("GET %s by its own key = %d %s", path, status, text)
		}
		all[r.path] = string(text)
	}
	return all
}

// TestOtherRealms reaches for everything of another realm, by its id, by keys that are for this one or that name it.
func TestOtherRealms(t *testing.T) {
	each(t, func(h *host) {
		mine, victim := h.newTenant(), h.newTenant()
		before := h.snapshot(victim)
		for _, r := range routes(h.T) {
			if !strings.Contains(r.path, "{") || r.needs == "" || r.needs == "all" {
				continue
			}
			path := victim.fill(r)
			var body any
			if r.method != "GET" {
				body = "{}"
			}
			for who, headers := range map[string][]string{"its own realm's key": {"X-Authrocket-Api-Key", mine.key}, "its own realm's key, that names it": {"X-Authrocket-Api-Key", mine.key, "X-Authrocket-Realm", mine.realm},
				"its own realm's key, that names the other": {"X-Authrocket-Api-Key", mine.key, "X-Authrocket-Realm", victim.realm}, "a key for all that names its own": {"X-Authrocket-Api-Key", h.key, "X-Authrocket-Realm", mine.realm}} {
				if strings.Contains(r.path, "{realm}") && strings.HasPrefix(who, "a key for all") {
					continue // the path names the realm
				}
				status, _, text := h.send(r.method, "http://"+h.api+path, body, nil, headers...)
				if status < 400 || status >= 500 {
					h.Errorf("%s %s with %s = %d %.200s; want 404 or 403", r.method, r.path, who, status, text)
				}
			}
		}
		reach := func(method, path string, body any) {
			h.Helper()
			for who, key := range map[string]string{"its own realm's key": mine.key, "a key for all": h.key} {
				status, _, text := h.send(method, "http://"+h.api+path, body, http.Header{"X-Authrocket-Api-Key": {key}, "X-Authrocket-Realm": {mine.realm}})
				if status < 400 || status >= 500 {
					h.Errorf("%s %s %v with %s = %d %.200s; want a refusal", method, path, body, who, status, text)
				}
			}
		}
		one := func(root string, fields map[string]any) any { return map[string]any{root: fields} }
		reach("POST", "/v1/memberships", one("membership", map[string]any{"org_id": victim.ids["org"], "user_id": mine.ids["user"]}))
		reach("POST", "/v1/memberships", one("membership", map[string]any{"org_id": mine.ids["org"], "user_id": victim.ids["user"]}))
		reach("POST", "/v1/memberships", one("membership", map[string]any{"org_id": mine.ids["org"], "user_id": victim.ids["user"], "realm_id": victim.realm}))
		reach("POST", "/v1/sessions", one("session", map[string]any{"user_id": victim.ids["user"]}))
		reach("POST", "/v1/credentials", one("credential", map[string]any{"user_id": victim.ids["user"], "credential_type": "totp"}))
		reach("POST", "/v1/users", one("user", map[string]any{"user_type": "human", "username": "x" + stamp(), "email": stamp() + "@example.com", "password": password, "org_ids": []string{victim.ids["org"]}}))
		reach("POST", "/v1/users", one("user", map[string]any{"token": victim.ids["token"]}))
		reach("GET", "/v1/sessions?user_id="+victim.ids["user"], nil)
		reach("DELETE", "/v1/sessions?user_id="+victim.ids["user"], nil)
		reach("POST", "/v1/users/"+victim.ids["user"]+"/authenticate", map[string]any{"password": password})
		reach("PUT", "/v1/users/"+victim.ids["user"]+"/update_password", one("user", map[string]any{"current_password": password, "password": password + "!", "password_confirmation": password + "!"}))
		for _, path := range []string{"/v1/memberships?user_id=" + victim.ids["user"], "/v1/memberships?org_id=" + victim.ids["org"], "/v1/events?user_id=" + victim.ids["user"], "/v1/users?after=" + victim.ids["user"], "/v1/events?org_id=" + victim.ids["org"]} {
			_, _, text := h.send("GET", "http://"+h.api+path, nil, http.Header{"X-Authrocket-Api-Key": {mine.key}})
			for _, id := range []string{"user", "membership", "event"} {
				if strings.Contains(string(text), `"id":"`+victim.ids[id]) {
					h.Errorf("GET %s tells of the other realm: %.300s", path, text)
				}
			}
		}
		after := h.snapshot(victim)
		for path, text := range before {
			if after[path] != text {
				h.Errorf("what GET %s says of the other realm has changed:\n%.600s\n%.600s", path, text, after[path])
			}
		}
	})
}

// TestOtherKinds puts ids of every kind where another is meant.
func TestOtherKinds(t *testing.T) {
	each(t, func(h *host) {
		x := h.newTenant()
		for _, r := range routes(h.T) {
			at := strings.Index(r.path, "{")
			if at < 0 || r.needs == "" || strings.Contains(r.path, "{realm}") || r.needs == "all" {
				continue
			}
			meant := r.path[at+1 : strings.Index(r.path, "}")]
			for kind, id := range x.ids {
				if kind == meant || strings.HasSuffix(kind, " key") && meant == "key" {
					continue
				}
				for _, spelled := range []string{id, strings.ToUpper(id), strings.ToLower(id), id + "%00", id + "%20", "%2e%2e%2f" + id, id + "x", id[:len(id)-1], "%ef%bb%bf" + id} {
					path := r.path[:at] + spelled + r.path[strings.Index(r.path, "}")+1:]
					var body any
					if r.method != "GET" {
						body = "{}"
					}
					status, _, text := h.send(r.method, "http://"+h.api+path, body, http.Header{"X-Authrocket-Api-Key": {x.key}})
					if status < 400 || status >= 500 {
						h.Errorf("%s %s with the id of a %s, %s = %d %.200s; want 404", r.method, r.path, kind, spelled, status, text)
					}
				}
			}
		}
	})
}

// TestMassAssignment adds to every body that makes or changes something what nobody may set: whose it is, which realm's, what it may do, when it was made.
func TestMassAssignment(t *testing.T) {
	each(t, func(h *host) {
		mine, victim := h.newTenant(), h.newTenant()
		extra := map[string]any{"id": victim.ids["user"], "realm": victim.realm, "realm_id": mine.realm, "created_at": 1, "arbitrary_id": "stolen", "version": 99, "gen": 99, "generation": 99, "secret": "x", "hash": "x", "is_admin": true, "admin": true, "role": "admin", "mfa": true,
			"email_verified": true, "bucket": "00", "partition": 1, "object": "management_key", "membership_count": 99, "last_login_at": 1, "session_id": "kss_x", "sid": "kss_x", "kid": "x", "private_key": "x", "digest": "x", "issuer": "https://evil.example", "environment_guid": "00000000-0000-0000-0000-000000000000",
			"__proto__": map[string]any{"admin": true}, "constructor": "x", "user": map[string]any{"id": victim.ids["user"]}, "org": nil, "credentials": []any{map[string]any{"credential_type": "password"}}, "memberships": []any{map[string]any{"permissions": []string{"fly"}}}, "state ": "inactive", "State": "inactive", "PERMISSIONS": []string{"fly"}}
		for root, target := range map[string]struct {
			path   string
			fields map[string]any
		}{
			"user":           {"/v1/users", map[string]any{"user_type": "human", "password": password}},
			"org":            {"/v1/orgs", map[string]any{"name": "org"}},
			"membership":     {"/v1/memberships", map[string]any{"user_id": mine.ids["user"]}},
			"credential":     {"/v1/credentials", map[string]any{"user_id": mine.ids["user"], "credential_type": "recovery_codes"}},
			"session":        {"/v1/sessions", map[string]any{"user_id": mine.ids["user"]}},
			"user_token":     {"/v1/user_tokens", map[string]any{"password": password}},
			"app_hook":       {"/v1/app_hooks", map[string]any{"hook_type": "webhook", "event_type": "user.created", "destination": "https://example.com/hook"}},
			"login_policy":   {"/v1/login_policies", map[string]any{"name": "p"}},
			"apt_key":        {"/v1/apt_keys", map[string]any{"name": "k", "generate": "EdDSA"}},
			"management_key": {"/v1/management_keys", map[string]any{"name": "k", "permissions": []string{"read"}}},
		} {
			for name, value := range extra {
				fields := maps.Clone(target.fields)
				if root == "user" || root == "user_token" {
					fields["username"], fields["email"] = "m"+stamp(), stamp()+"@example.com"
				}
				if _, there := fields[name]; there {
					continue
				}
				fields[name] = value
				key := mine.key
				if root == "management_key" {
					key = h.key
				}
				status, _, text := h.send("POST", "http://"+h.api+target.path, map[string]any{root: fields}, http.Header{"X-Authrocket-Api-Key": {key}, "X-Authrocket-Realm": {mine.realm}})
				what := fmt.Sprintf("POST %s with %s: %v = %d %.300s", target.path, name, value, status, text)
				if status >= 500 || status == 0 {
					h.Errorf("%s", what)
				}
				if status >= 300 {
					continue
				}
				var made map[string]any
				_ = json.Unmarshal(text, &made)
				got, _ := json.Marshal(made[name])
				sent, _ := json.Marshal(value)
				if string(got) == string(sent) && string(sent) != "null" && name != "realm_id" && name != "object" {
					h.Errorf("%s; want it not to be taken", what)
				}
				if realm, is := made["realm_id"].(string); is && realm != mine.realm && root != "management_key" || fmt.Sprint(made["id"]) == victim.ids["user"] {
					h.Errorf("%s; want it in the realm of the call, under an id of its own", what)
				}
				if permissions, _ := made["permissions"].([]any); slices.ContainsFunc(permissions, func(p any) bool { return p == "fly" || p == "manage" }) || made["state"] == "inactive" {
					h.Errorf("%s; want no more than was asked for", what)
				}
			}
		}
		for _, r := range []string{"user", "org", "membership", "credential", "session", "policy", "hook", "apt key", "provider", "realm"} {
			path := map[string]string{"user": "/v1/users/", "org": "/v1/orgs/", "membership": "/v1/memberships/", "credential": "/v1/credentials/", "policy": "/v1/login_policies/", "hook": "/v1/app_hooks/", "apt key": "/v1/apt_keys/", "provider": "/v1/auth_providers/", "realm": "/v1/realms/"}[r]
			root := map[string]string{"policy": "login_policy", "hook": "app_hook", "apt key": "apt_key", "provider": "auth_provider"}[r]
			if root == "" {
				root = r
			}
			if path == "" {
				continue
			}
			get := func() map[string]any {
				_, body := h.callAs(mine.key, "GET", path+mine.ids[r], nil, "X-Authrocket-Realm", mine.realm)
				return body
			}
			for name, value := range extra {
				if name == "org" || name == "mfa" {
					continue
				}
				before := get()
				h.send("PUT", "http://"+h.api+path+mine.ids[r], map[string]any{root: map[string]any{name: value}}, http.Header{"X-Authrocket-Api-Key": {mine.key}})
				if after := get(); fmt.Sprint(before) != fmt.Sprint(after) {
					h.Errorf("PUT %s with %s: %v changed\n%v into\n%v", path, name, value, before, after)
				}
			}
		}
	})
}
