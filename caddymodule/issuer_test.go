package caddymodule

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/postern-auth/postern/internal/hosttest"
)

// TestIssuers lets in who an issuer elsewhere vouches for, and keeps its keys over reloads that keep the issuer.
func TestIssuers(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	elsewhere := hosttest.NewIssuer(t)
	guarded := func(more string) string {
		return w.config("", `postern_auth {
		issuer idp `+elsewhere.URL+` {
			audience app
			claim permissions roles
			allow 127.0.0.1
		}
		rule /admin/* {
			require fly
		}
		`+more+`
	}
	reverse_proxy APP`)
	}
	w.load(guarded(""))
	token := elsewhere.Token(t, "u1", "app")
	seen := w.get("/admin/x", token).seen(t)
	for name, want := range map[string]string{"X-Postern-User-Id": "idp:u1", "X-Postern-Username": "ada", "X-Postern-Email": "ada@example.com", "Authorization": ""} {
		if got := seen.Get(name); got != want {
			t.Errorf("the app is told %s %q, want %q", name, got, want)
		}
	}
	if got := w.get("/", elsewhere.Token(t, "u1", "shop"), "Accept", "application/json"); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "another audience") {
		t.Errorf("for another audience: %d %s, want 401", got.status, got.body)
	}
	w.eventually("Postern's own users get in", func() bool { return w.get("/", p.tokens.Valid).status == http.StatusOK })
	elsewhere.Down.Store(true)
	w.load(guarded("pass_token")) // another guard
	if got := w.get("/", token); got.seen(t).Get("Authorization") == "" {
		t.Errorf("after a reload: %d %s, want the token passed on", got.status, got.body)
	}
	if n := elsewhere.Fetched.Load(); n != 1 {
		t.Errorf("keys were fetched %d times, want once", n)
	}
	w.load(w.config("", "postern_auth\n\treverse_proxy APP"))
	w.eventually("who asks no issuer keeps no keys", func() bool { return len(meters.IssuerKeys.Since()) == 0 })
	if got := w.get("/", token); got.status != http.StatusUnauthorized {
		t.Errorf("without issuers: %d %s, want 401", got.status, got.body)
	}
}

// TestIssuersDocs adapts the Caddyfiles in docs/issuers.md.
func TestIssuersDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/issuers.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := strings.Split(string(text), "```caddyfile\n")[1:]
	if len(snippets) == 0 {
		t.Fatal("docs/issuers.md has no Caddyfile")
	}
	for _, s := range snippets {
		s, _, _ = strings.Cut(s, "```")
		if got := adapted(s); !strings.HasPrefix(got, "{") {
			t.Errorf("%s\nis refused: %s", s, got)
		}
		if formatted := string(caddyfile.Format([]byte(s))); formatted != s {
			t.Errorf("%s\nshould be formatted as\n%s", s, formatted)
		}
	}
}
