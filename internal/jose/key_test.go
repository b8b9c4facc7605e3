package jose_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/jose"
)

// TestKeyForms writes and reads each key in each of its forms.
func TestKeyForms(t *testing.T) {
	for alg, key := range fixed() {
		sealed, err := key.Marshal()
		if err != nil {
			t.Fatalf("%s: Marshal: %v", alg, err)
		}
		again, err := jose.UnmarshalPrivateKey(sealed)
		if err != nil {
			t.Fatalf("%s: UnmarshalPrivateKey: %v", alg, err)
		}
		same(t, "UnmarshalPrivateKey(Marshal())", key, again, alg)
		if alg == jose.HS256 {
			continue
		}
		private, err := key.MarshalPEM()
		if err != nil {
			t.Fatalf("%s: MarshalPEM: %v", alg, err)
		}
		if again, err = jose.ParsePrivateKey(private); err != nil {
			t.Fatalf("%s: ParsePrivateKey: %v", alg, err)
		}
		if alg == jose.PS256 {
			alg = jose.RS256 // which PEM cannot tell from PS256
		}
		same(t, "ParsePrivateKey(MarshalPEM())", key, again, alg)
		public, err := key.Public().MarshalPEM()
		if err != nil {
			t.Fatalf("%s: MarshalPEM: %v", alg, err)
		}
		for _, want := range []jose.Alg{"", alg} {
			if got, err := jose.ParsePublicKey(public, want); err != nil || got.ID() != key.ID() || got.Alg() != alg {
				t.Errorf("ParsePublicKey(%q) = %v, %v; want %s key %s", want, got, err, alg, key.ID())
			}
		}
	}
}

// same checks that two keys are one, as far as tokens tell.
func same(t *testing.T, name string, key, again *jose.PrivateKey, alg jose.Alg) {
	t.Helper()
	if again.ID() != key.ID() || again.Alg() != alg {
		t.Errorf("%s = %v; want %v", name, again, key)
	}
	parsed, err := jose.Parse(sign(t, again, "session", plainClaims))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify(again.Public()); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// TestOldForms reads what openssl and the SDKs write.
func TestOldForms(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	curve := block("EC PARAMETERS", []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7})
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))
	for _, test := range []struct {
		name string
		text []byte
		alg  jose.Alg
	}{
		{"PKCS#1", pkcs1, jose.RS256},
		{"PKCS#1 after words", append([]byte("Our key:\n"), pkcs1...), jose.RS256},
		{"PKCS#1 with CRLF", bytes.ReplaceAll(pkcs1, []byte("\n"), []byte("\r\n")), jose.RS256},
		{"SEC 1", block("EC PRIVATE KEY", sec1), jose.ES256},
		{"SEC 1 after its curve", append(curve, block("EC PRIVATE KEY", sec1)...), jose.ES256},
	} {
		if key, err := jose.ParsePrivateKey(test.text); err != nil || key.Alg() != test.alg {
			t.Errorf("ParsePrivateKey of %s = %v, %v; want an %s key", test.name, key, err, test.alg)
		}
	}
	public := block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey))
	if key, err := jose.ParsePublicKey(public, jose.PS256); err != nil || key.Alg() != jose.PS256 {
		t.Errorf("ParsePublicKey of PKCS#1 = %v, %v; want a PS256 key", key, err)
	}
}

// block returns PEM.
func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// pkix returns a public key as PEM.
func pkix(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("PUBLIC KEY", der)
}

// rsaOf returns an RSA key of so many bits, which nobody holds the private half of.
func rsaOf(bits, exponent int) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: exponent}
}

// TestParsePublicKeyRefuses binds algorithm, type, curve and size.
func TestParsePublicKeyRefuses(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := fixed()[jose.EdDSA].MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	even := rsaOf(2048, 65537)
	even.N.SetBit(even.N, 0, 0)
	for name, test := range map[string]struct {
		text []byte
		alg  jose.Alg
	}{
		"nothing":              {nil, ""},
		"words":                {[]byte("not a key"), ""},
		"an empty block":       {block("PUBLIC KEY", nil), ""},
		"a certificate":        {block("CERTIFICATE", []byte{1}), ""},
		"a private key":        {private, ""},
		"RSA 1024":             {pkix(t, rsaOf(1024, 65537)), ""},
		"RSA 2047":             {pkix(t, rsaOf(2047, 65537)), ""},
		"RSA 8193":             {pkix(t, rsaOf(8193, 65537)), ""},
		"RSA, exponent 1":      {pkix(t, rsaOf(2048, 1)), ""},
		"RSA, exponent 2":      {pkix(t, rsaOf(2048, 2)), ""},
		"RSA, exponent 65536":  {pkix(t, rsaOf(2048, 65536)), ""},
		"RSA, exponent 2^31+1": {pkix(t, rsaOf(2048, 1<<31+1)), ""},
		"RSA, even modulus":    {pkix(t, even), ""},
		"P-384":                {pkix(t, &p384.PublicKey), ""},
		"P-384 for ES256":      {pkix(t, &p384.PublicKey), jose.ES256},
		"P-384 for ES384":      {pkix(t, &p384.PublicKey), jose.ES384}, // which is for issuers elsewhere
		"Ed25519 by that name": {pkix(t, ed), jose.Ed25519},
		"Ed25519 for RS256":    {pkix(t, ed), jose.RS256},
		"Ed25519 for HS256":    {pkix(t, ed), jose.HS256},
		"Ed25519 for none":     {pkix(t, ed), "none"},
		"RSA for EdDSA":        {pkix(t, rsaOf(2048, 65537)), jose.EdDSA},
		"RSA for RS512":        {pkix(t, rsaOf(2048, 65537)), jose.RS512},
		"RSA for rs256":        {pkix(t, rsaOf(2048, 65537)), "rs256"},
		"17 KiB":               {append(bytes.Repeat([]byte("\n"), 17<<10), pkix(t, ed)...), ""},
	} {
		if key, err := jose.ParsePublicKey(test.text, test.alg); !errors.Is(err, jose.ErrKey) || key != nil {
			t.Errorf("ParsePublicKey of %s = %v, %v; want %v", name, key, err, jose.ErrKey)
		}
	}
	for name, key := range map[string]*rsa.PublicKey{"2048": rsaOf(2048, 3), "8192": rsaOf(8192, 1<<31-1)} {
		if _, err := jose.ParsePublicKey(pkix(t, key), jose.PS256); err != nil {
			t.Errorf("ParsePublicKey of RSA %s: %v; want it accepted", name, err)
		}
	}
}

// TestParsePrivateKeyRefuses does the same for private keys.
func TestParsePrivateKeyRefuses(t *testing.T) {
	public, err := fixed()[jose.EdDSA].Public().MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large, err := x509.MarshalPKCS8PrivateKey(p521)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing": nil, "words": []byte("no key"), "a public key": public, "P-521": block("PRIVATE KEY", large),
		"an empty block": block("RSA PRIVATE KEY", nil), "a locked key": block("ENCRYPTED PRIVATE KEY", large),
	} {
		if key, err := jose.ParsePrivateKey(text); !errors.Is(err, jose.ErrKey) || key != nil {
			t.Errorf("ParsePrivateKey of %s = %v, %v; want %v", name, key, err, jose.ErrKey)
		}
	}
	ed, err := fixed()[jose.EdDSA].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	_, der, _ := bytes.Cut(ed, []byte(" "))
	for name, text := range map[string][]byte{
		"nothing": nil, "no algorithm": der, "another algorithm": append([]byte("RS256 "), der...),
		"a short secret": []byte("HS256 short"), "half a key": ed[:len(ed)/2],
		"a key for HS256": append([]byte("none "), der...),
	} {
		if key, err := jose.UnmarshalPrivateKey(text); !errors.Is(err, jose.ErrKey) || key != nil {
			t.Errorf("UnmarshalPrivateKey of %s = %v, %v; want %v", name, key, err, jose.ErrKey)
		}
	}
	if key, err := jose.Generate("none", rand.Reader); !errors.Is(err, jose.ErrKey) || key != nil {
		t.Errorf("Generate(none) = %v, %v; want %v", key, err, jose.ErrKey)
	}
}

// TestSecret holds that a secret is long enough, kept from changes, and never leaves by a public door.
func TestSecret(t *testing.T) {
	if key, err := jose.NewSecret(make([]byte, 31)); !errors.Is(err, jose.ErrKey) || key != nil {
		t.Errorf("NewSecret of 31 bytes = %v, %v; want %v", key, err, jose.ErrKey)
	}
	secret := bytes.Repeat([]byte("s"), 32)
	key, err := jose.NewSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	secret[0] = 'x'
	key.Secret()[0] = 'x'
	if got := string(key.Secret()); got != strings.Repeat("s", 32) {
		t.Errorf("Secret = %q after its copies were changed", got)
	}
	if got := fixed()[jose.EdDSA].Secret(); got != nil {
		t.Errorf("Secret of an EdDSA key = %x; want none", got)
	}
	if text, err := key.MarshalPEM(); !errors.Is(err, jose.ErrKey) || text != nil {
		t.Errorf("MarshalPEM of a secret = %q, %v; want %v", text, err, jose.ErrKey)
	}
	if text, err := key.Public().MarshalPEM(); !errors.Is(err, jose.ErrKey) || text != nil {
		t.Errorf("MarshalPEM of a public secret = %q, %v; want %v", text, err, jose.ErrKey)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, k := range []any{key, key.Public()} {
			text := fmt.Sprintf(format, k)
			if strings.Contains(text, "sss") || strings.Contains(text, "115") || !strings.Contains(text, key.ID()) {
				t.Errorf("a secret printed with %s is %s", format, text)
			}
		}
	}
}
