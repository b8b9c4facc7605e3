package pages_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/internal/teststore"
	"github.com/postern-auth/postern/pages"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

const password = "four words make it long"

// world is the pages of a realm that has the user ann, and a browser in front of them.
type world struct {
	*testing.T
	core   *core.Core
	realm  core.RealmID
	site   *httptest.Server
	logged *observer.ObservedLogs
}

// cookies makes cookies as a guard does.
type cookies struct{}

func (cookies) SessionCookie(token string, until time.Time) *http.Cookie {
	return &http.Cookie{Name: "session", Value: token, Path: "/", HttpOnly: true, Expires: until}
}
func (cookies) DeviceCookie(text string, until time.Time) *http.Cookie {
	return &http.Cookie{Name: "session-device", Value: text, Path: "/", HttpOnly: true, Expires: until}
}
func (cookies) NoSessionCookie() *http.Cookie {
	return &http.Cookie{Name: "session", Path: "/", MaxAge: -1}
}

// each runs a story on every kind of store.
func each(t *testing.T, story func(w *world)) {
	t.Helper()
	teststore.Each(t, func(t *testing.T, open teststore.Open) { story(newWorld(t, open(t), nil)) })
}

// newWorld sets up a store, and mounts the pages over it; change alters their options.
func newWorld(t *testing.T, store core.Store, change func(*pages.Options)) *world {
	t.Helper()
	return newWorldAt(t, store, time.Now, change)
}

// newWorldAt is newWorld with another clock.
func newWorldAt(t *testing.T, store core.Store, now func() time.Time, change func(*pages.Options)) *world {
	t.Helper()
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	w := &world{T: t}
	w.must(err)
	w.core, err = core.New(core.Options{Store: store, MasterKey: master, Now: now, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1}})
	w.must(err)
	secret, err := w.core.ManagementKeys.NewSecret()
	w.must(err)
	w.must(w.core.SetUp(t.Context(), secret))
	realm, _, err := w.core.First(t.Context(), "")
	w.must(err)
	w.realm = realm.ID
	w.person("ann")
	logs, logged := observer.New(zapcore.DebugLevel)
	w.logged = logged
	o := pages.Options{Realms: w.core.Realms, Passwords: w.core.Passwords, SecondFactors: w.core.SecondFactors, Sessions: w.core.Sessions, Cookies: cookies{},
		Origins: []string{"https://app.example.com"}, Logger: zap.New(logs)}
	if change != nil {
		change(&o)
	}
	p, err := pages.New(o)
	w.must(err)
	w.site = httptest.NewServer(p)
	t.Cleanup(w.site.Close)
	return w
}

// person makes a user with the password.
func (w *world) person(name string) {
	w.Helper()
	kind, email, text := core.UserHuman, name+"@example.com", password
	_, err := w.core.Users.Create(w.Context(), w.realm, core.UserChange{Type: &kind, Username: &name, Email: &email, Password: &text}, core.Request{})
	w.must(err)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// answer is what a browser gets.
type answer struct {
	*http.Response
	body string
}

// send sends a request as a browser does, with headers that change it.
func (w *world) send(method, path string, form url.Values, headers ...string) answer {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.site.URL+path, strings.NewReader(form.Encode()))
	w.must(err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := (&http.Transport{}).RoundTrip(r)
	w.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.must(err)
	return answer{resp, string(body)}
}

// session returns the session cookie that an answer sets; nil for none.
func (a answer) session() *http.Cookie { return a.cookie("session") }

// cookie returns a cookie that an answer sets; nil for none.
func (a answer) cookie(name string) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// signIn fills the form in.
func (w *world) signIn(name, password, to string) answer {
	w.Helper()
	return w.send("POST", "/auth/sign-in", url.Values{"username": {name}, "password": {password}, "return_to": {to}})
}

// hidden returns the value of a hidden field of the form that an answer shows.
func (a answer) hidden(name string) string {
	_, rest, _ := strings.Cut(a.body, `type="hidden" name="`+name+`" value="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
