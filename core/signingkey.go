package core

import (
	"context"
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

// place is what a sealed key is bound to.
func (k *signingKeys) place(kid string) string { return signingKeysKey(k.Realm).Name + " " + kid }

// newSigningKeys makes the first keys of a realm. They sign at once: nobody has a JWKS without them.
func newSigningKeys(d *deps, realm RealmID, alg jose.Alg, now time.Time) (*signingKeys, error) {
	keys := &signingKeys{Realm: realm}
	return keys, errors.Join(keys.add(d, useSession, alg, now), keys.add(d, useAssertion, jose.EdDSA, now))
}

// add makes a key that signs from a time on.
func (k *signingKeys) add(d *deps, use keyUse, alg jose.Alg, from time.Time) error {
	private, err := jose.Generate(alg, d.random)
	if err != nil {
		return fmt.Errorf("core: generate signing key: %w", err)
	}
	return k.seal(d, private, signingKey{ID: private.ID(), Use: use, Alg: alg, SignsFrom: Instant{from}})
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

// ensureDecryption adds to c the keys that encrypted APTs are opened with, unless the realm has them.
func (r *Realms) ensureDecryption(ctx context.Context, c *change, id RealmID) error {
	state, err := r.read(ctx, id)
	if err != nil {
		return err
	}
	if len(state.keys.decrypt) > 0 {
		return nil
	}
	if err := state.sealed.addDecryption(r.d, c.tx.Now); err != nil {
		return err
	}
	c.replace(state.sealed, state.sealedAt, noExpiry)
	return nil
}

// isPrivateKeyPEM reports whether text holds a private key, which nobody should send us.
func isPrivateKeyPEM(text []byte) bool {
	block, _ := pem.Decode(text)
	return block != nil && strings.HasSuffix(block.Type, "PRIVATE KEY")
}
