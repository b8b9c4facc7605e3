package hosttest

import (
	"net/http"
	"strings"
)

// exchange is one request, and what must come of it.
type exchange struct {
	name   string
	method string
	path   string      // "" = /some/path?q=1
	header http.Header // to send, spelled so; {valid} and the like stand for the host's tokens

	status     int
	refused    bool              // though the status is 200
	preflight  bool              // the reply has no body
	reply      map[string]string // headers of the reply; "" = absent
	identified bool              // the App is told who it is; else it sees no identity header at all
	seen       map[string]string // other headers that the App saw; "" = absent
}

// The replies to those who are refused.
var (
	anonymous = map[string]string{"WWW-Authenticate": `Bearer realm="postern"`, "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "Content-Type": "application/problem+json"}
	invalidToken   = map[string]string{"WWW-Authenticate": `Bearer realm="postern", error="invalid_token"`, "Cache-Control": "no-store"}
	invalidRequest = map[string]string{"WWW-Authenticate": `Bearer realm="postern", error="invalid_request"`, "Cache-Control": "no-store"}
)

// exchanges is the whole table.
var exchanges = []exchange{
	{name: "no credential", method: "GET", status: 401, reply: anonymous},
	{name: "no credential, HEAD", method: "HEAD", status: 401, reply: anonymous},
	{name: "no credential, POST", method: "POST", status: 401, reply: anonymous},
	{name: "no credential, OPTIONS that is no preflight", method: "OPTIONS", header: http.Header{"Origin": {"https://example.com"}},
		status: 401, reply: anonymous},
	{name: "a browser gets a page", method: "GET", header: http.Header{"Accept": {"text/html,*/*;q=0.8"}, "Sec-Fetch-Mode": {"navigate"}},
		status: 401, reply: map[string]string{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}},
	{name: "a Work-API client gets JSON:API", method: "GET", header: http.Header{"Accept": {"application/vnd.api+json"}}, status: 401,
		reply: map[string]string{"WWW-Authenticate": `Bearer realm="postern"`, "Content-Type": "application/vnd.api+json", "Cache-Control": "no-store"}},
	{name: "a client's own request id", method: "GET", header: http.Header{"X-Request-Id": {"of-the-client"}}, status: 401, reply: anonymous},
	{name: "another scheme", method: "GET", header: http.Header{"Authorization": {"Basic YTpi"}}, status: 401, reply: anonymous},

	{name: "signed in", method: "GET", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 200, identified: true},
	{name: "signed in, seen before", method: "GET", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 200, identified: true},
	{name: "signed in, HEAD", method: "HEAD", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 200},
	{name: "signed in, PUT", method: "PUT", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 200, identified: true},
	{name: "scheme in another case", method: "GET", header: http.Header{"Authorization": {"bEARER  {valid}"}}, status: 200, identified: true},
	{name: "other headers come through", method: "GET", header: http.Header{"Authorization": {"Bearer {valid}"}, "X-Request-Colour": {"blue"}},
		status: 200, identified: true, seen: map[string]string{"X-Request-Colour": "blue"}},

	{name: "expired", method: "GET", header: http.Header{"Authorization": {"Bearer {expired}"}}, status: 401, reply: invalidToken},
	{name: "revoked", method: "GET", header: http.Header{"Authorization": {"Bearer {revoked}"}}, status: 401, reply: invalidToken},
	{name: "of another realm", method: "GET", header: http.Header{"Authorization": {"Bearer {other realm}"}}, status: 401, reply: invalidToken},
	{name: "of a deactivated user", method: "GET", header: http.Header{"Authorization": {"Bearer {inactive}"}}, status: 401, reply: invalidToken},
	{name: "garbage", method: "GET", header: http.Header{"Authorization": {"Bearer garbage.garbage.garbage"}}, status: 401, reply: invalidToken},
	{name: "altered", method: "GET", header: http.Header{"Authorization": {"Bearer {valid}A"}}, status: 401, reply: invalidToken},
	{name: "too long", method: "GET", header: http.Header{"Authorization": {"Bearer " + strings.Repeat("x", 9<<10)}}, status: 401, reply: invalidToken},
	{name: "no token", method: "GET", header: http.Header{"Authorization": {"Bearer"}}, status: 401, reply: invalidRequest},
	{name: "two tokens in a line", method: "GET", header: http.Header{"Authorization": {"Bearer {valid}, Bearer {valid}"}}, status: 401, reply: invalidRequest},
	{name: "two lines", method: "GET", header: http.Header{"Authorization": {"Bearer {valid}", "Bearer {expired}"}}, status: 401, reply: invalidRequest},
	{name: "two lines, one of another scheme", method: "GET", header: http.Header{"Authorization": {"Basic YTpi", "Bearer {valid}"}},
		status: 401, reply: invalidRequest},

	{name: "forged identity, signed in", method: "GET", header: http.Header{
		"Authorization": {"Bearer {valid}"}, "X-Postern-User-Id": {"evil", "eviler"}, "x-postern-username": {"evil"}, "X_POSTERN_EMAIL": {"evil"},
		"x.postern.user.id": {"evil"}, "x_postern.user-id": {"evil"}, "X-Postern-Arbitrary-Id": {"evil"}, "X-Postern-Unheard-Of": {"evil"},
		"X~Postern!Realm": {"evil"},
	}, status: 200, identified: true},
	{name: "forged identity, nobody", method: "GET", header: http.Header{"X-Postern-User-Id": {"evil"}}, status: 401, reply: anonymous},
	{name: "what other programs before apps tell", method: "GET", header: http.Header{
		"Authorization": {"Bearer {valid}"}, "Remote-User": {"evil"}, "remote_groups": {"evil"}, "X-Forwarded-User": {"evil"}, "X-Auth-Request-Email": {"evil"},
		"X-Authentik-Username": {"evil"}, "X-WEBAUTH-USER": {"evil"}},
		status: 200, identified: true, seen: map[string]string{"Remote-User": "", "remote_groups": "", "X-Forwarded-User": "", "X-Auth-Request-Email": "",
			"X-Authentik-Username": "", "X-WEBAUTH-USER": ""}},
	{name: "what other programs before apps tell, of a public path", method: "GET", path: "/open/x", header: http.Header{"Remote-User": {"evil"}}, status: 200,
		seen: map[string]string{"Remote-User": ""}},
	{name: "Connection names an identity header", method: "GET", header: http.Header{
		"Authorization": {"Bearer {valid}"}, "Connection": {"close, X-Postern-User-Id"}}, status: 400},
	{name: "Connection names one that folds to it", method: "GET", header: http.Header{
		"Authorization": {"Bearer {valid}"}, "Connection": {"x_postern.username"}}, status: 400},
	{name: "Connection names another", method: "GET", header: http.Header{
		"Authorization": {"Bearer {valid}"}, "Connection": {"X-Other"}, "X-Other": {"1"}}, status: 200, identified: true},

	{name: "cookie", method: "GET", header: http.Header{"Cookie": {"a=1; __Host-postern={valid}; b=2"}}, status: 200, identified: true,
		seen: map[string]string{"Cookie": "a=1; b=2"}},
	{name: "cookie alone", method: "GET", header: http.Header{"Cookie": {"__Host-postern={valid}"}}, status: 200, identified: true, seen: map[string]string{"Cookie": ""}},
	{name: "cookie, revoked", method: "GET", header: http.Header{"Cookie": {"__Host-postern={revoked}"}}, status: 401, reply: map[string]string{"Set-Cookie": ""}},
	{name: "cookies that differ", method: "GET", header: http.Header{"Cookie": {"__Host-postern={valid}; __Host-postern=x"}}, status: 401},
	{name: "cookie and bearer that differ", method: "GET", header: http.Header{"Cookie": {"__Host-postern={revoked}"}, "Authorization": {"Bearer {valid}"}},
		status: 401, reply: invalidRequest},
	{name: "cookie, changing something", method: "POST", header: http.Header{"Cookie": {"__Host-postern={valid}"}}, status: 403},
	{name: "cookie, from a page of another site", method: "POST", header: http.Header{"Cookie": {"__Host-postern={valid}"}, "Origin": {"https://evil.example"}}, status: 403},
	{name: "cookie, from a page of the site", method: "POST", header: http.Header{"Cookie": {"__Host-postern={valid}"}, "Sec-Fetch-Site": {"same-origin"}},
		status: 200, identified: true},
	{name: "cookie, a handshake from another site", method: "GET", header: http.Header{"Cookie": {"__Host-postern={valid}"}, "Origin": {"https://evil.example"},
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, status: 403},

	{name: "a handshake by another method than GET", method: "POST", header: http.Header{"Authorization": {"Bearer {valid}"},
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, status: 200, identified: true, seen: map[string]string{"Upgrade": ""}},

	{name: "public, nobody", method: "GET", path: "/open/x", header: http.Header{"X-Postern-User-Id": {"evil"}}, status: 200},
	{name: "public, signed in", method: "GET", path: "/open/x", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 200, identified: true},
	{name: "public, revoked", method: "GET", path: "/open/x", header: http.Header{"Authorization": {"Bearer {revoked}"}}, status: 200},
	{name: "public in another case", method: "GET", path: "/OPEN/x", status: 401},
	{name: "public, and out of it", method: "GET", path: "/open/..%2fadmin", status: 400},
	{name: "public, and out of it by an encoded dot", method: "GET", path: "/open/%2e%2e/admin", status: 400},
	{name: "rule", method: "GET", path: "/admin/x", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 403},
	{name: "rule in another case", method: "GET", path: "/ADMIN/x", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 403},
	{name: "rule without what follows", method: "GET", path: "/admin", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 403},
	{name: "rule with an ending", method: "GET", path: "/admin.json", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 403},
	{name: "rule, nobody", method: "GET", path: "/admin/x", status: 401, reply: anonymous},
	{name: "two readings", method: "GET", path: "/x;/admin", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 400},
	{name: "TRACE, signed in", method: "TRACE", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 405, reply: map[string]string{"Cache-Control": "no-store"}},
	{name: "TRACE of a public path", method: "TRACE", path: "/open/x", status: 405},
	{name: "CONNECT, signed in", method: "CONNECT", header: http.Header{"Authorization": {"Bearer {valid}"}}, status: 405, reply: map[string]string{"Cache-Control": "no-store"}},
	{name: "CONNECT of a public path", method: "CONNECT", path: "/open/x", status: 405},
	{name: "CONNECT, as if for gRPC", method: "CONNECT", header: http.Header{"Content-Type": {"application/grpc"}}, status: 405},
	{name: "TRACE, as if for gRPC", method: "TRACE", header: http.Header{"Content-Type": {"application/grpc"}}, status: 405},
	{name: "gRPC", method: "POST", header: http.Header{"Content-Type": {"application/grpc"}}, status: 200, refused: true,
		reply: map[string]string{"Grpc-Status": "16", "Content-Type": "application/grpc"}},

	{name: "preflight", method: "OPTIONS", header: http.Header{
		"Origin": {"https://example.com"}, "Access-Control-Request-Method": {"PUT"}, "X-Postern-User-Id": {"evil"}},
		status: 200, preflight: true, seen: map[string]string{"Origin": "https://example.com"}},
	{name: "preflight with a token", method: "OPTIONS", header: http.Header{
		"Origin": {"https://example.com"}, "Access-Control-Request-Method": {"PUT"}, "Authorization": {"Bearer {valid}"}}, status: 200, preflight: true},
}
