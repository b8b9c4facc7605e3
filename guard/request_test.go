package guard_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// keys lets API keys stand for somebody.
type keys map[string]core.Identity

func (k keys) Resolve(_ context.Context, _ core.RealmID, key string, from netip.Addr) (core.Identity, error) {
	who, ok := k[key]
	switch {
	case !ok:
		return core.Identity{}, core.ErrInvalidAPIKey
	case !who.AdmitsFrom(from):
		return core.Identity{}, core.ErrAPIKeyAddress
	}
	who.ExpiresAt = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	return who, nil
}

// request returns a request with headers in pairs.
func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	return r
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// TestCredentials shows credentials in all places, enabled and not.
func TestCredentials(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	w.knows("other", ann)
	all := []guard.Source{guard.SourceBearer, guard.SourceCookie, guard.SourceAPIKey}
	robot := core.Identity{Realm: realmID, User: "usr_robot", Credential: "crd_1", Type: core.UserAPI, Username: "robot"}
	bound := robot
	bound.From = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	tests := []struct {
		name    string
		from    []guard.Source
		headers []string
		reason  string // "" = it passes
		seen    map[string]string
	}{
		{"bearer", nil, []string{"Authorization", "Bearer good"}, "", nil},
		{"cookie", nil, []string{"Cookie", "__Host-postern=good"}, "", map[string]string{"Cookie": ""}},
		{"cookie among others", nil, []string{"Cookie", "a=1;  b=\"2;\"; __Host-postern=good ; c=3", "Cookie", "d"}, "", map[string]string{"Cookie": "a=1;  b=\"2;\"; c=3|d"}},
		{"cookie first", nil, []string{"Cookie", "__Host-postern=good; a=1;b=2"}, "", map[string]string{"Cookie": "a=1;b=2"}},
		{"cookie twice the same", nil, []string{"Cookie", "__Host-postern=good; __Host-postern=good"}, "", map[string]string{"Cookie": ""}},
		{"cookies that differ", nil, []string{"Cookie", "__Host-postern=good; __Host-postern=other"}, "invalid_request", nil},
		{"cookies in two lines that differ", nil, []string{"Cookie", "__Host-postern=good", "Cookie", "__Host-postern=other"}, "invalid_request", nil},
		{"empty cookie", nil, []string{"Cookie", "__Host-postern="}, "invalid_request", nil},
		{"cookie of another spelling", nil, []string{"Cookie", "__host-postern=good"}, "no_credential", nil},
		{"cookie too long", nil, []string{"Cookie", "__Host-postern=" + strings.Repeat("x", 9000)}, "invalid_token", nil},
		{"cookie and bearer alike", nil, []string{"Cookie", "__Host-postern=good", "Authorization", "Bearer good"}, "", nil},
		{"cookie and bearer that differ", nil, []string{"Cookie", "__Host-postern=other", "Authorization", "Bearer good"}, "invalid_request", nil},
		{"cookie not enabled", []guard.Source{guard.SourceBearer}, []string{"Cookie", "__Host-postern=good; a=1"}, "no_credential", nil},
		{"bearer not enabled", []guard.Source{guard.SourceCookie}, []string{"Authorization", "Bearer good"}, "no_credential", nil},
		{"bearer not enabled is the app's", []guard.Source{guard.SourceCookie}, []string{"Cookie", "__Host-postern=good", "Authorization", "Bearer theirs"}, "",
			map[string]string{"Authorization": "Bearer theirs"}},
		{"key header", all, []string{"X-Api-Key", "key_1"}, "", map[string]string{"X-Api-Key": ""}},
		{"key header twice the same", all, []string{"X-Api-Key", "key_1", "X-Api-Key", "key_1"}, "", nil},
		{"key headers that differ", all, []string{"X-Api-Key", "key_1", "X-Api-Key", "key_2"}, "invalid_request", nil},
		{"empty key header", all, []string{"X-Api-Key", ""}, "invalid_request", nil},
		{"ApiKey", all, []string{"Authorization", "apikey key_1"}, "", nil},
		{"ApiKey without key", all, []string{"Authorization", "ApiKey "}, "invalid_request", nil},
		{"Basic without user", all, []string{"Authorization", basic("", "key_1")}, "", nil},
		{"Basic as api", all, []string{"Authorization", basic("api", "key_1")}, "", nil},
		{"Basic as somebody is the app's", all, []string{"Authorization", basic("ann", "key_1")}, "no_credential", nil},
		{"Basic that cannot be read", all, []string{"Authorization", "Basic %%"}, "no_credential", nil},
		{"key and token", all, []string{"X-Api-Key", "key_1", "Cookie", "__Host-postern=good"}, "invalid_request", nil},
		{"one text as key and as token", all, []string{"X-Api-Key", "good", "Cookie", "__Host-postern=good"}, "invalid_request", nil},
		{"cookie not enabled reaches no app all the same", []guard.Source{guard.SourceBearer}, []string{"Cookie", "a=1; __Host-postern=good", "Authorization", "Bearer good"}, "", map[string]string{"Cookie": "a=1"}},
		{"key as bearer", all, []string{"Authorization", "Bearer key_1"}, "invalid_token", nil},
		{"token as key", all, []string{"X-Api-Key", "good"}, "invalid_api_key", nil},
		{"unknown key", all, []string{"X-Api-Key", "key_2"}, "invalid_api_key", nil},
		{"key from elsewhere", all, []string{"X-Api-Key", "key_bound"}, "api_key_address", nil},
		{"key not enabled is the app's", nil, []string{"X-Api-Key", "key_1", "Authorization", "Bearer good"}, "", map[string]string{"X-Api-Key": "key_1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := w.guard(t, guard.Options{Settings: guard.Settings{From: tt.from}, Keys: keys{"key_1": robot, "key_bound": bound}})
			for range 2 { // from the store, and from memory
				r := request("GET", "/", tt.headers...)
				v := g.Judge(r)
				if v.Refusal.Reason != tt.reason || (tt.reason == "") != (v.Decision == guard.Allow) {
					t.Fatalf("Judge = %s %q, want %q", v.Decision, v.Refusal.Reason, tt.reason)
				}
				r = g.Prepare(r, v)
				for name, want := range tt.seen {
					if got := strings.Join(r.Header[name], "|"); got != want {
						t.Errorf("the app sees %s: %q, want %q", name, got, want)
					}
				}
			}
		})
	}
}

// TestAPIKeyIsBoundToAddresses remembers a key for one address, and asks from another.
func TestAPIKeyIsBoundToAddresses(t *testing.T) {
	bound := core.Identity{Realm: realmID, User: "usr_robot", Credential: "crd_1", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	g := newWorld().guard(t, guard.Options{Settings: guard.Settings{From: []guard.Source{guard.SourceAPIKey}}, Keys: keys{"k": bound}})
	for _, tt := range []struct {
		from string
		want guard.Decision
	}{{"192.0.2.1:1", guard.Allow}, {"203.0.113.1:1", guard.Deny}, {"192.0.2.2:1", guard.Allow}, {"", guard.Deny}} {
		r := request("GET", "/", "X-Api-Key", "k")
		r.RemoteAddr = tt.from
		if v := g.Judge(r); v.Decision != tt.want {
			t.Errorf("from %q: %s %+v, want %s", tt.from, v.Decision, v.Refusal, tt.want)
		}
	}
}

// TestPublicAndOptional lets requests pass as nobody's, and as somebody's.
func TestPublicAndOptional(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	w.fails("expired", core.ErrInvalidToken)
	w.fails("away", core.ErrUnavailable)
	public := guard.Settings{Public: []string{"/open", "/open/*"}}
	optional := guard.Settings{Optional: true}
	tests := []struct {
		name     string
		settings guard.Settings
		path     string
		token    string
		status   int
		who      bool
	}{
		{"public, nobody", public, "/open", "", 200, false},
		{"public, somebody", public, "/open/x", "good", 200, true},
		{"public, expired", public, "/open", "expired", 200, false},
		{"public, broken", public, "/open", "good good", 200, false},
		{"public, cannot know", public, "/open", "away", 200, false},
		{"not public", public, "/openly", "", 401, false},
		{"not public, in another case", public, "/OPEN", "", 401, false},
		{"not public, somebody", public, "/x", "good", 200, true},
		{"public, ambiguous", public, "/open/..%2fadmin", "", 400, false},
		{"optional, nobody", optional, "/", "", 200, false},
		{"optional, somebody", optional, "/", "good", 200, true},
		{"optional, expired", optional, "/", "expired", 200, false},
		{"optional, broken", optional, "/", "good good", 200, false},
		{"optional, cannot know", optional, "/", "away", 503, false},
		{"optional, any path", optional, "/a//b", "", 200, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request("GET", tt.path, "X-Postern-User-Id", "evil")
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			resp, seen := serve(w.guard(t, guard.Options{Settings: tt.settings}), r)
			if resp.StatusCode != tt.status {
				t.Fatalf("status = %d, want %d", resp.StatusCode, tt.status)
			}
			if seen == nil {
				return
			}
			if _, ok := guard.FromContext(seen.Context()); ok != tt.who || (seen.Header.Get("X-Postern-User-Id") == "usr_ann") != tt.who {
				t.Errorf("the app sees %v, %t; want somebody: %t", seen.Header, ok, tt.who)
			}
			if seen.Header.Get("Authorization") != "" {
				t.Error("the token is passed on")
			}
		})
	}
}

// TestFields tells all that can be told, and nothing that is not there.
func TestFields(t *testing.T) {
	w := newWorld()
	w.knows("good", member(func(who *core.Identity) {
		who.EmailVerified, who.MFA, who.Credential = true, true, "crd_1"
		who.FirstName, who.LastName, who.Reference = "Ann", "Döe", "acct-7"
		who.Custom = core.Custom{"plan": json.RawMessage(`"gold"`), "seats": json.RawMessage(`7`), "trial": json.RawMessage(`false`), "tags": json.RawMessage(`["a"]`)}
		who.Orgs[1].Permissions = []string{"pay", "read", "a,b", "new\nline"}
	}))
	copied, want := map[string]string{}, map[string]string{}
	told := map[string]string{"id": "usr_ann", "username": "ann", "email": "ann@example.com", "email_verified": "true", "name": "Ann Döe", "first_name": "Ann", "last_name": "Döe",
		"arbitrary_id": "42", "reference": "acct-7", "user_type": "human", "realm": "rlm_1", "session": "kss_ann1", "credential": "crd_1", "signed_in_at": "2026-11-23T11:00:00Z", "mfa": "true",
		"permissions": "pay,read,write", "orgs": "org_a,org_b", "org_permissions": "org_a:read,org_a:write,org_b:pay,org_b:read",
		"custom.plan": "gold", "custom.seats": "7", "custom.trial": "false", "custom.tags": "", "custom.none": ""}
	for _, field := range guard.FieldNames() {
		if told[field] == "" {
			t.Errorf("this test does not speak of %s", field)
		}
	}
	for field, text := range told {
		name := http.CanonicalHeaderKey("X-" + strings.NewReplacer(".", "-", "_", "-").Replace(field))
		copied[name] = field
		if text != "" {
			want[name] = text
		}
	}
	r := with("good")
	for name := range copied {
		r.Header[name] = []string{"evil"}
	}
	_, seen := serve(w.guard(t, guard.Options{Settings: guard.Settings{CopyHeaders: copied}}), r)
	wantHeaders(t, seen.Header, want)
}

// TestCookieNeedsProofOfOrigin sends what a page of another site might have a browser send.
func TestCookieNeedsProofOfOrigin(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	plain := w.guard(t, guard.Options{})
	listed := w.guard(t, guard.Options{Settings: guard.Settings{Origins: []string{"https://example.com", "https://www.example.com"}}})
	tests := []struct {
		name    string
		method  string
		headers []string
		plain   int
		listed  int
	}{
		{"reading", "GET", nil, 200, 200},
		{"reading from elsewhere", "GET", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 200, 200},
		{"no proof", "POST", nil, 403, 403},
		{"same origin", "POST", []string{"Sec-Fetch-Site", "same-origin"}, 200, 200},
		{"typed", "POST", []string{"Sec-Fetch-Site", "none"}, 200, 200},
		{"same site", "POST", []string{"Sec-Fetch-Site", "same-site"}, 403, 403},
		{"same site, of a page of ours", "POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://www.example.com"}, 403, 200},
		{"cross site", "DELETE", []string{"Sec-Fetch-Site", "cross-site", "Origin", "http://example.com"}, 403, 403},
		{"by way of a service worker", "POST", relayed("Origin", "https://example.com", "Referer", "https://example.com/form"), 200, 200},
		{"by way of a service worker, of a page elsewhere", "POST", relayed("Origin", "https://example.com", "Referer", "https://sub.example.com/"), 403, 403},
		{"by way of a service worker, of a page that does not say where", "POST", relayed("Origin", "null"), 403, 403},
		{"by way of a service worker, of another page of ours", "POST", relayed("Origin", "https://example.com", "Referer", "https://www.example.com/form"), 403, 200},
		{"by way of a service worker in WebKit", "POST", relayedInWebKit("Origin", "https://example.com", "Referer", "https://example.com/form"), 200, 200},
		{"by way of a service worker in WebKit, of a page elsewhere", "POST", relayedInWebKit("Origin", "https://sub.example.com", "Referer", "https://sub.example.com/"), 403, 403},
		{"by way of a service worker in WebKit, of a page that does not say where", "POST", relayedInWebKit("Origin", "https://example.com", "Referer", "https://example.com/js/worker.js?v=1"), 403, 403},
		{"by way of a module of a service worker in WebKit, of a page that does not say where", "POST", relayedInWebKit("Origin", "https://example.com", "Referer", "https://example.com/worker.mjs"), 403, 403},
		{"made anew by a service worker", "POST", relayed("Origin", "https://example.com", "Referer", "https://example.com/worker.js"), 403, 403},
		{"made anew by a service worker in WebKit", "POST", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "same-origin", "Origin", "https://example.com", "Accept", "text/html,*/*;q=0.8", "Referer", "https://example.com/worker.js"}, 403, 403},
		{"a service worker's own", "POST", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Origin", "https://example.com", "Accept", "*/*", "Referer", "https://example.com/worker.js"}, 200, 200},
		{"a script's, for a piece of a page", "POST", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Origin", "https://example.com", "Accept", "text/html"}, 200, 200},
		{"by way of a service worker in Chromium, of a page that does not say where", "POST", relayedInWebKit("Origin", "null", "Upgrade-Insecure-Requests", "1"), 200, 200},
		{"said twice", "POST", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, 403, 403},
		{"said twice, of our origin", "POST", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site", "Origin", "https://example.com"}, 403, 403},
		{"own origin", "PUT", []string{"Origin", "https://example.com"}, 200, 200},
		{"own origin with its port", "PUT", []string{"Origin", "https://example.com:443"}, 200, 200},
		{"own host, another scheme", "PUT", []string{"Origin", "http://example.com"}, 200, 403},
		{"another port", "PUT", []string{"Origin", "https://example.com:8443"}, 403, 403},
		{"another origin", "PUT", []string{"Origin", "https://evil.example"}, 403, 403},
		{"one that begins alike", "PUT", []string{"Origin", "https://example.com.evil.example"}, 403, 403},
		{"null", "PUT", []string{"Origin", "null"}, 403, 403},
		{"two origins", "PUT", []string{"Origin", "https://example.com", "Origin", "https://evil.example"}, 403, 403},
		{"handshake", "GET", []string{"Upgrade", "websocket", "Connection", "Upgrade", "Origin", "https://evil.example"}, 403, 403},
		{"handshake of a page of ours", "GET", []string{"Upgrade", "websocket", "Connection", "Upgrade", "Origin", "https://example.com"}, 200, 200},
		{"a method of their own", "PURGE", nil, 403, 403},
		{"reading, that is to be more", "GET", []string{"Sec-Fetch-Site", "cross-site", "X-Http-Method-Override", "DELETE"}, 403, 403},
		{"the same, from a page of ours", "GET", []string{"Sec-Fetch-Site", "same-origin", "X-Http-Method-Override", "DELETE"}, 200, 200},
		{"with the token too", "POST", []string{"Authorization", "Bearer good"}, 200, 200},
	}
	for _, tt := range tests {
		for g, want := range map[*guard.Guard]int{plain: tt.plain, listed: tt.listed} {
			r := request(tt.method, "http://example.com/", append([]string{"Cookie", "__Host-postern=good"}, tt.headers...)...)
			if resp, _ := serve(g, r); resp.StatusCode != want {
				t.Errorf("%s (origins listed: %t) = %d, want %d", tt.name, g == listed, resp.StatusCode, want)
			}
		}
	}
	for origin, want := range map[string]int{"https://example.com": 200, "http://example.com": 403} { // whoever is on the way can write pages of the latter
		r := request("PUT", "https://example.com/", "Cookie", "__Host-postern=good", "Origin", origin)
		if resp, _ := serve(plain, r); r.TLS == nil || resp.StatusCode != want {
			t.Errorf("over TLS, from %s = %d, want %d", origin, resp.StatusCode, want)
		}
	}
	r := request("POST", "http://example.com/", "Cookie", "__Host-postern=good", "Origin", "https://evil.example")
	resp, seen := serve(w.guard(t, guard.Options{Settings: guard.Settings{Public: []string{"/"}}}), r)
	if resp.StatusCode != 200 || seen.Header.Get("X-Postern-User-Id") != "" || seen.Header.Get("Cookie") != "" {
		t.Errorf("on a public path: %d %v, want it to pass as nobody's", resp.StatusCode, seen.Header)
	}
}

// relayed are the headers of a form that a service worker passes on by fetch(event.request) in Firefox, and more.
func relayed(more ...string) []string {
	return append([]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty", "Upgrade-Insecure-Requests", "1"}, more...)
}

// relayedInWebKit are those in WebKit.
func relayedInWebKit(more ...string) []string {
	return append([]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty"}, more...)
}

// TestOrigins takes those alone that a browser may say that a page is of.
func TestOrigins(t *testing.T) {
	for text, good := range map[string]bool{
		"https://app.example.com": true, "http://APP.example.com:8080": true, "https://[::1]:8443": true, "https://xn--bcher-kva.example": true,
		"https://bücher.example": false, "https://app.example.com/": false, "null": false, "app.example.com": false,
	} {
		if err := (guard.Settings{Origins: []string{text}}).Validate(); good != (err == nil) {
			t.Errorf("origins %q: %v; want it to be taken: %t", text, err, good)
		}
	}
}

// TestNavigationGoesToSignIn sends browsers there, and nobody else.
func TestNavigationGoesToSignIn(t *testing.T) {
	const firefox = "text/html,application/xhtml+xml,*/*;q=0.8"
	w := newWorld()
	w.fails("away", core.ErrUnavailable)
	tests := []struct {
		name, login, method, target string
		headers                     []string
		status                      int
		location                    string
	}{
		{"a browser", "/login", "GET", "/a/b?c=d&e", []string{"Accept", firefox}, 303, "/login?return_to=%2Fa%2Fb%3Fc%3Dd%26e"},
		{"with a query of its own", "/login?x=1", "GET", "/", []string{"Accept", firefox}, 303, "/login?x=1&return_to=%2F"},
		{"elsewhere", "https://login.example.net/in", "GET", "http://example.com/a", []string{"Accept", firefox}, 303, "https://login.example.net/in?return_to=http%3A%2F%2Fexample.com%2Fa"},
		{"a script", "/login", "GET", "/", []string{"Accept", firefox, "Sec-Fetch-Mode", "cors"}, 401, ""},
		{"a script, of its own origin", "/login", "GET", "/", []string{"Accept", firefox, "Sec-Fetch-Mode", "same-origin"}, 401, ""},
		{"a browser, by way of a service worker", "/login", "GET", "/a", []string{"Accept", firefox, "Sec-Fetch-Mode", "same-origin", "Upgrade-Insecure-Requests", "1"}, 303, "/login?return_to=%2Fa"},
		{"a frame, where no page to sign in is shown", "/login", "GET", "/a", []string{"Accept", firefox, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 401, ""},
		{"a frame, to sign in elsewhere", "https://login.example.net/in", "GET", "http://example.com/a", []string{"Accept", firefox, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 303, "https://login.example.net/in?return_to=http%3A%2F%2Fexample.com%2Fa"},
		{"a script in a browser that does not say so", "/login", "GET", "/", []string{"Accept", "text/html, */*; q=0.01", "X-Requested-With", "XMLHttpRequest"}, 401, ""},
		{"a page in an Android app", "/login", "GET", "/", []string{"Accept", firefox, "X-Requested-With", "com.example.app"}, 303, "/login?return_to=%2F"},
		{"a program", "/login", "GET", "/", nil, 401, ""},
		{"a form", "/login", "POST", "/", []string{"Accept", firefox}, 401, ""},
		{"there already", "/login", "GET", "/login?return_to=/", []string{"Accept", firefox}, 401, ""},
		{"a path that is another host to browsers", "/login", "GET", "//evil.example/", []string{"Accept", firefox}, 303, "/login?return_to=%2F"},
		{"a path that resolves to another host", "/login", "GET", "/.//evil.example/", []string{"Accept", firefox}, 303, "/login?return_to=%2F"},
		{"cannot know", "/login", "GET", "/", []string{"Accept", firefox, "Authorization", "Bearer away"}, 503, ""},
		{"no login", "", "GET", "/", []string{"Accept", firefox}, 401, ""},
	}
	for _, tt := range tests {
		r := request(tt.method, "http://example.com/", tt.headers...)
		if strings.HasPrefix(tt.target, "/") { // as a server reads it
			r.URL.Path, r.URL.RawQuery, _ = strings.Cut(tt.target, "?")
		} else {
			r = request(tt.method, tt.target, tt.headers...)
		}
		resp, _ := serve(w.guard(t, guard.Options{Settings: guard.Settings{LoginURL: tt.login}}), r)
		if got := resp.Header.Get("Location"); resp.StatusCode != tt.status || got != tt.location {
			t.Errorf("%s: %d %q, want %d %q", tt.name, resp.StatusCode, got, tt.status, tt.location)
		}
		if resp.Header.Get("Cache-Control") != "no-store" || len(resp.Header["Set-Cookie"]) != 0 {
			t.Errorf("%s: %v; want nothing kept, and no cookie touched", tt.name, resp.Header)
		}
	}
}

// TestGRPC gives gRPC calls what their clients read.
func TestGRPC(t *testing.T) {
	w := newWorld()
	w.fails("inactive", core.ErrUserInactive)
	w.fails("away", core.ErrUnavailable)
	g := w.guard(t, guard.Options{Settings: guard.Settings{LoginURL: "/login"}})
	for token, want := range map[string]string{"garbage": "16", "inactive": "7", "away": "14"} {
		for _, media := range []string{"application/grpc", "application/grpc+proto", "application/grpc-web-text", "application/grpc; x=y"} {
			r := request("POST", "/pkg.Service/Method", "Authorization", "Bearer "+token, "Content-Type", media)
			resp, _ := serve(g, r)
			got := resp.Header.Get("Grpc-Status")
			if resp.StatusCode != 200 || got != want || resp.Header.Get("Grpc-Message") == "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/grpc") {
				t.Errorf("%s as %s: %d %v, want grpc-status %s", media, token, resp.StatusCode, resp.Header, want)
			}
		}
	}
}

// TestNestedGuards stand one behind another, in any program.
func TestNestedGuards(t *testing.T) {
	w := newWorld()
	w.knows("good", member(func(*core.Identity) {}))
	names := &guard.Names{}
	outer := w.guard(t, guard.Options{Names: names, Settings: guard.Settings{Public: []string{"/open"}}})
	inner := w.guard(t, guard.Options{Names: names, Settings: guard.Settings{CopyHeaders: map[string]string{"X-Admin": "id"},
		Rules: []guard.Rule{{Paths: []string{"/admin"}, Policy: guard.Policy{Require: []string{"fly"}}}}}})
	elsewhere := w.guard(t, guard.Options{Names: names, Settings: guard.Settings{From: []guard.Source{guard.SourceCookie}, Optional: true}})
	apart := w.guard(t, guard.Options{Settings: guard.Settings{CopyHeaders: map[string]string{"X-Apart": "id"}}})
	var seen *http.Request
	app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })
	for name, tt := range map[string]struct {
		behind *guard.Guard
		path   string
		token  string
		status int
		want   map[string]string
	}{
		"both":                    {inner, "/", "good", 200, map[string]string{"X-Admin": "usr_ann", "X-Postern-User-Id": "usr_ann", "X-Postern-Username": "ann", "X-Postern-Email": "ann@example.com", "X-Postern-Arbitrary-Id": "42"}},
		"the second asks more":    {inner, "/admin", "good", 403, nil},
		"public in one":           {inner, "/open", "", 401, nil},
		"public in one, somebody": {inner, "/open", "good", 200, map[string]string{"X-Admin": "usr_ann", "X-Postern-User-Id": "usr_ann", "X-Postern-Username": "ann", "X-Postern-Email": "ann@example.com", "X-Postern-Arbitrary-Id": "42"}},
		"nobody to the second":    {elsewhere, "/", "good", 200, map[string]string{"X-Admin": "", "X-Postern-User-Id": "usr_ann", "X-Postern-Username": "ann", "X-Postern-Realm": ""}},
		"of separate houses":      {apart, "/", "good", 200, map[string]string{"X-Apart": "usr_ann"}},
	} {
		r := request("GET", tt.path, "X-Admin", "evil", "X-Apart", "evil", "X-Postern-Realm", "evil")
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		rec := httptest.NewRecorder()
		if outer.Handler(tt.behind.Handler(app)).ServeHTTP(rec, r); rec.Code != tt.status {
			t.Errorf("%s: %d, want %d", name, rec.Code, tt.status)
			continue
		}
		if tt.want != nil {
			for header, values := range seen.Header {
				if values[0] == "evil" && !(header == "X-Apart" && tt.behind != apart) {
					t.Errorf("%s: a forged %s comes through", name, header)
				}
			}
			for header, want := range tt.want {
				if got := seen.Header.Get(header); got != want {
					t.Errorf("%s: %s = %q, want %q", name, header, got, want)
				}
			}
		}
	}
}
