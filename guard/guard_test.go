package guard_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

func TestMain(m *testing.M) {
	// What computes password hashes in core waits a while for more of them, and then ends.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/postern-auth/postern/core.workers.run"))
}

// serve sends r through g and returns the response, and the request that the application saw, or nil.
func serve(g *guard.Guard, r *http.Request) (*http.Response, *http.Request) {
	return through(g.Handler, r)
}

// through sends r through what a guard puts before a handler and returns the response, and the request that the handler saw, or nil.
func through(before func(http.Handler) http.Handler, r *http.Request) (*http.Response, *http.Request) {
	var seen *http.Request
	w := httptest.NewRecorder()
	before(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })).ServeHTTP(w, r)
	return w.Result(), seen
}

func TestRefusals(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	w.fails("expired", core.ErrInvalidToken)
	w.fails("inactive", core.ErrUserInactive)
	w.fails("away", core.ErrUnavailable)
	w.fails("broken", errors.New("redis: key {default:0}:s:kss_1 holds the wrong type"))
	w.fails("slow", &core.Error{Kind: core.KindThrottled, RetryAfter: 1500 * time.Millisecond})
	g := w.guard(t, guard.Options{})

	const plain, invalid, malformed = `Bearer realm="postern"`, `Bearer realm="postern", error="invalid_token"`, `Bearer realm="postern", error="invalid_request"`
	tests := []struct {
		name          string
		authorization []string
		status        int
		reason        string
		challenge     string
		retry         string
	}{
		{"nothing", nil, 401, "no_credential", plain, ""},
		{"another scheme", []string{"Basic YTpi"}, 401, "no_credential", plain, ""},
		{"a scheme that begins alike", []string{"BearerX good"}, 401, "no_credential", plain, ""},
		{"no token", []string{"Bearer"}, 401, "invalid_request", malformed, ""},
		{"an empty token", []string{"Bearer  "}, 401, "invalid_request", malformed, ""},
		{"two tokens", []string{"Bearer good, Bearer good"}, 401, "invalid_request", malformed, ""},
		{"two words", []string{"Bearer good good"}, 401, "invalid_request", malformed, ""},
		{"a tab", []string{"Bearer\tgood"}, 401, "invalid_request", malformed, ""},
		{"not a token", []string{"Bearer <script>"}, 401, "invalid_token", invalid, ""},
		{"two that differ", []string{"Bearer good", "Bearer other"}, 401, "invalid_request", malformed, ""},
		{"twice the same", []string{"Bearer good", "Bearer good"}, 401, "invalid_request", malformed, ""},
		{"another scheme first", []string{"Basic YTpi", "Bearer good"}, 401, "invalid_request", malformed, ""},
		{"garbage", []string{"Bearer garbage"}, 401, "invalid_token", invalid, ""},
		{"expired", []string{"bearer expired"}, 401, "invalid_token", invalid, ""},
		{"too long", []string{"Bearer " + strings.Repeat("x", 8<<10+1)}, 401, "invalid_token", invalid, ""},
		{"an inactive user", []string{"Bearer inactive"}, 403, "user_inactive", "", ""},
		{"store away", []string{"Bearer away"}, 503, "unavailable", "", "1"},
		{"our own fault", []string{"Bearer broken"}, 503, "unavailable", "", "1"},
		{"throttled", []string{"Bearer slow"}, 429, "throttled", "", "2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["Authorization"] = tt.authorization
			resp, seen := serve(g, r)
			if seen != nil {
				t.Error("the application saw the request")
			}
			for name, want := range map[string]string{
				"WWW-Authenticate": tt.challenge, "Retry-After": tt.retry, "Cache-Control": "no-store",
				"X-Content-Type-Options": "nosniff", "Content-Type": "application/problem+json",
			} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			var body struct {
				Title, Detail, Code string
				Status              int
			}
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || body.Status != tt.status || body.Code != tt.reason || body.Title == "" || body.Detail == "" {
				t.Errorf("got %d %+v, want %d %s", resp.StatusCode, body, tt.status, tt.reason)
			}
			if strings.Contains(body.Detail, "redis") {
				t.Errorf("detail %q tells what is our own affair", body.Detail)
			}
		})
	}
}

// TestRefusalSpeaksTheCallersFormat answers people with a page, a Work-API client as the API would, and other programs with a problem.
func TestRefusalSpeaksTheCallersFormat(t *testing.T) {
	g := newWorld().guard(t, guard.Options{})
	const (
		firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
		page    = "text/html; charset=utf-8"
		problem = "application/problem+json"
		jsonAPI = "application/vnd.api+json"
	)
	tests := []struct {
		name, accept, mode, contentType, want string
	}{
		{"browser", firefox, "navigate", "", page},
		{"old browser", firefox, "", "", page},
		{"script", firefox, "cors", "", problem},
		{"program", "application/json", "", "", problem},
		{"problem", "application/problem+json, text/html;q=0.5", "", "", problem},
		{"curl", "*/*", "", "", problem},
		{"nothing said", "", "", "", problem},
		{"JSON:API asked for", jsonAPI, "", "", jsonAPI},
		{"JSON:API sent", "*/*", "", "application/vnd.api+json; charset=utf-8", jsonAPI},
		{"JSON:API sent, and another asked for", "application/json", "", jsonAPI, problem},
		{"JSON:API not acceptable", "application/vnd.api+json;q=0, */*", "", "", problem},
		{"JSON:API beside problems", "application/vnd.api+json, application/problem+json", "", "", problem},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept", tt.accept)
			for name, value := range map[string]string{"Sec-Fetch-Mode": tt.mode, "Content-Type": tt.contentType} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			resp, _ := serve(g, r)
			text, _ := io.ReadAll(resp.Body)
			if got := resp.Header.Get("Content-Type"); got != tt.want || resp.StatusCode != 401 {
				t.Errorf("got %d %q, want 401 %q", resp.StatusCode, got, tt.want)
			}
			if !strings.Contains(string(text), "Sign in") {
				t.Errorf("body %q does not say what to do", text)
			}
			var body struct {
				Errors []struct{ Status, Code, Title, Detail string }
			}
			if tt.want == jsonAPI && (json.Unmarshal(text, &body) != nil || len(body.Errors) != 1 || body.Errors[0].Status != "401" || body.Errors[0].Code != "no_credential_error" || body.Errors[0].Detail == "") {
				t.Errorf("body = %s; want one error, 401 no_credential_error", text)
			}
		})
	}
}

func TestAllowedRequest(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	r := with("good")
	r.Header["x_postern.user-id"] = []string{"evil"}
	r.Header.Set("X-Postern-Permissions", "evil")
	r.Header.Set("X-Other", "kept")
	r.Trailer = http.Header{"X-Postern-Email": nil, "X-Sum": nil}

	resp, seen := serve(g, r)
	if resp.StatusCode != http.StatusOK || seen == nil {
		t.Fatalf("got %d, want 200", resp.StatusCode)
	}
	wantHeaders(t, seen.Header, map[string]string{
		"X-Postern-User-Id": "usr_ann", "X-Postern-Username": "ann", "X-Postern-Email": "ann@example.com",
		"X-Postern-Arbitrary-Id": "42", "X-Other": "kept",
	})
	if _, there := seen.Trailer["X-Postern-Email"]; there || len(seen.Trailer) != 1 {
		t.Errorf("trailer = %v, want X-Sum only", seen.Trailer)
	}
	who, ok := guard.FromContext(seen.Context())
	if !ok || who.User != ann.User || who.Name != ann.Name || who.Session != ann.Session {
		t.Errorf("FromContext = %+v, %t; want %+v", who, ok, ann)
	}
	if name, there := guard.FieldsFrom(seen.Context())("name"); name != ann.Name || !there {
		t.Errorf("FieldsFrom(name) = %q, %t; want %q", name, there, ann.Name)
	}
}

func wantHeaders(t *testing.T, got http.Header, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if v := got[name]; len(v) != 1 || v[0] != value {
			t.Errorf("%s = %q, want %q", name, v, value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("headers %v, want %v", got, want)
	}
}

func TestWhoAltersAHeaderAltersNothingRemembered(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	_, seen := serve(g, with("good"))
	seen.Header["X-Postern-User-Id"][0] = "evil" // as a rule that replaces text in headers does
	if _, seen = serve(g, with("good")); seen.Header.Get("X-Postern-User-Id") != "usr_ann" {
		t.Errorf("X-Postern-User-Id = %q, want usr_ann", seen.Header.Get("X-Postern-User-Id"))
	}
}

func TestCopyHeaders(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	tests := []struct {
		name string
		copy map[string]string
		want map[string]string
	}{
		{"none", map[string]string{}, map[string]string{}},
		{"every field", map[string]string{
			"remote-user": "username", "X-Id": "id", "X-Mail": "email", "X-Name": "name", "X-Arb": "arbitrary_id",
			"X-Type": "user_type", "X-Realm": "realm", "X-Postern-Session": "session",
		}, map[string]string{
			"Remote-User": "ann", "X-Id": "usr_ann", "X-Mail": "ann@example.com", "X-Name": "Ann Döe", "X-Arb": "42",
			"X-Type": "human", "X-Realm": "rlm_1", "X-Postern-Session": "kss_ann1",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := with("good")
			r.Header.Set("X-Postern-User-Id", "evil")
			for name := range tt.copy {
				r.Header[strings.ReplaceAll(name, "-", "_")] = []string{"evil"}
			}
			_, seen := serve(w.guard(t, guard.Options{Settings: guard.Settings{CopyHeaders: tt.copy}}), r)
			wantHeaders(t, seen.Header, tt.want)
		})
	}
}

func TestTextsThatNoHeaderCarriesAreLeftOut(t *testing.T) {
	for _, text := range []string{"", "a\r\nX-Admin: 1", "a\nb", "tab\tbed", "nul\x00", "del\x7f", " lead", "trail ", "\u00a0lead", "c1\u0085x", "bad\xff", "line\u2028x"} {
		w := newWorld()
		who := ann
		who.ArbitraryID = text
		w.knows("good", who)
		r := with("good")
		r.Header.Set("X-Postern-Arbitrary-Id", "evil")
		_, seen := serve(w.guard(t, guard.Options{}), r)
		if v, there := seen.Header["X-Postern-Arbitrary-Id"]; there {
			t.Errorf("arbitrary_id %q travels as %q, want no header", text, v)
		}
	}
}

func TestPassToken(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	_, seen := serve(w.guard(t, guard.Options{Settings: guard.Settings{PassToken: true}}), with("good"))
	if got := seen.Header.Get("Authorization"); got != "Bearer good" {
		t.Errorf("Authorization = %q, want the token", got)
	}
	g := w.guard(t, guard.Options{Settings: guard.Settings{PassToken: true}})
	r := with("never seen")
	if r = g.Prepare(r, g.Judge(r)); r.Header.Get("Authorization") != "" {
		t.Error("a token that was not found good is passed on")
	}
}

func TestConnectionMayNotNameIdentityHeaders(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{Settings: guard.Settings{CopyHeaders: map[string]string{"Remote-User": "username"}}})
	for value, status := range map[string]int{
		"close": 200, "keep-alive, X-Other": 200, "X-Postern": 200,
		"X-Postern-User-Id": 400, "close ,\tx_postern_anything": 400, "close,REMOTE.USER": 400,
	} {
		r := with("good")
		r.Header["Connection"] = []string{"close", value}
		if resp, _ := serve(g, r); resp.StatusCode != status {
			t.Errorf("Connection: %s = %d, want %d", value, resp.StatusCode, status)
		}
	}
}

func TestPreflightPassesWithoutIdentity(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{Settings: guard.Settings{PassToken: true}})
	r := with("good")
	r.Method = http.MethodOptions
	r.Header.Set("Origin", "https://example.com")
	if resp, _ := serve(g, r.Clone(r.Context())); resp.StatusCode != 200 {
		t.Errorf("OPTIONS of a signed-in user = %d, want 200", resp.StatusCode)
	}
	r.Header.Set("Access-Control-Request-Method", "PUT")
	r.Header.Set("X-Postern-User-Id", "evil")
	resp, seen := serve(g, r)
	if resp.StatusCode != 200 || seen == nil {
		t.Fatalf("preflight = %d, want 200", resp.StatusCode)
	}
	wantHeaders(t, seen.Header, map[string]string{"Origin": "https://example.com", "Access-Control-Request-Method": "PUT"})
	if who, ok := guard.FromContext(seen.Context()); ok {
		t.Errorf("FromContext = %+v, want nobody", who)
	}
	if guard.FieldsFrom(seen.Context()) != nil {
		t.Error("FieldsFrom speaks of somebody, want nobody")
	}
	for what, alter := range map[string]func(r *http.Request){
		"with a body":             func(r *http.Request) { r.ContentLength = 1 },
		"with chunks":             func(r *http.Request) { r.ContentLength = -1 },
		"that opens a WebSocket":  func(r *http.Request) { r.Header.Set("Upgrade", "websocket") },
		"that tells no method":    func(r *http.Request) { r.Header.Del("Access-Control-Request-Method") },
		"that tells no origin":    func(r *http.Request) { r.Header.Del("Origin") },
		"in a method of its own":  func(r *http.Request) { r.Method = "options" },
		"that means a method":     func(r *http.Request) { r.Header.Set("X-HTTP-Method-Override", "DELETE") },
		"that is another request": func(r *http.Request) { r.Method = http.MethodPost },
	} {
		r := with("bad")
		r.Method = http.MethodOptions
		r.Header.Set("Origin", "https://example.com")
		r.Header.Set("Access-Control-Request-Method", "PUT")
		alter(r)
		if resp, seen := serve(g, r); seen != nil || resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("a preflight %s = %d; want 401", what, resp.StatusCode)
		}
	}
}

// TestPreflightOverHTTP3 asks as a browser does over HTTP/3, where it shows only later that there is no body. One that comes nevertheless goes nowhere.
func TestPreflightOverHTTP3(t *testing.T) {
	g := newWorld().guard(t, guard.Options{})
	for name, handler := range map[string]func(http.Handler) http.Handler{"Handler": g.Handler, "ProxyHandler": g.ProxyHandler} {
		r := httptest.NewRequest(http.MethodOptions, "/", io.MultiReader(strings.NewReader("a body")))
		r.ProtoMajor, r.ContentLength, r.Trailer = 3, -1, http.Header{"X-After": {"it"}}
		r.Header.Set("Origin", "https://example.com")
		r.Header.Set("Access-Control-Request-Method", "PUT")
		w := httptest.NewRecorder()
		handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || len(body) > 0 || r.ContentLength != 0 || r.Trailer != nil {
				t.Errorf("%s: next gets the body %q (length %d, trailers %v), %v; want none", name, body, r.ContentLength, r.Trailer, err)
			}
			w.WriteHeader(http.StatusNoContent)
		})).ServeHTTP(w, r)
		if w.Code != http.StatusNoContent {
			t.Errorf("%s: a preflight over HTTP/3 = %d; want next's 204", name, w.Code)
		}
	}
}

// TestPathIsNotOverridden sends what has some applications take another path than the one that is judged.
func TestPathIsNotOverridden(t *testing.T) {
	g := newWorld().guard(t, guard.Options{Settings: guard.Settings{Public: []string{"/open"}}})
	r := httptest.NewRequest("GET", "/open", nil)
	for _, name := range []string{"X-Original-Url", "X-Rewrite-Url", "X_original_url", "X.Rewrite.Url", "X-Script-Name", "X_script_name"} {
		r.Header[name] = []string{"/admin"}
	}
	for _, name := range []string{"X_http_method_override", "X.Http.Method.Override", "X-Http.Method", "X-Method_override", "Script_name", "SCRIPT_NAME", "Path_info"} { // which no rule looks at
		r.Header[name] = []string{"DELETE"}
	}
	r.Header["X-Http-Method-Override"] = []string{"PUT"}
	resp, seen := serve(g, r)
	if seen == nil {
		t.Fatalf("a public path = %d; want it to pass", resp.StatusCode)
	}
	wantHeaders(t, seen.Header, map[string]string{"X-Http-Method-Override": "PUT"})
}

func TestRefusedRequestIsStrippedToo(t *testing.T) { // it may go to an error page of the application
	g := newWorld().guard(t, guard.Options{})
	r := with("garbage")
	r.Header.Set("X-Postern-User-Id", "evil")
	if r = g.Prepare(r, g.Judge(r)); len(r.Header) != 0 {
		t.Errorf("headers after Prepare = %v, want none", r.Header)
	}
}

func TestNewComplainsOfEverythingAtOnce(t *testing.T) {
	_, err := guard.New(guard.Options{CacheSize: -1, Settings: guard.Settings{CopyHeaders: map[string]string{
		"Authorization": "id", "X Y": "id", "X-Shoe": "shoe_size", "X-A": "id", "x-a": "id", "x-forwarded-for": "id", "X-Forwarded-User": "id",
	}, Origins: []string{"https://*.example.com"}, Policy: guard.Policy{Require: []string{""}}, Rules: []guard.Rule{{Methods: []string{"TRACE"}, Public: true}}}})
	if err == nil {
		t.Fatal("New accepts it")
	}
	for _, want := range []string{"are required", "CacheSize is -1", "Authorization means something else", `"X Y" is not a name`, `no field "shoe_size"`, "X-A is there twice",
		"X-Forwarded-For means something else", `origins: "https://*.example.com" is no origin`, `require: "" is no permission`, "rule 1: TRACE is refused"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("New's error lacks %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "X-Forwarded-User") {
		t.Errorf("New complains of a name that is free:\n%v", err)
	}
}

func TestRealmIsLookedForUntilItIsFound(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	w.realmErr = core.ErrRealmNotFound
	logs, log := observed()
	g := w.guard(t, guard.Options{Settings: guard.Settings{Realm: "staging"}, Logger: log})
	if resp, _ := serve(g, httptest.NewRequest(http.MethodGet, "/", nil)); resp.StatusCode != 401 || w.finds != 0 {
		t.Errorf("without token = %d after %d looks, want 401 after none", resp.StatusCode, w.finds)
	}
	wantDecision(t, g, "good", guard.CannotKnow)
	if got := logs.FilterMessage("requests cannot be judged").All(); len(got) != 1 || !strings.Contains(got[0].ContextMap()["error"].(string), `realm "staging": realm not found`) {
		t.Errorf("log = %v, want one line that names the realm", got)
	}
	w.realmErr = core.ErrUnavailable
	wantDecision(t, g, "good", guard.CannotKnow)
	w.realmErr = nil
	wantDecision(t, g, "good", guard.Allow)
	wantDecision(t, g, "good", guard.Allow)
	if w.finds != 3 {
		t.Errorf("looked for %d times, want 3", w.finds)
	}
}

// observed returns a logger and what it wrote.
func observed() (*observer.ObservedLogs, *zap.Logger) {
	c, logs := observer.New(zap.DebugLevel)
	return logs, zap.New(c)
}

func TestLog(t *testing.T) {
	w := newWorld()
	w.fails("awaytoken", core.ErrUnavailable)
	logs, log := observed()
	g := w.guard(t, guard.Options{Logger: log})
	for range 100 {
		wantDecision(t, g, "awaytoken", guard.CannotKnow)
	}
	wantDecision(t, g, "secrettoken", guard.Deny)
	w.pass(11 * time.Second)
	wantDecision(t, g, "awaytoken", guard.CannotKnow)
	if n := logs.FilterMessage("requests cannot be judged").Len(); n != 2 {
		t.Errorf("an outage of 11 seconds is %d lines, want 2", n)
	}
	if got := logs.FilterMessage("request refused").All(); len(got) != 1 || got[0].ContextMap()["reason"] != "invalid_token" {
		t.Errorf("refusals logged: %v, want one of invalid_token", got)
	}
	for _, e := range logs.All() {
		if text, _ := json.Marshal(e.ContextMap()); strings.Contains(string(text)+e.Message, "secrettoken") || strings.Contains(string(text), "awaytoken") {
			t.Errorf("the log holds a token: %s", text)
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{})
	wantDecision(t, g, "good", guard.Allow)
	g.Close()
	g.Close()
	if w.stops.Load() == 0 {
		t.Error("the watch was not stopped")
	}
	w.silent.Store(false)
	if v := g.Judge(with("other")); v.Decision != guard.CannotKnow {
		t.Errorf("after Close: %s, want cannot know", v.Decision)
	}
}
