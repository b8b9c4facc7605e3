package core

import (
	"encoding/pem"
	"fmt"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// What a signing key is for. Each realm has one current key of each.
const (
	useSession   = "session"   // session tokens
	useAssertion = "assertion" // what a guard tells an upstream; EdDSA in every realm
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
	Use       string   `json:"use"`
	Alg       jose.Alg `json:"alg"`
	Sealed    string   `json:"sealed"`
	SignsFrom Instant  `json:"from"` // of two that sign, the later one is current
}

// place is what a sealed key is bound to.
func (k *signingKeys) place(kid string) string { return signingKeysKey(k.Realm).Name + " " + kid }

// newSigningKeys makes the first keys of a realm.
func newSigningKeys(d *deps, realm RealmID, alg jose.Alg, now time.Time) (*signingKeys, error) {
	keys := &signingKeys{Realm: realm}
	for _, k := range []struct {
		use string
		alg jose.Alg
	}{{useSession, alg}, {useAssertion, jose.EdDSA}} {
		private, err := jose.Generate(k.alg, d.random)
		if err != nil {
			return nil, fmt.Errorf("core: generate signing key: %w", err)
		}
		text, err := private.Marshal()
		if err != nil {
			return nil, fmt.Errorf("core: generate signing key: %w", err)
		}
		sealed, err := d.master.seal(d.random, keys.place(private.ID()), text)
		if err != nil {
			return nil, err
		}
		keys.Keys = append(keys.Keys, signingKey{ID: private.ID(), Use: k.use, Alg: k.alg, Sealed: sealed, SignsFrom: Instant{now}})
	}
	return keys, nil
}

// keyring is a realm's signing keys, opened.
type keyring struct {
	session *jose.PrivateKey           // signs session tokens
	verify  map[string]*jose.PublicKey // by kid: what may have signed a session token that is still alive
}

// openKeys unseals a realm's keys.
func (d *deps) openKeys(keys *signingKeys) (*keyring, error) {
	ring := &keyring{verify: map[string]*jose.PublicKey{}}
	var current time.Time
	for _, k := range keys.Keys {
		if k.Use != useSession {
			continue
		}
		text, err := d.master.open(keys.place(k.ID), k.Sealed)
		if err != nil {
			return nil, err
		}
		private, err := jose.UnmarshalPrivateKey(text)
		if err != nil {
			return nil, fmt.Errorf("core: signing key %s: %w", k.ID, err)
		}
		ring.verify[private.ID()] = private.Public()
		if ring.session == nil || k.SignsFrom.After(current) {
			ring.session, current = private, k.SignsFrom.Time
		}
	}
	if ring.session == nil {
		return nil, fmt.Errorf("core: realm %s has no signing key", keys.Realm)
	}
	return ring, nil
}

// isPrivateKeyPEM reports whether text holds a private key, which nobody should send us.
func isPrivateKeyPEM(text []byte) bool {
	block, _ := pem.Decode(text)
	return block != nil && len(block.Type) >= 11 && block.Type[len(block.Type)-11:] == "PRIVATE KEY"
}
