package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postern-auth/postern/internal/proctest"
)

// serveCaddy runs the Caddy that CADDY names in front of an app, with the pages as docs/caddy.md has them and the user ann, until the test ends.
func serveCaddy(t *testing.T, app string) facts {
	t.Helper()
	program, folder, address := os.Getenv("CADDY"), t.TempDir(), proctest.Free(t)
	if program == "" {
		t.Fatal("CADDY must name the Caddy to test: see scripts/browser")
	}
	file := filepath.Join(folder, "Caddyfile")
	text := fmt.Sprintf(`{
	admin off
	persist_config off
	postern {
		data %s/data
	}
}
http://%s {
	postern_pages
	postern_api /v1/*
	postern_auth {
		login_url /auth/sign-in
	}
	reverse_proxy %s
}
`, folder, address, app)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "run", "--adapter", "caddyfile", "--config", file)
	command.Env = append(os.Environ(), "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	running, err := proctest.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Kill)
	var key []byte
	if err := running.Await(func() bool {
		key, err = os.ReadFile(filepath.Join(folder, "data", "management.key"))
		return err == nil && len(key) > 0 && proctest.Listens(address)
	}); err != nil {
		t.Fatal(err)
	}
	f := facts{GuardURL: "http://" + address, APIURL: "http://" + address + "/v1", ManagementKey: strings.TrimSpace(string(key)), RealmID: "default"}
	f.call(t, "POST", "/users", map[string]any{"user": map[string]any{"user_type": "human", "username": "ann", "email": "ann@example.com", "password": password}}, nil)
	return f
}

// greeter is an app that greets who came, until the test ends.
func greeter(t *testing.T) (url string) {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "Hello ", r.Header.Get("X-Postern-Username"))
	}))
	t.Cleanup(app.Close)
	return app.URL
}

// TestCaddy walks in and out at the pages of a site of Caddy's, by names and words that are the sidecar's.
func TestCaddy(t *testing.T) {
	f, b := serveCaddy(t, greeter(t)), open(t)
	b.do("go to the app", chromedp.Navigate(f.GuardURL+"/some/page?q=1"))
	for _, name := range []string{"ann", "nobody"} {
		b.signIn(name, "wrong")
		b.reads("a wrong password", "The name or the password is not right.")
	}
	b.signIn("ann", password)
	b.reads("the app", "Hello ann")
	if at := b.address(); at != f.GuardURL+"/some/page?q=1" {
		t.Errorf("after signing in the browser is at %s; want where it wanted to go", at)
	}
	b.holdsCookie(true)
	b.do("sign out", chromedp.Navigate(f.GuardURL+"/auth/sign-out"), chromedp.WaitVisible(chromedp.CSS("button")), chromedp.Click(chromedp.CSS("button")))
	b.reads("signed out", "You are signed out.")
	b.holdsCookie(false)
	b.do("go to the app again", chromedp.Navigate(f.GuardURL+"/"))
	b.reads("the app again", "Sign in")
}
