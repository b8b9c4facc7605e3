package jose

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Types of PEM blocks (RFC 7468, RFC 8017 App. A, RFC 5915).
const (
	blockPKCS8      = "PRIVATE KEY"
	blockRSAPrivate = "RSA PRIVATE KEY"
	blockECPrivate  = "EC PRIVATE KEY"
	blockPKIX       = "PUBLIC KEY"
	blockRSAPublic  = "RSA PUBLIC KEY"
)

// ParsePrivateKey reads a private key from the first block of PEM: PKCS#8, PKCS#1 or SEC 1. An RSA key is taken
// for RS256. Errors wrap ErrKey.
func ParsePrivateKey(text []byte) (*PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%w: it is not PEM", ErrKey)
	}
	var key any
	var err error
	switch block.Type {
	case blockPKCS8:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case blockRSAPrivate:
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case blockECPrivate:
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%w: PEM block %q is no private key", ErrKey, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: PEM block %q does not hold what it says", ErrKey, block.Type)
	}
	return newPrivateKey("", key)
}

// MarshalPEM returns an asymmetric key as PKCS#8 PEM.
func (k *PrivateKey) MarshalPEM() ([]byte, error) {
	der, err := k.pkcs8()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockPKCS8, Bytes: der}), nil
}

// pkcs8 returns an asymmetric key in DER.
func (k *PrivateKey) pkcs8() ([]byte, error) {
	if !k.Alg().Asymmetric() {
		return nil, fmt.Errorf("%w: a secret has no PEM form", ErrKey)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return nil, fmt.Errorf("jose: marshal key: %w", err)
	}
	return der, nil
}

// Marshal returns the key with its algorithm, in a form for UnmarshalPrivateKey. It is to be kept sealed.
func (k *PrivateKey) Marshal() ([]byte, error) {
	der, err := k.Secret(), error(nil)
	if k.Alg().Asymmetric() {
		der, err = k.pkcs8()
	}
	return append([]byte(string(k.Alg())+" "), der...), err
}

// UnmarshalPrivateKey reads what Marshal wrote. Errors wrap ErrKey.
func UnmarshalPrivateKey(text []byte) (*PrivateKey, error) {
	alg, der, ok := bytes.Cut(text, []byte(" "))
	if !ok {
		return nil, fmt.Errorf("%w: it names no algorithm", ErrKey)
	}
	if Alg(alg) == HS256 {
		return NewSecret(der)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not PKCS#8", ErrKey)
	}
	return newPrivateKey(Alg(alg), key)
}

// ParsePublicKey reads a public key from the first block of PEM: PKIX or PKCS#1. alg "" takes RS256 for an RSA
// key, and for others what the curve says. Errors wrap ErrKey.
func ParsePublicKey(text []byte, alg Alg) (*PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%w: it is not PEM", ErrKey)
	}
	var key any
	var err error
	switch block.Type {
	case blockPKIX:
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case blockRSAPublic:
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%w: PEM block %q is no public key", ErrKey, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: PEM block %q does not hold what it says", ErrKey, block.Type)
	}
	return newPublicKey(alg, key)
}

// MarshalPEM returns an asymmetric key as PKIX PEM. Of a secret it returns an error that wraps ErrKey.
func (k *PublicKey) MarshalPEM() ([]byte, error) {
	if !k.alg.Asymmetric() {
		return nil, fmt.Errorf("%w: a secret is not to be published", ErrKey)
	}
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return nil, fmt.Errorf("jose: marshal key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockPKIX, Bytes: der}), nil
}

// JWKS returns keys as a JWK set (RFC 7517 §5), each with kid, alg and use. A secret among them is an error
// that wraps ErrKey, and nothing is returned.
func JWKS(keys ...*PublicKey) ([]byte, error) {
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{Keys: []json.RawMessage{}}
	for _, k := range keys {
		text, err := k.jwk()
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, text)
	}
	return json.Marshal(set)
}

// jwk returns an asymmetric key as a JWK.
func (k *PublicKey) jwk() ([]byte, error) {
	if !k.alg.Asymmetric() {
		return nil, fmt.Errorf("%w: a secret is not to be published", ErrKey)
	}
	j, err := jwk.FromRaw(k.key)
	if err != nil {
		return nil, fmt.Errorf("jose: JWK: %w", err)
	}
	for name, value := range map[string]string{jwk.KeyIDKey: k.id, jwk.AlgorithmKey: string(k.alg), jwk.KeyUsageKey: "sig"} {
		if err := j.Set(name, value); err != nil {
			return nil, fmt.Errorf("jose: JWK: %w", err)
		}
	}
	return json.Marshal(j)
}
