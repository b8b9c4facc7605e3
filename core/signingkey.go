package core

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
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

// keyNotice is how long a new key is published before it signs, so that whoever keeps a copy of a JWKS has
// it by then.
const keyNotice = 10 * time.Minute

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

// rotate adds a successor to the keys of each use, and drops those that nothing alive was signed with. overlap is the
// longest that a token lives.
func (k *signingKeys) rotate(d *deps, alg jose.Alg, now time.Time, overlap time.Duration) error {
	k.Keys = slices.DeleteFunc(k.Keys, func(s signingKey) bool { return !s.GoneAt.IsZero() && !now.Before(s.GoneAt.Time) })
	from := now.Add(keyNotice)
	for i := range k.Keys {
		if k.Keys[i].Use != useAPT && k.Keys[i].GoneAt.IsZero() {
			k.Keys[i].GoneAt = Instant{from.Add(overlap)}
		}
	}
	return errors.Join(k.add(d, useSession, alg, from), k.add(d, useAssertion, jose.EdDSA, from))
}

// newest returns when the latest key of a use signs, or will.
func (k *signingKeys) newest(use keyUse) time.Time {
	var at time.Time
	for _, s := range k.Keys {
		if s.Use == use && s.SignsFrom.After(at) {
			at = s.SignsFrom.Time
		}
	}
	return at
}

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
	for _, k := range r.keys {
		if k.use == use && k.ID() == kid {
			return k.Public()
		}
	}
	return nil
}

// KeySet returns the public keys of a realm as a JWK set (RFC 7517 §5): those that sign, those that are about to, and
// those that signed what may still be alive; and where the realm takes encrypted APTs, what they are encrypted to. The secret of an HS256 realm is never among them. It fails with
// ErrRealmNotFound.
func (r *Realms) KeySet(ctx context.Context, realm RealmID) ([]byte, error) {
	state, err := r.state(ctx, realm)
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

// RotateKeys gives a realm new signing keys. They are published at once and sign ten minutes later; the keys before
// them go on verifying until the last token that they signed has expired, so that nobody is signed out. It fails with
// ErrRealmNotFound, and KindConflict where new keys are about to sign already.
func (r *Realms) RotateKeys(ctx context.Context, realm RealmID, req Request) error {
	return retry(func() error { return r.rotateKeys(ctx, realm, req) })
}

// rotateKeys tries once.
func (r *Realms) rotateKeys(ctx context.Context, realm RealmID, req Request) error {
	now, err := r.d.clock.now()
	if err != nil {
		return err
	}
	state, err := r.read(ctx, realm)
	if err != nil {
		return err
	}
	if state.sealed.newest(useSession).After(now) {
		return &Error{Kind: KindConflict, Code: "rotation_under_way", Detail: "new signing keys have just been made and are about to sign"}
	}
	if err := state.sealed.rotate(r.d, state.Settings.TokenAlg, now, state.Settings.longestToken()); err != nil {
		return err
	}
	c := r.d.change(Partition{}, now)
	c.replace(state.sealed, state.sealedAt, noExpiry)
	c.event(Event{Realm: realm, Type: eventKeysRotated, Request: req.clean()})
	c.invalidate(string(realm) + moreKeys)
	return c.commit(ctx)
}

// longestToken is how long a token of the realm may live.
func (s RealmSettings) longestToken() time.Duration {
	return max(s.TokenLifetime, s.APTTokenLifetime).Duration()
}

// rotationCheck is how often keys are looked at for whether they are due.
const rotationCheck = time.Hour

// rotateOnSchedule rotates the keys of realms whose settings ask for it, until ctx ends. Where several processes do so
// at once, one is faster and the others find the keys fresh.
func (r *Realms) rotateOnSchedule(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(rotationCheck):
		}
		_ = r.rotateDue(ctx) // a store that is away now is asked again in an hour
	}
}

// rotateDue rotates the keys of every realm whose newest are older than its settings allow.
func (r *Realms) rotateDue(ctx context.Context) error {
	return r.each(ctx, func(id RealmID) error {
		now, err := r.d.clock.now()
		if err != nil {
			return err
		}
		state, err := r.read(ctx, id)
		if err != nil {
			return err
		}
		every := state.Settings.KeyRotation.Duration()
		if every == 0 || now.Sub(state.sealed.newest(useSession)) < every {
			return nil
		}
		return r.RotateKeys(ctx, id, Request{Client: "schedule"})
	})
}

// each calls f for every realm, and joins the failures.
func (r *Realms) each(ctx context.Context, f func(RealmID) error) error {
	var errs []error
	from := ""
	for {
		members, err := r.d.store.Range(ctx, Range{Index: Index{Name: indexRealms}, From: from, Limit: 100})
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("core: list realms: %w", err))...)
		}
		for _, m := range members {
			errs = append(errs, f(RealmID(m[strings.LastIndexByte(m, 0)+1:])))
			from = m + "\x00"
		}
		if len(members) < 100 {
			return errors.Join(errs...)
		}
	}
}

// Reseal seals the signing keys of every realm under the current master key. Afterwards the former one is needed no
// more. What was done stays done where it is interrupted, and calling it again goes on. It returns how many keys it
// sealed anew.
func (r *Realms) Reseal(ctx context.Context) (int, error) {
	count := 0
	err := r.each(ctx, func(id RealmID) error {
		return retry(func() error {
			n, err := r.reseal(ctx, id)
			count += n
			return err
		})
	})
	return count, err
}

// reseal seals one realm's keys anew.
func (r *Realms) reseal(ctx context.Context, id RealmID) (int, error) {
	now, err := r.d.clock.now()
	if err != nil {
		return 0, err
	}
	state, err := r.read(ctx, id)
	if err != nil {
		return 0, err
	}
	count := 0
	for i, k := range state.sealed.Keys {
		if r.d.master.sealedHere(k.Sealed) {
			continue
		}
		place := state.sealed.place(k.ID)
		text, err := r.d.master.open(place, k.Sealed)
		if err != nil {
			return 0, err
		}
		if state.sealed.Keys[i].Sealed, err = r.d.master.seal(r.d.random, place, text); err != nil {
			return 0, err
		}
		count++
	}
	if count == 0 {
		return 0, nil
	}
	c := r.d.change(Partition{}, now)
	c.replace(state.sealed, state.sealedAt, noExpiry)
	c.invalidate(string(id) + moreKeys)
	return count, c.commit(ctx)
}

// isPrivateKeyPEM reports whether text holds a private key, which nobody should send us.
func isPrivateKeyPEM(text []byte) bool {
	block, _ := pem.Decode(text)
	return block != nil && strings.HasSuffix(block.Type, "PRIVATE KEY")
}
