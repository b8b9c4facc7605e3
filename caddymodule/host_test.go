package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/internal/hosttest"
)

// guarded is the smallest site that is whole.
const guarded = `postern_api /v1/*
	postern_auth
	reverse_proxy APP`

// TestHost runs the table that all hosts run, over the embedded store.
func TestHost(t *testing.T) { newWorld(t).runTable("", nil) }

// TestHostOverRedis runs it over Redis.
func TestHostOverRedis(t *testing.T) {
	w := newWorld(t)
	w.useRedis()
	w.runTable(overRedis, nil)
}

// runTable runs the table with global options, over HTTP/1.1 or with TLS over another transport.
func (w *world) runTable(global string, transport http.RoundTripper) {
	t := w.T
	p := w.settle()
	config, url := w.config(global, "postern_api /v1/*\n\t"+hosttest.Caddyfile+"\n\treverse_proxy APP"), "http://"+w.site
	if transport != nil {
		w.loadTLS(config)
		url = "https://" + w.site
	} else {
		w.load(config)
		p.tokens.Short = w.createUser(p, "short")
	}
	revoke := func(t *testing.T, token string) {
		if got := w.do("DELETE", "/v1/users/me", token, ""); got.status >= 300 {
			t.Fatalf("DELETE /v1/users/me = %+v", got)
		}
	}
	hosttest.Run(t, hosttest.Host{URL: url, Transport: transport, Tokens: p.tokens, Revoke: revoke, Identity: map[string]string{
		"X-Postern-User-Id": string(p.ann.User.ID), "X-Postern-Username": "ann", "X-Postern-Email": "ann@example.com"}})
}

// TestFromNothing starts with no data at all, makes a user through the API as a provider would, and is let in.
func TestFromNothing(t *testing.T) {
	w := newWorld(t)
	w.load(w.config("", guarded))
	w.eventually("the first management key is written", func() bool { return len(w.logged("management.key")) == 1 })
	if len(w.logged("ko_")) != 0 {
		t.Error("the log holds the first management key")
	}
	for range 2 { // the second load makes nothing anew
		if got := w.get("/", ""); got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("without token = %+v; want 401 and a challenge", got)
		}
		w.load(w.config("grace_period 1s", guarded))
	}
}

// createUser makes a user with an APT, as a back end would, and returns the token.
func (w *world) createUser(p people, id string) string {
	w.Helper()
	signer, err := client.NewAPTSigner(p.provider, p.realm.EnvironmentGUID)
	if err != nil {
		w.Fatal(err)
	}
	apt, err := signer.Sign("", client.DefaultAPTLifetime)
	if err != nil {
		w.Fatal(err)
	}
	got := w.do("POST", "/v1/users", apt, `{"data":{"type":"user","attributes":{"arbitrary_id":"`+id+`"}}}`, "Content-Type", "application/vnd.api+json")
	var body struct {
		Data struct{ Attributes struct{ Token string } }
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != http.StatusCreated || body.Data.Attributes.Token == "" {
		w.Fatalf("create user = %+v; want 201 and a token", got)
	}
	return body.Data.Attributes.Token
}

// TestCreatedUserGetsIn makes a user through postern_api, and passes the guard with the token.
func TestCreatedUserGetsIn(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", guarded))
	token := w.createUser(p, "order-17")
	seen := w.get("/orders", token, "X-Postern-User-Id", "evil", "X-Postern-Email", "evil").seen(t)
	if seen.Get("X-Postern-Arbitrary-Id") != "order-17" || !strings.HasPrefix(seen.Get("X-Postern-User-Id"), "usr_") {
		t.Errorf("the App saw %v; want the user", seen)
	}
	if seen.Get("X-Postern-Email") != "" || seen.Get("Authorization") != "" {
		t.Errorf("the App saw %v; want neither what was forged nor the token", seen)
	}
}

// TestAPI holds what postern_api leaves to others.
func TestAPI(t *testing.T) {
	w := newWorld(t)
	w.load(w.config("", "postern_api\n\treverse_proxy APP"))
	if got := w.get("/v1/users/me", ""); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "errors") {
		t.Errorf("/v1/users/me = %+v; want the API's 401", got)
	}
	if got := w.get("/.well-known/jwks.json", ""); got.status != http.StatusOK || !strings.Contains(got.body, `"keys"`) {
		t.Errorf("/.well-known/jwks.json = %+v; want the default realm's keys", got)
	}
	if got := w.get("/v12", ""); got.status != http.StatusOK {
		t.Errorf("/v12 = %+v; want the App's answer", got)
	}
}

// TestHeaders holds copy_headers and pass_token.
func TestHeaders(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `handle /told {
		postern_auth {
			pass_token
			copy_headers {
				Remote-User username
				X-Postern-Session session
			}
		}
		reverse_proxy APP
	}
	handle /untold {
		postern_auth {
			copy_headers {
			}
		}
		reverse_proxy APP
	}`))
	seen := w.get("/told", p.tokens.Valid, "Remote-User", "evil", "Remote_user", "evil").seen(t)
	if seen.Get("Remote-User") != "ann" || seen.Get("X-Postern-Session") != string(p.ann.Session.ID) || seen.Get("X-Postern-User-Id") != "" {
		t.Errorf("/told: the App saw %v", seen)
	}
	if seen.Get("Authorization") != "Bearer "+p.tokens.Valid {
		t.Errorf("/told: the App saw Authorization %q; want the token", seen.Get("Authorization"))
	}
	seen = w.get("/untold", p.tokens.Valid, "X-Postern-User-Id", "evil").seen(t)
	if seen.Get("X-Postern-User-Id") != "" || seen.Get("Authorization") != "" {
		t.Errorf("/untold: the App saw %v; want nothing of the user", seen)
	}
}

// TestOneGuardOfTwo forges what one guard tells on a path that only another guards: neither app nor error route may see it.
func TestOneGuardOfTwo(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `postern_auth
	postern_auth /a/* {
		copy_headers {
			Remote-User username
		}
	}
	reverse_proxy APP`))
	for _, forged := range []string{"Remote-User", "Remote_user", "REMOTE.USER"} {
		if seen := w.get("/x", p.tokens.Valid, forged, "evil").seen(t); strings.Contains(fmt.Sprint(seen), "evil") {
			t.Errorf("/x with a forged %s: the App saw %v", forged, seen)
		}
		seen := w.get("/a/x", p.tokens.Valid, forged, "evil").seen(t)
		if seen.Get("Remote-User") != "ann" || seen.Get("X-Postern-Username") != "ann" || strings.Contains(fmt.Sprint(seen), "evil") {
			t.Errorf("/a/x with a forged %s: the App saw %v; want what both guards tell of ann", forged, seen)
		}
	}
}

// TestTwoGuards sends requests through a guard on a path and one on the whole site.
func TestTwoGuards(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `postern_auth
	postern_auth /admin/* `+string(p.realm.ID)+` {
		copy_headers {
			X-Postern-Session session
			X-Admin           id
		}
	}
	postern_auth /pass/* {
		pass_token
	}
	reverse_proxy APP`))
	for _, connection := range []string{"", "X-Other"} { // with it, the second guard judges for itself
		seen := w.get("/admin/x", p.tokens.Valid, "Connection", connection, "X-Postern-Realm", "evil", "X-Admin", "evil").seen(t)
		for name, want := range map[string]string{"X-Postern-User-Id": string(p.ann.User.ID), "X-Admin": string(p.ann.User.ID),
			"X-Postern-Session": string(p.ann.Session.ID), "X-Postern-Realm": "", "Authorization": ""} {
			if got := seen.Get(name); got != want {
				t.Errorf("Connection %q: the App saw %s = %q, want %q", connection, name, got, want)
			}
		}
	}
	if seen := w.get("/pass/x", p.tokens.Valid).seen(t); seen.Get("Authorization") != "" || seen.Get("X-Postern-Username") != "ann" {
		t.Errorf("/pass: the App saw %v; want the user, and no token as only one guard passes it", seen)
	}
	if got := w.get("/admin/x", p.tokens.Revoked); got.status != http.StatusUnauthorized {
		t.Errorf("revoked = %d, want 401", got.status)
	}
	if got := w.get("/admin/x", p.tokens.Valid, "Connection", "X-Postern-User-Id"); got.status != http.StatusBadRequest {
		t.Errorf("Connection names an identity header = %d, want 400", got.status)
	}
}

// TestGuardsOfTwoRealms lets nobody through both.
func TestGuardsOfTwoRealms(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", "postern_auth\n\tpostern_auth /other/* other\n\treverse_proxy APP"))
	for _, token := range []string{p.tokens.Valid, p.tokens.OtherRealm} {
		if got := w.get("/other/x", token); got.status != http.StatusUnauthorized {
			t.Errorf("status = %d, want 401", got.status)
		}
	}
	if got := w.get("/", p.tokens.Valid); got.status != http.StatusOK {
		t.Errorf("status = %d, want 200", got.status)
	}
}

// TestNamedRoute invokes one guard from two sites' worth of routes.
func TestNamedRoute(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	config := w.config("", "invoke guard\n\treverse_proxy APP")
	w.load(strings.Replace(config, "http://", "&(guard) {\n\tpostern_auth\n}\nhttp://", 1))
	if got := w.get("/", ""); got.status != http.StatusUnauthorized {
		t.Errorf("without token = %d, want 401", got.status)
	}
	if seen := w.get("/", p.tokens.Valid).seen(t); seen.Get("X-Postern-Username") != "ann" {
		t.Errorf("the App saw %v", seen)
	}
}

// TestHandleErrors lets the site speak where it has a route for the status, and the guard elsewhere.
func TestHandleErrors(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `handle /gone/* {
		postern_auth nowhere
	}
	postern_auth
	reverse_proxy APP
	handle_errors 401 503 {
		handle /proxied {
			reverse_proxy APP
		}
		handle {
			respond "{err.status_code} {http.auth.postern.error} {http.request.header.X-Postern-User-Id}"
		}
	}`))
	got := w.get("/", "", "X-Postern-User-Id", "evil")
	if got.status != http.StatusUnauthorized || got.body != "401 no_credential " || got.header.Get("WWW-Authenticate") != `Bearer realm="postern"` ||
		got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("without token = %+v; want the site's words, the guard's challenge, and no forged header", got)
	}
	if got := w.get("/proxied", "", "X-Postern-User-Id", "evil"); strings.Contains(got.body, "evil") || !strings.Contains(got.body, "headers") {
		t.Errorf("an error route that asks the App = %+v; want it to see nothing forged", got)
	}
	got = w.get("/gone/x", p.tokens.Valid)
	if got.status != http.StatusServiceUnavailable || got.body != "503 unavailable " || got.header.Get("Retry-After") == "" {
		t.Errorf("realm that is not there = %+v; want the site's 503 with Retry-After", got)
	}
	got = w.get("/", p.tokens.Valid, "Connection", "X-Postern-Email")
	if got.status != http.StatusBadRequest || got.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(got.body, "identity_header_in_connection") {
		t.Errorf("a status for which the site has no route = %+v; want the guard's words", got)
	}
}

// TestRevokedAtOnce ends a session through the API, and is refused.
func TestRevokedAtOnce(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", guarded))
	token := w.createUser(p, "short")
	w.get("/", token).seen(t)
	if got := w.do("DELETE", "/v1/users/me", token, ""); got.status >= 300 {
		t.Fatalf("DELETE /v1/users/me = %+v", got)
	}
	w.eventually("the token is refused", func() bool { return w.get("/", token).status == http.StatusUnauthorized })
}

// TestRevocationReachesCaddy takes at another node what somebody has whom Caddy remembers.
func TestRevocationReachesCaddy(t *testing.T) {
	w := newWorld(t)
	w.useRedis()
	p := w.settle()
	w.load(w.config(overRedis, hosttest.RevocationCaddyfile+"\n\treverse_proxy APP"))
	other := openHouse(w)
	defer other.close()
	hosttest.Revocations(t, "http://"+w.site, hosttest.Node{Core: other.Core, Realm: p.ann.User.Realm})
}

// TestPublic opens paths inside the guard, with paths and with matchers: what is forged goes there too.
func TestPublic(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `postern_auth {
		public /healthz
		public {
			method GET
			path /assets/*
		}
	}
	reverse_proxy APP`))
	for _, path := range []string{"/healthz", "/assets/a.css"} {
		if seen := w.get(path, "", "X-Postern-User-Id", "evil").seen(t); seen.Get("X-Postern-User-Id") != "" {
			t.Errorf("%s: the App saw %v; want nobody", path, seen)
		}
		if seen := w.get(path, p.tokens.Valid).seen(t); seen.Get("X-Postern-Username") != "ann" {
			t.Errorf("%s: the App saw %v; want ann", path, seen)
		}
	}
	for path, want := range map[string]int{"/": 401, "/healthz/x": 401, "/assets/..%2fadmin": 400} {
		if got := w.get(path, ""); got.status != want {
			t.Errorf("%s = %d, want %d", path, got.status, want)
		}
	}
	if got := w.do("POST", "/assets/a.css", "", ""); got.status != http.StatusUnauthorized {
		t.Errorf("POST of an asset = %d, want 401", got.status)
	}
}

// TestMatcher routes by who was let in: the first that they are is what they are.
func TestMatcher(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.load(w.config("", `postern_auth {
		optional
	}
	@programs postern {
		user_type api
	}
	@pilots postern {
		require fly
	}
	@late postern {
		signed_in_within 87840h
		mfa
	}
	@people postern {
		user_type human
		signed_in_within 1h
	}
	@known postern
	respond @programs "a program"
	respond @pilots "a pilot"
	respond @late "somebody with two factors"
	respond @people "a person"
	respond @known "somebody"
	respond "nobody"`))
	for token, want := range map[string]string{p.tokens.Valid: "a person", "": "nobody", p.tokens.Revoked: "nobody"} {
		if got := w.get("/", token); got.body != want {
			t.Errorf("%.8q is %q, want %q", token, got.body, want)
		}
	}
	w.load(w.config("", `postern_auth
	@programs postern {
		user_type api
	}
	@known postern
	respond @programs "a program"
	respond @known "somebody"
	respond "nobody"`))
	if got := w.get("/", p.tokens.Valid); got.body != "somebody" {
		t.Errorf("of whom nothing is asked is %q, want somebody", got.body)
	}
}

// TestProvider stands beside another provider, which lets in whom it does not know, and refuses by 401 whatever keeps it from knowing somebody.
func TestProvider(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	config := w.adapt(w.config("", `basic_auth {
		bob $2a$04$yC3Q6ubd8dPfUWbUSVpHyuQKWvaHXcdkPDcSCMFiY1eNcJ1fDIyS.
	}
	respond "{http.auth.user.id} {http.auth.user.username} {http.auth.user.email}"`))
	with := func(settings string) {
		t.Helper()
		w.loadJSON(bytes.Replace(config, []byte(`"providers":{`), []byte(`"providers":{"postern":`+settings+`,`), 1))
	}
	with("{}")
	if got := w.get("/", p.tokens.Valid); got.body != string(p.ann.User.ID)+" ann ann@example.com" {
		t.Errorf("signed in = %+v", got)
	}
	if got := w.get("/", p.tokens.Revoked); got.status != http.StatusUnauthorized {
		t.Errorf("revoked = %d, want 401", got.status)
	}
	with(`{"optional":true,"public":["/open"]}`)
	for _, path := range []string{"/", "/open"} {
		if got := w.get(path, ""); got.status != http.StatusUnauthorized {
			t.Errorf("nobody, where a guard would let pass = %+v, want 401", got)
		}
		if got := w.get(path, p.tokens.Valid); got.status != http.StatusOK {
			t.Errorf("somebody, where a guard would let anybody pass = %+v, want 200", got)
		}
	}
	with(`{"realm":"nowhere"}`)
	if got := w.get("/", p.tokens.Valid); got.status != http.StatusUnauthorized || len(w.logged("auth provider returned error")) != 1 {
		t.Errorf("of a realm that is not there = %+v, of which the log says %s; want 401, and why", got, w.logged("auth provider"))
	}
}
