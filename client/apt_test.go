package client_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/internal/jose"
)

// privatePEM returns a key as PKCS#8 PEM.
func privatePEM(t *testing.T, key crypto.PrivateKey, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestAPTSignerAlgorithms signs with what fits the key, and with what else it can do, and no more.
func TestAPTSignerAlgorithms(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	ofRSA := privatePEM(t, rsaKey, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ofP256 := privatePEM(t, ecKey, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	ofEd25519 := privatePEM(t, edKey, err)
	for _, test := range []struct {
		key     []byte
		asked   string // "" = nothing
		want    jose.Alg
		refused bool
	}{
		{ofRSA, "", jose.RS256, false}, {ofRSA, "RS256", jose.RS256, false}, {ofRSA, "PS256", jose.PS256, false},
		{ofP256, "", jose.ES256, false}, {ofEd25519, "", jose.EdDSA, false}, {ofEd25519, "EdDSA", jose.EdDSA, false},
		{ofRSA, "ES256", "", true}, {ofRSA, "HS256", "", true}, {ofRSA, "none", "", true}, {ofP256, "RS256", "", true}, {ofEd25519, "ES256", "", true},
	} {
		signer, err := client.NewAPTSigner(test.key, "5a1b")
		if err != nil {
			t.Fatal(err)
		}
		if test.asked != "" {
			signer, err = signer.Using(test.asked)
		}
		if test.refused {
			if err == nil {
				t.Errorf("Using(%q) = nil; want a refusal", test.asked)
			}
			continue
		} else if err != nil {
			t.Errorf("Using(%q) = %v", test.asked, err)
			continue
		}
		apt, err := signer.Sign("order-17", 0)
		if err != nil {
			t.Fatal(err)
		}
		publicPEM, err := client.APTPublicKey(test.key)
		if err != nil {
			t.Fatal(err)
		}
		public, err := jose.ParsePublicKey(publicPEM, test.want)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jose.Parse(apt)
		if err == nil {
			_, err = token.Verify(public)
		}
		if err != nil {
			t.Errorf("an APT that was to be signed with %q does not verify as %s: %v", test.asked, test.want, err)
		}
	}
}
