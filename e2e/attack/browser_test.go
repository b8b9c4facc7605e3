package attack

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestCrossSite sends what another site's page could have a browser send with the user's cookie.
func TestCrossSite(t *testing.T) {
	each(t, func(h *host) {
		cookie := "Cookie: __Host-postern=" + h.users["ann"].token
		own, others := "Origin: http://"+h.guard, []string{"Origin: https://evil.example", "Origin: null", "Origin:", "Origin: http://" + h.guard + ".evil.example", "Origin: http://evil.example@" + h.guard, "Origin: http://" + h.guard + "/",
			"Origin: http://x." + h.guard, "Origin: http://" + h.guard + "\r\nOrigin: https://evil.example", "Origin: file://", "Origin: " + h.guard, "Origin: http://" + strings.ReplaceAll(h.guard, "127.0.0.1", "localhost"), "Origin: ws://" + h.guard, "Origin: http://127.0.0.1:1"}
		refused := func(method, what string, lines ...string) {
			h.Helper()
			if a := h.ask(method, "/page", append(lines, cookie)...); a.saw != nil || a.status != 403 {
				h.Errorf("%s with the cookie and %s = %d; want 403", method, what, a.status)
			}
		}
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "post", "X", "PROPFIND"} {
			refused(method, "no proof")
			for _, site := range []string{"cross-site", "same-site", "", "SAME-ORIGIN", "same-origin, cross-site", "same-origin\r\nSec-Fetch-Site: cross-site", "none\r\nSec-Fetch-Site: cross-site", "foo"} {
				refused(method, "Sec-Fetch-Site "+site, "Sec-Fetch-Site: "+site)
				refused(method, "Sec-Fetch-Site "+site+" and an Origin of another", "Sec-Fetch-Site: "+site, others[0])
			}
			for _, origin := range others {
				refused(method, origin, origin)
				refused(method, origin+" and a Referer", origin, "Referer: http://"+h.guard+"/")
			}
			refused(method, "a Referer", "Referer: http://"+h.guard+"/page")
			refused(method, "the site of another, and an own Origin", "Sec-Fetch-Site: cross-site", own)
			for _, from := range []string{"Accept: */*", "Referer: http://x." + h.guard + "/", "Referer: http://" + h.guard + "@evil.example/", "Referer: http://" + h.guard + ".evil.example/", "Referer: //" + h.guard + "/", "Referer: http://" + h.guard + "/worker.js"} {
				refused(method, "what a service worker passes on, and "+from, append(relayed, own, from)...)
				refused(method, "what one passes on in WebKit, and "+from, append(relayedInWebKit, own, from)...)
			}
			for _, lines := range [][]string{{"Sec-Fetch-Site: same-origin"}, {own}, {"Sec-Fetch-Site: same-origin", own}, append(relayed, own, "Referer: http://"+h.guard+"/page"), append(relayedInWebKit, own, "Referer: http://"+h.guard+"/page")} {
				if a := h.ask(method, "/page", append(lines, cookie)...); a.saw == nil {
					h.Errorf("%s with the cookie and %q = %d; want it to pass", method, lines, a.status)
				}
			}
		}
		for _, lines := range [][]string{{"Connection: Upgrade", "Upgrade: websocket"}, {"Connection: Upgrade", "Upgrade: WebSocket"}, {"Connection: keep-alive, Upgrade", "Upgrade: websocket"}} {
			refused("GET", "a handshake without proof", lines...)
			for _, origin := range others {
				refused("GET", "a handshake from "+origin, append(lines, origin)...)
			}
			refused("GET", "a handshake of another site", append(lines, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: websocket")...)
		}
		// The bearer needs none of that: no page of another site can have it.
		if a := h.ask("POST", "/page", bearer(h.users["ann"].token), others[0]); a.saw == nil {
			h.Errorf("POST with the bearer from elsewhere = %d; want it to pass", a.status)
		}
	})
}

// relayed is what Firefox says of a form that a service worker of the app passes on, whoever sent it.
var relayed = []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: same-origin", "Sec-Fetch-Dest: empty", "Upgrade-Insecure-Requests: 1"}

// relayedInWebKit is what WebKit says of it. Of a page that does not say where it is, Referer says where the worker's script is.
var relayedInWebKit = []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: empty"}

// form posts a form of the pages.
func (h *host) form(path string, values url.Values, lines ...string) answer {
	h.Helper()
	body := values.Encode()
	return h.raw(h.guard, "POST "+path+" HTTP/1.1\r\nHost: "+h.guard+"\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "+fmt.Sprint(len(body))+"\r\n"+
		strings.Join(append(lines, ""), "\r\n")+"\r\n"+body)
}

// TestForeignForms has another site's page send the forms of ours: to sign somebody in as mallory, or out.
func TestForeignForms(t *testing.T) {
	each(t, func(h *host) {
		name := "form" + stamp()
		token := h.newUser(name, nil).token
		sign := url.Values{"username": {name}, "password": {password}}
		for _, lines := range [][]string{{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Origin: https://evil.example"}, {"Origin: null"}, {"Sec-Fetch-Site: cross-site", "Origin: http://" + h.guard}, {"Origin: http://" + h.guard + ".evil.example"},
			append(relayed, "Origin: http://"+h.guard, "Referer: http://x."+h.guard+"/"), append(relayed, "Origin: null"), append(relayedInWebKit, "Origin: http://x."+h.guard, "Referer: http://x."+h.guard+"/"), append(relayedInWebKit, "Origin: http://"+h.guard, "Referer: http://"+h.guard+"/worker.js")} {
			for path, values := range map[string]url.Values{"/auth/sign-in": sign, "/auth/sign-out": nil, "/auth/second-factor": {"token": {"kli_x"}, "code": {"000000"}}} {
				a := h.form(path, values, append(lines, "Cookie: __Host-postern="+token)...)
				if a.status != 403 || len(a.header["Set-Cookie"]) > 0 {
					h.Errorf("%s with %q = %d and cookies %q; want 403 and none", path, lines, a.status, a.header["Set-Cookie"])
				}
			}
		}
		if a := h.get("/page", bearer(token)); a.saw == nil {
			h.Errorf("after the forms of others the session = %d; want it alive", a.status)
		}
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "post"} {
			for _, path := range []string{"/auth/sign-out", "/auth/sign-out?return_to=/", "/auth/sign-in?username=" + name + "&password=" + url.QueryEscape(password), "/auth/second-factor?token=kli_x&code=1"} {
				if a := h.ask(method, path, "Cookie: __Host-postern="+token, "Sec-Fetch-Site: same-origin"); len(a.header["Set-Cookie"]) > 0 {
					h.Errorf("%s %s sets %q; want a form that is posted, and nothing else", method, path, a.header["Set-Cookie"])
				}
			}
		}
		// What counts is in the body: a link cannot carry it.
		if a := h.form("/auth/sign-in?username="+name+"&password="+url.QueryEscape(password), nil, "Sec-Fetch-Site: same-origin"); len(a.header["Set-Cookie"]) > 0 {
			h.Error("a password in the address signs in")
		}
		a := h.form("/auth/sign-in", sign, "Sec-Fetch-Site: same-origin")
		sessions := 0
		for _, set := range a.header["Set-Cookie"] {
			if strings.HasPrefix(set, "__Host-postern=") {
				sessions++
			}
			for _, attribute := range []string{"__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite="} {
				if !strings.Contains(set, attribute) {
					h.Errorf("the cookie %.60q... has no %q", set, attribute)
				}
			}
			if strings.Contains(set, "Domain") || strings.Contains(set, "SameSite=None") {
				h.Errorf("a cookie is for others: %q", set)
			}
		}
		if a.status != 303 || sessions != 1 || a.header.Get("Cache-Control") != "no-store" {
			h.Errorf("sign in = %d with %d session cookies, Cache-Control %q; want 303, one, no-store", a.status, sessions, a.header.Get("Cache-Control"))
		}
	})
}

// elsewhere are addresses that lead to another site in some browser, or run something.
func elsewhere() []string {
	all := []string{"", "evil.example", "//evil.example", "///evil.example", "////evil.example", `/\evil.example`, `\/evil.example`, `\\evil.example`, `/\/evil.example`, "/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example",
		"/%09/evil.example", "https://evil.example", "http://evil.example", "HTTPS://evil.example", "https:evil.example", "https:/evil.example", "https:///evil.example", "http:\\\\evil.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "\x01javascript:alert(1)",
		"data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:x", "//evil.example@HOST", "https://HOST@evil.example", "https://HOST.evil.example", "https://evil.example#HOST", "https://evil.example?HOST", "https://evil.example\\@HOST", "https://evil.example/HOST",
		"/x\r\nSet-Cookie: a=b", "/x\nLocation: https://evil.example", "/../..//evil.example", "/.//evil.example", "/..//evil.example", "/%2e%2e//evil.example", "/./\\evil.example", "/x/../..//evil.example", "/;@evil.example", ".evil.example", "@evil.example", ":80", "?//evil.example", "#//evil.example",
		"/\u2028/evil.example", "/\u200b/evil.example", "//\u3002evil.example", "/\uff0fevil.example", "\uff0f\uff0fevil.example", "//evil%E3%80%82example", "//0x7f.1", "//2130706433", "//[::1]", "//%65vil.example", "https://evil.example:443", "/" + strings.Repeat("x", 3000), "x:y", "1", "null", "/\x00/evil.example", "/\x7f"}
	return all
}

// TestOpenRedirects asks to be sent elsewhere after signing in or out.
func TestOpenRedirects(t *testing.T) {
	each(t, func(h *host) {
		name := "way" + stamp()
		h.newUser(name, nil)
		for i, to := range elsewhere() {
			to = strings.ReplaceAll(to, "HOST", h.guard)
			check := func(what, location string) {
				h.Helper()
				u, err := url.Parse(location)
				if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") || strings.ContainsAny(location, "\\\t\r\n") || strings.Contains(strings.ToLower(location), "evil.example") && strings.HasPrefix(location, "/.") {
					h.Errorf("%s with return_to %q leads to %q", what, to, location)
				}
			}
			if i%4 == 0 || strings.Contains(to, "evil") { // each hashes a password
				a := h.form("/auth/sign-in", url.Values{"username": {name}, "password": {password}, "return_to": {to}}, "Sec-Fetch-Site: same-origin")
				if a.status != 303 {
					h.Errorf("sign in with return_to %q = %d", to, a.status)
				}
				check("signing in", a.header.Get("Location"))
			}
			a := h.form("/auth/sign-out", url.Values{"return_to": {to}}, "Sec-Fetch-Site: same-origin")
			check("signing out", a.header.Get("Location"))
			back, _ := url.Parse(a.header.Get("Location"))
			if back != nil {
				check("signing in after signing out", back.Query().Get("return_to"))
			}
			shown := h.get("/auth/sign-in?return_to=" + url.QueryEscape(to))
			if shown.status != 200 || strings.Contains(shown.body, "evil.example\"") && !strings.Contains(shown.body, `value="/`) {
				h.Errorf("the page with return_to %q = %d %s", to, shown.status, shown.body)
			}
		}
		for target, want := range map[string]string{"/page?a=b&c=d": "/page?a=b&c=d", "//evil.example/x": "", "/\\evil.example": ""} {
			a := h.get(target, "Accept: text/html", "Sec-Fetch-Mode: navigate")
			if a.status != 303 && a.status != 400 {
				h.Errorf("a browser at %q = %d; want to be sent to sign in, or 400", target, a.status)
			}
			u, _ := url.Parse(a.header.Get("Location"))
			if to := u.Query().Get("return_to"); a.status == 303 && (!strings.HasPrefix(a.header.Get("Location"), "/auth/sign-in") || strings.HasPrefix(to, "//") || want != "" && to != want) {
				h.Errorf("a browser at %q is sent to %q", target, a.header.Get("Location"))
			}
		}
	})
}

// TestPagesInMarkup puts markup wherever the pages show what was sent, and looks at what keeps it from being framed or run.
func TestPagesInMarkup(t *testing.T) {
	each(t, func(h *host) {
		const markup = `"><script>alert(1)</script><img src=x onerror=alert(1)>'{{.}}`
		for _, a := range []answer{
			h.form("/auth/sign-in", url.Values{"username": {markup}, "password": {markup}, "return_to": {markup}}, "Sec-Fetch-Site: same-origin"),
			h.form("/auth/second-factor", url.Values{"token": {markup}, "code": {markup}, "return_to": {markup}}, "Sec-Fetch-Site: same-origin"),
			h.get("/auth/sign-in?return_to=" + url.QueryEscape("/"+markup) + "&signed_out=" + url.QueryEscape(markup)),
			h.get("/auth/sign-out?return_to=" + url.QueryEscape("/"+markup)),
			h.get("/auth/" + url.PathEscape(markup)),
		} {
			if strings.Contains(a.body, "<script") || strings.Contains(a.body, "<img") {
				h.Errorf("a page shows markup: %s", a.body)
			}
			for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
				if got := a.header.Get(name); got != want {
					h.Errorf("a page (%d) has %s: %q; want %q", a.status, name, got, want)
				}
			}
			if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
				h.Errorf("a page (%d) has the policy %q", a.status, policy)
			}
		}
		if a := h.raw(h.guard, "GET /auth/sign-in HTTP/1.1\r\nHost: \"><script>\r\nConnection: close\r\n\r\n"); strings.Contains(a.body, "<script") {
			h.Errorf("a page shows markup of Host: %s", a.body)
		}
		// A refusal says nothing of what was sent, and is no page where none was asked for.
		a := h.get("/page?"+url.QueryEscape(markup), "X-Y: "+markup, "Authorization: Bearer "+strings.ReplaceAll(markup, " ", ""))
		if strings.Contains(a.body, "alert") || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" {
			h.Errorf("a refusal = %v %s", a.header, a.body)
		}
	})
}
