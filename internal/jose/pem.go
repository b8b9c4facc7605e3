package jose

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// Types of PEM blocks (RFC 7468, RFC 8017 App. A, RFC 5915).
const (
	blockPKCS8      = "PRIVATE KEY"
	blockRSAPrivate = "RSA PRIVATE KEY"
	blockECPrivate  = "EC PRIVATE KEY"
	blockECCurve    = "EC PARAMETERS" // which openssl writes before blockECPrivate, and which says nothing new
	blockPKIX       = "PUBLIC KEY"
	blockRSAPublic  = "RSA PUBLIC KEY"
)

// maxPEM bounds the text of a key, in bytes. A private RSA key of 8192 bits has 6.4 KiB.
const maxPEM = 16 << 10

// keyBlock returns the first block of PEM that may be a key.
func keyBlock(text []byte) (*pem.Block, error) {
	if len(text) > maxPEM {
		return nil, fmt.Errorf("%w: it is longer than 16 KiB", ErrKey)
	}
	block, rest := pem.Decode(text)
	if block != nil && block.Type == blockECCurve {
		block, _ = pem.Decode(rest)
	}
	if block == nil {
		return nil, fmt.Errorf("%w: it is not PEM", ErrKey)
	}
	return block, nil
}

// ParsePrivateKey reads a private key from the first block of PEM, of at most 16 KiB: PKCS#8, PKCS#1 or SEC 1
// (RFC 5208, RFC 8017, RFC 5915). Its type says its algorithm: Ed25519, P-256, or RSA of 2048 to 8192 bits, which is
// taken for RS256. Errors wrap ErrKey.
func ParsePrivateKey(text []byte) (*PrivateKey, error) {
	block, err := keyBlock(text)
	if err != nil {
		return nil, err
	}
	var key any
	switch block.Type {
	case blockPKCS8:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case blockRSAPrivate:
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case blockECPrivate:
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%w: PEM block %.40q is no private key", ErrKey, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: PEM block %.40q does not hold what it says", ErrKey, block.Type)
	}
	return newPrivateKey("", key)
}

// MarshalPEM returns an asymmetric key as PKCS#8 PEM. Of a secret, which has no such form, it returns an error that
// wraps ErrKey.
func (k *PrivateKey) MarshalPEM() ([]byte, error) {
	if !k.Alg().Asymmetric() {
		return nil, fmt.Errorf("%w: a secret has no PEM form", ErrKey)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return nil, fmt.Errorf("jose: marshal key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockPKCS8, Bytes: der}), nil
}

// ParsePublicKey reads a public key from the first block of PEM, of at most 16 KiB: PKIX or PKCS#1 (RFC 5280,
// RFC 8017), of Ed25519, P-256, or RSA with 2048 to 8192 bits. alg must be one that the key's type can have; "" takes
// the usual one, RS256 for RSA. Errors wrap ErrKey.
func ParsePublicKey(text []byte, alg Alg) (*PublicKey, error) {
	block, err := keyBlock(text)
	if err != nil {
		return nil, err
	}
	var key any
	switch block.Type {
	case blockPKIX:
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case blockRSAPublic:
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%w: PEM block %.40q is no public key", ErrKey, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: PEM block %.40q does not hold what it says", ErrKey, block.Type)
	}
	return newPublicKey(alg, key)
}

// MarshalPEM returns an asymmetric key as PKIX PEM. Of a secret it returns an error that wraps ErrKey.
func (k *PublicKey) MarshalPEM() ([]byte, error) {
	if !k.alg.Foreign() {
		return nil, fmt.Errorf("%w: a secret is not to be published", ErrKey)
	}
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return nil, fmt.Errorf("jose: marshal key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockPKIX, Bytes: der}), nil
}
