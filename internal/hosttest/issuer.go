package hosttest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// Issuer is an issuer of tokens that is not Postern, on this machine, until its test ends.
type Issuer struct {
	URL     string
	Fetched atomic.Int32 // how often its keys were
	Down    atomic.Bool  // it answers 500

	key *jose.PrivateKey
}

// NewIssuer starts one.
func NewIssuer(t *testing.T) *Issuer {
	t.Helper()
	i := &Issuer{}
	var err error
	if i.key, err = jose.Generate(jose.ES256, rand.Reader); err != nil {
		t.Fatal(err)
	}
	keys, err := jose.JWKS(i.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case i.Down.Load():
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path == "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
		case r.URL.Path == "/keys":
			i.Fetched.Add(1)
			_, _ = w.Write(keys)
		}
	}))
	t.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

// Token returns a token for a user, meant for an audience, good for an hour.
func (i *Issuer) Token(t *testing.T, user, audience string) string {
	t.Helper()
	now := time.Now().Unix()
	claims, err := json.Marshal(map[string]any{"iss": i.URL, "sub": user, "aud": audience, "iat": now, "exp": now + 3600,
		"preferred_username": "ada", "email": "ada@example.com", "email_verified": true, "roles": []string{"fly"}})
	if err != nil {
		t.Fatal(err)
	}
	token, err := i.key.Sign("JWT", claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
