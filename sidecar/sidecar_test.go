package sidecar

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/hosttest"
	"github.com/postern-auth/postern/internal/redistest"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

// served is a sidecar that runs until its test ends.
type served struct {
	*testing.T
	*Sidecar
	logged *observer.ObservedLogs
	stop   func()
}

// serve opens a sidecar in front of app and runs it.
func serve(t *testing.T, app http.Handler, change func(*Options)) *served {
	t.Helper()
	upstream := httptest.NewServer(app)
	t.Cleanup(upstream.Close)
	logs, logged := observer.New(zapcore.DebugLevel)
	o := Options{Upstream: upstream.URL, Listen: "127.0.0.1:0", Data: filepath.Join(t.TempDir(), "data"), MakeMasterKey: true, AllowUnfit: true, Log: zap.New(logs)}
	change(&o)
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	v := &served{T: t, Sidecar: s, logged: logged}
	v.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		done <- nil
	}
	t.Cleanup(v.stop)
	return v
}

// dial opens a connection to the guarded address, on which nobody waits for more than 30 seconds.
func (v *served) dial() net.Conn {
	v.Helper()
	conn, err := net.Dial("tcp", v.app.Addr().String())
	v.must(err)
	v.Cleanup(func() { _ = conn.Close() })
	v.must(conn.SetDeadline(time.Now().Add(30 * time.Second)))
	return conn
}

// stores runs a test with the options that name each store.
func stores(t *testing.T, test func(t *testing.T, change func(*Options))) {
	t.Run("bolt", func(t *testing.T) { test(t, func(*Options) {}) })
	t.Run("redis", func(t *testing.T) {
		server := redistest.Start(t)
		test(t, func(o *Options) { o.RedisURL = server.URL() })
	})
}

const password = "four words make it long"

// signIn makes a person and signs them in.
func (v *served) signIn(c *core.Core, realm core.RealmID, name string) *core.SignedIn {
	v.Helper()
	kind, email, text := core.UserHuman, name+"@example.com", password
	_, err := c.Users.Create(v.Context(), realm, core.UserChange{Type: &kind, Username: &name, Email: &email, Password: &text}, core.Request{})
	v.must(err)
	in, err := c.Passwords.Authenticate(v.Context(), realm, name, text, core.Request{})
	v.must(err)
	return in
}

func (v *served) must(err error) {
	v.Helper()
	if err != nil {
		v.Fatal(err)
	}
}

// earlier returns a core over the same store whose clock is behind, to make tokens that have expired, or nearly.
func (v *served) earlier(by time.Duration) *core.Core {
	v.Helper()
	master, err := v.o.masterKey(v.Context(), v.store)
	v.must(err)
	c, err := core.New(core.Options{Store: v.store, MasterKey: master, Now: func() time.Time { return time.Now().Add(-by) }})
	v.must(err)
	return c
}

// TestHost runs the table that all hosts run.
func TestHost(t *testing.T) {
	stores(t, func(t *testing.T, change func(*Options)) {
		v := serve(t, hosttest.App(), func(o *Options) { o.Pages, o.Guard, o.H2C = off, hosttest.Settings, true; change(o) }) // so that a browser is refused here, as elsewhere
		c := v.parts.Core
		other, err := c.Realms.Create(t.Context(), core.NewRealm{Name: "other"}, core.Request{})
		v.must(err)
		expired, old := v.signIn(v.earlier(7*time.Hour), v.realm.ID, "early"), v.signIn(v.earlier(4*time.Hour), v.realm.ID, "old")
		valid, revoked, inactive := v.signIn(c, v.realm.ID, "ann"), v.signIn(c, v.realm.ID, "bob"), v.signIn(c, v.realm.ID, "cat")
		stranger, short := v.signIn(c, other.ID, "ann"), v.signIn(c, v.realm.ID, "dan")
		v.must(c.Sessions.Delete(t.Context(), v.realm.ID, revoked.Session.ID, core.Request{}))
		state := core.StateInactive
		_, err = c.Users.Update(t.Context(), v.realm.ID, "cat", core.UserChange{State: &state}, core.Request{})
		v.must(err)
		host := hosttest.Host{URL: v.GuardURL(),
			Tokens: hosttest.Tokens{Valid: valid.Token, Short: short.Token, Old: old.Token, Expired: expired.Token, Revoked: revoked.Token, Inactive: inactive.Token, OtherRealm: stranger.Token},
			Revoke: func(t *testing.T, _ string) {
				v.must(c.Sessions.Delete(t.Context(), v.realm.ID, short.Session.ID, core.Request{}))
			},
			Identity: map[string]string{"X-Postern-User-Id": string(valid.User.ID), "X-Postern-Username": "ann", "X-Postern-Email": "ann@example.com"},
		}
		hosttest.Run(t, host)
		t.Run("over HTTP/2", func(t *testing.T) {
			http2 := new(http.Protocols)
			http2.SetUnencryptedHTTP2(true)
			host.Transport, host.Tokens.Old = &http.Transport{Protocols: http2}, v.signIn(v.earlier(4*time.Hour), v.realm.ID, "elder").Token
			hosttest.Run(t, host)
		})
		for _, entry := range v.logged.All() {
			for _, secret := range []string{valid.Token, revoked.Token, stranger.Token, password} {
				if strings.Contains(entry.Message, secret) || containsValue(entry.ContextMap(), secret) {
					t.Errorf("the log holds a secret: %s", entry.Message)
				}
			}
		}
	})
}

// containsValue reports whether a log entry's fields hold a text.
func containsValue(fields map[string]any, text string) bool {
	for _, v := range fields {
		if s, ok := v.(string); ok && strings.Contains(s, text) {
			return true
		}
	}
	return false
}

// status asks the guarded app with a token.
func (v *served) status(token string) int {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), "GET", v.GuardURL(), nil)
	v.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	v.must(err)
	_, _ = io.Copy(io.Discard, res.Body)
	v.must(res.Body.Close())
	return res.StatusCode
}

// TestRevocationReachesOtherNodes takes at one sidecar what somebody has whom another remembers.
func TestRevocationReachesOtherNodes(t *testing.T) {
	server := redistest.Start(t)
	data := filepath.Join(t.TempDir(), "data")
	change := func(o *Options) { o.RedisURL, o.Data, o.Guard = server.URL(), data, hosttest.RevocationSettings }
	one, two := serve(t, hosttest.App(), change), serve(t, hosttest.App(), change)
	hosttest.Revocations(t, two.GuardURL(), hosttest.Node{Core: one.parts.Core, Realm: one.realm.ID})
}

// TestOutage stops Redis under a sidecar: no answer may be 401, and all is well when it is back.
func TestOutage(t *testing.T) {
	server := redistest.Start(t, "appendonly yes")
	v := serve(t, hosttest.App(), func(o *Options) { o.RedisURL = server.URL() })
	seen, unseen := v.signIn(v.parts.Core, v.realm.ID, "ann"), v.signIn(v.parts.Core, v.realm.ID, "bob")
	if got := v.status(seen.Token); got != http.StatusOK {
		t.Fatalf("before the outage = %d; want 200", got)
	}
	server.Pause(t)
	if got := v.status(unseen.Token); got != http.StatusServiceUnavailable {
		t.Errorf("a token never seen, Redis away = %d; want 503", got)
	}
	redistest.Eventually(t, "a token seen before is no longer answered from memory", func() bool {
		got := v.status(seen.Token)
		if got != http.StatusOK && got != http.StatusServiceUnavailable {
			t.Errorf("a token seen before, Redis away = %d; want 200, then 503", got)
		}
		return got == http.StatusServiceUnavailable
	})
	server.Resume(t)
	redistest.Eventually(t, "all is well again", func() bool {
		return v.status(seen.Token) == http.StatusOK && v.status(unseen.Token) == http.StatusOK
	})
}

// TestEdge sends what only serves to confuse those behind.
func TestEdge(t *testing.T) {
	v := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = r.Header.Write(w) }), func(*Options) {})
	in := v.signIn(v.parts.Core, v.realm.ID, "ann")
	req, err := http.NewRequestWithContext(t.Context(), "GET", v.GuardURL(), nil)
	v.must(err)
	req.Header = http.Header{"Authorization": {"Bearer " + in.Token}, "X_Postern_User_Id": {"evil"}, "X.postern.user": {"evil"}, "X-Other_Name": {"evil"}, "X~Forwarded~For": {"6.6.6.6"}, "X!real+ip": {"6.6.6.6"}, "Forwarded": {"for=6.6.6.6"},
		"X-Forwarded-For": {"6.6.6.6"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-User": {"evil"}, "X-Forwarded-Prefix": {"/evil"}, "X-Real-Ip": {"6.6.6.6"}, "Proxy": {"evil"}, "Upgrade": {"h2c"}, "Connection": {"Upgrade, HTTP2-Settings"}, "Http2-Settings": {"AAMAAABk"}}
	res, err := http.DefaultClient.Do(req)
	v.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	v.must(err)
	for _, bad := range []string{"evil", "6.6.6.6", "h2c", "Http2-Settings", in.Token} {
		if strings.Contains(string(body), bad) {
			t.Errorf("the app was told %q:\n%s", bad, body)
		}
	}
	if !strings.Contains(string(body), "X-Forwarded-For: 127.0.0.1") {
		t.Errorf("the app was not told the client's address:\n%s", body)
	}
}

// TestHostOverHTTP2 names, as HTTP/2 can, a host that is none: the app would take it for its own address. What no client of Go's sends, e2e/attack does.
func TestHostOverHTTP2(t *testing.T) {
	v := serve(t, hosttest.App(), func(o *Options) { o.H2C, o.Guard.Public = true, []string{"/*"} })
	client := plain(t, func(transport *http.Transport) {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	})
	for host, want := range map[string]int{"app.example.com": 200, "[::1]:8080": 200, "app,evil": 400} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", v.GuardURL(), nil)
		v.must(err)
		r.Host = host
		resp, err := client.Do(r)
		v.must(err)
		_ = resp.Body.Close()
		if resp.StatusCode != want || resp.ProtoMajor != 2 {
			t.Errorf("a request for %q over %s = %d; want %d", host, resp.Proto, resp.StatusCode, want)
		}
	}
}

// TestUpstreamAway asks for an app that does not answer.
func TestUpstreamAway(t *testing.T) {
	v := serve(t, http.NotFoundHandler(), func(o *Options) { o.Upstream = "http://127.0.0.1:1" })
	in := v.signIn(v.parts.Core, v.realm.ID, "ann")
	if got := v.status(in.Token); got != http.StatusBadGateway {
		t.Errorf("status = %d; want 502", got)
	}
}

// TestNothingIsLeftRunning opens, serves and ends a sidecar.
func TestNothingIsLeftRunning(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	v := serve(t, http.NotFoundHandler(), func(o *Options) {
		o.Guard.Issuers = []guard.Issuer{{Name: "idp", Issuer: hosttest.NewIssuer(t).URL, Audience: []string{"app"}, Allow: []string{"127.0.0.1"}}}
	})
	v.status("x.y.z")
	v.stop()
	http.DefaultClient.CloseIdleConnections()
	redistest.Eventually(t, "nothing is left running", func() bool {
		err := goleak.Find(ignore, goleak.IgnoreAnyFunction("net/http/httptest.(*Server).goServe.func1"))
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
}

// TestSetUpIsRepeatable interrupts the first start between the key file and the store, and after both.
func TestSetUpIsRepeatable(t *testing.T) {
	data := t.TempDir()
	open := func() *Sidecar {
		t.Helper()
		s, err := Open(t.Context(), Options{Upstream: "http://127.0.0.1:1", Listen: "127.0.0.1:0", Data: data})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	secret, err := os.ReadFile(filepath.Join(data, assembly.FirstKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	if err := os.Remove(filepath.Join(data, storeFile)); err != nil { // as if the key had been written and nothing else
		t.Fatal(err)
	}
	for range 2 {
		s = open()
		if _, err := s.parts.Core.ManagementKeys.Authenticate(t.Context(), string(secret)); err != nil {
			t.Errorf("the key in the file after an interrupted first start = %v; want it to be good", err)
		}
		s.close()
	}
	s = open()
	defer s.close()
	if got, err := s.parts.FirstKey(t.Context(), data); err != nil || got != string(secret) {
		t.Errorf("FirstKey = %q, %v; want the key", got, err)
	}
	if err := assembly.DropFirstKey(data); err != nil {
		t.Fatal(err)
	}
	if got, err := s.parts.FirstKey(t.Context(), data); err != nil || got != "" {
		t.Errorf("FirstKey after it was dropped = %q, %v; want nothing", got, err)
	}
}

// TestDribbler sends the API a body that never ends, and the guarded address headers that do not; neither may hold a connection for long.
func TestDribbler(t *testing.T) {
	v := serve(t, http.NotFoundHandler(), func(*Options) {})
	var conns []net.Conn
	for at, text := range map[net.Listener]string{
		v.api: "POST /v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		v.app: "GET / HTTP/1.1\r\nHost: x\r\nX-Never",
	} {
		conn, err := net.Dial("tcp", at.Addr().String())
		v.must(err)
		defer conn.Close()
		_, err = io.WriteString(conn, text)
		v.must(err)
		v.must(conn.SetReadDeadline(time.Now().Add(30 * time.Second)))
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("after half a minute of what never ends, at %s: %v; want the connection closed", conn.RemoteAddr(), err)
		}
	}
}

// TestExplainWhatIsUnguarded asks about what the guard does not see: it must not be said to decide.
func TestExplainWhatIsUnguarded(t *testing.T) {
	v := serve(t, hosttest.App(), func(o *Options) { o.APIMount = "account" })
	for request, want := range map[string]string{
		"GET /auth/sign-in?return_to=/":          "GET /auth/sign-in: the hosted pages answer.",
		"GET https://app.example.com/auth/other": "GET /auth/other: the hosted pages answer.",
		"post /v1/users":                         "POST /v1/users: the API answers, which authenticates its callers itself.",
		"CONNECT /page":                          "CONNECT /page: refused, 405: this is no proxy to elsewhere.",
		"GET https://app.example.com":            "GET /: deny, 401 no_credential.",
		"GET //elsewhere/auth/sign-in":           "GET //elsewhere/auth/sign-in: deny, 401 no_credential.",
	} {
		method, address, _ := strings.Cut(request, " ")
		if said, err := Explain(t.Context(), v.o, method, address, ""); err != nil || !strings.HasPrefix(said, want) {
			t.Errorf("Explain %s = %q, %v; want %q", request, said, err, want)
		}
	}
	for _, address := range []string{"page", "", "?x"} {
		if said, err := Explain(t.Context(), v.o, "GET", address, ""); err == nil || !strings.Contains(err.Error(), "must be a path like /page") {
			t.Errorf("Explain GET %q = %q, %v; want to hear what an address looks like", address, said, err)
		}
	}
	if said, err := Explain(t.Context(), v.o, "GET", "/v1/users", ""); err != nil || !strings.Contains(said, "401 no_credential") {
		t.Errorf("Explain GET /v1/users, which api_mount leaves to the app = %q, %v; want the guard's 401", said, err)
	}
}

// TestExplain asks the running server over the embedded store, and judges by the same settings over Redis.
func TestExplain(t *testing.T) {
	stores(t, func(t *testing.T, change func(*Options)) {
		v := serve(t, hosttest.App(), func(o *Options) { o.Guard = hosttest.Settings; change(o) })
		in := v.signIn(v.parts.Core, v.realm.ID, "ann")
		asked := v.o
		if asked.RedisURL == "" {
			asked.Guard = guard.Settings{} // the server's own count
		}
		said, err := Explain(t.Context(), asked, "GET", "/admin/x", in.Token)
		if err != nil || !strings.Contains(said, "403 missing_permission") || !strings.Contains(said, `Decided by rule 1, {"path":["/admin/*"],`) || !strings.Contains(said, string(in.User.ID)) {
			t.Errorf("Explain = %q, %v; want rule 1 and ann", said, err)
		}
	})
}
