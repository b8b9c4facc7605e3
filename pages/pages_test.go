package pages_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
	"github.com/postern-auth/postern/pages"
)

// TestReturnToThePages signs in with the way back to where one signs in: who is in is not asked again.
func TestReturnToThePages(t *testing.T) {
	each(t, func(w *world) {
		for _, to := range []string{"/auth/sign-in", "/auth/sign-in?return_to=%2Fx", "/auth/sign-out", "/auth/"} {
			if in := w.signIn("ann", password, to); in.StatusCode != http.StatusSeeOther || in.Header.Get("Location") != "/" {
				w.Errorf("sign in, and back to %s = %d to %q; want the front page", to, in.StatusCode, in.Header.Get("Location"))
			}
		}
	})
}

// TestSignInAndOut walks in and out again.
func TestSignInAndOut(t *testing.T) {
	each(t, func(w *world) {
		in := w.signIn("Ann@Example.com", password, "/some/page?q=1")
		if in.StatusCode != http.StatusSeeOther || in.Header.Get("Location") != "/some/page?q=1" || in.session() == nil {
			w.Fatalf("sign in = %d to %q with cookie %v", in.StatusCode, in.Header.Get("Location"), in.session())
		}
		token := in.session().Value
		if _, err := w.core.Sessions.Resolve(w.Context(), w.realm, token); err != nil {
			w.Errorf("Resolve of the cookie = %v", err)
		}
		if shown := w.send("GET", "/auth/sign-out", nil, "Cookie", "session="+token); shown.StatusCode != http.StatusOK || shown.session() != nil {
			w.Errorf("the page to sign out = %d, and sets %v", shown.StatusCode, shown.session())
		}
		out := w.send("POST", "/auth/sign-out", url.Values{"return_to": {"/x"}}, "Cookie", "session="+token)
		if out.StatusCode != http.StatusSeeOther || out.Header.Get("Location") != "/auth/sign-in?return_to=%2Fx&signed_out=1" || out.session() == nil || out.session().MaxAge >= 0 {
			w.Errorf("sign out = %d to %q with cookie %v", out.StatusCode, out.Header.Get("Location"), out.session())
		}
		if clear := out.Header.Get("Clear-Site-Data"); clear != `"cache"` {
			w.Errorf("sign out has Clear-Site-Data %s; want the pages that were seen gone", clear)
		}
		if _, err := w.core.Sessions.Resolve(w.Context(), w.realm, token); !errors.Is(err, core.ErrInvalidToken) {
			w.Errorf("Resolve after signing out = %v; want %v", err, core.ErrInvalidToken)
		}
		if again := w.send("POST", "/auth/sign-out", nil, "Cookie", "session="+token); again.StatusCode != http.StatusSeeOther {
			w.Errorf("signing out again = %d; want 303", again.StatusCode)
		}
	})
}

// TestSecondFactor walks in with a recovery code, after a wrong one, and finds that neither step works twice.
func TestSecondFactor(t *testing.T) {
	each(t, func(w *world) {
		_, codes, err := w.core.SecondFactors.NewRecoveryCodes(w.Context(), w.realm, "ann", core.Request{})
		w.must(err)
		enrolled, err := w.core.SecondFactors.Enrol(w.Context(), w.realm, "ann", "phone", core.Request{})
		w.must(err)
		_, err = w.core.SecondFactors.Verify(w.Context(), w.realm, enrolled.ID, code(w, enrolled.Secret), core.Request{})
		w.must(err)
		asked := w.signIn("ann", password, "/page")
		token := asked.hidden("token")
		if asked.StatusCode != http.StatusOK || len(asked.Cookies()) != 0 || !strings.HasPrefix(token, "kli_") || asked.hidden("return_to") != "/page" {
			w.Fatalf("a right password = %d with cookie %v: %s", asked.StatusCode, asked.session(), asked.body)
		}
		send := func(code string) answer {
			return w.send("POST", "/auth/second-factor", url.Values{"token": {token}, "code": {code}, "return_to": {"/page"}})
		}
		if wrong := send("000000"); wrong.StatusCode != http.StatusUnauthorized || wrong.hidden("token") != token || wrong.session() != nil {
			w.Errorf("a wrong code = %d: %s", wrong.StatusCode, wrong.body)
		}
		in := send(codes[0])
		if in.StatusCode != http.StatusSeeOther || in.Header.Get("Location") != "/page" || in.session() == nil || in.cookie("session-device") == nil {
			w.Fatalf("a recovery code = %d to %q", in.StatusCode, in.Header.Get("Location"))
		}
		who, err := w.core.Sessions.Resolve(w.Context(), w.realm, in.session().Value)
		if err != nil || !who.MFA {
			w.Errorf("Resolve = %+v, %v; want a session with a second factor", who, err)
		}
		if again := send(codes[1]); again.StatusCode != http.StatusUnauthorized || !strings.Contains(again.body, "Sign in again") || again.session() != nil {
			w.Errorf("a login token that was used = %d: %s", again.StatusCode, again.body)
		}
		token = w.send("POST", "/auth/sign-in", url.Values{"username": {"ann"}, "password": {password}}, "Cookie", "session-device="+in.cookie("session-device").Value).hidden("token")
		if next := send(codes[1]); in.Header.Get("Clear-Site-Data") == "" || next.session() == nil || next.Header.Get("Clear-Site-Data") != "" {
			w.Errorf("a first sign-in has Clear-Site-Data %q, the next there %q; want the first alone to have it", in.Header.Get("Clear-Site-Data"), next.Header.Get("Clear-Site-Data"))
		}
	})
}

// TestTooManyCodes tries codes until there is one a day, and is told of the recovery codes.
func TestTooManyCodes(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	enrolled, err := w.core.SecondFactors.Enrol(w.Context(), w.realm, "ann", "phone", core.Request{})
	w.must(err)
	_, err = w.core.SecondFactors.Verify(w.Context(), w.realm, enrolled.ID, code(w, enrolled.Secret), core.Request{})
	w.must(err)
	send := func(token, code string) answer {
		return w.send("POST", "/auth/second-factor", url.Values{"token": {token}, "code": {code}, "return_to": {"/"}})
	}
	renewed := password
	tries := 0
	for range 12 {
		_, err := w.core.Users.Update(w.Context(), w.realm, "ann", core.UserChange{Password: &renewed}, core.Request{})
		w.must(err) // the ten of the password are there again, the hundred are not
		token := w.signIn("ann", password, "/").hidden("token")
		for range 9 {
			a := send(token, "wrong!")
			if tries++; tries <= 100 && a.StatusCode != http.StatusUnauthorized {
				t.Fatalf("wrong code %d = %d; want 401", tries, a.StatusCode)
			}
			if tries > 100 && (a.StatusCode != http.StatusTooManyRequests || !strings.Contains(a.body, "Wait 24 hours") || !strings.Contains(a.body, "A recovery code is looked at right away")) {
				t.Fatalf("wrong code %d = %d %s; want 429, to wait for a day, and another way", tries, a.StatusCode, a.body)
			}
		}
	}
}

// TestStepUp comes to the page for more than the sign-in that is there, as a guard sends browsers.
func TestStepUp(t *testing.T) {
	each(t, func(w *world) {
		shown := w.send("GET", "/auth/sign-in?acr_values=mfa&return_to=%2Fadmin", nil)
		if !strings.Contains(shown.body, "second factor") || shown.hidden("acr_values") != "mfa" || shown.hidden("return_to") != "/admin" {
			w.Errorf("the page does not say that a second factor is needed: %s", shown.body)
		}
		if shown := w.send("GET", "/auth/sign-in?max_age=600&return_to=%2Fadmin", nil); !strings.Contains(shown.body, "of a moment ago") || shown.hidden("acr_values") != "" {
			w.Errorf("the page does not say that a fresh sign-in is needed: %s", shown.body)
		}
		if odd := w.send("GET", "/auth/sign-in?acr_values=%22%3Egold", nil); odd.hidden("acr_values") != "" || strings.Contains(odd.body, "gold") {
			w.Errorf("the page takes up a need that it does not know: %s", odd.body)
		}
		form := url.Values{"username": {"ann"}, "password": {password}, "return_to": {"/admin"}, "acr_values": {"mfa"}}
		stuck := w.send("POST", "/auth/sign-in", form)
		if stuck.StatusCode != http.StatusForbidden || stuck.session() == nil || !strings.Contains(stuck.body, "no second factor yet") {
			w.Errorf("a sign-in without a second factor where one is needed = %d to %q: %s", stuck.StatusCode, stuck.Header.Get("Location"), stuck.body)
		}
		enrolled, err := w.core.SecondFactors.Enrol(w.Context(), w.realm, "ann", "phone", core.Request{})
		w.must(err)
		_, err = w.core.SecondFactors.Verify(w.Context(), w.realm, enrolled.ID, code(w, enrolled.Secret), core.Request{})
		w.must(err)
		if asked := w.send("POST", "/auth/sign-in", form); asked.StatusCode != http.StatusOK || !strings.HasPrefix(asked.hidden("token"), "kli_") {
			w.Errorf("with a second factor = %d: %s; want to be asked for it", asked.StatusCode, asked.body)
		}
	})
}

// code returns what an authenticator with a secret shows now (RFC 6238 §4).
func code(w *world, secret string) string {
	w.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	w.must(err)
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, time.Now().Unix()/30)
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}

// TestWrong holds that a wrong try says the same whether or not the user is there, and repeats no password.
func TestWrong(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	known, unknown := w.signIn("ann", "wrong-password-1", "/"), w.signIn("bob", "wrong-password-1", "/")
	if known.StatusCode != http.StatusUnauthorized || unknown.StatusCode != http.StatusUnauthorized {
		t.Errorf("statuses = %d and %d; want 401", known.StatusCode, unknown.StatusCode)
	}
	if strings.ReplaceAll(known.body, "ann", "bob") != unknown.body {
		t.Errorf("a known user is told apart:\n%s\n%s", known.body, unknown.body)
	}
	for name, a := range map[string]answer{"known": known, "unknown": unknown, "blank": w.signIn("", "", "/"), "too long": w.signIn("ann", strings.Repeat("x", 1025), "/")} {
		if a.StatusCode != http.StatusUnauthorized || a.session() != nil || strings.Contains(a.body, "wrong-password") {
			t.Errorf("%s: %d, cookie %v, body %q", name, a.StatusCode, a.session(), a.body)
		}
	}
	if hostile := w.signIn(`"><script>alert(1)</script>`, "x", `"><script>`); strings.Contains(hostile.body, "<script>") {
		t.Errorf("the page holds a script: %q", hostile.body)
	}
}

// TestThrottled holds that too many tries are told to wait, the right password among them.
func TestThrottled(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	for range 10 {
		w.signIn("ann", "wrong", "/")
	}
	if a := w.signIn("ann", password, "/"); a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || a.session() != nil {
		t.Errorf("after ten wrong tries = %d, Retry-After %q", a.StatusCode, a.Header.Get("Retry-After"))
	}
}

// TestOneAddress holds that one address cannot try a password on everybody, that others are not kept out by it, and that it is told
// nothing by it.
func TestOneAddress(t *testing.T) {
	begun := time.Now() // and it stays that: on a slow machine a try becomes free again while a hundred are made
	w := newWorldAt(t, teststore.Bolt(t), func() time.Time { return begun }, func(o *pages.Options) {
		o.Address = func(r *http.Request) string { return r.Header.Get("X-From") }
	})
	from := func(address, who, password string) answer {
		return w.send("POST", "/auth/sign-in", url.Values{"username": {who}, "password": {password}, "return_to": {"/"}}, "X-From", address)
	}
	for i := range 100 {
		if a := from("192.0.2.7", fmt.Sprint("user", i), "one of the usual ones"); a.StatusCode != http.StatusUnauthorized {
			t.Fatalf("try %d = %d; want 401", i, a.StatusCode)
		}
	}
	known, unknown := from("192.0.2.7:4711", "ann", password), from("192.0.2.7", "nobody", "x")
	if known.StatusCode != http.StatusTooManyRequests || unknown.StatusCode != http.StatusTooManyRequests || known.session() != nil {
		t.Errorf("after a hundred tries = %d for a user, %d for nobody; want 429", known.StatusCode, unknown.StatusCode)
	}
	if a := from("192.0.2.8", "ann", password); a.session() == nil {
		t.Errorf("from elsewhere = %d; want in", a.StatusCode)
	}
}

// TestKnownDevice holds that a stranger's guesses do not keep the owner of an account out of the browser that they signed in with
// before, and that what it is known by is worth nothing to others.
func TestKnownDevice(t *testing.T) {
	each(t, func(w *world) {
		w.person("bob")
		anns, bobs := w.signIn("ann", password, "/").cookie("session-device"), w.signIn("bob", password, "/").cookie("session-device")
		if anns == nil || time.Until(anns.Expires) < 179*24*time.Hour {
			w.Fatalf("the device cookie = %+v; want one for half a year", anns)
		}
		from := func(cookie *http.Cookie, who, password string) answer {
			return w.send("POST", "/auth/sign-in", url.Values{"username": {who}, "password": {password}, "return_to": {"/"}}, "Cookie", "session-device="+cookie.Value)
		}
		for range 10 {
			if a := w.signIn("ann", "wrong", "/"); a.cookie("session-device") != nil {
				w.Error("a wrong password makes a device known")
			}
		}
		forged := *anns
		forged.Value = anns.Value[:len(anns.Value)-4] + "AAAA"
		for name, cookie := range map[string]*http.Cookie{"another's": bobs, "a forged": &forged, "no": {}} {
			if a := from(cookie, "ann", password); a.StatusCode != http.StatusTooManyRequests {
				w.Errorf("with %s device = %d; want 429", name, a.StatusCode)
			}
		}
		again := from(anns, "ann", password)
		if again.StatusCode != http.StatusSeeOther || again.session() == nil {
			w.Fatalf("on the known device = %d; want in", again.StatusCode)
		}
		anns = again.cookie("session-device")
		for range 10 {
			from(anns, "ann", "wrong")
		}
		if a := from(anns, "ann", password); a.StatusCode != http.StatusTooManyRequests {
			w.Errorf("after ten guesses on the known device = %d; want 429", a.StatusCode)
		}
	})
}

// TestReturnTo holds that one returns to this site or an allowed one, and nowhere else.
func TestReturnTo(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	for to, want := range map[string]string{
		"": "/", "/a?b=c": "/a?b=c", "/proxy/https://a/?b=//c": "/proxy/https://a/?b=//c", "//evil.example": "/", `/\evil.example`: "/", "https://evil.example/": "/", "javascript:alert(1)": "/",
		"https://app.example.com/x": "https://app.example.com/x", "https://app.example.com@evil.example/": "/", "/\t/evil.example": "/",
		"/über-uns?q=ä#ß": "/%C3%BCber-uns?q=%C3%A4#%C3%9F", "/%C3%BCber-uns": "/%C3%BCber-uns", "https://app.example.com/ü": "https://app.example.com/%C3%BC", "//ü.example": "/", "https://app.example.com／x": "/", "/\xfc": "/",
	} {
		if got := w.signIn("ann", password, to).Header.Get("Location"); got != want {
			t.Errorf("return_to %q goes to %q; want %q", to, got, want)
		}
	}
}

// TestForeignForms holds that no other site can have a browser sign in or out here.
func TestForeignForms(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	form := url.Values{"username": {"ann"}, "password": {password}}
	for name, headers := range map[string][]string{
		"by Sec-Fetch-Site":         {"Sec-Fetch-Site", "cross-site"},
		"by a neighbour of a site":  {"Sec-Fetch-Site", "same-site"},
		"by Origin":                 {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		"by an Origin that is null": {"Sec-Fetch-Site", "", "Origin", "null"},
		"by way of a service worker": {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "same-origin", "Upgrade-Insecure-Requests", "1",
			"Origin", "https://example.com", "Referer", "https://neighbour.example.com/"},
		"by way of a service worker in WebKit": {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty",
			"Origin", "https://neighbour.example.com", "Referer", "https://neighbour.example.com/"},
		"by way of a service worker in WebKit, from a page that does not say where it is": {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty",
			"Origin", w.site.URL, "Referer", w.site.URL + "/worker.js"},
		"by way of a service worker, from a page that does not say where it is": {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "same-origin", "Upgrade-Insecure-Requests", "1", "Origin", "null"},
	} {
		for _, path := range []string{"/auth/sign-in", "/auth/sign-out"} {
			if a := w.send("POST", path, form, headers...); a.StatusCode != http.StatusForbidden || len(a.Cookies()) > 0 {
				t.Errorf("%s: POST %s = %d with cookies %v; want 403", name, path, a.StatusCode, a.Cookies())
			}
		}
	}
}

// TestOwnForms takes a form of the pages that a service worker of the app passes on, as browsers have it, with an answer that they get over.
func TestOwnForms(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	for _, tt := range []struct {
		browser string
		headers []string
		forget  string
	}{
		{"Firefox", []string{"Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty", "Upgrade-Insecure-Requests", "1"}, `"cache"`},
		{"Chromium", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty", "Upgrade-Insecure-Requests", "1"}, `"cache"`},
		{"WebKit", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "empty"}, ""},
	} {
		headers := append(tt.headers, "Origin", w.site.URL, "Referer", w.site.URL+"/auth/sign-in")
		for path, cookies := range map[string]int{"/auth/sign-in": 2, "/auth/sign-out": 1} {
			a := w.send("POST", path, url.Values{"username": {"ann"}, "password": {password}}, headers...)
			if forget := a.Header.Get("Clear-Site-Data"); a.StatusCode != http.StatusSeeOther || len(a.Cookies()) != cookies || forget != tt.forget {
				t.Errorf("%s: POST %s = %d with cookies %v and Clear-Site-Data %q; want 303 with %d and %q", tt.browser, path, a.StatusCode, a.Cookies(), forget, cookies, tt.forget)
			}
		}
	}
}

// TestHostOfProxy takes a form of the pages where a proxy writes Host otherwise than browsers do, which without Sec-Fetch-Site is compared with Origin.
func TestHostOfProxy(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	for host, origins := range map[string]map[string]int{
		"app.test:443":  {"https://app.test": 401, "https://app.test:443": 401, "http://app.test": 403, "https://evil.test": 403},
		"app.test:80":   {"http://app.test": 401, "https://app.test": 403},
		"App.Test":      {"http://app.test": 401, "https://app.test": 401, "http://App.Test": 401, "http://app.test:8080": 403},
		"app.test:8080": {"http://app.test:8080": 401, "http://app.test": 403},
	} {
		for origin, want := range origins {
			r := httptest.NewRequest("POST", "http://example.com/auth/second-factor", nil)
			r.Host = host
			r.Header.Set("Origin", origin)
			got := httptest.NewRecorder()
			w.site.Config.Handler.ServeHTTP(got, r)
			if got.Code != want {
				t.Errorf("at Host %q a form of %q = %d, want %d", host, origin, got.Code, want)
			}
		}
	}
}

// TestHeaders holds that every answer forbids what no page needs.
func TestHeaders(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	for _, path := range []string{"/auth/sign-in", "/auth/sign-out", "/auth/nothing", "/auth/"} {
		a := w.send("GET", path, nil)
		policy := a.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "form-action 'self';", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'sha256-"} {
			if !strings.Contains(policy, part) {
				t.Errorf("GET %s: policy %q lacks %q", path, policy, part)
			}
		}
		if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("GET %s: headers %v", path, a.Header)
		}
	}
	for _, path := range []string{"/auth/", "/auth/second-factor"} { // the form of the latter is in an answer alone
		if a := w.send("GET", path, nil); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/auth/sign-in" {
			t.Errorf("GET %s = %d to %q; want the page to sign in", path, a.StatusCode, a.Header.Get("Location"))
		}
	}
	if a := w.send("GET", "/auth/nothing", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("GET /auth/nothing = %d; want 404", a.StatusCode)
	}
	if a := w.send("DELETE", "/auth/sign-in", nil, "Sec-Fetch-Site", "same-origin"); a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("DELETE /auth/sign-in = %d; want 405", a.StatusCode)
	}
}

// away is a part of core while the store is away.
type away struct{}

func (away) Authenticate(context.Context, core.RealmID, string, string, core.Request) (*core.SignedIn, error) {
	return nil, core.ErrUnavailable
}
func (away) ByToken(context.Context, core.RealmID, string) (*core.Session, *core.User, error) {
	return nil, nil, core.ErrUnavailable
}
func (away) Delete(context.Context, core.RealmID, core.SessionID, core.Request) error {
	return core.ErrUnavailable
}

// TestOutage holds that an outage is told as one, and takes no session away.
func TestOutage(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), func(o *pages.Options) { o.Passwords, o.Sessions = away{}, away{} })
	a := w.signIn("ann", password, "/")
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("sign in = %d, Retry-After %q; want 503", a.StatusCode, a.Header.Get("Retry-After"))
	}
	lines := w.logged.FilterMessage("pages cannot be served").All()
	if len(lines) != 1 {
		t.Fatalf("%d entries of the outage in the log; want one", len(lines))
	}
	if id := a.Header.Get("X-Request-Id"); id == "" || lines[0].ContextMap()["request_id"] != id || !strings.Contains(a.body, "Request "+id) {
		t.Errorf("the answer has the id %q, the log %v, and the page says %s; want one and the same", id, lines[0].ContextMap(), a.body)
	}
	if a := w.send("POST", "/auth/sign-out", nil, "Cookie", "session=x"); a.StatusCode != http.StatusServiceUnavailable || a.session() != nil {
		t.Errorf("sign out = %d with cookie %v; want 503 and none", a.StatusCode, a.session())
	}
}

// TestOptions refuses what makes no sense, all at once.
func TestOptions(t *testing.T) {
	_, err := pages.New(pages.Options{Mount: "auth/", Title: strings.Repeat("x", 101)})
	for _, want := range []string{"Realms, Passwords, SecondFactors", `path "auth/"`, "title"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v; want it to say %q", err, want)
		}
	}
}
