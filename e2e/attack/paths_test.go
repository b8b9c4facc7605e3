package attack

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
)

// readings returns what apps may take a target for: decoded once or twice, or not, with or without parameters of segments, with backslashes
// for slashes, with slashes merged and dot segments resolved, in any case.
func readings(target string) []string {
	target, _, _ = strings.Cut(target, "?")
	target, _, _ = strings.Cut(target, "#")
	if _, rest, is := strings.Cut(target, "://"); is {
		_, rest, _ = strings.Cut(rest, "/")
		target = "/" + rest
	}
	all := []string{target}
	grow := func(read func(string) string) {
		for _, one := range all {
			if other := read(one); other != one {
				all = append(all, other)
			}
		}
	}
	decode := func(s string) string {
		if decoded, err := url.PathUnescape(s); err == nil {
			return decoded
		}
		return s
	}
	grow(decode)
	grow(decode)
	all[0] = unreserved.ReplaceAllStringFunc(target, decode) // everybody reads these alike
	grow(overlong.Replace)
	grow(func(s string) string { return strings.ReplaceAll(s, `\`, "/") })
	grow(func(s string) string {
		var kept []string
		for segment := range strings.SplitSeq(s, "/") {
			segment, _, _ = strings.Cut(segment, ";")
			kept = append(kept, segment)
		}
		return strings.Join(kept, "/")
	})
	grow(func(s string) string { before, _, _ := strings.Cut(s, "\x00"); return before })
	grow(func(s string) string { // as a file system drops them
		var kept []string
		for segment := range strings.SplitSeq(s, "/") {
			if trimmed := strings.TrimRight(segment, ". "); trimmed != "" {
				segment = trimmed
			}
			kept = append(kept, segment)
		}
		return strings.Join(kept, "/")
	})
	grow(path.Clean)
	grow(strings.ToLower)
	return all
}

// overlong are bytes that a lax decoder of UTF-8 takes for a slash or a dot.
var overlong = strings.NewReplacer("\xc0\xaf", "/", "\xc0\xae", ".", "\xe0\x80\xaf", "/", "\xe0\x80\xae", ".", "\uff0f", "/", "\u2215", "/", "\uff0e", ".", "\uff3c", "/", "\u2044", "/", "ａ", "a", "\u0131", "i")

// unreserved are escapes of what stands for itself (RFC 3986 §2.3).
var unreserved = regexp.MustCompile(`%(4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA]|3[0-9]|2[dD]|5[fF]|7[eE])`)

// closedTargets try to be read as public by the guard, and as something else by the app.
func closedTargets() []string {
	var all []string
	for _, up := range []string{"..", "%2e%2e", "%2E%2e", ".%2e", "%2e.", "..;", "..;a=b", "%252e%252e", "..%00", "..%20", ".. ", "...", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "..%09", "%u002e%u002e", "%ef%bc%8e%ef%bc%8e", "..%3b", "..%3f", "..%23"} {
		for _, slash := range []string{"/", "%2f", "%2F", `\`, "%5c", "%5C", "//", "/./", "%252f", "%c0%af", "%e0%80%af", "/;/", "%00/", "%ef%bc%8f", "%u2215", ";/"} {
			for _, to := range []string{"admin/x", "page"} {
				all = append(all, "/open"+slash+up+slash+to, "/open/x"+slash+up+slash+up+slash+to, "/open/"+up+slash+to)
			}
		}
	}
	return append(all,
		"//open/x", "/open//x", "/./open/x", "/x/../open/x", "/open;/x", "/open;a=b/x", "/OPEN/x", "/Open/x", "/open/x/", "/open/", "/open", "/exact/", "/EXACT", "/exact;a", "/exact%2f", "/exact/.", "/exact%20", "/exact.", "/exact%00", "/exact?x", "/exact#x", "/exact%23", "/exact%3f", "/exact/x",
		"/%6fpen/x", "/o%70en/x", "/open%2fx", "/%2fopen/x", `\open\x`, `/open\..\page`, "/admin", "/ADMIN/x", "/Admin/x", "/admin/", "//admin/x", "/admin//x", "/./admin/x", "/admin/./x", "/adm%69n/x", "/admin%2fx", `/admin\x`, "/admin;/x", "/%61dmin/x", "/x/..//admin/x", "/admin%00", "/ａdmin/x", "/adm\xc4\xb1n/x", "/\u00e1dmin/x",
		"http://evil/open/x", "http://evil/admin/x", "http://evil/open/../admin/x", "http://evil//admin/x", "http://evil", "http://evil?/open/x", "https://evil/open/x", "http://open/x@evil/admin/x", "http:///open/x", "http:/open/x", "http:open/x", "foo://evil/open/x", "evil:80", "*", "open/x", "?/open/x", "#/open/x", "", "/?/open/x", "/page?/open/x", "/page#/open/x", "/page%3f/open/x", "/page%23/open/x", "/page?x=/open/y", "/open/x%", "/open/%zz", "/open/%", "/open/\x7f", "/open/\xff", "/open/%ff/../x",
	)
}

// TestPaths asks for paths that can be read in several ways. Whoever is nobody comes to what is public in every reading, and
// ann, who may not fly, never to what anybody could read as /admin.
func TestPaths(t *testing.T) {
	each(t, func(h *host) {
		ann := bearer(h.users["ann"].token)
		for _, target := range closedTargets() {
			if strings.ContainsAny(target, " \x7f") {
				continue // no target of HTTP
			}
			for _, method := range []string{"GET", "POST"} {
				if a := h.ask(method, target); a.saw != nil {
					for _, read := range readings(a.saw.Target) {
						if !strings.HasPrefix(strings.ToLower(read), "/open/") && !strings.EqualFold(read, "/exact") && !strings.EqualFold(read, "/open") {
							h.Errorf("%s %q by nobody: the app was asked for %q, which it may read as %q", method, target, a.saw.Target, read)
						}
					}
				}
				if a := h.ask(method, target, ann); a.saw != nil {
					for _, read := range readings(a.saw.Target) {
						if low := strings.ToLower(read); low == "/admin" || strings.HasPrefix(low, "/admin/") {
							h.Errorf("%s %q by ann: the app was asked for %q, which it may read as %q", method, target, a.saw.Target, read)
						}
					}
				}
			}
		}
	})
}

// TestMethods asks in odd ways for what takes a second factor when it is posted.
func TestMethods(t *testing.T) {
	each(t, func(h *host) {
		ann := bearer(h.users["ann"].token)
		for _, method := range []string{"POST", "post", "Post", "pOST"} {
			if a := h.ask(method, "/fresh", ann); a.saw != nil {
				h.Errorf("%s /fresh by ann, who showed no second factor = %d; want a refusal", method, a.status)
			}
		}
		for _, header := range []string{"X-HTTP-Method-Override", "x-http-method", "X-METHOD-OVERRIDE"} {
			if a := h.ask("GET", "/fresh", ann, header+": POST"); a.saw != nil || a.status != 400 {
				h.Errorf("GET /fresh with %s: POST by ann = %d; want 400", header, a.status)
			}
		}
		for _, method := range []string{"TRACE", "trace"} {
			for _, target := range []string{"/page", "/open/x"} {
				if a := h.ask(method, target, ann); a.saw != nil || a.status != 405 {
					h.Errorf("%s %s by ann, whom the answer would tell what the app is told = %d; want 405", method, target, a.status)
				}
			}
		}
		for _, method := range []string{"GET", "get", "HEAD", "OPTIONS", "options", "TRACE", "TRACK", "DEBUG", "CONNECT", "connect", "PRI", "PROPFIND", "X", "G\xffT", "GET,POST", "GET\tx"} {
			for _, target := range []string{"/page", "*", "evil:443", "http://evil/page"} {
				if a := h.ask(method, target); a.saw != nil {
					h.Errorf("%s %s by nobody reached the app", method, target)
				}
			}
			if a := h.ask(method, "/admin/x", ann); a.saw != nil {
				h.Errorf("%s /admin/x by ann, who may not fly, reached the app", method)
			}
		}
	})
}

// TestPreflights passes only what a browser asks before a request to another origin, and shows who is asking in none.
func TestPreflights(t *testing.T) {
	each(t, func(h *host) {
		origin, asks := "Origin: https://evil.example", "Access-Control-Request-Method: POST"
		for _, tt := range []struct {
			method string
			lines  []string
			passes bool
		}{
			{"OPTIONS", []string{origin, asks}, true},
			{"OPTIONS", []string{origin, asks, "X-HTTP-Method-Override: DELETE"}, false},
			{"OPTIONS", nil, false},
			{"OPTIONS", []string{origin}, false},
			{"OPTIONS", []string{asks}, false},
			{"OPTIONS", []string{"Origin:", asks}, false},
			{"OPTIONS", []string{origin, "Access-Control-Request-Method:"}, false},
			{"options", []string{origin, asks}, false},
			{"GET", []string{origin, asks}, false},
			{"POST", []string{origin, asks, "X-HTTP-Method-Override: OPTIONS"}, false},
		} {
			a := h.ask(tt.method, "/page", tt.lines...)
			if (a.saw != nil) != tt.passes {
				h.Errorf("%s with %q = %d; passes: %t", tt.method, tt.lines, a.status, tt.passes)
			}
			if tt.passes && a.body != "" { // an app may take OPTIONS for GET
				h.Errorf("%s with %q has the answer %q; want no body", tt.method, tt.lines, a.body)
			}
		}
		a := h.ask("OPTIONS", "/page", origin, asks, bearer(h.users["ann"].token), "Cookie: __Host-postern="+h.users["ann"].token, "X-Postern-User-Id: "+evil, "Remote-User: "+evil)
		if a.saw == nil || len(a.saw.lies())+len(a.saw.get("X-Postern-User-Id"))+len(a.saw.get("Authorization"))+len(a.saw.get("Cookie")) > 0 {
			h.Errorf("a preflight with forged headers = %d %+v; want it to pass without any", a.status, a.saw)
		}
		// It has no body and no other protocol: what an app may not know that it answers.
		for _, lines := range [][]string{{origin, asks, "Content-Length: 5\r\n\r\nhello"}, {origin, asks, "Connection: Upgrade", "Upgrade: websocket"}} {
			if a := h.ask("OPTIONS", "/page", lines...); a.saw != nil && a.saw.Body != "" || a.status == 101 {
				h.Errorf("a preflight with %q = %d %+v; want neither body nor upgrade to pass", lines, a.status, a.saw)
			}
		}
	})
}
