package core

import (
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// keyUse says what a signing key is for. A realm has keys of each use.
type keyUse string

const (
	useSession   keyUse = "session"   // session tokens
	useAssertion keyUse = "assertion" // what a guard tells an upstream; EdDSA in every realm
	useAPT       keyUse = "apt"       // opens encrypted APTs; there once a realm takes such
)

// signingKeys are the keys that a realm signs with, in one record so that rotation is one change.
type signingKeys struct {
	Realm RealmID      `json:"realm"`
	Keys  []signingKey `json:"keys"`

	// Data is the sealed key that seals what users have in the realm, so that a new master key need seal but this one
	// anew. "" until something is to be sealed.
	Data string `json:"data,omitempty"`
}

func (k *signingKeys) key(Partition) Key { return signingKeysKey(k.Realm) }

// signingKey is one of them. The private half is sealed under the master key.
type signingKey struct {
	ID        string   `json:"kid"`
	Use       keyUse   `json:"use"`
	Alg       jose.Alg `json:"alg"`
	Sealed    string   `json:"sealed"`
	SignsFrom Instant  `json:"from"`          // of those that sign already, the latest is current
	GoneAt    Instant  `json:"gone,omitzero"` // when the last token that it signed has expired; zero while it is the latest
}

// gone reports whether nothing that the key signed can be alive.
func (s *signingKey) gone(now time.Time) bool {
	return !s.GoneAt.IsZero() && !now.Before(s.GoneAt.Time)
}

// place is what a sealed key is bound to.
func (k *signingKeys) place(kid string) string { return signingKeysKey(k.Realm).Name + " " + kid }

// newSigningKeys makes the first keys of a realm. They sign at once: nobody has a JWKS without them.
func newSigningKeys(d *deps, realm RealmID, settings RealmSettings, now time.Time) (*signingKeys, error) {
	keys := &signingKeys{Realm: realm}
	err := errors.Join(keys.add(d, useSession, settings.TokenAlg, now), keys.add(d, useAssertion, jose.EdDSA, now))
	if settings.APTEncryption != APTEncryptionOff {
		err = errors.Join(err, keys.addDecryption(d, now))
	}
	return keys, err
}

// add makes a key that signs from a time on.
func (k *signingKeys) add(d *deps, use keyUse, alg jose.Alg, from time.Time) error {
	private, err := d.newSigningKey(alg)
	if err != nil {
		return fmt.Errorf("core: generate signing key: %w", err)
	}
	return k.seal(d, private, signingKey{ID: private.ID(), Use: use, Alg: alg, SignsFrom: Instant{from}})
}

// secretLength is how many base62 characters a generated HS256 secret has after its prefix: 262 bits.
const secretLength = 44

// newSigningKey makes a key. One of HS256 is a text that clients can be configured with, and whose bytes are the key:
// "jsk_" and 44 characters (Users API, "jwt_secret").
func (d *deps) newSigningKey(alg jose.Alg) (*jose.PrivateKey, error) {
	if alg != jose.HS256 {
		return jose.Generate(alg, d.random)
	}
	text, err := d.ids.text(secretLength)
	if err != nil {
		return nil, err
	}
	return jose.NewSecret([]byte(prefixJWTSecret + text))
}

// seal keeps a private key as entry says, sealed.
func (k *signingKeys) seal(d *deps, private interface{ Marshal() ([]byte, error) }, entry signingKey) error {
	text, err := private.Marshal()
	if err != nil {
		return fmt.Errorf("core: seal key: %w", err)
	}
	if entry.Sealed, err = d.master.seal(d.random, k.place(entry.ID), text); err != nil {
		return err
	}
	k.Keys = append(k.Keys, entry)
	return nil
}

// addDecryption makes the keys that encrypted APTs are opened with, one for each way of conveying a content key.
func (k *signingKeys) addDecryption(d *deps, now time.Time) error {
	for _, alg := range []jose.EncryptionAlg{jose.RSAOAEP256, jose.ECDHES} {
		private, err := jose.GenerateDecryptionKey(alg, d.random)
		if err != nil {
			return fmt.Errorf("core: generate decryption key: %w", err)
		}
		if err := k.seal(d, private, signingKey{ID: private.ID(), Use: useAPT, Alg: jose.Alg(alg), SignsFrom: Instant{now}}); err != nil {
			return err
		}
	}
	return nil
}

// isPrivateKeyPEM reports whether text holds a private key, which nobody should send us.
func isPrivateKeyPEM(text []byte) bool {
	block, _ := pem.Decode(text)
	return block != nil && strings.HasSuffix(block.Type, "PRIVATE KEY")
}
