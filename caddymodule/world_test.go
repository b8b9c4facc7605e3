package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/assembly"
	"github.com/postern-auth/postern/internal/hosttest"
	"github.com/postern-auth/postern/internal/proctest"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// world is a Caddy in this process, with a data folder of its own. Caddy is one to a process, so tests that use one
// do not run in parallel.
type world struct {
	*testing.T
	folder string // of the data
	log    string // file
	site   string // address to listen on
	app    string // address of hosttest.App
	behind *httptest.Server
}

// newWorld prepares a world, and loads nothing.
func newWorld(t *testing.T) *world {
	t.Helper()
	redistest.Eventually(t, "what the test before used is gone", func() bool { return inUse() == [3]int{} }) // a guard stays until a stream that is cut has left
	home := t.TempDir()
	t.Setenv("XDG_DATA_HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("POSTERN_REDIS_URL", "")
	t.Setenv("POSTERN_MASTER_KEY_FILE", "")
	app := httptest.NewServer(hosttest.App())
	t.Cleanup(app.Close)
	return &world{T: t, folder: filepath.Join(home, "caddy", "postern"), log: filepath.Join(home, "caddy.log"),
		site: proctest.Free(t), app: app.Listener.Addr().String(), behind: app}
}

// config returns the Caddyfile of a world: one site that has body in it, and global options. In both, SITE and APP stand for addresses.
func (w *world) config(global, body string) string {
	text := fmt.Sprintf(`{
	admin off
	persist_config off
	log {
		output file %s
		level DEBUG
	}
	%s
}
http://SITE {
	%s
}
`, w.log, global, body)
	return strings.NewReplacer("SITE", w.site, "APP", w.app).Replace(text)
}

// adapt returns the JSON of a Caddyfile.
func (w *world) adapt(caddyfile string) []byte {
	w.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		w.Fatalf("adapt: %v\n%s", err, caddyfile)
	}
	return config
}

// try loads a Caddyfile, and returns what Caddy says.
func (w *world) try(caddyfile string) error {
	w.Helper()
	config := w.adapt(caddyfile)
	config = bytes.ReplaceAll(config, []byte(`"assertion":"WRONG"`), []byte(`"stale_ok":"WRONG"`)) // which no Caddyfile says
	config = bytes.ReplaceAll(config, []byte(`"assertion":"WRONG-ISSUER"`), []byte(`"issuers":[{"name":"elsewhere","issuer":"https://id.example.com"}]`))
	return w.tryJSON(config)
}

// tryJSON loads a configuration, and returns what Caddy says.
func (w *world) tryJSON(config []byte) error {
	w.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			w.Errorf("stop: %v", err)
		}
	})
	return caddy.Load(config, true)
}

// loadJSON loads a configuration.
func (w *world) loadJSON(config []byte) {
	w.Helper()
	if err := w.tryJSON(config); err != nil {
		w.Fatalf("load: %v\n%s", err, config)
	}
}

// load loads a Caddyfile.
func (w *world) load(caddyfile string) {
	w.Helper()
	if err := w.try(caddyfile); err != nil {
		w.Fatalf("load: %v\n%s", err, caddyfile)
	}
}

// logged returns the lines of the log that hold text.
func (w *world) logged(text string) []string {
	w.Helper()
	all, err := os.ReadFile(w.log)
	if err != nil {
		w.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(all)) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// eventually waits until a condition holds.
func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("not within a minute: %s; the log has\n%s", what, strings.Join(w.logged("postern"), ""))
		}
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// seen returns the headers that the App saw.
func (a answer) seen(t *testing.T) http.Header {
	t.Helper()
	var body struct{ Headers http.Header }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != http.StatusOK {
		t.Fatalf("answer = %d %q; want the App's", a.status, a.body)
	}
	return body.Headers
}

// get asks for a path of the site with a token, "" = none, and headers in pairs.
func (w *world) get(path, token string, headers ...string) answer {
	w.Helper()
	return w.do("GET", path, token, "", headers...)
}

// do sends a request to the site, on a connection of its own. Those that are made just as Caddy reloads may be reset or closed
// (docs/caddy.md, "Reloads"), so that is tried again; TestReloadsFailNobody holds that no other request fails.
func (w *world) do(method, path, token, body string, headers ...string) answer {
	w.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		for range 3 {
			if conn, err = new(net.Dialer).DialContext(ctx, network, addr); err == nil {
				break
			}
		}
		return conn, err
	}}
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+w.site+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	res, err := transport.RoundTrip(r)
	for tries := 0; (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)) && tries < 20; tries++ {
		time.Sleep(time.Duration(tries) * time.Millisecond) // until the former configuration has closed its listener, on a busy machine
		r.Body, _ = r.GetBody()
		res, err = transport.RoundTrip(r)
	}
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// people are who lives in a data folder.
type people struct {
	realm    *core.Realm
	provider []byte // private key of an account provider
	ann      *core.SignedIn
	tokens   hosttest.Tokens
}

// settle fills a world's Redis or data folder, as a former run would have.
func (w *world) settle() people {
	w.Helper()
	h := openHouse(w)
	defer h.close()
	h.ahead = -7 * time.Hour
	realm, err := (&assembly.Assembly{Core: h.Core}).SetUp(w.Context(), w.folder)
	h.must(err)
	other, err := h.Realms.Create(w.Context(), core.NewRealm{Name: "other"}, core.Request{})
	h.must(err)
	private, public, err := client.GenerateAPTKey()
	h.must(err)
	_, err = h.APTKeys.Add(w.Context(), realm.ID, "provider", public, "", core.Request{})
	h.must(err)

	early := h.signIn(realm, "early")
	h.ahead = -4 * time.Hour
	old := h.signIn(realm, "old")
	h.ahead = 0
	ann, revoked, inactive := h.signIn(realm, "ann"), h.signIn(realm, "bob"), h.signIn(realm, "cat")
	h.must(h.Sessions.Delete(w.Context(), realm.ID, revoked.Session.ID, core.Request{}))
	state := core.StateInactive
	_, err = h.Users.Update(w.Context(), realm.ID, string(inactive.User.ID), core.UserChange{State: &state}, core.Request{})
	h.must(err)
	return people{realm: realm, provider: private, ann: ann, tokens: hosttest.Tokens{Valid: ann.Token, Old: old.Token, Expired: early.Token,
		Revoked: revoked.Token, Inactive: inactive.Token, OtherRealm: h.signIn(other, "ann").Token}}
}

// house is a core over a world's Redis or data folder, of which the latter must be closed before Caddy opens it.
type house struct {
	*core.Core
	w     *world
	store core.Store
	ahead time.Duration // of its clock
}

func openHouse(w *world) *house {
	w.Helper()
	h := &house{w: w}
	now := func() time.Time { return time.Now().Add(h.ahead) }
	var err error
	h.must(os.MkdirAll(w.folder, 0o700))
	var master *core.MasterKey
	if url := os.Getenv("POSTERN_REDIS_URL"); url != "" {
		h.store, err = redisstore.Open(w.Context(), redisstore.Options{URL: url, ReadTimeout: 10 * time.Second, CallTimeout: 20 * time.Second})
		h.must(err)
		master, err = assembly.DecodeMasterKey([]byte(os.Getenv("TEST_MASTER_KEY")))
	} else {
		h.store, err = boltstore.Open(boltstore.Options{Path: filepath.Join(w.folder, storeFile), Now: now})
		h.must(err)
		h.must(assembly.EnsureMasterKey(filepath.Join(w.folder, assembly.MasterKeyFile)))
		master, err = assembly.OwnMasterKey(w.folder)
	}
	h.must(err)
	h.Core, err = core.New(core.Options{Store: h.store, MasterKey: master, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1}, Now: now})
	h.must(err)
	return h
}

func (h *house) close() { h.must(h.store.Close()) }

func (h *house) must(err error) {
	h.w.Helper()
	if err != nil {
		h.w.Fatal(err)
	}
}

// signIn makes a user and signs it in.
func (h *house) signIn(realm *core.Realm, name string) *core.SignedIn {
	h.w.Helper()
	kind, email, reference, password := core.UserHuman, name+"@example.com", "acct-"+name, "correct horse battery staple"
	_, err := h.Users.Create(context.Background(), realm.ID, core.UserChange{Type: &kind, Username: &name, Email: &email, Reference: &reference, Password: &password}, core.Request{})
	h.must(err)
	in, err := h.Passwords.Authenticate(context.Background(), realm.ID, name, password, core.Request{})
	h.must(err)
	return in
}
