package client

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// issuer names the software that signs, as account providers' SDKs do. Nobody checks it.
const issuer = "Postern"

// DefaultAPTLifetime is how long an APT lives where nothing else is asked for.
const DefaultAPTLifetime = time.Minute

// APTSigner signs account provider tokens for one environment. Safe for concurrent use.
type APTSigner struct {
	key         *jose.PrivateKey
	environment string
	now         func() time.Time
}

// NewAPTSigner returns a signer that holds the environment's private key, in PEM (PKCS#1, PKCS#8 or SEC 1). It signs with the
// algorithm that fits the key: RS256 for RSA of 2048 to 8192 bits (see Using), ES256 for P-256, EdDSA for Ed25519.
func NewAPTSigner(privatePEM []byte, environmentGUID string) (*APTSigner, error) {
	if environmentGUID == "" {
		return nil, errors.New("an environment guid is required")
	}
	key, err := jose.ParsePrivateKey(privatePEM)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	return &APTSigner{key: key, environment: environmentGUID, now: time.Now}, nil
}

// Using returns a signer that signs with another algorithm that the key can do: "PS256" in the place of "RS256". The environment's
// public key must be known there with the same one.
func (s *APTSigner) Using(alg string) (*APTSigner, error) {
	key, err := s.key.With(jose.Alg(alg))
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	return &APTSigner{key: key, environment: s.environment, now: s.now}, nil
}

// aptClaims are the claims of an APT (Work-API, "APT").
type aptClaims struct {
	Expires  int64   `json:"exp"`
	IssuedAt int64   `json:"iat"`
	Issuer   string  `json:"iss"`
	ID       string  `json:"jti"`
	User     aptUser `json:"user"`
}

// aptUser says whom an APT is for.
type aptUser struct {
	EnvironmentGUID string `json:"environment_guid"`
	ArbitraryID     string `json:"arbitrary_id,omitempty"`
}

// Sign returns an APT that is good once, from now for lifetime (1 second to what the realm accepts, by default
// 5 minutes; 0 means DefaultAPTLifetime). arbitraryID says which user it is for; "" leaves that open, which is enough to
// create one, and for nothing else.
func (s *APTSigner) Sign(arbitraryID string, lifetime time.Duration) (string, error) {
	if lifetime == 0 {
		lifetime = DefaultAPTLifetime
	}
	if lifetime < time.Second {
		return "", fmt.Errorf("an APT lives for at least a second, not %s", lifetime)
	}
	now := s.now()
	claims, err := json.Marshal(aptClaims{
		Expires: now.Add(lifetime).Unix(), IssuedAt: now.Unix(), Issuer: issuer, ID: rand.Text(),
		User: aptUser{EnvironmentGUID: s.environment, ArbitraryID: arbitraryID},
	})
	if err != nil {
		return "", fmt.Errorf("APT claims: %w", err)
	}
	return s.key.SignBare(claims)
}

// GenerateAPTKey returns a new RSA key pair in PEM: the private half stays with the account provider, the public
// half goes to Postern.
func GenerateAPTKey() (privatePEM, publicPEM []byte, err error) {
	key, err := jose.Generate(jose.RS256, rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	if privatePEM, err = key.MarshalPEM(); err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	publicPEM, err = key.Public().MarshalPEM()
	return privatePEM, publicPEM, err
}

// APTPublicKey returns the public half, in PEM, of a private key in PEM.
func APTPublicKey(privatePEM []byte) ([]byte, error) {
	key, err := jose.ParsePrivateKey(privatePEM)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	return key.Public().MarshalPEM()
}
