package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// TestCookieAndSignIn lets a browser in by its cookie, and sends it to sign in without, whatever error routes the site has.
func TestCookieAndSignIn(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `postern_auth {
		login_url /auth/sign-in
		assertion shop
	}
	reverse_proxy APP
	handle_errors 401 {
		respond "no"
	}`))
	seen := w.get("/", "", "Cookie", "a=1; __Host-postern="+p.tokens.Valid+"; b=2").seen(t)
	if seen.Get("X-Postern-Username") != "ann" || seen.Get("Cookie") != "a=1; b=2" || strings.Count(seen.Get("X-Postern-Assertion"), ".") != 2 {
		t.Errorf("the App saw %v; want ann, an assertion, and the other cookies", seen)
	}
	if got := w.do("POST", "/", "", "", "Cookie", "__Host-postern="+p.tokens.Valid, "Origin", "https://evil.example"); got.status != http.StatusForbidden {
		t.Errorf("from another site = %d, want 403", got.status)
	}
	if got := w.get("/a?b", "", "Accept", "text/html"); got.status != http.StatusSeeOther || got.header.Get("Location") != "/auth/sign-in?return_to=%2Fa%3Fb" {
		t.Errorf("a browser = %+v; want the way to sign in", got)
	}
	if got := w.get("/a?b", ""); got.body != "no" {
		t.Errorf("a program = %+v; want the site's words", got)
	}
}

// TestWayBackIsAsAsked sends browsers to sign in from behind what rewrites paths: they come back to what they had asked for.
func TestWayBackIsAsAsked(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `handle_path /shop/* {
		postern_auth {
			login_url /shop/login
		}
		request_header X-Path {path}
		reverse_proxy APP
	}
	handle {
		rewrite /deep/* /index.html?page={path}
		method /sent GET
		postern_auth {
			login_url https://login.example.com/
		}
		reverse_proxy APP
	}`))
	for asked, want := range map[string]string{
		"GET /shop/cart?n=1": "/shop/login?return_to=%2Fshop%2Fcart%3Fn%3D1",
		"GET /shop/login":    "", // is there already
		"GET /deep/a/b?c":    "https://login.example.com/?return_to=http%3A%2F%2F" + strings.Replace(w.site, ":", "%3A", 1) + "%2Fdeep%2Fa%2Fb%3Fc",
		"POST /sent":         "", // would be lost
	} {
		method, path, _ := strings.Cut(asked, " ")
		got := w.do(method, path, "", "", "Accept", "text/html")
		if to := got.header.Get("Location"); to != want || (got.status == http.StatusSeeOther) != (want != "") {
			t.Errorf("%s = %d to %q, want %q", asked, got.status, to, want)
		}
	}
	if seen := w.get("/shop/cart", p.tokens.Valid).seen(t); seen.Get("X-Path") != "/cart" {
		t.Errorf("the App was asked for %s; want the path without its prefix", seen.Get("X-Path"))
	}
}

// TestTLSEndsInFront believes a proxy in front that TLS ends there, if the server trusts it: the way back is then by https, and a page
// by plain http is another site's.
func TestTLSEndsInFront(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	const body = "postern_auth {\n\t\tlogin_url https://login.example.com/\n\t}\n\treverse_proxy APP"
	for trusted, want := range map[string]struct {
		scheme string
		plain  int // status of a form on a page by http
	}{"127.0.0.0/8": {"https", 403}, "10.0.0.0/8": {"http", 200}} {
		w.load(w.config("servers {\n\t\ttrusted_proxies static "+trusted+"\n\t}", body))
		back := want.scheme + "%3A%2F%2F" + strings.Replace(w.site, ":", "%3A", 1)
		if got := w.get("/", "", "Accept", "text/html", "X-Forwarded-Proto", "https").header.Get("Location"); !strings.Contains(got, "return_to="+back) {
			t.Errorf("with %s trusted, a browser goes to %s; want it back at %s", trusted, got, back)
		}
		got := w.do("POST", "/", "", "", "Cookie", "__Host-postern="+p.tokens.Valid, "X-Forwarded-Proto", "https", "Origin", "http://"+w.site)
		if got.status != want.plain {
			t.Errorf("with %s trusted, a form on a page by http = %d, want %d", trusted, got.status, want.plain)
		}
	}
}
