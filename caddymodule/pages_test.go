package caddymodule

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// withPages is a site with pages, whose cookie travels in the clear as the site does.
const withPages = `postern_pages /account {
		title Acme
		forgot_url /forgot
		sign_up_url https://example.com/join
		cookie session insecure
	}
	postern_auth {
		from cookie
		cookie session insecure
		login_url /account/sign-in
	}
	reverse_proxy APP`

// TestPages signs in and out at a site's pages, also after a reload.
func TestPages(t *testing.T) {
	w := newWorld(t)
	w.settle()
	w.load(w.config("", withPages))
	away := w.get("/reports", "", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html")
	if to := away.header.Get("Location"); away.status != http.StatusSeeOther || to != "/account/sign-in?return_to=%2Freports" {
		t.Fatalf("a browser that is not signed in = %d to %q", away.status, to)
	}
	if page := w.get("/account/sign-in", ""); page.status != http.StatusOK || !strings.Contains(page.body, "Acme") ||
		!strings.Contains(page.body, `href="/forgot"`) || !strings.Contains(page.body, `href="https://example.com/join"`) {
		t.Errorf("the page to sign in = %+v", page)
	}
	const form = "username=ann&password=correct+horse+battery+staple&return_to=/reports"
	post := func(path, body, cookie string) answer {
		return w.do("POST", path, "", body, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin", "Cookie", cookie)
	}
	if foreign := w.do("POST", "/account/sign-in", "", form, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site"); foreign.status != http.StatusForbidden {
		t.Errorf("a form of another site = %+v; want 403", foreign)
	}
	in := post("/account/sign-in", form, "")
	cookie, _, _ := strings.Cut(in.header.Get("Set-Cookie"), ";")
	if in.status != http.StatusSeeOther || in.header.Get("Location") != "/reports" || !strings.HasPrefix(cookie, "session=") {
		t.Fatalf("sign in = %+v; want 303 and the cookie", in)
	}
	w.load(w.config("", withPages+"\n\theader X-Version 2"))
	if name := w.get("/reports", "", "Cookie", cookie).seen(t).Get("X-Postern-Username"); name != "ann" {
		t.Errorf("the app is told %q; want ann", name)
	}
	if out := post("/account/sign-out", "", cookie); out.status != http.StatusSeeOther {
		t.Errorf("sign out = %+v; want 303", out)
	}
	w.eventually("the cookie is good for nothing", func() bool { return w.get("/reports", "", "Cookie", cookie).status == http.StatusUnauthorized })
}

// TestPagesOutliveTheirConfiguration asks for a page of a configuration that Caddy has left, as a request does that a reload overtook.
func TestPagesOutliveTheirConfiguration(t *testing.T) {
	t.Setenv("POSTERN_REDIS_URL", "")
	t.Setenv("POSTERN_MASTER_KEY_FILE", "")
	app := &App{Data: t.TempDir()}
	s, err := app.settings()
	if err != nil {
		t.Fatal(err)
	}
	app.engine = newEngine(t.Name(), s)
	p := &Pages{app: app}
	if p.guard, err = app.guard(p.settings()); err != nil {
		t.Fatal(err)
	}
	if err := p.Cleanup(); err != nil {
		t.Fatal(err)
	}
	r := caddyhttp.PrepareRequest(httptest.NewRequest("GET", "/auth/sign-in", nil), caddy.NewReplacer(), nowhere{}, new(caddyhttp.Server))
	failure, ok := errors.AsType[caddyhttp.HandlerError](p.ServeHTTP(nowhere{}, r, nil))
	if !ok || failure.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the page = %v; want 503", failure)
	}
}

// TestErrorRoutesBeforeTheGuard ask an app about what never came to the guard: the pages while the data is in use by another
// process, and what another directive refuses. Nothing that is forged may reach it.
func TestErrorRoutesBeforeTheGuard(t *testing.T) {
	w := newWorld(t)
	w.settle()
	other := openHouse(w)
	defer other.close()
	w.load(w.config("", withPages+`
	basic_auth /reports {
		bob $2a$04$yC3Q6ubd8dPfUWbUSVpHyuQKWvaHXcdkPDcSCMFiY1eNcJ1fDIyS.
	}
	handle_errors 401 {
		postern_auth {
			optional
			cookie session insecure
		}
		reverse_proxy APP
	}
	handle_errors 503 {
		reverse_proxy APP
	}`))
	for path, cookie := range map[string]string{"/account/sign-in": "session=mine", "/reports": "other=kept"} {
		seen := w.get(path, "", "X-Postern-User-Id", "evil", "Cookie", cookie).seen(t)
		if seen.Get("X-Postern-User-Id") != "" || strings.Contains(seen.Get("Cookie"), "mine") {
			t.Errorf("%s: the App saw %v; want nothing forged, and no cookie of ours", path, seen)
		}
	}
}

// TestMatcherFails has an error route ask an app about a request of which a matcher of public cannot say whether it is for it.
func TestMatcherFails(t *testing.T) {
	w := newWorld(t)
	w.settle()
	w.load(w.config("", `postern_auth {
		public {
			expression `+"`int({http.request.header.X-Count}) > 1`"+`
		}
	}
	reverse_proxy APP
	handle_errors {
		reverse_proxy APP
	}`))
	if seen := w.get("/", "", "X-Count", "many", "X-Postern-User-Id", "evil").seen(t); seen.Get("X-Postern-User-Id") != "" || seen.Get("X-Count") != "many" {
		t.Errorf("the App saw %v; want nothing forged", seen)
	}
}

// TestGuardOnErrorRoute lets in and refuses there as elsewhere, and answers by itself: no further error route would.
func TestGuardOnErrorRoute(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `route {
		error /gone 404
		respond "there"
	}
	handle_errors {
		postern_auth
		reverse_proxy APP
	}`))
	if seen := w.get("/gone", p.tokens.Valid).seen(t); seen.Get("X-Postern-Username") != "ann" {
		t.Errorf("the App saw %v; want ann", seen)
	}
	got := w.get("/gone", p.tokens.Revoked)
	if got.status != http.StatusUnauthorized || !strings.Contains(got.body, "invalid_token") || got.header.Get("WWW-Authenticate") == "" {
		t.Errorf("revoked = %+v; want 401, which says why", got)
	}
}

// TestMetricsOutliveReloads holds that what was counted is counted still after a reload, also by another guard and engine.
func TestMetricsOutliveReloads(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	const site = "handle /metrics {\n\t\tmetrics\n\t}\n\thandle {\n\t\t" + guarded + "\n\t}"
	counted := regexp.MustCompile(`(?m)^postern_(?:guard_requests_total\{realm="default",(?:reason="",verdict="allow"|verdict="allow",reason="")|api_requests_total\{[^}]*status="200")\} (\S+)$`)
	counts := func() []string {
		var all []string
		for _, found := range counted.FindAllStringSubmatch(w.get("/metrics", "").body, -1) {
			all = append(all, found[1])
		}
		return all
	}
	w.load(w.config("", site))
	w.get("/", p.tokens.Valid).seen(t)
	w.get("/v1/users/me", p.tokens.Valid)
	before := strings.Join(counts(), " ")
	if len(counts()) < 2 || strings.Contains(" "+before+" ", " 0 ") {
		t.Fatalf("counts = %q; want one of the guard and one of the API; all:\n%s", before, w.get("/metrics", "").body)
	}
	for _, global := range []string{"", "postern {\n\t\tmax_staleness 6s\n\t}"} {
		w.load(w.config(global, site+"\n\theader X-Version 2"))
		if after := strings.Join(counts(), " "); after != before {
			t.Errorf("after a reload, counts = %q; want %q as before", after, before)
		}
	}
}
