package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSettingsFromElsewhere takes settings of guard, pages and matcher from the environment and from a file.
func TestSettingsFromElsewhere(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	file := filepath.Join(t.TempDir(), "realm")
	if err := os.WriteFile(file, []byte("other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"TEST_LOGIN": "/account", "TEST_OPEN": "/open/*", "TEST_FIELD": "username", "TEST_TYPE": "human"} {
		t.Setenv(name, value)
	}
	config := w.config("", `postern_pages {env.TEST_LOGIN} {
		realm {file.`+file+`}
		cookie session insecure
	}
	postern_auth {file.`+file+`} {
		from bearer
		login_url {env.TEST_LOGIN}/sign-in
		public {env.TEST_OPEN}
		copy_headers {
			X-Name {env.TEST_FIELD}
		}
	}
	@people postern {
		user_type {env.TEST_TYPE}
	}
	handle @people {
		reverse_proxy APP
	}
	respond "nobody"`)
	w.load(config)
	if seen := w.get("/", p.tokens.OtherRealm).seen(t); seen.Get("X-Name") != "ann" {
		t.Errorf("the App saw %v; want the user of the other realm by name", seen)
	}
	if got := w.get("/", p.tokens.Valid); got.status != http.StatusUnauthorized {
		t.Errorf("a user of the default realm = %d, want 401", got.status)
	}
	if got := w.get("/open/x", ""); got.body != "nobody" {
		t.Errorf("/open/x = %+v; want it open", got)
	}
	if got := w.get("/x", "", "Accept", "text/html"); got.header.Get("Location") != "/account/sign-in?return_to=%2Fx" {
		t.Errorf("a browser goes to %q", got.header.Get("Location"))
	}
	if got := w.get("/account/sign-in", ""); got.status != http.StatusOK {
		t.Errorf("the page to sign in = %d, want 200", got.status)
	}
	for _, wrong := range []struct{ name, value, want string }{
		{"TEST_OPEN", "", "public: {env.TEST_OPEN} is empty"},
		{"TEST_FIELD", "password", `there is no field "password"`},
		{"TEST_LOGIN", "account", "the pages' path"},
		{"TEST_TYPE", "robot", "user_type is"},
	} {
		t.Run(wrong.name, func(t *testing.T) {
			t.Setenv(wrong.name, wrong.value)
			if err := w.try(config); err == nil || !strings.Contains(err.Error(), wrong.want) {
				t.Errorf("with %q in the environment: %v; want %q", wrong.value, err, wrong.want)
			}
		})
	}
}
