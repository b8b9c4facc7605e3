package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
	"github.com/postern-auth/postern/internal/fakeclock"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/internal/teststore"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

// goodPassword passes the rules of the default realm.
const goodPassword = "four words make it long"

// world is a server over a store of its own, and clients of it.
type world struct {
	*testing.T
	ctx    context.Context
	core   *core.Core
	clock  *fakeclock.Clock
	server *httptest.Server
	realm  string
	key    string
	c      *client.Client // with a key for all realms and every permission, in the default realm
}

// each runs a story on every kind of store.
func each(t *testing.T, story func(w *world)) {
	t.Helper()
	teststore.Each(t, func(t *testing.T, open teststore.Open) { story(newWorld(t, open(t))) })
}

// newWorld sets up a server over a store.
func newWorld(t *testing.T, store core.Store) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context(), clock: fakeclock.New()}
	var err error
	w.core, w.realm, w.key, err = setUp(w.ctx, store, w.clock.Now)
	w.must(err)
	api, err := httpapi.New(httpapi.Options{Core: w.core})
	w.must(err)
	w.server = httptest.NewServer(api)
	t.Cleanup(w.server.Close)
	w.c = w.client(client.Options{Key: w.key, Realm: w.realm})
	return w
}

// setUp sets up a core over an empty store, with a management key for all of it.
func setUp(ctx context.Context, store core.Store, now func() time.Time) (c *core.Core, realm, key string, err error) {
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize)) // a real one is random, and kept elsewhere
	if err != nil {
		return nil, "", "", err
	}
	c, err = core.New(core.Options{Store: store, MasterKey: master, Now: now, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1}})
	if err != nil {
		return nil, "", "", err
	}
	if key, err = c.ManagementKeys.NewSecret(); err != nil {
		return nil, "", "", err
	}
	if err = c.SetUp(ctx, key); err != nil {
		return nil, "", "", err
	}
	first, _, err := c.First(ctx, key)
	if err != nil {
		return nil, "", "", err
	}
	return c, string(first.ID), key, nil
}

// client returns a client of the server.
func (w *world) client(o client.Options) *client.Client {
	w.Helper()
	o.URL = w.server.URL
	c, err := client.New(o)
	w.must(err)
	return c
}

// must ends the test on an error.
func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("unexpected error: %v", err)
	}
}

// human makes a person with goodPassword.
func (w *world) human(name string) *client.User {
	w.Helper()
	u, err := w.c.Users.Create(w.ctx, client.UserCreate{UserType: "human", Username: name, Email: name + "@example.com", Password: goodPassword})
	w.must(err)
	return u
}

// faulty returns a client of a server that answers as it is told, which waits for nothing between tries but notes how long
// it would have.
func faulty(t *testing.T, o client.Options, answer http.HandlerFunc) (*client.Client, *[]time.Duration) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	o.URL = server.URL
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	waits := &[]time.Duration{}
	client.SetPause(c, func(ctx context.Context, d time.Duration) error {
		*waits = append(*waits, d)
		return ctx.Err()
	})
	return c, waits
}

// boltStore opens the embedded store alone, for what is the same on all.
func boltStore(t *testing.T) core.Store { return teststore.Bolt(t) }
