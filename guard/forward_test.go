package guard_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

const proxyAddress = "10.0.0.1:4000"

// trustsTens trusts proxies in 10.0.0.0/8.
func trustsTens(remote string) bool { return strings.HasPrefix(remote, "10.") }

// asks has a proxy ask at a path, with headers given as name, value, name, value.
func asks(g *guard.Guard, method, at string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, at, nil)
	r.RemoteAddr, r.Host = proxyAddress, "app.example.com"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	g.ForwardAuth(trustsTens).ServeHTTP(w, r)
	return w
}

// describe asks in the shape of a proxy about a request, with further headers.
func describe(g *guard.Guard, proxy, method, target string, headers ...string) *httptest.ResponseRecorder {
	said := []string{"X-Forwarded-Proto", "https", "X-Forwarded-For", "203.0.113.9"}
	switch proxy {
	case "nginx": // as docs/forward-auth.md configures it; auth_request itself asks with GET
		said = append(said, "X-Original-Method", method, "X-Original-URI", target, "X-Forwarded-Host", "app.example.com")
	case "caddy", "traefik": // caddyserver.com/docs, "forward_auth"; doc.traefik.io, "ForwardAuth"
		said = append(said, "X-Forwarded-Method", method, "X-Forwarded-Uri", target, "X-Forwarded-Host", "app.example.com")
	case "envoy": // envoyproxy.io, "External Authorization", HTTP service with path_prefix /envoy: method, host and path are the request's
		said[3] += ",10.0.0.9" // it adds its own address, and not that of whom it asks for (envoyproxy/envoy, issue 21519)
		said = append(said, "Content-Length", "0", "X-Envoy-Internal", "true", "X-Envoy-Expected-Rq-Timeout-Ms", "6000")
		return asks(g, method, "/envoy"+target, append(said, headers...)...)
	}
	return asks(g, http.MethodGet, "/"+proxy, append(said, headers...)...)
}

var proxyKinds = []string{"nginx", "caddy", "traefik", "envoy"}

// forwarding returns a guard whose rules tell paths and methods apart.
func forwarding(t *testing.T, w *world) *guard.Guard {
	w.knows("good", ann)
	return w.guard(t, guard.Options{Settings: guard.Settings{LoginURL: "/auth/sign-in",
		CopyHeaders: map[string]string{"X-Postern-User-Id": "id", "X-Postern-Email": "email", "X-Plan": "custom.plan"},
		Rules: []guard.Rule{{Paths: []string{"/public/*"}, Public: true}, {Paths: []string{"/admin/*"}, Policy: guard.Policy{Require: []string{"admin"}}},
			{Paths: []string{"/read/*"}, Methods: []string{"GET"}, Public: true}}}})
}

// TestForwardAuth asks in the shapes that the proxies document.
func TestForwardAuth(t *testing.T) {
	w := newWorld()
	w.fails("away", core.ErrUnavailable)
	w.fails("old", core.ErrInvalidToken)
	g := forwarding(t, w)
	browser := []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate"}
	tests := []struct {
		name, method, target string
		headers              []string
		want, nginx          int // nginx passes on no redirect; 0 = alike
	}{
		{"known", "GET", "/", []string{"Authorization", "Bearer good"}, 200, 0},
		{"cookie", "GET", "/?q=1", []string{"Cookie", "a=b; __Host-postern=good"}, 200, 0},
		{"nobody", "GET", "/", nil, 401, 0},
		{"broken", "GET", "/", []string{"Authorization", "Bearer old"}, 401, 0},
		{"browser", "GET", "/a?b=c", browser, 303, 401},
		{"public", "GET", "/public/a", nil, 200, 0},
		{"public by method", "GET", "/read/a", nil, 200, 0},
		{"not by another", "DELETE", "/read/a", nil, 401, 0},
		{"may not", "GET", "/admin/a", []string{"Authorization", "Bearer good"}, 403, 0},
		{"cannot know", "GET", "/", []string{"Authorization", "Bearer away"}, 503, 0},
		{"cannot know, and a browser", "GET", "/", append([]string{"Cookie", "__Host-postern=away"}, browser...), 503, 0},
		{"ambiguous", "GET", "/public/..%2fadmin/a", []string{"Authorization", "Bearer good"}, 400, 0},
		{"dots", "GET", "/public/../admin/a", []string{"Authorization", "Bearer good"}, 400, 0},
		{"two slashes", "GET", "//admin/a", []string{"Authorization", "Bearer good"}, 400, 0},
		{"gRPC", "POST", "/pkg.Service/Call", []string{"Content-Type", "application/grpc"}, 401, 0},
		{"preflight", "OPTIONS", "/a", []string{"Origin", "https://other.example", "Access-Control-Request-Method", "PUT"}, 200, 0},
		{"cross-site change", "POST", "/", []string{"Cookie", "__Host-postern=good", "Origin", "https://other.example"}, 403, 0},
		{"own change", "POST", "/", []string{"Cookie", "__Host-postern=good", "Origin", "https://app.example.com"}, 200, 0},
		{"cross-site WebSocket", "GET", "/", []string{"Cookie", "__Host-postern=good", "Origin", "https://other.example", "Sec-WebSocket-Key", "x"}, 403, 0},
		{"WebSocket over HTTP/2", "CONNECT", "/read/a", []string{"Authorization", "Bearer good", "Upgrade", "websocket", "Via", "1.1 a, 2.0 Caddy"}, 200, 0},
		{"WebSocket over HTTP/3", "CONNECT", "/read/a", []string{"Authorization", "Bearer good", "Upgrade", "websocket", "Via", "3.0 Caddy"}, 200, 0},
		{"tunnel that wishes for a WebSocket", "CONNECT", "/public/a", []string{"Authorization", "Bearer good", "Upgrade", "websocket", "Via", "2.0 a, 1.1 Caddy"}, 405, 0},
		{"likewise, without Via", "CONNECT", "/public/a", []string{"Authorization", "Bearer good", "Upgrade", "websocket"}, 405, 0},
		{"tunnel", "CONNECT", "/public/a", []string{"Authorization", "Bearer good", "Sec-WebSocket-Version", "13"}, 405, 0},
		{"own WebSocket", "GET", "/", []string{"Cookie", "__Host-postern=good", "Origin", "https://app.example.com", "Sec-WebSocket-Key", "x"}, 200, 0},
	}
	for _, test := range tests {
		for _, proxy := range proxyKinds {
			want := test.want
			if proxy == "nginx" && test.nginx != 0 {
				want = test.nginx
			}
			a := describe(g, proxy, test.method, test.target, test.headers...)
			if a.Code != want {
				t.Errorf("%s, %s: %d %s; want %d", proxy, test.name, a.Code, a.Body, want)
			}
			if want == 503 && (a.Header().Get("Retry-After") == "" || a.Header()["Set-Cookie"] != nil) {
				t.Errorf("%s, %s: headers %v; want Retry-After and no Set-Cookie", proxy, test.name, a.Header())
			}
			if want == 401 && test.headers == nil && a.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: no WWW-Authenticate", proxy, test.name)
			}
			to := "/auth/sign-in?return_to=%2Fa%3Fb%3Dc"
			if proxy == "traefik" {
				to = "https://app.example.com" + to // it would take a path for one on this server
			}
			if test.name == "browser" && a.Header().Get("Location") != to {
				t.Errorf("%s, %s: Location %q; want %q", proxy, test.name, a.Header().Get("Location"), to)
			}
		}
	}
}

// TestForwardAuthTellsAll holds that every header that a proxy may copy is set or emptied, and that what a client sends under
// such a name is never given back.
func TestForwardAuthTellsAll(t *testing.T) {
	g := forwarding(t, newWorld())
	forged := []string{"X-Postern-User-Id", "usr_root", "X-Plan", "gold", "X-Postern-Assertion", "x", "X-Postern-Email", "root@example.com", "X-Postern-Role", "root",
		"Remote-User", "root", "X-Forwarded-Groups", "root", "X-Auth-Request-Email", "root@example.com"}
	for _, proxy := range proxyKinds {
		for _, test := range []struct {
			target, cookie string
			want           map[string]string
		}{
			{"/a", "__Host-postern=good; theme=dark; __Host-postern-device=dv_x", map[string]string{"X-Postern-User-Id": "usr_ann", "X-Postern-Email": "ann@example.com", "X-Plan": "", "X-Postern-Role": "", "X-Postern-Assertion": "", "Cookie": "theme=dark",
				"Remote-User": "", "X-Forwarded-Groups": "", "X-Auth-Request-Email": ""}},
			{"/public/a", "__Host-postern-device=dv_x; theme=dark", map[string]string{"X-Postern-User-Id": "", "X-Postern-Email": "", "X-Plan": "", "X-Postern-Role": "", "X-Postern-Assertion": "", "Cookie": "theme=dark", "Authorization": ""}},
		} {
			a := describe(g, proxy, "GET", test.target, append([]string{"Cookie", test.cookie}, forged...)...)
			for name, want := range test.want {
				if got := a.Header()[name]; a.Code != 200 || len(got) != 1 || got[0] != want {
					t.Errorf("%s, %s: %d with %s %q; want 200 with %q", proxy, test.target, a.Code, name, got, want)
				}
			}
		}
		if a := describe(g, proxy, "GET", "/admin/a", append([]string{"Authorization", "Bearer good"}, forged...)...); a.Code != 403 || a.Header()["X-Postern-User-Id"] != nil {
			t.Errorf("%s: a refusal tells %v", proxy, a.Header())
		}
	}
}

// TestForwardAuthTellsNoKey shows API keys where they may be, none of which is to reach the app.
func TestForwardAuthTellsNoKey(t *testing.T) {
	w := newWorld()
	g := w.guard(t, guard.Options{Keys: keys{"k": {Realm: realmID, User: "usr_robot", Credential: "crd_1"}},
		Settings: guard.Settings{From: []guard.Source{guard.SourceAPIKey}, APIKeyHeader: "X-Shop-Key", Public: []string{"/public"}}})
	for _, proxy := range proxyKinds {
		for _, shown := range [][]string{{"X-Shop-Key", "k"}, {"Authorization", "ApiKey k"}, {"Authorization", basic("", "k")}} {
			for _, target := range []string{"/", "/public"} {
				a := describe(g, proxy, "GET", target, shown...)
				for _, name := range []string{"X-Shop-Key", "Authorization"} {
					if got := a.Header()[name]; a.Code != 200 || len(got) != 1 || got[0] != "" {
						t.Errorf("%s, %s with %v: %d with %s %q; want 200 with an empty one", proxy, target, shown, a.Code, name, got)
					}
				}
			}
		}
	}
}

// TestForwardAuthRefusesOtherSpellings holds that nothing gets by under a name that no proxy overwrites, and that an application may take for an identity header.
func TestForwardAuthRefusesOtherSpellings(t *testing.T) {
	g := forwarding(t, newWorld())
	for name, want := range map[string]int{
		"X_Postern_User_Id": 400, "x_postern_user_id": 400, "X-Postern_User-Id": 400, "X.Postern.User.Id": 400, "X_Plan": 400, "X_Postern_Assertion": 400, "X_Postern_Role": 400,
		"Remote_User": 400, "REMOTE.USER": 400, "X_Forwarded_User": 400, "X.Auth.Request.Email": 400, "X-Authentik_Uid": 400, "Remote-User": 200, "Remote_Control": 200,
		"X_HTTP_Method_Override": 400, "X.HTTP.Method": 400, "SCRIPT_NAME": 400, "Path_Info": 400, "Script-Name": 200, "X_Original_URL": 400,
		"X-Postern-User-Id": 200, "X-Postern-Role": 200, "X_Other": 200, "X-Planet": 200,
	} {
		for _, proxy := range proxyKinds {
			for _, target := range []string{"/a", "/public/a"} {
				a := describe(g, proxy, "GET", target, "Authorization", "Bearer good", name, "root")
				if a.Code != want || strings.Contains(fmt.Sprint(a.Header()), "root") {
					t.Errorf("%s, %s with %s: %d %v; want %d, and nothing of what was sent", proxy, target, name, a.Code, a.Header(), want)
				}
			}
		}
	}
}

// TestForwardAuthRefusesOtherProtocols holds that nobody takes a connection to the app out of sight, public paths included: none of the proxies removes the
// wish for h2c before it passes a request on. nginx shows HTTP2-Settings alone, Caddy Upgrade alone.
func TestForwardAuthRefusesOtherProtocols(t *testing.T) {
	g := forwarding(t, newWorld())
	for _, test := range []struct {
		headers []string
		want    int
	}{
		{[]string{"Upgrade", "h2c"}, 400},
		{[]string{"HTTP2-Settings", "AAMAAABkAAQAAP__"}, 400},
		{[]string{"Upgrade", "websocket", "Upgrade", "h2c"}, 400},
		{[]string{"Upgrade", "websocket, h2c"}, 400},
		{[]string{"Upgrade", "TLS/1.0"}, 400},
		{[]string{"Upgrade", "WebSocket"}, 200},
	} {
		for _, proxy := range proxyKinds {
			for _, target := range []string{"/a", "/public/a"} {
				if a := describe(g, proxy, "GET", target, append([]string{"Authorization", "Bearer good"}, test.headers...)...); a.Code != test.want {
					t.Errorf("%s, %s with %v: %d %s; want %d", proxy, target, test.headers, a.Code, a.Body, test.want)
				}
			}
		}
	}
}

// TestForwardAuthBelievesNobodyElse asks from an address that is not trusted, and in ways that leave in doubt what is asked.
func TestForwardAuthBelievesNobodyElse(t *testing.T) {
	g := forwarding(t, newWorld())
	r := httptest.NewRequest("GET", "/traefik", nil)
	r.RemoteAddr = "203.0.113.9:4000"
	for name, value := range map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.example.com", "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/public/a", "X-Forwarded-For": "10.0.0.1"} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	g.ForwardAuth(trustsTens).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "untrusted_proxy") {
		t.Errorf("asked by a stranger: %d %s; want 403", w.Code, w.Body)
	}
	// A client's own description in the shape of another proxy changes nothing.
	for proxy, forged := range map[string][]string{
		"nginx":   {"X-Forwarded-Uri", "/public/a", "X-Forwarded-Method", "GET"},
		"traefik": {"X-Original-URI", "/public/a", "X-Original-Method", "GET"},
		"envoy":   {"X-Original-URI", "/public/a", "X-Forwarded-Uri", "/public/a", "X-Envoy-Original-Path", "/public/a"},
	} {
		if a := describe(g, proxy, "GET", "/secret", forged...); a.Code != 401 {
			t.Errorf("%s with %v: %d; want 401", proxy, forged, a.Code)
		}
	}
	for _, test := range []struct {
		at      string
		headers []string
	}{
		{"/nginx", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app", "X-Original-Method", "GET"}},
		{"/nginx", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app", "X-Original-Method", "GET", "X-Original-URI", "/public/a", "X-Original-URI", "/admin/a"}},
		{"/nginx", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/public/a"}},
		{"/nginx", []string{"X-Forwarded-Host", "app", "X-Original-Method", "GET", "X-Original-URI", "/public/a"}},
		{"/nginx", []string{"X-Forwarded-Proto", "https", "X-Original-Method", "GET", "X-Original-URI", "/public/a"}},
		{"/traefik", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "http://app/public/a"}},
		{"/traefik", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/public/a /admin"}},
		{"/traefik", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app/x", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/public/a"}},
		{"/traefik", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app", "X-Forwarded-Method", "G T", "X-Forwarded-Uri", "/public/a"}},
		{"/traefik", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/public/%zz"}},
		{"/envoy", []string{"X-Forwarded-Proto", "https"}},
		{"/%65nvoy/public/a", []string{"X-Forwarded-Proto", "https"}},
		{"/envoy%2fpublic/a", []string{"X-Forwarded-Proto", "https"}},
		{"/", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/public/a"}},
	} {
		if a := asks(g, "GET", test.at, test.headers...); a.Code != http.StatusBadRequest {
			t.Errorf("%s with %v: %d %s; want 400", test.at, test.headers, a.Code, a.Body)
		}
	}
}

// TestForwardAuthLogsUnanswered has the log tell of a proxy that is configured badly, once for a while, and not of what a client did.
func TestForwardAuthLogsUnanswered(t *testing.T) {
	described := []string{"X-Forwarded-Proto", "https", "X-Forwarded-For", "203.0.113.9", "X-Forwarded-Host", "app.example.com", "X-Original-Method", "GET", "X-Original-Uri", "/"}
	for _, tt := range []struct {
		from, at string
		headers  []string
		want     string // "" = no line
	}{
		{"203.0.113.9:4000", "/nginx", described, "untrusted_proxy"},
		{proxyAddress, "/ngnix", described, "unknown_proxy"},
		{proxyAddress, "/nginx", described[2:], "misdescribed_request"},
		{proxyAddress, "/nginx", append([]string{"X_Postern_User_Id", "usr_root"}, described...), ""},
		{proxyAddress, "/nginx", described, ""},
	} {
		logs, seen := observer.New(zap.InfoLevel)
		h := newWorld().guard(t, guard.Options{Logger: zap.New(logs)}).ForwardAuth(trustsTens)
		for range 3 {
			r := request("GET", tt.at, tt.headers...)
			r.RemoteAddr = tt.from
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
		from, _, _ := strings.Cut(tt.from, ":")
		lines := seen.FilterMessage("a proxy asks for a verdict, and is refused")
		told := lines.FilterField(zap.String("reason", tt.want)).FilterField(zap.String("remote_ip", from)).Len()
		if want := min(len(tt.want), 1); lines.Len() != want || told != want {
			t.Errorf("%s asks at %s: the log has %v; want the reason %q", tt.from, tt.at, lines.All(), tt.want)
		}
	}
}

// TestForwardAuthRefusesOtherPaths holds that nobody has an application that takes its path from a header serve another one than was judged: no proxy removes
// these by itself.
func TestForwardAuthRefusesOtherPaths(t *testing.T) {
	w := newWorld()
	g := forwarding(t, w)
	ruleless := w.guard(t, guard.Options{Settings: guard.Settings{Optional: true}})
	for _, test := range []struct {
		value string
		want  int
	}{
		{"/admin/x", 400}, {"https://app.example.com/admin/x", 400}, {"/public/a", 400}, {"/public/a?q=2", 400}, {"//admin/x", 400}, {"http://[", 400}, {"/public/%61?q=1", 400}, {"admin", 400},
		{"https://a?/public/a?q=1", 400}, {`https://a\/public/a?q=1`, 400}, {"/admin?u=http://a/public/a?q=1", 400}, {"x://a/public/a?q=1", 400}, {"http:///public/a?q=1", 400},
		{"/public/a?q=1", 200}, {"https://app.example.com/public/a?q=1", 200}, {"", 200},
	} {
		for _, name := range []string{"X-Original-URL", "x-rewrite-url"} {
			for _, proxy := range proxyKinds {
				if a := describe(g, proxy, "GET", "/public/a?q=1", name, test.value); a.Code != test.want {
					t.Errorf("%s, /public/a?q=1 with %s: %s = %d %s; want %d", proxy, name, test.value, a.Code, a.Body, test.want)
				}
				if a := describe(ruleless, proxy, "GET", "/public/a?q=1", name, test.value); a.Code != 200 {
					t.Errorf("%s, without rules, with %s: %s = %d; want 200, as all paths are alike", proxy, name, test.value, a.Code)
				}
			}
		}
	}
	if a := describe(g, "nginx", "GET", "/public/a|\u00e9", "X-Original-URL", "https://app.example.com/public/a|\u00e9"); a.Code != 200 {
		t.Errorf("the same path in an address, spelled as few spell it = %d; want 200", a.Code)
	}
	if a := describe(g, "nginx", "GET", "/public/a", "X-Original-URL", "/public/a", "X-Original-URL", "/admin/x"); a.Code != 400 {
		t.Errorf("two of them, one with another path = %d; want 400", a.Code)
	}
	for value, want := range map[string]int{"/public": 400, "/public/a": 400, "public": 400, "/": 200, "": 200} {
		if a := describe(g, "nginx", "GET", "/public/a", "X-Script-Name", value); a.Code != want {
			t.Errorf("with X-Script-Name: %s = %d; want %d", value, a.Code, want)
		}
		if a := describe(ruleless, "nginx", "GET", "/public/a", "X-Script-Name", value); a.Code != 200 {
			t.Errorf("without rules, with X-Script-Name: %s = %d; want 200, as all paths are alike", value, a.Code)
		}
	}
}

// TestForwardAuthRenewsCookies gives the proxy a new cookie for the browser, and lets nobody keep the answer.
func TestForwardAuthRenewsCookies(t *testing.T) {
	w := newWorld()
	who := ann
	who.RenewAt = w.now.Add(-time.Minute)
	w.knows("good", who)
	g := w.guard(t, guard.Options{Renewer: &renewer{}})
	a := describe(g, "traefik", "GET", "/", "Cookie", "__Host-postern=good")
	if got := a.Header().Get("Set-Cookie"); a.Code != 200 || !strings.HasPrefix(got, "__Host-postern=renewed-good;") || a.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d, Set-Cookie %q, Cache-Control %q; want the new cookie, not to be kept", a.Code, got, a.Header().Get("Cache-Control"))
	}
}

// TestForwardAuthWaitsForNoBody has a proxy ask that leaves the body out and Content-Length in, over a connection that it means to use again.
func TestForwardAuthWaitsForNoBody(t *testing.T) {
	server := httptest.NewServer(forwarding(t, newWorld()).ForwardAuth(func(string) bool { return true }))
	defer server.Close()
	for token, want := range map[string]int{"good": http.StatusOK, "": http.StatusUnauthorized} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second)) // it would wait for as long as the proxy does
		fmt.Fprintf(conn, "GET /nginx HTTP/1.1\r\nHost: postern\r\nContent-Length: 10\r\nX-Original-Method: POST\r\nX-Original-URI: /\r\n"+
			"X-Forwarded-Host: app.example.com\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.9\r\nAuthorization: Bearer %s\r\n\r\n", token)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("asked with the length of a body and without the body: %v; want an answer", err)
		}
		if res.StatusCode != want || !res.Close {
			t.Errorf("asked with the length of a body and without the body = %d, closed %t; want %d on a connection that ends", res.StatusCode, res.Close, want)
		}
	}
}
