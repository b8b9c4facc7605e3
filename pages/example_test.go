package pages_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/pages"
)

// A Go program with pages to sign in at. The guard sends a browser there; the pages set the cookie that the guard reads, and send the browser
// back to where it wanted to go.
func Example() {
	c, stop := coreWithAnn()
	defer stop()
	g, err := guard.New(guard.Options{Realms: c.Realms, Resolver: c.Sessions, Feed: guard.FeedOf(c.Feed), Now: c.Now,
		Settings: guard.Settings{LoginURL: pages.DefaultMount + "/sign-in"}})
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()
	p, err := pages.New(pages.Options{Realms: c.Realms, Passwords: c.Passwords, SecondFactors: c.SecondFactors, Sessions: c.Sessions, Cookies: g})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(pages.DefaultMount+"/", p)
	mux.Handle("/", g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "Hello ", r.Header.Get("X-Postern-Username"))
	})))

	site := httptest.NewTLSServer(mux)
	defer site.Close()
	browser := site.Client()
	browser.Jar, _ = cookiejar.New(nil)

	show(browser.Do(navigation("GET", site.URL+"/orders", nil)))
	show(browser.Do(navigation("POST", site.URL+p.SignInPath(), url.Values{
		"username": {"ann"}, "password": {"four words make it long"}, "return_to": {"/orders"},
	})))
	// Output:
	// /auth/sign-in?return_to=%2Forders: Sign in
	// /orders: Hello ann
}

// navigation returns a request as browsers send it when somebody opens a page or sends a form.
func navigation(method, address string, form url.Values) *http.Request {
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		log.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// heading finds that of a hosted page.
var heading = regexp.MustCompile("(?s)^.*<h1>(.*)</h1>.*$")

// show prints which page a browser ended up at, and its heading or text.
func show(resp *http.Response, err error) {
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", resp.Request.URL.RequestURI(), heading.ReplaceAllString(string(body), "$1"))
}

// coreWithAnn returns a Core over a store in a temporary folder, with a user.
func coreWithAnn() (c *core.Core, stop func()) {
	folder, err := os.MkdirTemp("", "postern")
	if err != nil {
		log.Fatal(err)
	}
	store, err := boltstore.Open(boltstore.Options{Path: filepath.Join(folder, "postern.db")})
	if err != nil {
		log.Fatal(err)
	}
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize)) // in earnest random bytes that are kept
	if err != nil {
		log.Fatal(err)
	}
	if c, err = core.New(core.Options{Store: store, MasterKey: master}); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	secret, err := c.ManagementKeys.NewSecret()
	if err != nil {
		log.Fatal(err)
	}
	if err := c.SetUp(ctx, secret); err != nil {
		log.Fatal(err)
	}
	realm, _, err := c.First(ctx, secret)
	if err != nil {
		log.Fatal(err)
	}
	human, name, email, password := core.UserHuman, "ann", "ann@example.com", "four words make it long"
	if _, err := c.Users.Create(ctx, realm.ID, core.UserChange{Type: &human, Username: &name, Email: &email, Password: &password}, core.Request{}); err != nil {
		log.Fatal(err)
	}
	return c, func() {
		_ = store.Close()
		_ = os.RemoveAll(folder)
	}
}
