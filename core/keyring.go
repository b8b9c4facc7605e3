package core

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// keyring is a realm's keys, opened.
type keyring struct {
	keys    []openKey             // that sign, the oldest first
	decrypt []*jose.DecryptionKey // for encrypted APTs
}

// openKey is a signing key that can sign.
type openKey struct {
	*jose.PrivateKey
	use       keyUse
	signsFrom time.Time
}

// openKeys unseals a realm's keys.
func (d *deps) openKeys(keys *signingKeys) (*keyring, error) {
	ring := &keyring{}
	for _, k := range keys.Keys {
		text, err := d.master.open(keys.place(k.ID), k.Sealed)
		if err != nil {
			return nil, err
		}
		if err := ring.add(k, text); err != nil {
			return nil, fmt.Errorf("core: key %s: %w", k.ID, err)
		}
	}
	slices.SortStableFunc(ring.keys, func(a, b openKey) int { return a.signsFrom.Compare(b.signsFrom) })
	return ring, nil
}

// add takes an unsealed key in.
func (r *keyring) add(k signingKey, text []byte) error {
	if k.Use == useAPT {
		private, err := jose.UnmarshalDecryptionKey(text)
		r.decrypt = append(r.decrypt, private)
		return err
	}
	private, err := jose.UnmarshalPrivateKey(text)
	r.keys = append(r.keys, openKey{private, k.Use, k.SignsFrom.Time})
	return err
}

// current returns the key that signs for a use now: the latest that does, or where a clock is behind and none does yet,
// the first.
func (r *keyring) current(use keyUse, now time.Time) (*jose.PrivateKey, error) {
	var found *jose.PrivateKey
	for _, k := range r.keys {
		if k.use == use && (found == nil || !k.signsFrom.After(now)) {
			found = k.PrivateKey
		}
	}
	if found == nil {
		return nil, fmt.Errorf("core: there is no key to sign a %s with", use)
	}
	return found, nil
}

// verifier returns the key that a token of some use names, or nil.
func (r *keyring) verifier(use keyUse, kid string) *jose.PublicKey {
	if k := r.private(use, kid); k != nil {
		return k.Public()
	}
	return nil
}

// private returns the key of some use that has a kid, or nil.
func (r *keyring) private(use keyUse, kid string) *jose.PrivateKey {
	for _, k := range r.keys {
		if k.use == use && k.ID() == kid {
			return k.PrivateKey
		}
	}
	return nil
}

// KeySet returns the public keys of a realm as a JWK set (RFC 7517 §5): those that sign, those that are about to, and
// those that signed what may still be alive; and where the realm takes encrypted APTs, what they are encrypted to. The secret of an HS256 realm is never among them. It fails with
// ErrRealmNotFound.
func (r *Realms) KeySet(ctx context.Context, realm RealmID) ([]byte, error) {
	state, err := r.managed(ctx, realm)
	if err != nil {
		return nil, err
	}
	var public []jose.Published
	for _, k := range state.keys.keys {
		if k.Alg().Asymmetric() {
			public = append(public, k.Public())
		}
	}
	for _, k := range state.keys.decrypt {
		public = append(public, k.Public())
	}
	return jose.JWKS(public...)
}
