package jose_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/jose"
)

// TestSignVerify holds each key to its own tokens, and to no other's.
func TestSignVerify(t *testing.T) {
	for alg, key := range fixed() {
		token := sign(t, key, "session", plainClaims)
		parsed, err := jose.Parse(token)
		if err != nil {
			t.Fatalf("%s: Parse(Sign()): %v", alg, err)
		}
		if parsed.Alg() != alg || parsed.KeyID() != key.ID() || parsed.Type() != "session" {
			t.Errorf("%s: header is %q %q %q", alg, parsed.Alg(), parsed.KeyID(), parsed.Type())
		}
		claims, err := parsed.Verify(key.Public())
		if sub, _ := claims.String("sub"); err != nil || sub != "usr_1" {
			t.Errorf("%s: Verify = sub %q, %v; want usr_1", alg, sub, err)
		}
		unverified(t, string(alg)+" under a stranger's key", token, generate(t, alg).Public())
		for other, key := range fixed() {
			if other != alg {
				unverified(t, string(alg)+" under a key of "+string(other), token, key.Public())
			}
		}
	}
}

// TestSignBare holds the header to that of the SDKs.
func TestSignBare(t *testing.T) {
	key := fixed()[jose.RS256]
	token, err := key.SignBare([]byte(plainClaims))
	if err != nil {
		t.Fatal(err)
	}
	if header, want := token[:strings.IndexByte(token, '.')], "eyJhbGciOiJSUzI1NiJ9"; header != want {
		t.Errorf("header of SignBare is %s; want %s", header, want)
	}
	again, _ := key.SignBare([]byte(plainClaims))
	if again != token {
		t.Error("two RS256 tokens of the same claims differ")
	}
	parsed, err := jose.Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify(key.Public()); err != nil {
		t.Error(err)
	}
}

// TestVerifyRefusesChanges changes each bit of each algorithm's token in turn.
func TestVerifyRefusesChanges(t *testing.T) {
	for alg, key := range fixed() {
		token := sign(t, key, "session", plainClaims)
		for i := range token {
			for bit := range 8 {
				changed := []byte(token)
				changed[i] ^= 1 << bit
				unverified(t, string(alg), string(changed), key.Public())
			}
		}
	}
}

// TestVerifyRefusesConfusion holds that the key says how, and the token only which.
func TestVerifyRefusesConfusion(t *testing.T) {
	keys := fixed()
	public, err := keys[jose.RS256].Public().MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := jose.NewSecret(public)
	if err != nil {
		t.Fatal(err)
	}
	hmacOfPublic, err := secret.SignBare([]byte(plainClaims))
	if err != nil {
		t.Fatal(err)
	}
	unverified(t, "HMAC under the public key", hmacOfPublic, keys[jose.RS256].Public())

	rs256 := sign(t, keys[jose.RS256], "session", plainClaims)
	asPS256, err := jose.ParsePublicKey(public, jose.PS256)
	if err != nil {
		t.Fatal(err)
	}
	unverified(t, "RS256 under the same key for PS256", rs256, asPS256)

	bare := crafted(`{"alg":"EdDSA","kid":"other"}`, plainClaims, strings.Repeat("s", 64))
	unverified(t, "another kid", bare, keys[jose.EdDSA].Public())
	if _, err := (jose.Token{}).Verify(keys[jose.EdDSA].Public()); err != jose.ErrSignature {
		t.Errorf("Verify of no token = %v; want %v", err, jose.ErrSignature)
	}
}

// TestVerifyGoesByTheHeader signs headers that say something else than the key, with that very key: what other readers would take for
// another token is none.
func TestVerifyGoesByTheHeader(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jose.ParsePublicKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(header string) error {
		signed := compact(header, plainClaims)
		parsed, err := jose.Parse(signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(signed))))
		if err != nil {
			t.Fatalf("Parse with the header %s: %v", header, err)
		}
		_, err = parsed.Verify(key)
		return err
	}
	for _, good := range []string{`{"alg":"EdDSA"}`, `{"alg":"EdDSA","kid":"` + key.ID() + `"}`} {
		if err := verify(good); err != nil {
			t.Errorf("Verify with the header %s = %v", good, err)
		}
	}
	for _, bad := range []string{`{"alg":"EdDSA","kid":"other"}`, `{"alg":"ES256"}`, `{"alg":"RS256","kid":"` + key.ID() + `"}`, `{"alg":"HS256"}`} {
		if err := verify(bad); err != jose.ErrSignature {
			t.Errorf("Verify with the header %s = %v; want %v", bad, err, jose.ErrSignature)
		}
	}
}

// TestVerifyES256Forms refuses every signature that is not R and S in range, 32 bytes each (RFC 7518 §3.4).
func TestVerifyES256Forms(t *testing.T) {
	key := fixed()[jose.ES256]
	token := sign(t, key, "session", plainClaims)
	cut := strings.LastIndexByte(token, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[cut:])
	if err != nil {
		t.Fatal(err)
	}
	r, s := signature[:32], signature[32:]
	n := elliptic.P256().Params().N.FillBytes(make([]byte, 32))
	zero, ones := make([]byte, 32), bytes.Repeat([]byte{0xff}, 32)
	for name, parts := range map[string][][]byte{
		"r zero":        {zero, s},
		"s zero":        {r, zero},
		"both zero":     {zero, zero},
		"r is n":        {n, s},
		"s is n":        {r, n},
		"all ones":      {ones, ones},
		"leading zero":  {{0}, r, {0}, s},
		"trailing zero": {r, s, {0}},
		"63 bytes":      {r, s[:31]},
		"r alone":       {r},
		"DER":           {{0x30, 68, 2, 32}, r, {2, 32}, s},
	} {
		forged := token[:cut] + base64.RawURLEncoding.EncodeToString(bytes.Join(parts, nil))
		unverified(t, "ES256 with "+name, forged, key.Public())
	}

	// The twin verifies, here as everywhere: nothing may be revoked by the text of a token.
	twin := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(s)).FillBytes(make([]byte, 32))
	parsed, err := jose.Parse(token[:cut] + base64.RawURLEncoding.EncodeToString(append(bytes.Clone(r), twin...)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify(key.Public()); err != nil {
		t.Errorf("the twin of an ES256 signature: %v; want it verified", err)
	}
}

// unverified checks that a token is refused, by the gate or under the key, and gives no claims.
func unverified(t *testing.T, name, token string, key *jose.PublicKey) {
	t.Helper()
	parsed, err := jose.Parse(token)
	if err != nil {
		return
	}
	claims, err := parsed.Verify(key)
	if !errors.Is(err, jose.ErrSignature) {
		t.Errorf("%s: Verify(%s) = %v; want %v", name, token, err, jose.ErrSignature)
	}
	if _, ok := claims.Raw("sub"); ok {
		t.Errorf("%s: the refusal returns claims", name)
	}
}

// TestSignRefuses holds that nothing is signed that the gate would refuse.
func TestSignRefuses(t *testing.T) {
	key := fixed()[jose.EdDSA]
	for _, claims := range []string{``, `[]`, `{"a":1,"a":2}`, `{}x`, "{\"a\":\"\xff\"}"} {
		if token, err := key.Sign("session", []byte(claims)); !errors.Is(err, jose.ErrUnsignable) || token != "" {
			t.Errorf("Sign(%q) = %q, %v; want %v", claims, token, err, jose.ErrUnsignable)
		}
	}
	for _, typ := range []string{``, `a b`, `a"b`, `a\b`, "a\n", "é", strings.Repeat("t", 129)} {
		if token, err := key.Sign(typ, []byte(`{}`)); !errors.Is(err, jose.ErrUnsignable) || token != "" {
			t.Errorf("Sign with typ %q = %q, %v; want %v", typ, token, err, jose.ErrUnsignable)
		}
	}
	long := []byte(`{"a":"` + strings.Repeat("x", jose.MaxTokenLength) + `"}`)
	if token, err := key.Sign("session", long); !errors.Is(err, jose.ErrTooLong) || token != "" {
		t.Errorf("Sign of too much = %q, %v; want %v", token, err, jose.ErrTooLong)
	}
}
