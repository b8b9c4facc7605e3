package jose

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"io"
)

// EncryptionAlg is the way in which the key of an encrypted token is conveyed, by its name in a header (RFC 7518 §4).
type EncryptionAlg string

// The ways, and no others.
const (
	RSAOAEP256 EncryptionAlg = "RSA-OAEP-256" // RFC 7518 §4.3
	ECDHES     EncryptionAlg = "ECDH-ES"      // RFC 7518 §4.6, on P-256, direct
)

// DecryptionKey opens tokens that were encrypted to its public half. Safe for concurrent use.
type DecryptionKey struct {
	public *EncryptionKey
	key    crypto.Signer // *rsa.PrivateKey or *ecdsa.PrivateKey
}

// EncryptionKey is what tokens are encrypted to. Safe for concurrent use.
type EncryptionKey struct {
	id  string
	alg EncryptionAlg
	key any // *rsa.PublicKey or *ecdsa.PublicKey
}

// ID returns the kid: the RFC 7638 thumbprint with SHA-256.
func (k *DecryptionKey) ID() string { return k.public.id }

// Alg returns the one algorithm that the key decrypts with.
func (k *DecryptionKey) Alg() EncryptionAlg { return k.public.alg }

// Public returns what is published.
func (k *DecryptionKey) Public() *EncryptionKey { return k.public }

// ID returns the kid: the RFC 7638 thumbprint with SHA-256.
func (k *EncryptionKey) ID() string { return k.id }

// Alg returns the one algorithm that the key encrypts with.
func (k *EncryptionKey) Alg() EncryptionAlg { return k.alg }

// String names the key, so that a key that strays into a log tells nothing.
func (k *DecryptionKey) String() string { return "private " + string(k.Alg()) + " key " + k.ID() }

// GoString is String.
func (k *DecryptionKey) GoString() string { return k.String() }

// GenerateDecryptionKey makes a key: RSA of 3072 bits, or P-256. The standard library may use its own source of
// randomness instead. Of an algorithm that is not ours the error wraps ErrKey.
func GenerateDecryptionKey(alg EncryptionAlg, random io.Reader) (*DecryptionKey, error) {
	var key crypto.Signer
	var err error
	switch alg {
	case RSAOAEP256:
		key, err = rsa.GenerateKey(random, generatedRSABits)
	case ECDHES:
		key, err = ecdsa.GenerateKey(elliptic.P256(), random)
	default:
		return nil, fmt.Errorf("%w: %q is no way of ours to encrypt", ErrKey, alg)
	}
	if err != nil {
		return nil, fmt.Errorf("jose: generate %s key: %w", alg, err)
	}
	return newDecryptionKey(key)
}

// newDecryptionKey takes a private key for the algorithm that its type suggests.
func newDecryptionKey(key crypto.Signer) (*DecryptionKey, error) {
	public, err := newEncryptionKey(key.Public())
	if err != nil {
		return nil, err
	}
	return &DecryptionKey{public: public, key: key}, nil
}

// newEncryptionKey takes a public key for the algorithm that its type suggests.
func newEncryptionKey(key any) (*EncryptionKey, error) {
	var alg EncryptionAlg
	var err error
	switch k := key.(type) {
	case *rsa.PublicKey:
		alg, err = RSAOAEP256, fitsRSA(k)
	case *ecdsa.PublicKey:
		alg, err = ECDHES, fitsP256(k)
	default:
		err = fmt.Errorf("%w: what tokens are encrypted to is P-256 or RSA", ErrKey)
	}
	if err != nil {
		return nil, err
	}
	id, err := keyID(key)
	if err != nil {
		return nil, err
	}
	return &EncryptionKey{id: id, alg: alg, key: key}, nil
}

// fitsP256 refuses other curves, and points that are not on this one.
func fitsP256(k *ecdsa.PublicKey) error {
	if k.Curve != elliptic.P256() {
		return fmt.Errorf("%w: the one elliptic curve for ECDH-ES here is P-256", ErrKey)
	}
	return onCurve(k)
}

// Marshal returns the key with its algorithm, in a form for UnmarshalDecryptionKey. It is secret, and to be kept
// sealed.
func (k *DecryptionKey) Marshal() ([]byte, error) { return marshalKey(string(k.Alg()), k.key) }

// UnmarshalDecryptionKey reads what DecryptionKey.Marshal wrote. Errors wrap ErrKey.
func UnmarshalDecryptionKey(text []byte) (*DecryptionKey, error) {
	alg, key, err := unmarshalKey(text)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: it does not decrypt", ErrKey)
	}
	k, err := newDecryptionKey(signer)
	if err != nil {
		return nil, err
	}
	if string(k.Alg()) != alg {
		return nil, fmt.Errorf("%w: it is not a key for %q", ErrKey, alg)
	}
	return k, nil
}

// JWK returns the key as a JWK (RFC 7517 §4) of its kind's members with alg, kid, and use "enc".
func (k *EncryptionKey) JWK() ([]byte, error) { return marshalJWK(k.key, k.id, string(k.alg), "enc") }

// ParseEncryptionKey reads a public JWK of at most 16 KiB with use "enc" and the alg of its kind, as
// EncryptionKey.JWK writes them. Its kid is the one that it was published with, if any. Errors wrap ErrKey.
func ParseEncryptionKey(text []byte) (*EncryptionKey, error) {
	if len(text) > maxPEM {
		return nil, fmt.Errorf("%w: it is longer than 16 KiB", ErrKey)
	}
	members, ok := parseObject(text)
	j := Claims{members}
	use, _ := j.String("use")
	if _, private := j.raw("d"); !ok || private || use != "enc" {
		return nil, fmt.Errorf("%w: it is not a public JWK to encrypt to", ErrKey)
	}
	published, err := readJWK(text)
	if err != nil {
		return nil, err
	}
	k, err := newEncryptionKey(published.key)
	if err != nil {
		return nil, err
	}
	if published.alg != string(k.alg) {
		return nil, fmt.Errorf("%w: it is not a key for %q", ErrKey, published.alg)
	}
	k.id = cmp.Or(published.id, k.id)
	return k, nil
}
