package jose

import (
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

// The algorithms, and no others.
const (
	EdDSA Alg = "EdDSA" // Ed25519
	ES256 Alg = "ES256" // ECDSA on P-256 with SHA-256
	RS256 Alg = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256
	PS256 Alg = "PS256" // RSASSA-PSS with SHA-256
	HS256 Alg = "HS256" // HMAC with SHA-256
)

// Asymmetric reports whether the key that verifies may be known to all.
func (a Alg) Asymmetric() bool { return a == EdDSA || a == ES256 || a == RS256 || a == PS256 }

// Bounds of keys.
const (
	minRSABits       = 2048
	maxRSABits       = 8192 // a larger key makes each verification a burden
	generatedRSABits = 3072
	minSecret        = 32 // bytes, RFC 7518 §3.2
)

// ErrKey says that a key cannot be used. The errors that wrap it say why, and hold nothing of the key.
var ErrKey = errors.New("unusable key")

// PrivateKey signs tokens with one algorithm. Safe for concurrent use.
type PrivateKey struct {
	public *PublicKey
	key    any // ed25519.PrivateKey, *ecdsa.PrivateKey, *rsa.PrivateKey or []byte
}

// PublicKey verifies tokens of one algorithm. That of HS256 is the secret itself, and leaves this package in no
// form. Safe for concurrent use.
type PublicKey struct {
	id  string
	alg Alg
	key any // ed25519.PublicKey, *ecdsa.PublicKey, *rsa.PublicKey or []byte
}

// ID returns the kid: the RFC 7638 thumbprint, or for a secret a digest that tells nothing of it.
func (k *PrivateKey) ID() string { return k.public.id }

// Alg returns the one algorithm that the key signs with.
func (k *PrivateKey) Alg() Alg { return k.public.alg }

// Public returns what verifies what k signs.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// ID returns the kid: see PrivateKey.ID.
func (k *PublicKey) ID() string { return k.id }

// Alg returns the one algorithm that the key verifies.
func (k *PublicKey) Alg() Alg { return k.alg }

// Generate makes a key: Ed25519, P-256, RSA of 3072 bits, or a secret of 256 bits. Where random is not
// crypto/rand.Reader the standard library may still use its own source.
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

// NewSecret returns the HS256 key made of a secret of at least 32 bytes (RFC 7518 §3.2).
func NewSecret(secret []byte) (*PrivateKey, error) {
	return newPrivateKey(HS256, append([]byte(nil), secret...))
}

// Secret returns the secret of an HS256 key, and nil of any other.
func (k *PrivateKey) Secret() []byte {
	secret, _ := k.key.([]byte)
	return append([]byte(nil), secret...)
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

// newPublicKey binds a key to its algorithm, "" being the one that its type suggests.
func newPublicKey(alg Alg, key any) (*PublicKey, error) {
	if alg == "" {
		alg = usual(key)
	}
	if err := fits(alg, key); err != nil {
		return nil, err
	}
	if secret, ok := key.([]byte); ok {
		sum := sha256.Sum256(append([]byte("postern HS256 key id\x00"), secret...))
		return &PublicKey{id: base64.RawURLEncoding.EncodeToString(sum[:16]), alg: alg, key: key}, nil
	}
	j, err := jwk.FromRaw(key)
	if err != nil {
		return nil, fmt.Errorf("%w: it has no JWK form", ErrKey)
	}
	sum, err := j.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("%w: it has no thumbprint", ErrKey)
	}
	return &PublicKey{id: base64.RawURLEncoding.EncodeToString(sum), alg: alg, key: key}, nil
}

// usual returns the algorithm that a key's type suggests, "" for none.
func usual(key any) Alg {
	switch key.(type) {
	case ed25519.PublicKey:
		return EdDSA
	case *ecdsa.PublicKey:
		return ES256
	case *rsa.PublicKey:
		return RS256
	}
	return ""
}

// fits refuses a key that is not of its algorithm's type, curve and size.
func fits(alg Alg, key any) error {
	switch k := key.(type) {
	case ed25519.PublicKey:
		if alg == EdDSA && len(k) == ed25519.PublicKeySize {
			return nil
		}
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return fmt.Errorf("%w: the one elliptic curve for ECDSA here is P-256", ErrKey)
		}
		if alg == ES256 {
			return nil
		}
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("%w: an RSA key needs %d to %d bits, this one has %d", ErrKey, minRSABits, maxRSABits, bits)
		}
		if k.E < 3 || k.E%2 == 0 {
			return fmt.Errorf("%w: its RSA exponent is not an odd number from 3", ErrKey)
		}
		if alg == RS256 || alg == PS256 {
			return nil
		}
	case []byte:
		if len(k) < minSecret {
			return fmt.Errorf("%w: an HS256 secret needs at least %d bytes", ErrKey, minSecret)
		}
		if alg == HS256 {
			return nil
		}
	default:
		return fmt.Errorf("%w: it is neither Ed25519, P-256 nor RSA", ErrKey)
	}
	return fmt.Errorf("%w: it is not a key for %q", ErrKey, alg)
}
