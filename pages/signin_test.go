package pages_test

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
	"github.com/postern-auth/postern/pages"
)

// TestSignInEndsTheOneBefore holds that a browser which signs in anew leaves no session behind that its owner could not end any more,
// whatever the cookie that it had; and that it is in also where that cannot be done.
func TestSignInEndsTheOneBefore(t *testing.T) {
	again := func(w *world, cookie string) answer {
		return w.send("POST", "/auth/sign-in", url.Values{"username": {"ann"}, "password": {password}}, "Cookie", "session="+cookie)
	}
	each(t, func(w *world) {
		first := w.signIn("ann", password, "/").session().Value
		other := w.signIn("ann", password, "/").session().Value
		second := again(w, first).session().Value
		if _, err := w.core.Sessions.Resolve(w.Context(), w.realm, first); !errors.Is(err, core.ErrInvalidToken) {
			w.Errorf("Resolve of the session before = %v; want %v", err, core.ErrInvalidToken)
		}
		for _, token := range []string{other, second, again(w, "x").session().Value} {
			if _, err := w.core.Sessions.Resolve(w.Context(), w.realm, token); err != nil {
				w.Errorf("Resolve of another = %v", err)
			}
		}
	})
	w := newWorld(t, teststore.Bolt(t), func(o *pages.Options) { o.Sessions = away{} })
	if in := again(w, "x"); in.StatusCode != http.StatusSeeOther || in.session() == nil {
		t.Errorf("sign in where the session before cannot be ended = %d with cookie %v", in.StatusCode, in.session())
	}
}

// TestAnotherSignsIn has people sign in to one browser after another, without a word to sign out: it forgets the pages that it kept whenever it may have been somebody
// else's, and not where the same person comes back, so that they load nothing anew.
func TestAnotherSignsIn(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	w.person("bob")
	device := ""
	for i, visit := range []struct {
		name   string
		forget string
	}{{"ann", `"cache"`}, {"ann", ""}, {"bob", `"cache"`}, {"bob", ""}, {"ann", `"cache"`}} {
		in := w.send("POST", "/auth/sign-in", url.Values{"username": {visit.name}, "password": {password}}, "Cookie", "session-device="+device)
		if forget := in.Header.Get("Clear-Site-Data"); in.session() == nil || forget != visit.forget {
			t.Fatalf("sign-in %d, of %s, has Clear-Site-Data %q; want %q", i, visit.name, forget, visit.forget)
		}
		device = in.cookie("session-device").Value
	}
}

// TestLargeForm sends more than any form of ours is.
func TestLargeForm(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	for path, form := range map[string]url.Values{
		"/auth/sign-in":       {"username": {"ann"}, "password": {password}},
		"/auth/second-factor": {"token": {"kli_"}, "code": {"1"}},
	} {
		form.Set("more", strings.Repeat("x", 17<<10))
		if a := w.send("POST", path, form); a.StatusCode != http.StatusBadRequest || a.session() != nil {
			t.Errorf("POST %s of 17 KiB = %d, cookie %v; want 400", path, a.StatusCode, a.session())
		}
	}
}

// TestWrongHeaders holds that the headers of an answer tell a user who is there from one who is not as little as its text does.
func TestWrongHeaders(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	headers := func(name string) http.Header {
		h := w.signIn(name, "wrong-password-1", "/").Header
		h.Del("Date")
		if id := h["X-Request-Id"]; len(id) != 1 || len(id[0]) != len(rand.Text()) { // each request has another
			t.Errorf("%s: the id of the request is %q", name, id)
		}
		h.Del("X-Request-Id")
		return h
	}
	if known, unknown := headers("ann"), headers("bob"); !reflect.DeepEqual(known, unknown) {
		t.Errorf("a known user has the headers %v, an unknown one %v", known, unknown)
	}
}

// TestCookieNotKept signs in with browsers that keep cookies, that keep none, and that are known from before: who keeps none is told so, rather than asked to
// sign in again and again.
func TestCookieNotKept(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	form := url.Values{"username": {"ann"}, "password": {password}, "return_to": {"/page?q=1"}}
	in := w.send("POST", "/auth/sign-in", form, "Origin", w.site.URL)
	look := in.Header.Get("Location")
	if in.StatusCode != http.StatusSeeOther || look != "/auth/sign-in?kept=1&return_to=%2Fpage%3Fq%3D1" || in.session() == nil {
		t.Fatalf("a browser's first sign-in = %d to %q with cookie %v", in.StatusCode, look, in.session())
	}
	kept := w.send("GET", look, nil, "Cookie", "session="+in.session().Value)
	if kept.StatusCode != http.StatusOK || kept.Header.Get("Refresh") != "0; url=/page?q=1" || !strings.Contains(kept.body, `<a href="/page?q=1">Go on</a>`) {
		t.Errorf("with the cookie = %d, Refresh %q; want to go on to /page?q=1: %s", kept.StatusCode, kept.Header.Get("Refresh"), kept.body)
	}
	for _, site := range []string{"cross-site", "same-site"} { // whose link must not become one of ours
		if a := w.send("GET", look, nil, "Cookie", "session="+in.session().Value, "Sec-Fetch-Site", site); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/page?q=1" || a.Header.Get("Refresh") != "" {
			t.Errorf("by a link of a page %s = %d to %q; want 303 to /page?q=1", site, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if lost := w.send("GET", look, nil); lost.StatusCode != http.StatusOK || !strings.Contains(lost.body, "did not keep the cookie") || lost.hidden("return_to") != "/page?q=1" {
		t.Errorf("without the cookie = %d: %s", lost.StatusCode, lost.body)
	}
	known := w.send("POST", "/auth/sign-in", form, "Origin", w.site.URL, "Cookie", "session-device="+in.cookie("session-device").Value)
	if known.Header.Get("Location") != look {
		t.Errorf("a browser that is known is sent to %q; want %q", known.Header.Get("Location"), look)
	}
	form.Set("return_to", "//evil.example")
	if in := w.send("POST", "/auth/sign-in", form, "Origin", w.site.URL); in.Header.Get("Location") != "/auth/sign-in?kept=1&return_to=%2F" {
		t.Errorf("with a way back to elsewhere = %q", in.Header.Get("Location"))
	}
	if a := w.send("GET", "/auth/sign-in?kept=1&return_to=//evil.example", nil, "Cookie", "session=x"); a.Header.Get("Refresh") != "0; url=/" {
		t.Errorf("a made-up address sends to %q; want /", a.Header.Get("Refresh"))
	}
}

// TestLinks shows where to go without a password or an account, also after a wrong try, and refuses what is no such place.
func TestLinks(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), func(o *pages.Options) {
		o.Forgot, o.SignUp = "mailto:help@example.com", `https://example.com/join?a="b"`
	})
	for name, shown := range map[string]answer{"at first": w.send("GET", "/auth/sign-in", nil), "after a wrong try": w.signIn("ann", "wrong-password-1", "/")} {
		for _, want := range []string{`<a href="mailto:help@example.com">Forgot your password?</a>`, `<a href="https://example.com/join?a=&#34;b&#34;">No account yet? Sign up</a>`} {
			if !strings.Contains(shown.body, want) {
				t.Errorf("the page to sign in, %s, lacks %s: %s", name, want, shown.body)
			}
		}
	}
	if plain := newWorld(t, teststore.Bolt(t), nil).send("GET", "/auth/sign-in", nil); strings.Contains(plain.body, "<a ") {
		t.Errorf("the page has a link that nobody asked for: %s", plain.body)
	}
	for link, good := range map[string]bool{"": true, "/forgot": true, "/a?b=c": true, "https://example.com/": true, "http://example.com": true, "mailto:a@example.com": true,
		"forgot": false, "//example.com": false, "/\\example.com": false, "javascript:alert(1)": false, "data:text/html,x": false, "https:///x": false, "mailto:": false, "ftp://a/": false} {
		if err := pages.CheckLink("forgot_url", link); (err == nil) != good {
			t.Errorf("CheckLink(%q) = %v; want it taken: %v", link, err, good)
		}
	}
}
