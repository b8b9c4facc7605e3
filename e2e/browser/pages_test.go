// Package browser walks the hosted pages in a real Chromium, as somebody would who has never seen them.
package browser

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/postern-auth/postern/internal/proctest"
)

// facts are what 'postern dev --json' prints.
type facts struct {
	GuardURL      string `json:"guard_url"`
	APIURL        string `json:"api_url"`
	ManagementKey string `json:"management_key"`
	RealmID       string `json:"realm_id"`
}

// start runs the program that POSTERN names, in front of its demo app, until the test ends.
func start(t *testing.T) facts {
	t.Helper()
	program := os.Getenv("POSTERN")
	if program == "" {
		t.Fatal("POSTERN must name the program to test: see scripts/browser")
	}
	command := exec.Command(program, "dev", "--json", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"))
	command.Stderr = os.Stderr
	running, err := proctest.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Kill)
	if err := running.Await(func() bool { return strings.HasSuffix(running.Said(), "\n") }); err != nil {
		t.Fatal(err)
	}
	var f facts
	if err := json.Unmarshal([]byte(running.Said()), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// serve runs the program in front of an app, with the user ann, until the test ends.
func serve(t *testing.T, app string) facts {
	t.Helper()
	data := t.TempDir()
	command := exec.Command(os.Getenv("POSTERN"), "serve", "--upstream", app, "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0", "--data", data)
	running, err := proctest.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Kill)
	var f facts
	serving := regexp.MustCompile(`"msg":"serving","realm":"([^"]+)","guard":"([^"]+)","api":"([^"]+)"`)
	if err := running.Await(func() bool {
		said := serving.FindStringSubmatch(running.Said())
		if said != nil {
			f.RealmID, f.GuardURL, f.APIURL = said[1], said[2], said[3]
		}
		return said != nil
	}); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(data, "management.key"))
	if err != nil {
		t.Fatal(err)
	}
	f.ManagementKey = strings.TrimSpace(string(key))
	f.call(t, "POST", "/users", map[string]any{"user": map[string]any{"user_type": "human", "username": "ann", "email": "ann@example.com", "password": password}}, nil)
	return f
}

// call calls the API as a back end does.
func (f facts) call(t *testing.T, method, path string, body, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		text = nil
	}
	r, err := http.NewRequest(method, f.APIURL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Authrocket-Api-Key", f.ManagementKey)
	r.Header.Set("X-Authrocket-Realm", f.RealmID)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s = %d %s, %v", method, path, resp.StatusCode, answer, err)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			t.Fatal(err)
		}
	}
}

// browser is a Chromium with nothing in it.
type browser struct {
	*testing.T
	ctx context.Context
}

// open starts a Chromium that ends with the test.
func open(t *testing.T, more ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(800, 600), chromedp.WSURLReadTimeout(2*time.Minute))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	return &browser{t, ctx}
}

// do carries out what a person does.
func (b *browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

// learn carries out what tells something.
func learn[T any](b *browser, what string, action chromedp.Action[T]) T {
	b.Helper()
	told, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.Fatalf("%s: %v", what, err)
	}
	return told
}

// reads waits until the page says something.
func (b *browser) reads(what, text string) {
	b.Helper()
	var seen string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var err error
		if seen, err = chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`)); err == nil && strings.Contains(seen, text) {
			return
		}
	}
	b.Errorf("%s: the page says %q; want %q in it", what, seen, text)
}

// becomes waits until an expression is true.
func (b *browser) becomes(what, expression string) {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if holds, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression)); err == nil && holds {
			return
		}
	}
	b.Errorf("%s: %s does not hold", what, expression)
}

// resizes has the browser show its page on another screen, and waits until it does.
func (b *browser) resizes(width, height int64) {
	b.Helper()
	b.do("have another screen", chromedp.EmulateViewport(width, height))
	b.becomes("the page is on the other screen", fmt.Sprintf("innerWidth === %d", width))
}

// address returns where the browser is.
func (b *browser) address() string {
	b.Helper()
	return learn(b, "look at the address", chromedp.Location())
}

// shoot takes a picture, where SHOTS names a folder for them.
func (b *browser) shoot(name string) {
	b.Helper()
	folder := os.Getenv("SHOTS")
	if folder == "" {
		return
	}
	picture := learn(b, "take a picture", chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600); err != nil {
		b.Fatal(err)
	}
}

// signIn fills the form in, sends it, and waits until another page is in the place of the form's: what that one says is not taken for the answer,
// and nothing is typed into it any more.
func (b *browser) signIn(name, password string) {
	b.Helper()
	user, secret := chromedp.CSS("#username"), chromedp.CSS("#password")
	b.do("fill the form in", chromedp.WaitVisible(user), chromedp.SetValue(user, name), chromedp.SetValue(secret, password))
	learn(b, "mark the page", chromedp.Evaluate[bool](`window.sent = true`))
	b.do("send the form", chromedp.Submit(secret))
	b.becomes("the form is answered", `window.sent === undefined`)
}

const password = "four words make it long"

// TestSignIn walks from the guarded app to the sign-in page and back, and out again.
func TestSignIn(t *testing.T) {
	f := start(t)
	f.call(t, "POST", "/users", map[string]any{"user": map[string]any{"user_type": "human", "username": "ann", "email": "ann@example.com", "password": password}}, nil)
	b := open(t)

	b.do("go to the app", chromedp.Navigate(f.GuardURL+"/some/page?q=1"))
	if at := b.address(); !strings.HasPrefix(at, f.GuardURL+"/auth/sign-in?") {
		t.Fatalf("the browser is at %s; want the sign-in page", at)
	}
	b.shoot("sign-in")
	for _, name := range []string{"ann", "nobody"} {
		b.signIn(name, "wrong")
		b.reads("a wrong password", "The name or the password is not right.")
		b.shoot("wrong-" + name)
	}
	b.signIn("ann", password)
	b.reads("the app", "ann")
	if at := b.address(); at != f.GuardURL+"/some/page?q=1" {
		t.Errorf("after signing in the browser is at %s; want where it wanted to go", at)
	}
	b.holdsCookie(true)

	b.do("go to sign out", chromedp.Navigate(f.GuardURL+"/auth/sign-out"), chromedp.WaitVisible(chromedp.CSS("button")))
	b.shoot("sign-out")
	b.do("sign out", chromedp.Click(chromedp.CSS("button")))
	b.reads("signed out", "You are signed out.")
	b.holdsCookie(false)
	b.do("go to the app again", chromedp.Navigate(f.GuardURL+"/"))
	b.reads("the app again", "Sign in")
	learn(b, "go back to what the app had shown", chromedp.Evaluate[bool](`setTimeout(() => history.go(-3)), true`)) // over the page after signing out and the one before; later, or the page is gone before it has answered
	b.becomes("going back after signing out", `location.search.includes("%2Fsome%2Fpage") && document.body.innerText.includes("Sign in")`)
}

// TestCookieNotKept signs in at an address that a browser keeps no Secure cookies of, and is told why that leads nowhere.
func TestCookieNotKept(t *testing.T) {
	f := start(t)
	f.call(t, "POST", "/users", map[string]any{"user": map[string]any{"user_type": "human", "username": "ann", "email": "ann@example.com", "password": password}}, nil)
	b := open(t, chromedp.Flag("host-resolver-rules", "MAP app.test 127.0.0.1"))
	b.do("go to the app", chromedp.Navigate(strings.Replace(f.GuardURL, "127.0.0.1", "app.test", 1)+"/page"))
	b.signIn("ann", password)
	b.reads("a browser that kept no cookie", "did not keep the cookie")
	b.shoot("cookie-not-kept")
}

// TestAppSendsOn signs in to an app that sends people on to another origin, which a browser may refuse to follow as part of a form's answer.
func TestAppSendsOn(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "another origin") }))
	t.Cleanup(other.Close)
	app := httptest.NewServer(http.RedirectHandler(other.URL+"/elsewhere", http.StatusFound))
	t.Cleanup(app.Close)
	b, f := open(t), serve(t, app.URL)
	for _, what := range []string{"a first sign-in", "one in a browser that is known"} {
		b.do("go to the app", chromedp.Navigate(f.GuardURL+"/page"))
		b.signIn("ann", password)
		b.becomes(what, fmt.Sprintf("location.href === %q", other.URL+"/elsewhere"))
		b.do("go to sign out", chromedp.Navigate(f.GuardURL+"/auth/sign-out"), chromedp.WaitVisible(chromedp.CSS("button")), chromedp.Click(chromedp.CSS("button")))
		b.reads("signed out", "You are signed out.")
	}
}

// TestAnotherSignsIn has somebody sign in where another did before them, without a word to sign out. What the browser keeps of a page without a word about caching
// it takes for fresh for as long as RFC 9111 §4.2.2 has it; it must not show the other's page for theirs.
func TestAnotherSignsIn(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2023 00:00:00 GMT")
		fmt.Fprintf(w, `<p>%s of %s<p><a id="account" href="/account">Account</a>`, r.URL.Path, r.Header.Get("X-Postern-Username"))
	}))
	t.Cleanup(app.Close)
	b, f := open(t), serve(t, app.URL)
	f.call(t, "POST", "/users", map[string]any{"user": map[string]any{"user_type": "human", "username": "bob", "email": "bob@example.com", "password": password}}, nil)
	for _, name := range []string{"ann", "bob"} {
		b.do("go to sign in", chromedp.Navigate(f.GuardURL+"/auth/sign-in?return_to=/"+name))
		b.signIn(name, password)
		b.reads("the app", "/"+name+" of "+name)
		b.do("go to the account", chromedp.Click(chromedp.CSS("#account")))
		b.becomes(name+" sees their own account", fmt.Sprintf(`document.body.innerText.includes("/account of %s")`, name))
	}
}

// TestKeyboard signs in by keyboard alone, on a narrow screen, where a wrong password is told with the field at hand.
func TestKeyboard(t *testing.T) {
	f := start(t)
	f.call(t, "POST", "/users", map[string]any{"user": map[string]any{"user_type": "human", "username": "ann", "email": "ann@example.com", "password": password}}, nil)
	b := open(t)
	b.resizes(320, 480)
	b.do("go to the app on a telephone", chromedp.Navigate(f.GuardURL+"/page"))
	b.becomes("the name is asked for", `document.activeElement.id === "username"`)
	b.do("type name and password", chromedp.KeyEvent("ann"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("wrong"), chromedp.KeyEvent(kb.Enter))
	b.becomes("what was wrong is told with the field", `document.activeElement.id === "password" && document.getElementById(document.activeElement.getAttribute("aria-describedby")).textContent.includes("not right")`)
	if wide := look[float64](b, `document.documentElement.scrollWidth`); wide > 320 {
		t.Errorf("on a screen of 320 the page is %v wide", wide)
	}
	b.do("type the password", chromedp.KeyEvent(password), chromedp.KeyEvent(kb.Enter))
	b.reads("the app", "ann")
}

// TestLargeText reads the page on a narrow screen in text of twice the size (WCAG 2.2, 1.4.4): no word is broken.
func TestLargeText(t *testing.T) {
	f := start(t)
	b := open(t)
	b.resizes(320, 700)
	b.do("go to sign in", chromedp.Navigate(f.GuardURL+"/auth/sign-in"), chromedp.WaitVisible(chromedp.CSS("button")))
	learn(b, "have large text", chromedp.Evaluate[bool](`document.documentElement.style.fontSize = "200%", true`))
	b.shoot("large-text")
	learn(b, "break no word", chromedp.Evaluate[bool](`document.querySelectorAll("h1, label, button").forEach(e => e.style.overflowWrap = "normal"), true`))
	if wide := look[float64](b, `document.documentElement.scrollWidth`); wide > 320 {
		t.Errorf("without breaking words the page is %v wide; want at most 320", wide)
	}
}

// TestFormOfNobody sends a form whose session ended in another tab while it was filled in: nothing of it is lost, for the page that
// refuses it leads to sign in, and sends it once more when it is loaded again. It does the same in either host.
func TestFormOfNobody(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<p>%s wrote %q<form method="post" action="/letters"><input name="text" value="dear all"><button>Send</button></form>`,
			r.Header.Get("X-Postern-Username"), r.PostFormValue("text"))
	}))
	t.Cleanup(app.Close)
	t.Run("sidecar", func(t *testing.T) { sendFormOfNobody(t, serve(t, app.URL)) })
	t.Run("caddy", func(t *testing.T) { sendFormOfNobody(t, serveCaddy(t, app.URL)) })
}

// sendFormOfNobody does so at one host.
func sendFormOfNobody(t *testing.T, f facts) {
	b := open(t)
	b.do("go to the app", chromedp.Navigate(f.GuardURL+"/letters/new"))
	b.signIn("ann", password)
	b.reads("the app", "ann wrote")
	ctx, cancel := chromedp.NewContext(b.ctx)
	defer cancel()
	other := &browser{t, ctx}
	other.do("sign out in another tab", chromedp.Navigate(f.GuardURL+"/auth/sign-out"), chromedp.WaitVisible(chromedp.CSS("button")), chromedp.Click(chromedp.CSS("button")))
	other.reads("signed out", "You are signed out.")
	b.do("send the form", chromedp.Click(chromedp.CSS("button")))
	b.reads("the form of nobody", "Please sign in")
	b.shoot("form-of-nobody")
	where := look[string](b, `document.querySelector("a[target=_blank]").href`)
	other.do("sign in where the page leads", chromedp.Navigate(where))
	other.signIn("ann", password)
	other.reads("the app", "ann wrote")
	b.do("load the page again", chromedp.Reload())
	b.reads("the form once more", `ann wrote "dear all"`)
}

// TestForcedColours holds that a button is seen as one where the person's own colours are in the place of ours.
func TestForcedColours(t *testing.T) {
	f := start(t)
	b := open(t)
	b.likes("forced-colors", "active")
	b.do("go to sign in", chromedp.Navigate(f.GuardURL+"/auth/sign-in"), chromedp.WaitVisible(chromedp.CSS("button")))
	b.shoot("forced-colours")
	if border := look[string](b, `(({borderTopStyle, borderTopWidth, borderTopColor, backgroundColor}) => borderTopStyle === "solid" && borderTopWidth === "1px" && borderTopColor !== backgroundColor)(getComputedStyle(document.querySelector("button"))) ? "seen" : "unseen"`); border != "seen" {
		t.Errorf("the button's border is %s", border)
	}
}

// holdsCookie asserts that the browser has a session cookie, which no script can read, or has none.
func (b *browser) holdsCookie(want bool) {
	b.Helper()
	found := false
	cookies, err := chromedp.CallBrowser(b.ctx, storage.GetCookies, storage.GetCookiesParams{})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range cookies.Cookies {
		if strings.HasPrefix(c.Name, "__Host-postern") {
			found = found || !strings.HasSuffix(c.Name, "-device") // that one stays after signing out
			if !c.HTTPOnly || !c.Secure || c.SameSite != network.CookieSameSiteLax || c.Path != "/" {
				b.Errorf("the cookie is %+v; want it HttpOnly, Secure, Lax and for /", c)
			}
		}
	}
	if found != want {
		b.Errorf("the browser has a session cookie: %v; want %v", found, want)
	}
	if visible := learn(b, "ask a script for cookies", chromedp.Evaluate[string]("document.cookie")); strings.Contains(visible, "postern") {
		b.Errorf("a script can read %q", fmt.Sprintf("%.20s", visible))
	}
}

// TestSecondFactor walks in with a password and a code of an authenticator, at either host, in a browser that runs no scripts.
func TestSecondFactor(t *testing.T) {
	t.Run("sidecar", func(t *testing.T) { walkSecondFactor(t, start(t)) })
	t.Run("caddy", func(t *testing.T) { walkSecondFactor(t, serveCaddy(t, greeter(t))) })
}

// walkSecondFactor walks in at one host.
func walkSecondFactor(t *testing.T, f facts) {
	f.call(t, "POST", "/users", map[string]any{"user": map[string]any{"user_type": "human", "username": "bob", "email": "bob@example.com", "password": password}}, nil)
	var bob, enrolled struct {
		ID     string `json:"id"`
		Secret string `json:"otp_secret"`
	}
	f.call(t, "GET", "/users/bob", nil, &bob)
	f.call(t, "POST", "/credentials", map[string]any{"credential": map[string]any{"user_id": bob.ID, "credential_type": "totp", "name": "phone"}}, &enrolled)
	f.call(t, "POST", "/credentials/"+enrolled.ID+"/verify", map[string]any{"credential": map[string]any{"code": code(t, enrolled.Secret, 0)}}, nil)

	b := open(t)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.do("look at a page with a script", chromedp.Navigate("data:text/html,<p>no script<script>document.body.innerText = 'ran'</script>"))
	b.reads("a page with a script", "no script")
	b.do("go to the app", chromedp.Navigate(f.GuardURL+"/page"))
	b.signIn("bob", password)
	b.reads("the second step", "Code from your authenticator app")
	b.shoot("second-factor")
	box := chromedp.CSS("#code")
	b.do("send a wrong code", chromedp.WaitVisible(box), chromedp.SetValue(box, "abc"), chromedp.Submit(box))
	b.reads("a wrong code", "The code is not right")
	b.shoot("wrong-code")
	b.do("send the code", chromedp.WaitVisible(box), chromedp.SetValue(box, code(t, enrolled.Secret, 1)), chromedp.Submit(box))
	b.reads("the app", "bob")
	if at := b.address(); at != f.GuardURL+"/page" {
		t.Errorf("after the code the browser is at %s; want where it wanted to go", at)
	}
}

// code returns what an authenticator shows some steps from now (RFC 6238 §4).
func code(t *testing.T, secret string, steps int64) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, time.Now().Unix()/30+steps)
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}
