package httpapi_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
	"github.com/postern-auth/postern/internal/fakeclock"
	"github.com/postern-auth/postern/internal/jose"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/internal/teststore"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

// world is an API over a store of its own, on a real port, with a clock that tests move. Whatever secret goes
// through it must not be in its log when the test ends.
type world struct {
	*testing.T
	*core.Core
	ctx    context.Context
	clock  *fakeclock.Clock
	store  *brokenStore
	server *httptest.Server
	realm  *core.Realm
	key    string           // management key for all realms, with every permission
	signer *jose.PrivateKey // the provider's key, for APTs that its SDK would not sign
	logs   *observer.ObservedLogs

	mu      sync.Mutex
	secrets map[string]bool
}

// each runs a story on every kind of store.
func each(t *testing.T, story func(w *world)) {
	t.Helper()
	teststore.Each(t, func(t *testing.T, open teststore.Open) { story(newWorldOn(t, open(t))) })
}

// newWorld sets up an API over the embedded store.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, teststore.Bolt(t))
}

// newWorldOn sets up an API over a store.
func newWorldOn(t *testing.T, store core.Store) *world {
	t.Helper()
	return newWorldUnder(t, store, make([]byte, core.MasterKeySize))
}

// newWorldUnder sets up an API over a store, with a master key.
func newWorldUnder(t *testing.T, store core.Store, masterKey []byte) *world {
	t.Helper()
	logger, logs := observer.New(zap.DebugLevel)
	w := &world{T: t, ctx: t.Context(), clock: fakeclock.New(), store: &brokenStore{Store: store}, logs: logs, secrets: map[string]bool{}}
	master, err := core.NewMasterKey(masterKey)
	w.must(err)
	w.Core, err = core.New(core.Options{Store: w.store, MasterKey: master, Now: w.clock.Now, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1}})
	w.must(err)
	w.key, err = w.ManagementKeys.NewSecret()
	w.must(err)
	w.must(w.SetUp(w.ctx, w.key))
	w.realm, _, err = w.First(w.ctx, w.key)
	w.must(err)
	w.secret(w.key)

	private, public, err := providerKey()
	w.must(err)
	_, err = w.APTKeys.Add(w.ctx, w.realm.ID, "provider", public, "", core.Request{})
	w.must(err)
	w.signer, err = jose.ParsePrivateKey(private)
	w.must(err)

	api, err := httpapi.New(httpapi.Options{Core: w.Core, Logger: zap.New(logger)})
	w.must(err)
	w.listen(api)
	return w
}

// listen starts the server. What it says and what is logged is looked at when the test ends.
func (w *world) listen(api http.Handler) {
	said := &spoken{}
	server := httptest.NewUnstartedServer(w.conforming(api)) // some tests replace it
	server.Config.ErrorLog = log.New(said, "", 0)
	server.Start()
	w.server = server
	w.Cleanup(func() {
		w.server.Close()
		server.Close()
		if text := said.String(); strings.Contains(text, "panic serving") {
			w.Errorf("the server said %s", text)
		}
		w.searchLog()
	})
}

// spoken is what a server said. Safe for concurrent use.
type spoken struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// providerKey is one key pair for all tests: to make an RSA key takes long.
var providerKey = func() func() (private, public []byte, err error) {
	var once sync.Once
	var private, public []byte
	var err error
	return func() ([]byte, []byte, error) {
		once.Do(func() { private, public, err = client.GenerateAPTKey() })
		return private, public, err
	}
}()

// must ends the test on an error.
func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("unexpected error: %v", err)
	}
}

// secret notes what must not be logged.
func (w *world) secret(texts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range texts {
		w.secrets[s] = true
	}
}

// searchLog fails the test where a secret was logged.
func (w *world) searchLog() {
	w.Helper()
	for _, entry := range w.logs.All() {
		text := fmt.Sprint(entry.Message, entry.ContextMap())
		for s := range w.secrets {
			if strings.Contains(text, s) {
				w.Errorf("the log holds %q: %s", s, text)
			}
		}
	}
}

// newKey makes a management key; realm "" is for all.
func (w *world) newKey(realm core.RealmID, permissions ...core.Permission) string {
	w.Helper()
	key, err := w.ManagementKeys.NewSecret()
	w.must(err)
	_, err = w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "test", Realm: realm, Permissions: permissions}, key, core.Request{})
	w.must(err)
	w.secret(key)
	return key
}

// goodPassword passes the rules of the default realm.
const goodPassword = "four words make it long"

// human creates a person with goodPassword.
func (w *world) human(name string) *core.User {
	w.Helper()
	u, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: &name,
		Email: ptr(name + "@example.com"), Password: ptr(goodPassword)}, core.Request{})
	w.must(err)
	w.secret(goodPassword, u.Email)
	return u
}

// signIn signs a person in with goodPassword.
func (w *world) signIn(name string) *core.SignedIn {
	w.Helper()
	in, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, name, goodPassword, core.Request{})
	w.must(err)
	w.secret(in.Token)
	return in
}

// apt signs an APT that works once, by the world's clock; "" leaves open whom it is for.
func (w *world) apt(arbitraryID string) string {
	w.Helper()
	claims := w.aptClaims(arbitraryID)
	claims["jti"] = rand.Text()
	return w.sign(claims)
}

// sdkAPT signs an APT as the SDK does: without jti, so that two of one second are the same.
func (w *world) sdkAPT(arbitraryID string) string {
	w.Helper()
	return w.sign(w.aptClaims(arbitraryID))
}

// aptClaims returns what the SDK claims.
func (w *world) aptClaims(arbitraryID string) map[string]any {
	user := map[string]string{"environment_guid": w.realm.EnvironmentGUID}
	if arbitraryID != "" {
		user["arbitrary_id"] = arbitraryID
	}
	now := w.clock.Now().Unix()
	return map[string]any{"exp": now + 60, "iat": now, "iss": "Work-API Ruby SDK v0.1.1", "user": user}
}

// sign signs claims with the provider's key.
func (w *world) sign(claims map[string]any) string {
	w.Helper()
	text, err := json.Marshal(claims)
	w.must(err)
	apt, err := w.signer.SignBare(text)
	w.must(err)
	w.secret(apt)
	return apt
}

// provided creates a user by arbitrary_id.
func (w *world) provided(arbitraryID string) *core.SignedIn {
	w.Helper()
	in, err := w.APTs.Create(w.ctx, core.APTCall{Token: w.apt(""), ArbitraryID: &arbitraryID})
	w.must(err)
	w.secret(in.Token)
	return in
}

// answer is what came back.
type answer struct {
	*http.Response
	text string
	json map[string]any // nil where the body is no JSON object
}

// attribute returns an attribute of a JSON:API answer that is a text.
func (a *answer) attribute(name string) string {
	data, _ := a.json["data"].(map[string]any)
	attributes, _ := data["attributes"].(map[string]any)
	text, _ := attributes[name].(string)
	return text
}

// field returns a member of a v1 answer that is a text.
func (a *answer) field(name string) string {
	text, _ := a.json[name].(string)
	return text
}

// raw sends bytes as they are over a new connection, and returns the one answer, checked for what holds of all.
func (w *world) raw(request string) *answer {
	w.Helper()
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	w.must(err)
	defer conn.Close()
	w.must(conn.SetDeadline(time.Now().Add(30 * time.Second)))
	go func() { _, _ = io.WriteString(conn, request) }() // a server may answer before it has read all
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	w.must(err)
	text, err := io.ReadAll(response.Body)
	w.must(err)
	a := &answer{Response: response, text: string(text)}
	_ = json.Unmarshal(text, &a.json)
	w.secret(tokenShape.FindAllString(a.text, -1)...)
	w.check(strings.SplitN(request, "\r\n", 2)[0], method, a)
	return a
}

// tokenShape is what a token looks like.
var tokenShape = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)

// do sends a request: its line without the protocol, headers a line each, and a body.
func (w *world) do(line, headers, body string) *answer {
	w.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s HTTP/1.1\r\nHost: %s\r\n", line, w.server.Listener.Addr())
	for h := range strings.SplitSeq(headers, "\n") {
		if h = strings.TrimSpace(h); h != "" {
			b.WriteString(h + "\r\n")
		}
	}
	if body != "" {
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return w.raw(b.String())
}

// manage sends a call of the Users API, with the key for everything and the default realm.
func (w *world) manage(line, body string) *answer {
	w.Helper()
	return w.do(line, w.asManager(), body)
}

// asManager returns the headers that Ruby sends.
func (w *world) asManager() string {
	return "Accept: application/json\nContent-Type: application/json\nX-Authrocket-Api-Key: " + w.key + "\nX-Authrocket-Realm: " + string(w.realm.ID)
}

// atOnce makes n calls at once, and returns their answers. A call that fails the test ends its own goroutine alone, and the test here.
func (w *world) atOnce(n int, call func(i int) *answer) []*answer {
	w.Helper()
	answers := make([]*answer, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { answers[i] = call(i) })
	}
	all.Wait()
	if slices.Contains(answers, nil) {
		w.FailNow()
	}
	return answers
}

// provide sends a call of Work-API.
func (w *world) provide(line, token, body string) *answer {
	w.Helper()
	headers := "Authorization: Bearer " + token + "\nAccept: application/vnd.api+json"
	if body != "" {
		headers += "\nContent-Type: application/vnd.api+json"
	}
	return w.do(line, headers, body)
}

// document is the body that the Work-API SDK sends.
func (w *world) document(arbitraryID string) string {
	return fmt.Sprintf(`{"data":{"attributes":{"arbitrary_id":%q,"environment_guid":%q},"type":"user"}}`, arbitraryID, w.realm.EnvironmentGUID)
}

// want asserts a status and, where code is not "", the code of a JSON:API error or a part of the body.
func (w *world) want(a *answer, status int, part string) *answer {
	w.Helper()
	if a.StatusCode != status || !strings.Contains(a.text, part) {
		w.Errorf("%s = %d %s; want %d %q", a.Request.Method, a.StatusCode, a.text, status, part)
	}
	return a
}

func ptr[T any](v T) *T { return &v }
