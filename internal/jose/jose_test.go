package jose_test

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"sync"
	"testing"

	"github.com/postern-auth/postern/internal/jose"
)

// algorithms are all of them.
var algorithms = []jose.Alg{jose.EdDSA, jose.ES256, jose.RS256, jose.PS256, jose.HS256}

// fixed returns one key of each algorithm, the same for the whole run.
var fixed = sync.OnceValue(func() map[jose.Alg]*jose.PrivateKey {
	keys := map[jose.Alg]*jose.PrivateKey{}
	for _, alg := range algorithms {
		key, err := jose.Generate(alg, rand.Reader)
		if err != nil {
			panic(err)
		}
		keys[alg] = key
	}
	return keys
})

// generate returns a new key.
func generate(tb testing.TB, alg jose.Alg) *jose.PrivateKey {
	tb.Helper()
	key, err := jose.Generate(alg, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// sign returns claims as a token.
func sign(tb testing.TB, key *jose.PrivateKey, typ, claims string) string {
	tb.Helper()
	token, err := key.Sign(typ, []byte(claims))
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// crafted returns a token of these parts, signed by nobody.
func crafted(header, claims, signature string) string { return compact(header, claims, signature) }

// compact returns parts in base64url with dots between them.
func compact(parts ...string) string {
	encoded := make([]string, 0, len(parts))
	for _, part := range parts {
		encoded = append(encoded, base64.RawURLEncoding.EncodeToString([]byte(part)))
	}
	return strings.Join(encoded, ".")
}
