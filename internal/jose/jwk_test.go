package jose_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/jose"
)

// TestJWK holds each kind of key to its members, no more and no fewer.
func TestJWK(t *testing.T) {
	for alg, want := range map[jose.Alg][]string{
		jose.EdDSA: {"alg", "crv", "kid", "kty", "use", "x"},
		jose.ES256: {"alg", "crv", "kid", "kty", "use", "x", "y"},
		jose.RS256: {"alg", "e", "kid", "kty", "n", "use"},
		jose.PS256: {"alg", "e", "kid", "kty", "n", "use"},
	} {
		key := fixed()[alg].Public()
		text, err := key.JWK()
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		var members map[string]string
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if got := slices.Sorted(maps.Keys(members)); !slices.Equal(got, want) {
			t.Errorf("%s: the JWK has %q; want %q", alg, got, want)
		}
		if members["kid"] != key.ID() || members["alg"] != string(alg) || members["use"] != "sig" {
			t.Errorf("%s: JWK = %s", alg, text)
		}
	}
}

// published returns keys as what others may have.
func published(keys []*jose.PublicKey) []jose.Published {
	var all []jose.Published
	for _, k := range keys {
		all = append(all, k)
	}
	return all
}

// TestJWKSRoundTrip reads the keys that were published, and never publishes a secret.
func TestJWKSRoundTrip(t *testing.T) {
	var keys []*jose.PublicKey
	for _, alg := range algorithms[:4] {
		keys = append(keys, fixed()[alg].Public())
	}
	text, err := jose.JWKS(published(keys)...)
	if err != nil {
		t.Fatal(err)
	}
	again, err := jose.ParseJWKS(text)
	if err != nil || len(again) != len(keys) {
		t.Fatalf("ParseJWKS(JWKS()) = %d keys, %v; want %d", len(again), err, len(keys))
	}
	for i, key := range again {
		if key.ID() != keys[i].ID() || key.Alg() != keys[i].Alg() {
			t.Errorf("key %d is %v; want %v", i, key, keys[i])
		}
		token, err := jose.Parse(sign(t, fixed()[key.Alg()], "session", plainClaims))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := token.Verify(key); err != nil {
			t.Errorf("%v, published and read again: %v", key, err)
		}
	}
	if text, err := jose.JWKS(); string(text) != `{"keys":[]}` || err != nil {
		t.Errorf("JWKS() = %s, %v", text, err)
	}
	if text, err := jose.JWKS(published(append(keys, fixed()[jose.HS256].Public()))...); !errors.Is(err, jose.ErrKey) || text != nil {
		t.Errorf("JWKS with a secret = %s, %v; want %v", text, err, jose.ErrKey)
	}
}

// coordinates of a key on Ed25519, and of one on P-256 with another not on it.
const (
	edKey  = `"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`
	ecX    = `"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",`
	ecKey  = ecX + `"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"`
	offKey = ecX + `"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI6a0"`
)

// TestParseJWKSSkips takes from a set what can verify, and is not put off by the rest.
func TestParseJWKSSkips(t *testing.T) {
	weak := base64.RawURLEncoding.EncodeToString(rsaOf(1024, 65537).N.Bytes())
	usable := []string{
		`{` + edKey + `}`,
		`{` + edKey + `,"kid":"2026-11","alg":"EdDSA","use":"sig","key_ops":["verify"],"x5t":"aGk","extra":{"a":1}}`,
		`{` + ecKey + `,"kid":"e1"}`,
		`{` + ecKey + `,"kid":"e2","alg":null,"use":null,"key_ops":null,"d":null,"x5c":null,"x5t":null,"x5u":null}`,
		`{` + edKey + `,"alg":"EdDSA","kid":null}`,
	}
	broken := []string{
		`1`, `null`, `[]`, `{}`, `"key"`,
		`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","kid":"pq"}`,
		`{"kty":"oct","k":"` + strings.Repeat("A", 43) + `","alg":"HS256"}`,
		`{"kty":"RSA","e":"AQAB","n":"` + weak + `"}`, `{"kty":"RSA","e":"AQAB"}`, `{"kty":"RSA","n":"","e":""}`,
		`{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`,
		`{"kty":"OKP","crv":"Ed448","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, `{` + offKey + `}`,
		`{` + edKey + `,"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`,
		`{` + edKey + `,"use":"enc"}`, `{"kty":"OKP","crv":"Ed25519","x":null}`, `{` + edKey + `,"key_ops":["sign"]}`,
		`{` + edKey + `,"key_ops":"verify "}`,
		`{` + edKey + `,"alg":"RS256"}`, `{` + edKey + `,"alg":"none"}`, `{` + edKey + `,"alg":"HS256"}`,
		`{` + ecKey + `,"alg":"ES384"}`,
		`{` + edKey + `,"kid":"a b"}`, `{` + edKey + `,"kid":"` + strings.Repeat("k", 129) + `"}`,
		`{` + edKey + `,"kid":7}`,
	}
	set := `{"keys":[` + strings.Join(slices.Concat(usable, broken), ",") + `],"other":true}`
	keys, err := jose.ParseJWKS([]byte(set))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(keys)
	want := "[EdDSA key kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k EdDSA key 2026-11 ES256 key e1 ES256 key e2 EdDSA key kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k]"
	if got != want {
		t.Errorf("ParseJWKS = %s; want %s", got, want)
	}
}

// TestParseJWKSRefuses holds the bounds and form of the set.
func TestParseJWKSRefuses(t *testing.T) {
	key := `{` + edKey + `}`
	for name, text := range map[string]string{
		"nothing": ``, "an array": `[` + key + `]`, "a key": key, "no keys": `{"keys":null}`,
		"keys in an object": `{"keys":{"a":` + key + `}}`,
		"keys twice":        `{"keys":[],"keys":[` + key + `]}`, "a member twice": `{"keys":[{` + edKey + `,"crv":"Ed25519"}]}`,
		"bytes after": `{"keys":[]}x`,
		"65 keys":     `{"keys":[` + strings.Repeat(key+`,`, 64) + key + `]}`,
		"257 KiB":     `{"keys":[],"a":"` + strings.Repeat("x", 257<<10) + `"}`,
	} {
		if keys, err := jose.ParseJWKS([]byte(text)); !errors.Is(err, jose.ErrKey) || keys != nil {
			t.Errorf("ParseJWKS of %s = %v, %v; want %v", name, keys, err, jose.ErrKey)
		}
	}
	full := `{"keys":[` + strings.Repeat(key+`,`, 63) + key + `]}`
	if keys, err := jose.ParseJWKS([]byte(full)); err != nil || len(keys) != 64 {
		t.Errorf("ParseJWKS of 64 keys = %d, %v", len(keys), err)
	}
}
