package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Alg is a signature algorithm by its name in a token (RFC 7518 §3.1, RFC 8037 §3.1).
type Alg string

// The algorithms that are ours, which Postern signs with and takes from account providers, and no others.
const (
	EdDSA Alg = "EdDSA" // Ed25519
	ES256 Alg = "ES256" // ECDSA on P-256 with SHA-256
	RS256 Alg = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256
	PS256 Alg = "PS256" // RSASSA-PSS with SHA-256
	HS256 Alg = "HS256" // HMAC with SHA-256
)

// Asymmetric reports whether the key that verifies may be known to all. It is false of a name that is not ours.
func (a Alg) Asymmetric() bool { return a == EdDSA || a == ES256 || a == RS256 || a == PS256 }

// Bounds of keys.
const (
	minRSABits       = 2048
	maxRSABits       = 8192 // a larger key makes each verification a burden
	generatedRSABits = 3072
	maxRSAExponent   = 1<<31 - 1 // what the standard library verifies with
	minSecret        = 32        // bytes, RFC 7518 §3.2
)

// ErrKey says that a key cannot be used. The errors that wrap it say why, and hold nothing of the key.
var ErrKey = errors.New("unusable key")

// errNoneUsable says that a set has no key that can verify here.
var errNoneUsable = fmt.Errorf("%w set: none of its keys can be used", ErrKey)

// PrivateKey signs tokens with one algorithm. Safe for concurrent use.
type PrivateKey struct {
	public *PublicKey
	key    any // ed25519.PrivateKey, *ecdsa.PrivateKey, *rsa.PrivateKey or []byte
}

// PublicKey verifies tokens of one algorithm. That of HS256 is the secret itself, and leaves this package in no
// form. Safe for concurrent use.
type PublicKey struct {
	id    string
	print string // the id that it has of itself
	alg   Alg
	open  bool // published without an algorithm, so that others which its type can do are as good
	key   any  // ed25519.PublicKey, *ecdsa.PublicKey, *rsa.PublicKey or []byte
}

// ID returns the kid: the RFC 7638 thumbprint with SHA-256, or for a secret a digest that tells nothing of it.
func (k *PrivateKey) ID() string { return k.public.id }

// Alg returns the one algorithm that the key signs with.
func (k *PrivateKey) Alg() Alg { return k.public.alg }

// Public returns what verifies what k signs.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// ID returns the kid: see PrivateKey.ID. A key that ParseJWKS read has the kid that it was published with, if any.
func (k *PublicKey) ID() string { return k.id }

// Alg returns the one algorithm that the key verifies.
func (k *PublicKey) Alg() Alg { return k.alg }

// String names the key, so that a key that strays into a log tells nothing.
func (k *PrivateKey) String() string { return "private " + k.public.String() }

// GoString is String.
func (k *PrivateKey) GoString() string { return k.String() }

// String names the key, so that a secret that strays into a log tells nothing.
func (k *PublicKey) String() string { return string(k.alg) + " key " + k.id }

// GoString is String.
func (k *PublicKey) GoString() string { return k.String() }

// With returns the key for another algorithm that its type can do: RS256 or PS256 for RSA. Errors wrap ErrKey.
func (k *PrivateKey) With(alg Alg) (*PrivateKey, error) { return newPrivateKey(alg, k.key) }

// Generate makes a key: Ed25519, P-256, RSA of 3072 bits, or a secret of 256 bits. The standard library may use its
// own source of randomness instead. Of an algorithm that is not ours the error wraps ErrKey.
func Generate(alg Alg, random io.Reader) (*PrivateKey, error) {
	var key any
	var err error
	switch alg {
	case EdDSA:
		_, key, err = ed25519.GenerateKey(random)
	case ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), random)
	case RS256, PS256:
		key, err = rsa.GenerateKey(random, generatedRSABits)
	case HS256:
		secret := make([]byte, minSecret)
		_, err = io.ReadFull(random, secret)
		key = secret
	default:
		return nil, fmt.Errorf("%w: algorithm %q is not one of ours", ErrKey, alg)
	}
	if err != nil {
		return nil, fmt.Errorf("jose: generate %s key: %w", alg, err)
	}
	return newPrivateKey(alg, key)
}

// NewSecret returns the HS256 key made of a secret of at least 32 bytes (RFC 7518 §3.2). Errors wrap ErrKey.
func NewSecret(secret []byte) (*PrivateKey, error) { return newPrivateKey(HS256, bytes.Clone(secret)) }

// Secret returns the secret of an HS256 key, and nil of any other.
func (k *PrivateKey) Secret() []byte {
	secret, _ := k.key.([]byte)
	return bytes.Clone(secret)
}

// newPrivateKey binds a key to its algorithm.
func newPrivateKey(alg Alg, key any) (*PrivateKey, error) {
	public := key
	if signer, ok := key.(crypto.Signer); ok {
		public = signer.Public()
	}
	p, err := newPublicKey(alg, public)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{public: p, key: key}, nil
}

// newPublicKey binds a key to its algorithm, "" being the one that its type suggests. It refuses those that are not ours.
func newPublicKey(alg Alg, key any) (*PublicKey, error) {
	k, err := newForeignKey(alg, key)
	if err != nil {
		return nil, err
	}
	if !k.alg.Asymmetric() && k.alg != HS256 {
		return nil, fmt.Errorf("%w: it is a key for %s; it must be Ed25519, P-256 or RSA, for EdDSA, ES256, RS256 or PS256", ErrKey, k.alg)
	}
	return k, nil
}

// newForeignKey is newPublicKey for the keys of issuers elsewhere.
func newForeignKey(alg Alg, key any) (*PublicKey, error) {
	if alg == "" {
		alg = usual(key)
	}
	if err := fits(alg, key); err != nil {
		return nil, err
	}
	id, err := keyID(key)
	if err != nil {
		return nil, err
	}
	return &PublicKey{id: id, print: id, alg: alg, key: key}, nil
}

// keyID returns the kid that a key has of itself: see PrivateKey.ID.
func keyID(key any) (string, error) {
	if secret, ok := key.([]byte); ok {
		sum := sha256.Sum256(append([]byte("postern HS256 key id\x00"), secret...))
		return base64.RawURLEncoding.EncodeToString(sum[:16]), nil
	}
	j, err := jwk.FromRaw(key)
	if err != nil {
		return "", fmt.Errorf("%w: it has no JWK form", ErrKey)
	}
	sum, err := j.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("%w: it has no thumbprint", ErrKey)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// usual returns the algorithm that a key's type suggests, "" for none.
func usual(key any) Alg {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return EdDSA
	case *ecdsa.PublicKey:
		for _, alg := range []Alg{ES256, ES384, ES512} {
			if k.Curve == alg.curve() {
				return alg
			}
		}
	case *rsa.PublicKey:
		return RS256
	}
	return ""
}

// fits refuses a key that is not of its algorithm's type, curve and size.
func fits(alg Alg, key any) error {
	var ok bool
	var err error
	switch k := key.(type) {
	case ed25519.PublicKey:
		ok = alg.isEd25519() && len(k) == ed25519.PublicKeySize
	case *ecdsa.PublicKey:
		ok, err = alg.curve() != nil && alg.curve() == k.Curve, onCurve(k)
	case *rsa.PublicKey:
		ok, err = alg.isRSA(), fitsRSA(k)
	case []byte:
		if ok = alg == HS256; len(k) < minSecret {
			err = fmt.Errorf("%w: an HS256 secret needs at least %d bytes", ErrKey, minSecret)
		}
	default:
		err = fmt.Errorf("%w: it is neither Ed25519, ECDSA nor RSA", ErrKey)
	}
	if err == nil && !ok {
		err = fmt.Errorf("%w: it is not a key for %q", ErrKey, alg)
	}
	return err
}

// onCurve refuses points that are not on their curve, and curves that no algorithm here is on.
func onCurve(k *ecdsa.PublicKey) error {
	if _, err := k.ECDH(); err != nil {
		return fmt.Errorf("%w: it is not a point on P-256, P-384 or P-521", ErrKey)
	}
	return nil
}

// fitsRSA refuses what is too small to be safe or too large to be quick.
func fitsRSA(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return fmt.Errorf("%w: an RSA key needs %d to %d bits, this one has %d", ErrKey, minRSABits, maxRSABits, bits)
	}
	if k.N.Bit(0) == 0 || k.E < 3 || k.E%2 == 0 || k.E > maxRSAExponent {
		return fmt.Errorf("%w: an RSA key needs an odd modulus and an odd exponent from 3 to 2^31-1", ErrKey)
	}
	return nil
}
