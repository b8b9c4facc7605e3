package attack

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// evil is what a forged header says. The app must never see it under a name that it could take for one of ours.
const evil = "mallory"

// spellings returns names that some app or server folds to name.
func spellings(name string) []string {
	all := []string{name, strings.ToLower(name), strings.ToUpper(name)}
	for _, separator := range "-_.!#$%&'*+^`|~" {
		all = append(all, strings.ReplaceAll(name, "-", string(separator)), strings.ToUpper(strings.ReplaceAll(name, "-", string(separator))),
			strings.Replace(name, "-", string(separator), 1), strings.ToLower(strings.Replace(name, "-", string(separator), 1)))
	}
	return all
}

// fold is how the most careless app compares names.
func fold(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(name))
}

// foldsToOurs reports whether such an app could take a name for one that only the guard may set.
func foldsToOurs(name string) bool {
	folded := fold(name)
	return strings.HasPrefix(folded, "x-postern-") || folded == "remote-user"
}

// lies returns headers and trailers that the witness could take for ours and that somebody else wrote.
func (s *seen) lies() []string {
	var found []string
	for _, list := range [][][2]string{s.Headers, s.Trailers} {
		for _, field := range list {
			if strings.Contains(field[1], evil) || strings.Contains(field[1], "6.6.6.6") {
				found = append(found, field[0]+": "+field[1])
			}
		}
	}
	return found
}

// TestSpoofedIdentity sends the headers that tell the app who it is, in every spelling, with a good token and on a path that is public.
func TestSpoofedIdentity(t *testing.T) {
	each(t, func(h *host) {
		for _, name := range []string{"X-Postern-User-Id", "X-Postern-Plan", "X-Postern-Assertion", "X-Postern-", "X-Postern-Anything", "Remote-User"} {
			for _, spelled := range spellings(name) {
				for _, line := range []string{spelled + ": " + evil + "\r\n" + spelled + ":\t" + evil} {
					for path, token := range map[string]string{"/page": h.users["ann"].token, "/open/page": ""} {
						lines := []string{line, "X-Harmless: yes"}
						if token != "" {
							lines = append(lines, bearer(token))
						}
						a := h.get(path, lines...)
						if a.saw == nil {
							h.Errorf("%q at %s = %d; want it to pass without that header", line, path, a.status)
						} else if found := a.saw.lies(); len(found) > 0 {
							h.Errorf("%q at %s: the app saw %q", line, path, found)
						} else if id := a.saw.get("X-Postern-User-Id"); token != "" && (len(id) != 1 || id[0] != h.users["ann"].id) {
							h.Errorf("%q at %s: the app was told %q; want ann", line, path, id)
						} else if len(a.saw.get("X-Harmless")) != 1 {
							h.Errorf("%q at %s took a harmless header with it", line, path)
						}
					}
				}
			}
		}
	})
}

// TestConnectionNames asks, in Connection and its like, that what the guard sets be removed on the way.
func TestConnectionNames(t *testing.T) {
	each(t, func(h *host) {
		token := h.users["ann"].token
		for _, line := range []string{
			"Connection: X-Postern-User-Id", "Connection: close, x-postern-user-id", "Connection: close,X_POSTERN_USER_ID", "Connection: close, \tX-Postern-User-Id\t,",
			"Connection: Remote-User", "Connection: close\r\nConnection: X-Postern-Email", "connection: X-Postern-Assertion", "Connection: close, remote_user",
			"Proxy-Connection: X-Postern-User-Id", "Keep-Alive: X-Postern-User-Id", "TE: X-Postern-User-Id", "Trailer: X-Postern-User-Id",
		} {
			a := h.get("/page", line, bearer(token))
			if a.saw != nil && (len(a.saw.get("X-Postern-User-Id")) != 1 || len(a.saw.get("Remote-User")) != 1 || len(a.saw.get("X-Postern-Email")) != 1 || len(a.saw.get("X-Postern-Assertion")) != 1) {
				h.Errorf("%q: the app was told %v; want all of ann, or a refusal", line, a.saw.Headers)
			}
			if strings.HasPrefix(strings.ToLower(line), "connection") && a.status != 400 {
				h.Errorf("%q = %d; want 400", line, a.status)
			}
		}
	})
}

// TestTwoCredentials shows several, which prove nothing together.
func TestTwoCredentials(t *testing.T) {
	each(t, func(h *host) {
		ann, bob := h.users["ann"].token, h.newUser("bob"+stamp(), nil).token
		for _, lines := range [][]string{
			{bearer(ann), bearer(bob)}, {bearer(ann), bearer(ann)}, {bearer(ann), "authorization: Basic YTpi"}, {"Authorization: Basic YTpi", bearer(ann)},
			{"Authorization: Bearer " + ann + ", Bearer " + bob}, {"Authorization: Bearer " + ann + " " + bob}, {"Authorization: Bearer\t" + ann}, {"Authorization: Bearer"}, {"Authorization: Bearer "},
			{bearer(ann), "Cookie: __Host-postern=" + bob}, {"Cookie: __Host-postern=" + ann + "; __Host-postern=" + bob}, {"Cookie: __Host-postern=" + ann, "Cookie: __Host-postern=" + bob},
			{"Cookie: __Host-postern=" + ann + "; __Host-postern="}, {"Cookie: __Host-postern"}, {"Cookie: __Host-postern=\"" + ann + "\""}, {"Cookie: __host-postern=" + ann}, {"Cookie: $Version=1; __Host-postern=" + ann + "x"},
			{bearer(ann), "X-Api-Key: " + ann}, {bearer(ann), "X-Api-Key:"}, {"X-Api-Key: a", "X-Api-Key: b"}, {"Cookie: __Host-postern=" + ann + ", __Host-postern=" + bob}, {"Authorization: =Bearer " + ann},
		} {
			if a := h.get("/page", lines...); a.saw != nil || a.status != 401 && a.status != 400 {
				h.Errorf("%.60q = %d; want 401", lines, a.status)
			}
		}
		for _, lines := range [][]string{{bearer(ann), "Cookie: __Host-postern=" + ann}, {"Authorization: bEaReR " + ann}, {"Cookie: a=b; __Host-postern=" + ann + "; c=d"}} {
			a := h.get("/page", lines...)
			if a.saw == nil || strings.Contains(strings.Join(append(a.saw.get("Cookie"), a.saw.get("Authorization")...), ""), ann) {
				h.Errorf("%.60q = %d %+v; want it to pass, and the app to see no token", lines, a.status, a.saw)
			}
		}
	})
}

// TestForgedTrailers sends identity after the body, declared and not.
func TestForgedTrailers(t *testing.T) {
	each(t, func(h *host) {
		for _, declared := range []string{"", "Trailer: X-Sum", "Trailer: X-Sum, X-Postern-User-Id", "Trailer: X-Postern-User-Id", "Trailer: X-Sum\r\nTrailer: x_postern_user_id"} {
			for _, name := range append(spellings("X-Postern-User-Id"), spellings("Remote-User")...) {
				text := "POST /open/page HTTP/1.1\r\nHost: " + h.guard + "\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
				if declared != "" {
					text += declared + "\r\n"
				}
				a := h.raw(h.guard, text+"\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\n"+name+": "+evil+"\r\nX-Other: "+evil+"\r\n\r\n")
				if a.saw == nil {
					if a.status != 400 {
						h.Errorf("%q and the trailer %s = %d; want it to pass, or 400", declared, name, a.status)
					}
					continue
				}
				for _, field := range append(a.saw.Headers, a.saw.Trailers...) {
					if foldsToOurs(field[0]) {
						h.Errorf("%q and the trailer %s: the app saw %q", declared, name, field)
					}
				}
			}
		}
	})
}

// TestForwardedClaims claims to come from elsewhere.
func TestForwardedClaims(t *testing.T) {
	each(t, func(h *host) {
		a := h.get("/page", bearer(h.users["ann"].token), "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "X-Forwarded-Uri: /evil",
			"X-Forwarded-Method: evil", "Forwarded: for=6.6.6.6;host=evil.example;proto=https", "X-Real-IP: 6.6.6.6", "X-Forwarded-Prefix: /evil", "X-Original-URL: /evil", "X-Rewrite-URL: /evil", "X-Original-Uri: /evil", "Proxy: http://evil.example",
			"True-Client-Ip: 6.6.6.6", "Cf-Connecting-Ip: 6.6.6.6")
		if a.saw == nil {
			h.Fatalf("= %d; want it to pass", a.status)
		}
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
			if v := strings.Join(a.saw.get(name), "|"); strings.Contains(v, "6.6.6.6") || strings.Contains(v, "evil") || v == "https" {
				h.Errorf("the app was told %s: %s", name, v)
			}
		}
		for _, name := range []string{"X-Original-Url", "X-Rewrite-Url"} { // which some apps take for the path
			if v := a.saw.get(name); len(v) > 0 {
				h.Errorf("the app was told %s: %s", name, v)
			}
		}
		if h.forward != "" {
			for _, name := range []string{"Forwarded", "X-Real-Ip", "Proxy", "X-Forwarded-Prefix", "X-Forwarded-Uri"} {
				if v := a.saw.get(name); len(v) > 0 {
					h.Errorf("the app was told %s: %s", name, v)
				}
			}
		}
		// A rule for a path is held to the path that is asked for, whatever else is claimed.
		for _, line := range []string{"X-Original-URL: /open/x", "X-Rewrite-URL: /open/x", "X-Forwarded-Uri: /open/x", "X-Forwarded-Prefix: /open", "X-Original-Method: OPTIONS"} {
			if a := h.get("/admin/x", line); a.saw != nil || a.status != 401 {
				h.Errorf("%s at /admin/x = %d; want 401", line, a.status)
			}
			if a := h.get("/admin/x", line, bearer(h.users["ann"].token)); a.saw != nil || a.status != 403 {
				h.Errorf("%s at /admin/x as ann = %d; want 403", line, a.status)
			}
		}
	})
}

// TestForgedForwardAuth asks for verdicts as a proxy would, from an address that is none of one, and describes requests in ways that contradict themselves.
func TestForgedForwardAuth(t *testing.T) {
	each(t, func(h *host) {
		if h.forward == "" {
			return // Caddy is the proxy itself
		}
		described := []string{"X-Forwarded-Method: GET", "X-Forwarded-Uri: /page", "X-Forwarded-Proto: http", "X-Forwarded-Host: a", "X-Forwarded-For: 6.6.6.6", "X-Original-Method: GET", "X-Original-URI: /page"}
		request := func(path string, lines ...string) string {
			return "GET " + path + " HTTP/1.1\r\nHost: " + h.forward + "\r\nConnection: close\r\n" + strings.Join(append(lines, ""), "\r\n") + "\r\n"
		}
		token := bearer(h.users["ann"].token)
		for _, path := range []string{"/nginx", "/caddy", "/traefik", "/envoy/page"} {
			if a := h.raw(h.forward, request(path, append(described, token)...)); a.status != 403 {
				h.Errorf("%s from a stranger = %d; want 403", path, a.status)
			}
		}
		trusted := func(text string) answer {
			conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(insider)}, Timeout: patience}).Dial("tcp", h.forward)
			h.must(err)
			defer conn.Close()
			return h.converse(conn, text, 1)[0]
		}
		a := trusted(request("/caddy", append(described, token)...))
		if a.status != 200 || a.header.Get("X-Postern-User-Id") != h.users["ann"].id {
			h.Fatalf("ann through a proxy = %d %v; want 200", a.status, a.header)
		}
		if a := trusted(request("/caddy", append(described, "X-Postern-User-Id: "+evil)...)); a.status != 401 || strings.Contains(fmt.Sprint(a.header), evil) {
			h.Errorf("nobody with forged headers, through a proxy = %d %v; want 401", a.status, a.header)
		}
		if a := trusted(request("/traefik", append(described, token, "X_Postern_User_Id: "+evil)...)); a.status != 400 || strings.Contains(fmt.Sprint(a.header), evil) {
			h.Errorf("ann with a forged header that no proxy overwrites = %d %v; want 400", a.status, a.header)
		}
		for _, lines := range [][]string{
			nil, {"X-Forwarded-Method: GET"}, {"X-Forwarded-Uri: /open/x"}, {"X-Forwarded-Method: GET", "X-Forwarded-Uri: /admin/x", "X-Forwarded-Uri: /open/x"}, {"X-Forwarded-Method: GET", "X-Forwarded-Method: OPTIONS", "X-Forwarded-Uri: /admin/x"},
			{"X-Forwarded-Method: GET", "X-Forwarded-Uri: http://a/open/x"}, {"X-Forwarded-Method: GET", "X-Forwarded-Uri: //a/open/x"}, {"X-Forwarded-Method: GET", "X-Forwarded-Uri: open/x"}, {"X-Forwarded-Method: GET", "X-Forwarded-Uri: /open/../admin/x"},
			{"X-Forwarded-Method: GET", "X-Forwarded-Uri: /open/%2e%2e/admin/x"}, {"X-Forwarded-Method: GET", "X-Forwarded-Uri: /open/..;/admin"}, {"X-Forwarded-Method: G T", "X-Forwarded-Uri: /open/x"}, {"X-Forwarded-Method: GET", "X-Forwarded-Uri: "},
			{"X-Forwarded-Method: GET", "X-Forwarded-Uri: /open/x y"}, {"X-Forwarded-Method: GET", "X-Forwarded-Uri: /admin/x, /open/x"}, {"X-Original-Method: GET", "X-Original-Uri: /open/x"},
		} {
			if a := trusted(request("/caddy", lines...)); a.status == 200 {
				h.Errorf("described as %q = 200; want a refusal", lines)
			}
		}
	})
}

// TestUpgrades asks for another protocol than WebSocket, with which requests would pass the guard unseen.
func TestUpgrades(t *testing.T) {
	each(t, func(h *host) {
		token := bearer(h.users["ann"].token)
		for _, lines := range [][]string{
			{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"}, {"Connection: Upgrade", "Upgrade: H2C"}, {"Connection: Upgrade", "Upgrade: h2c, websocket"}, {"Connection: Upgrade", "Upgrade: websocket, h2c"},
			{"Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"}, {"Connection: Upgrade", "Upgrade: TLS/1.0"}, {"Connection: Upgrade", "Upgrade: foo"}, {"Connection: Upgrade", "Upgrade: websocket x"},
			{"Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"}, {"Connection: upgrade", "Upgrade: \th2c"}, {"Connection: Upgrade", "Upgrade: websocket/13"},
		} {
			a := h.get("/page", append(lines, token)...)
			if a.status == http.StatusSwitchingProtocols && a.header.Get("Upgrade") != "websocket" {
				h.Errorf("%q became %q; want no other protocol than websocket", lines, a.header.Get("Upgrade"))
			}
			if a.saw != nil && (len(a.saw.get("Http2-Settings")) > 0 || len(a.saw.get("Upgrade")) > 0) {
				h.Errorf("%q: the app saw %v", lines, a.saw.Headers)
			}
			if a := h.get("/page", lines...); a.status != 401 && a.status != 400 {
				h.Errorf("%q by nobody = %d; want 401", lines, a.status)
			}
		}
	})
}

// TestHTTP2 sends forged headers over HTTP/2 without TLS.
func TestHTTP2(t *testing.T) {
	each(t, func(h *host) {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		defer transport.CloseIdleConnections()
		for _, name := range append(spellings("X-Postern-User-Id"), spellings("Remote-User")...) {
			for _, token := range []string{h.users["ann"].token, ""} {
				path := "/page"
				if token == "" {
					path = "/open/page"
				}
				r, err := http.NewRequest("POST", "http://"+h.guard+path, strings.NewReader("body"))
				h.must(err)
				r.Header = http.Header{name: {evil}}
				r.ContentLength = -1
				r.Trailer = http.Header{"X-Sum": {"42"}, http.CanonicalHeaderKey(name): {evil}}
				if token != "" {
					r.Header.Set("Authorization", "Bearer "+token)
				}
				resp, err := transport.RoundTrip(r)
				if err != nil {
					h.Errorf("%s: %v", name, err)
					continue
				}
				var saw seen
				err = json.NewDecoder(resp.Body).Decode(&saw)
				_ = resp.Body.Close()
				if err != nil || resp.ProtoMajor != 2 || len(saw.lies()) > 0 {
					h.Errorf("%s over %s = %d, the app saw %q, %v", name, resp.Proto, resp.StatusCode, saw.lies(), err)
				}
				if id := saw.get("X-Postern-User-Id"); token != "" && (len(id) != 1 || id[0] != h.users["ann"].id) {
					h.Errorf("%s: the app was told %q; want ann", name, id)
				}
			}
		}
	})
}

// TestHostileTexts gives users names with what could end a header, and looks at what the app is told.
func TestHostileTexts(t *testing.T) {
	each(t, func(h *host) {
		for _, text := range []string{"a\r\nX-Postern-User-Id: " + evil, "a\nX: " + evil, "a\rb", "a\x00b", "a\x7fb", " a", "a ", "\ta", "naïve", "名前", "\u202eevil", "a\u0085b", "a\u2028b", "\ufeffa", strings.Repeat("a", 200), "a,b", `"`, "a;b=c", "%0d%0a", "{env.PATH}", "{http.request.header.Authorization}", "${x}", "=cmd"} {
			status, body := h.call("POST", "/v1/users", map[string]any{"user": map[string]any{"user_type": "human", "username": "t" + stamp(), "email": stamp() + "@example.com", "password": password,
				"first_name": text, "custom": map[string]any{"plan": text}}})
			if status == 422 {
				continue
			}
			if status != 201 {
				h.Errorf("a user called %q = %d %v; want 201 or 422", text, status, body)
				continue
			}
			token := h.signIn(body["id"].(string))
			a := h.get("/page", bearer(token))
			if a.saw == nil {
				h.Errorf("a user called %q = %d %s; want the app to be reached", text, a.status, a.body)
				continue
			}
			if ids := a.saw.get("X-Postern-User-Id"); len(ids) != 1 || ids[0] != body["id"] {
				h.Errorf("a user called %q: the app was told of %q", text, ids)
			}
			for _, name := range []string{"X-Postern-Plan", "X-Postern-Name"} {
				if got := a.saw.get(name); len(got) > 1 || len(got) == 1 && got[0] != text && (name != "X-Postern-Name" || got[0] != strings.TrimSpace(text)) {
					h.Errorf("a user called %q: the app was told %s: %q; want that text, or nothing", text, name, got)
				}
			}
		}
	})
}
