package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/postern-auth/postern/internal/jose"
)

// elsewhere returns the private keys of an issuer elsewhere, one for each algorithm and the same for the whole run. jwx makes and uses them.
var elsewhere = sync.OnceValue(func() map[string]crypto.Signer {
	rsaKey, rsaErr := rsa.GenerateKey(rand.Reader, 2048)
	_, ed, edErr := ed25519.GenerateKey(rand.Reader)
	if rsaErr != nil || edErr != nil {
		panic(fmt.Sprint(rsaErr, edErr))
	}
	keys := map[string]crypto.Signer{"EdDSA": ed, "Ed25519": ed}
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		keys[alg] = key
	}
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		keys[alg] = rsaKey
	}
	return keys
})

// asJWX returns the name that jwx has for an algorithm.
func asJWX(alg string) jwa.SignatureAlgorithm {
	if alg == "Ed25519" {
		return jwa.EdDSA
	}
	return jwa.SignatureAlgorithm(alg)
}

// signElsewhere returns a token that jwx signs with the key for an algorithm, under any header, and whose signature has then one byte changed.
func signElsewhere(tb testing.TB, alg, header, claims string, at int, flip byte) string {
	tb.Helper()
	signer, err := jws.NewSigner(asJWX(alg))
	if err != nil {
		tb.Fatal(err)
	}
	signed := compact(header, claims)
	signature, err := signer.Sign([]byte(signed), elsewhere()[alg])
	if err != nil {
		tb.Fatal(err)
	}
	signature[at%len(signature)] ^= flip
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// publishElsewhere returns the keys as their issuer publishes them, each under its algorithm's name as kid.
func publishElsewhere(tb testing.TB, algs ...string) *jose.KeySet {
	tb.Helper()
	var keys []string
	for _, alg := range algs {
		key, err := jwk.FromRaw(elsewhere()[alg].Public())
		if err != nil {
			tb.Fatal(err)
		}
		text, err := json.Marshal(key)
		if err != nil {
			tb.Fatal(err)
		}
		keys = append(keys, strings.Replace(string(text), "{", `{"use":"sig","kid":"`+alg+`","alg":"`+alg+`",`, 1))
	}
	set, err := jose.ParseKeySet([]byte(`{"keys":[` + strings.Join(keys, ",") + `]}`))
	if err != nil {
		tb.Fatal(err)
	}
	if set.Len() != len(algs) {
		tb.Fatalf("of the keys for %v, %d can be used", algs, set.Len())
	}
	return set
}

// TestForeignAlgs verifies what jwx signs with each algorithm, under the key that was published for that algorithm, by either name where it has two, and under no other.
func TestForeignAlgs(t *testing.T) {
	if got := fmt.Sprint(jose.ForeignAlgs()); got != fmt.Sprint(foreignAlgs) {
		t.Errorf("ForeignAlgs = %s; want %s", got, foreignAlgs)
	}
	set := publishElsewhere(t, foreignAlgs...)
	for _, alg := range foreignAlgs {
		header := `{"alg":"` + alg + `","kid":"` + alg + `"}`
		for name, token := range map[string]string{"as it is": signElsewhere(t, alg, header, plainClaims, 0, 0), "changed": signElsewhere(t, alg, header, plainClaims, 7, 1)} {
			parsed, err := jose.ParseForeign(token)
			if err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
			key, found := set.For(parsed)
			if !found {
				t.Fatalf("%s: the key that was published for it is not found", alg)
			}
			if _, err := parsed.Verify(key); (err == nil) != (name == "as it is") {
				t.Errorf("%s, %s: Verify = %v", alg, name, err)
			}
		}
		for _, other := range foreignAlgs {
			token := signElsewhere(t, alg, `{"alg":"`+alg+`","kid":"`+other+`"}`, plainClaims, 0, 0)
			parsed, err := jose.ParseForeign(token)
			if err != nil {
				t.Fatal(err)
			}
			same := alg == other || strings.HasPrefix(alg, "Ed") && strings.HasPrefix(other, "Ed")
			if _, found := set.For(parsed); found != same {
				t.Errorf("For a token of %s that names the key for %s: %t", alg, other, found)
			}
		}
	}
}

// TestOwnGateKeepsToOurs holds that session tokens and account provider tokens are of our own algorithms alone.
func TestOwnGateKeepsToOurs(t *testing.T) {
	for _, alg := range foreignAlgs {
		_, err := jose.Parse(signElsewhere(t, alg, `{"alg":"`+alg+`"}`, plainClaims, 0, 0))
		if (err == nil) != slices.Contains(algorithms, jose.Alg(alg)) {
			t.Errorf("Parse of a token of %s: %v", alg, err)
		}
	}
}

// FuzzVerifyForeign: what jwx refuses with the same key, we refuse, and what is signed well and passes the gate, we take.
func FuzzVerifyForeign(f *testing.F) {
	for i, alg := range foreignAlgs {
		f.Add(`{"alg":"`+alg+`"}`, plainClaims, uint8(i), uint16(0), uint8(0))
		f.Add(`{"alg":"`+alg+`","kid":"`+alg+`","x5t":"a"}`, plainClaims, uint8(i), uint16(i), uint8(1))
		f.Add(`{"alg":"RS512","kid":"`+alg+`"}`, plainClaims, uint8(i), uint16(0), uint8(0))
	}
	set := publishElsewhere(f, foreignAlgs...)
	f.Fuzz(func(t *testing.T, header, claims string, which uint8, at uint16, flip uint8) {
		alg := foreignAlgs[int(which)%len(foreignAlgs)]
		token := signElsewhere(t, alg, header, claims, int(at), flip)
		parsed, err := jose.ParseForeign(token)
		if err != nil {
			return
		}
		key, found := set.For(parsed)
		if !found {
			return
		}
		_, err = parsed.Verify(key)
		_, jwxErr := jws.Verify([]byte(token), jws.WithKey(asJWX(alg), elsewhere()[alg].Public()))
		if string(parsed.Alg()) == "Ed25519" {
			jwxErr = nil // jwx does not know the name
		}
		if err == nil && (jwxErr != nil || flip != 0) {
			t.Errorf("we accept %s, signed with %s and changed by %d; jwx says %v", token, alg, flip, jwxErr)
		}
		if err != nil && flip == 0 && string(parsed.Alg()) == alg {
			t.Errorf("we refuse %s, signed with %s: %v", token, alg, err)
		}
	})
}
