package core_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/fakeclock"
	"github.com/postern-auth/postern/internal/jose"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/internal/teststore"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

// world is a core over a store of its own, with a clock that tests move and an account provider.
type world struct {
	*testing.T
	*core.Core
	ctx   context.Context
	store core.Store
	clock *fakeclock.Clock
	realm *core.Realm
}

// timed is a store whose clock is a test's: a core that keeps current corrects its own clock by it, and must not take the time that the test
// has run for a difference between the two.
type timed struct {
	core.Store
	clock *fakeclock.Clock
}

func (s timed) Check(ctx context.Context) (core.Fitness, error) {
	fit, err := s.Store.Check(ctx)
	fit.Now = s.clock.Now()
	return fit, err
}

// newWorldOnBolt sets up the embedded store.
func newWorldOnBolt(t *testing.T) *world {
	t.Helper()
	return newWorld(t, teststore.Bolt(t))
}

// each runs a story on every kind of store.
func each(t *testing.T, story func(w *world)) {
	t.Helper()
	teststore.Each(t, func(t *testing.T, open teststore.Open) { story(newWorld(t, open(t))) })
}

// newWorld sets up a store with the default realm.
func newWorld(t *testing.T, store core.Store) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context(), clock: fakeclock.New()}
	w.store = timed{store, w.clock}
	w.Core = w.another(w.store)
	secret, err := w.ManagementKeys.NewSecret()
	w.must(err)
	w.must(w.SetUp(w.ctx, secret))
	w.realm, _, err = w.First(w.ctx, secret)
	w.must(err)
	_, public, err := providerKey()
	w.must(err)
	_, err = w.APTKeys.Add(w.ctx, w.realm.ID, "provider", public, "", core.Request{})
	w.must(err)
	return w
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

// another returns a second core over a store, as in another process.
func (w *world) another(store core.Store) *core.Core {
	w.Helper()
	return w.anotherWith(core.Options{Store: store})
}

// reporting returns another core over the same store, which reports to somebody.
func (w *world) reporting(to func(core.Fitness, error)) *core.Core {
	w.Helper()
	return w.anotherWith(core.Options{Store: w.store, Report: to})
}

// anotherWith returns a core with the options that tests have, beside those given.
func (w *world) anotherWith(o core.Options) *core.Core {
	w.Helper()
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	w.must(err)
	o.MasterKey, o.Now, o.Hashing = master, w.clock.Now, core.Hashing{HashMemory: 8 << 10, HashPasses: 1}
	c, err := core.New(o)
	w.must(err)
	return c
}

// run keeps c current until the test ends.
func (w *world) run(c *core.Core) {
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	w.Cleanup(func() { cancel(); <-done })
}

// becomes waits until holds does, which another goroutine brings about.
func (w *world) becomes(what string, holds func() bool) {
	w.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("%s: not within a minute", what)
		}
	}
}

// must ends the test on an error.
func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("unexpected error: %v", err)
	}
}

// refused asserts that err is want, by kind and code.
func (w *world) refused(what string, err error, want *core.Error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("%s = %v; want %q", what, err, want.Code)
	}
}

// apt signs an APT by the world's clock, which may be far from the machine's; "" leaves open whom it is for.
func (w *world) apt(arbitraryID string) string {
	w.Helper()
	private, _, err := providerKey()
	w.must(err)
	key, err := jose.ParsePrivateKey(private)
	w.must(err)
	user := map[string]any{"environment_guid": w.realm.EnvironmentGUID}
	if arbitraryID != "" {
		user["arbitrary_id"] = arbitraryID
	}
	now := w.clock.Now().Unix()
	return signed(w.T, key, map[string]any{"exp": now + 60, "iat": now, "jti": rand.Text(), "user": user})
}

// provided creates a user by arbitrary_id.
func (w *world) provided(arbitraryID string) *core.SignedIn {
	w.Helper()
	in, err := w.APTs.Create(w.ctx, core.APTCall{Token: w.apt(""), ArbitraryID: &arbitraryID})
	w.must(err)
	return in
}

// goodPassword passes the rules of the default realm.
const goodPassword = "four words make it long"

// human creates a person with a password.
func (w *world) human(username string) *core.User {
	w.Helper()
	u, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: &username,
		Email: ptr(username + "@example.com"), Password: ptr(goodPassword)}, core.Request{})
	w.must(err)
	return u
}

// signIn signs a person in with goodPassword.
func (w *world) signIn(username string) *core.SignedIn {
	w.Helper()
	in, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, username, goodPassword, core.Request{})
	w.must(err)
	return in
}

// knows resolves a token.
func (w *world) knows(token string) error {
	_, err := w.Sessions.Resolve(w.ctx, w.realm.ID, token)
	return err
}

func ptr[T any](v T) *T { return &v }
