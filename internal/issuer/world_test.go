package issuer_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/internal/issuer"
	"github.com/postern-auth/postern/internal/jose"
)

// elsewhere is an issuer that is not ours.
type elsewhere struct {
	*httptest.Server
	documents, sets atomic.Int32 // how often each was asked for

	mu       sync.Mutex
	document func(http.ResponseWriter) // what it answers
	set      func(http.ResponseWriter)
}

const setPath = "/keys"

func newElsewhere(t *testing.T, keys ...*jose.PrivateKey) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	e.says(discovery(e.URL, e.URL+setPath), keySet(t, keys...))
	return e
}

func (e *elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	document, set := e.document, e.set
	e.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		e.documents.Add(1)
		document(w)
	case setPath:
		e.sets.Add(1)
		set(w)
	default:
		http.NotFound(w, r)
	}
}

// says changes what it answers; nil leaves it.
func (e *elsewhere) says(document, set func(http.ResponseWriter)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if document != nil {
		e.document = document
	}
	if set != nil {
		e.set = set
	}
}

// discovery answers with a discovery document.
func discovery(iss, keys string) func(http.ResponseWriter) {
	text, _ := json.Marshal(map[string]any{"issuer": iss, "jwks_uri": keys, "response_types_supported": []string{"code"}})
	return body(string(text))
}

// keySet answers with keys.
func keySet(t *testing.T, keys ...*jose.PrivateKey) func(http.ResponseWriter) {
	t.Helper()
	var published []jose.Published
	for _, k := range keys {
		published = append(published, k.Public())
	}
	text, err := jose.JWKS(published...)
	if err != nil {
		t.Fatal(err)
	}
	return body(string(text))
}

// body answers with a text.
func body(text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { fmt.Fprint(w, text) }
}

// newKey returns a key that signs.
func newKey(t testing.TB, alg jose.Alg) *jose.PrivateKey {
	t.Helper()
	key, err := jose.Generate(alg, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// config says where e's keys are.
func (e *elsewhere) config() issuer.Config { return issuer.Config{Issuer: e.URL, Allow: "127.0.0.1"} }

// used is a lease, with what was said to who has it.
type used struct {
	*issuer.Lease
	gone chan []string
	log  *observer.ObservedLogs
}

// take has keys fetched until the test ends, and waits for the first fetch.
func take(t *testing.T, p *issuer.Pool, c issuer.Config) used {
	t.Helper()
	core, log := observer.New(zap.InfoLevel)
	u := used{gone: make(chan []string, 10), log: log}
	var err error
	if u.Lease, err = p.Take(c, zap.New(core), func(gone []string) { u.gone <- gone }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Lease.Close)
	select {
	case <-u.Tried():
	case <-time.After(30 * time.Second):
		t.Fatal("the first fetch does not end")
	}
	return u
}
