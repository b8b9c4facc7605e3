package guard_test

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/jose"
)

// elsewhere is an issuer that is not ours, as far as a guard sees of it.
type elsewhere struct {
	*httptest.Server
	t       testing.TB
	fetches atomic.Int32 // of keys

	mu   sync.Mutex
	keys []*jose.PrivateKey
	kid  string // that of all keys; "" = each has its own
	down bool
}

func newElsewhere(t testing.TB, keys ...*jose.PrivateKey) *elsewhere {
	e := &elsewhere{t: t, keys: keys}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
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

func (e *elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.down:
		w.WriteHeader(http.StatusInternalServerError)
	case r.URL.Path == "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": e.URL, "jwks_uri": e.URL + "/keys"})
	case r.URL.Path == "/keys":
		e.fetches.Add(1)
		var published []jose.Published
		for _, k := range e.keys {
			published = append(published, k.Public())
		}
		text, err := jose.JWKS(published...)
		if err != nil {
			e.t.Error(err)
		}
		if e.kid != "" {
			text = regexp.MustCompile(`"kid":"[^"]*"`).ReplaceAll(text, []byte(`"kid":"`+e.kid+`"`))
		}
		_, _ = w.Write(text)
	default:
		http.NotFound(w, r)
	}
}

// publishes changes what keys it has.
func (e *elsewhere) publishes(keys ...*jose.PrivateKey) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys = keys
}

// isDown says whether it fails.
func (e *elsewhere) isDown(down bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = down
}

// settings names it "idp", and changes some settings.
func (e *elsewhere) settings(changes ...func(*guard.Issuer)) []guard.Issuer {
	i := guard.Issuer{Name: "idp", Issuer: e.URL, Audience: []string{"app"}, Allow: []string{"127.0.0.1"}}
	for _, change := range changes {
		change(&i)
	}
	return []guard.Issuer{i}
}

// token returns one that key signs: e's, for user u1, issued a minute ago, good for an hour; with some claims changed, nil leaving one out.
func (e *elsewhere) token(key *jose.PrivateKey, change map[string]any) string {
	e.t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{"iss": e.URL, "sub": "u1", "aud": "app", "iat": now - 60, "exp": now + 3600}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(claims)
	if err != nil {
		e.t.Fatal(err)
	}
	token, err := key.Sign("JWT", text)
	if err != nil {
		e.t.Fatal(err)
	}
	return token
}

// worldToday is a world whose clock stands at this very moment, as that of an issuer's keys does.
func worldToday() *world {
	w := newWorld()
	w.now = time.Now()
	return w
}
