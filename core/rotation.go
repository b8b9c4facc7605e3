package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// keyNotice is how long a new key is published before it signs, so that whoever keeps a copy of a JWKS has
// it by then.
const keyNotice = 10 * time.Minute

// rotate adds a successor to the keys of each use, and drops those that nothing alive was signed with. overlap is the
// longest that a token lives.
func (k *signingKeys) rotate(d *deps, alg jose.Alg, now time.Time, overlap time.Duration) error {
	k.Keys = slices.DeleteFunc(k.Keys, func(s signingKey) bool { return s.gone(now) })
	if len(k.Keys) >= maxSigningKeys {
		return &Error{Kind: KindConflict, Code: "too_many_keys", Detail: "this realm has too many keys that tokens may still be verified with; delete some or wait until they expire"}
	}
	from := now.Add(keyNotice)
	for i := range k.Keys {
		if k.Keys[i].Use != useAPT && k.Keys[i].GoneAt.IsZero() {
			k.Keys[i].GoneAt = Instant{from.Add(overlap)}
		}
	}
	return errors.Join(k.add(d, useSession, alg, from), k.add(d, useAssertion, jose.EdDSA, from))
}

// maxSigningKeys bounds a realm's keys of all uses, those from before among them.
const maxSigningKeys = 250

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

// errRotating says that somebody was faster.
var errRotating = &Error{Kind: KindConflict, Code: "rotation_under_way", Detail: "new signing keys have just been made and are about to sign"}

// RotateKeys gives a realm new signing keys. They are published at once and sign ten minutes later; the keys before
// them go on verifying until the last token that they signed has expired, so that nobody is signed out. It fails with
// ErrRealmNotFound, and KindConflict where new keys are about to sign already.
func (r *Realms) RotateKeys(ctx context.Context, realm RealmID, req Request) error {
	return retry(func() error { return r.rotateKeys(ctx, realm, req) })
}

// rotateKeys tries once.
func (r *Realms) rotateKeys(ctx context.Context, realm RealmID, req Request) error {
	state, now, err := r.begin(ctx, realm)
	if err != nil {
		return err
	}
	if state.sealed.newest(useSession).After(now) {
		return errRotating
	}
	if err := state.sealed.rotate(r.d, state.Settings.TokenAlg, now, longestToken); err != nil {
		return err
	}
	c := r.d.change(Partition{}, now)
	c.replace(state.sealed, state.sealedAt, noExpiry)
	c.event(Event{Realm: realm, Type: eventKeysRotated, Request: req.clean()})
	c.invalidate(string(realm) + moreKeys)
	return c.commit(ctx)
}

// rekey gives a realm, in c, the keys that a change of its settings asks for. Another algorithm of its tokens rotates
// them like any rotation: tokens of the former one are verified with their own keys until they expire.
func (r *Realms) rekey(ctx context.Context, c *change, before, after *Realm) error {
	was, is := before.Settings.withDefaults(), after.Settings.withDefaults()
	if was.TokenAlg == is.TokenAlg && is.APTEncryption == APTEncryptionOff {
		return nil
	}
	state, err := r.read(ctx, after.ID)
	if err != nil {
		return err
	}
	changed := false
	if was.TokenAlg != is.TokenAlg {
		if err := state.sealed.rotate(r.d, is.TokenAlg, c.tx.Now, longestToken); err != nil {
			return err
		}
		c.event(Event{Realm: after.ID, Type: eventKeysRotated})
		changed = true
	}
	if is.APTEncryption != APTEncryptionOff && len(state.keys.decrypt) == 0 {
		if err := state.sealed.addDecryption(r.d, c.tx.Now); err != nil {
			return err
		}
		changed = true
	}
	if changed {
		c.replace(state.sealed, state.sealedAt, noExpiry)
	}
	return nil
}

// longestToken is how long any token may live, whatever a realm's settings say now and said when it was signed: the
// bound of APTTokenLifetime.
const longestToken = 90 * 24 * time.Hour

// Keys are looked at for whether they are due a while after the start, for processes that never grow old, and then again
// and again: sooner where that failed, as in an outage that may be over by then.
const (
	rotationFirst = time.Minute
	rotationCheck = time.Hour
	rotationAgain = time.Minute
)

// rotateOnSchedule rotates the keys of realms whose settings ask for it, until ctx ends. Where several processes do so
// at once, one is faster and the others find the keys fresh.
func (r *Realms) rotateOnSchedule(ctx context.Context) {
	for wait := rotationFirst; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = r.rotateNow(ctx)
	}
}

// rotateNow rotates what is due, lets Options.Trouble know where that fails, and returns when to look again.
func (r *Realms) rotateNow(ctx context.Context) time.Duration {
	err := r.rotateDue(ctx)
	if ctx.Err() == nil {
		r.d.troubles.note("rotation of signing keys", err)
	}
	if err != nil {
		return rotationAgain
	}
	return rotationCheck
}

// rotateDue rotates the keys of every realm whose newest are older than its settings allow.
func (r *Realms) rotateDue(ctx context.Context) error {
	return r.each(ctx, func(id RealmID) error {
		state, now, err := r.begin(ctx, id)
		if err != nil {
			return err
		}
		every := state.Settings.KeyRotation.Duration()
		if every == 0 || now.Sub(state.sealed.newest(useSession)) < every {
			return nil
		}
		if err := r.RotateKeys(ctx, id, Request{Client: "schedule"}); err != nil && !errors.Is(err, errRotating) {
			return fmt.Errorf("realm %s: %w", id, err)
		}
		return nil
	})
}

// each calls f for every realm, and joins the failures.
func (r *Realms) each(ctx context.Context, f func(RealmID) error) error {
	var errs []error
	from := ""
	for {
		members, err := r.d.store.Range(ctx, Range{Index: Index{Name: indexRealms}, From: from, Limit: MaxRange})
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("core: list realms: %w", err))...)
		}
		for _, m := range members {
			errs = append(errs, f(realmAt(m)))
			from = m + "\x00"
		}
		if len(members) < MaxRange {
			return errors.Join(errs...)
		}
	}
}

// MasterKeyID returns the ID of the master key that seals.
func (c *Core) MasterKeyID() string { return c.d.master.key.Load().ID() }

// ReplaceMasterKey makes m the master key, from this call on, and seals anew what the former one sealed, which this Core
// goes on opening. It takes a second, and returns how many keys it sealed anew. Interrupted, it is to be called again.
// Where other processes use the same store they must know both keys before.
func (c *Core) ReplaceMasterKey(ctx context.Context, m *MasterKey) (int, error) {
	c.d.master.replace(m)
	count, err := c.Realms.Reseal(ctx)
	for n := 1; n > 0 && err == nil; count += n {
		// What was sealed under the former key just before may still be on its way to the store, where nobody saw it yet.
		select {
		case <-ctx.Done():
			return count, ctx.Err()
		case <-time.After(sealsAreWritten):
		}
		n, err = c.Realms.Reseal(ctx)
	}
	return count, err
}

// sealsAreWritten is by when what was sealed has been written, or has failed to be.
const sealsAreWritten = time.Second

// Reseal seals the signing keys of every realm, what hooks hold and the key of events under the current master key. Afterwards the former one
// is needed no more. What was done stays done where it is interrupted, and calling it again goes on. It returns how many keys it
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
	hooks, hooksErr := (&AppHooks{r.d}).reseal(ctx)
	err = errors.Join(err, hooksErr, retry(func() error {
		n, err := r.d.resealEventSecret(ctx)
		count += n
		return err
	}))
	return count + hooks, err
}

// reseal seals one realm's keys anew.
func (r *Realms) reseal(ctx context.Context, id RealmID) (int, error) {
	state, now, err := r.begin(ctx, id)
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
	if data := state.sealed.Data; data != "" && !r.d.master.sealedHere(data) {
		text, err := r.d.master.open(state.sealed.place(dataKeyName), data)
		if err != nil {
			return 0, err
		}
		if state.sealed.Data, err = r.d.master.seal(r.d.random, state.sealed.place(dataKeyName), text); err != nil {
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
