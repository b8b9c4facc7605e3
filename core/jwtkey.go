package core

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// JWTKey is a key that a realm's session tokens are signed with, as whoever verifies them knows it (Users API,
// "JWT keys").
type JWTKey struct {
	ID        JWTKeyID
	Realm     RealmID
	Alg       jose.Alg
	KeyID     string    // the kid in tokens
	Key       string    // PEM of the public key (SubjectPublicKeyInfo); of HS256 the secret itself
	SignsFrom time.Time // it verifies before
	GoneAt    time.Time // from then on it verifies nothing; zero while it is the latest
	Expired   bool      // it verifies nothing any more
}

// ErrJWTKeyNotFound says that a realm has no key of session tokens with this id.
var ErrJWTKeyNotFound = &Error{Kind: KindNotFound, Code: "jwt_key_not_found", Detail: "JWT key not found"}

// jwtKeyID returns the id that a key goes by in the Users API. It follows from the kid.
func jwtKeyID(realm RealmID, kid string) JWTKeyID {
	sum := sha256.Sum256([]byte(kid))
	b, _ := bucketOf(string(realm))
	return JWTKeyID(prefixJWTKey + encode(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16]), idLength-bucketLength) + b.text())
}

// jwtKeys returns a realm's keys of session tokens, the oldest first.
func (s *realmState) jwtKeys(now time.Time) ([]JWTKey, error) {
	var list []JWTKey
	for _, sealed := range s.sealed.Keys {
		if sealed.Use != useSession {
			continue
		}
		key := JWTKey{ID: jwtKeyID(s.ID, sealed.ID), Realm: s.ID, Alg: sealed.Alg, KeyID: sealed.ID, SignsFrom: sealed.SignsFrom.Time,
			GoneAt: sealed.GoneAt.Time, Expired: sealed.gone(now)}
		private := s.keys.private(useSession, sealed.ID)
		if key.Key = string(private.Secret()); key.Alg != jose.HS256 {
			text, err := private.Public().MarshalPEM()
			if err != nil {
				return nil, err
			}
			key.Key = string(text)
		}
		list = append(list, key)
	}
	slices.SortStableFunc(list, func(a, b JWTKey) int { return cmp.Or(a.SignsFrom.Compare(b.SignsFrom), cmp.Compare(a.ID, b.ID)) })
	return list, nil
}

// JWTKeys returns the keys that a realm's session tokens are verified with, those that sign from a later time on among
// them, the oldest first. It fails with ErrRealmNotFound.
func (r *Realms) JWTKeys(ctx context.Context, realm RealmID) ([]JWTKey, error) {
	now, err := r.d.clock.now()
	if err != nil {
		return nil, err
	}
	state, err := r.managed(ctx, realm)
	if err != nil {
		return nil, err
	}
	return state.jwtKeys(now)
}

// NewestJWTKey returns the key that a realm's tokens are signed with, or from a moment to come on will be. It fails
// with ErrRealmNotFound.
func (r *Realms) NewestJWTKey(ctx context.Context, realm RealmID) (JWTKey, error) {
	list, err := r.JWTKeys(ctx, realm)
	if err != nil || len(list) == 0 {
		return JWTKey{}, cmp.Or[error](err, ErrJWTKeyNotFound)
	}
	return list[len(list)-1], nil
}

// errLastKey says that a realm must be able to sign.
var errLastKey = &Error{Kind: KindConflict, Code: "last_key", Detail: "this is the newest key of the realm; make its successor first, and then delete it"}

// RetireJWTKey takes a key of session tokens out of use now: whatever it signed is refused everywhere at once, for
// when it has leaked. Where it signs still, its successor does from now on, published or not. It fails with
// ErrJWTKeyNotFound, ErrRealmNotFound, and KindConflict for the newest key.
func (r *Realms) RetireJWTKey(ctx context.Context, realm RealmID, id JWTKeyID, req Request) error {
	return retry(func() error { return r.retire(ctx, realm, id, req) })
}

// retire tries once.
func (r *Realms) retire(ctx context.Context, realm RealmID, id JWTKeyID, req Request) error {
	state, now, err := r.begin(ctx, realm)
	if err != nil {
		return err
	}
	list, err := state.jwtKeys(now)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list, func(k JWTKey) bool { return k.ID == id })
	switch {
	case at < 0:
		return ErrJWTKeyNotFound
	case at == len(list)-1:
		return errLastKey
	}
	state.sealed.retire(list[at].KeyID, now)
	c := r.d.change(Partition{}, now)
	c.replace(state.sealed, state.sealedAt, noExpiry)
	c.event(Event{Realm: realm, Type: eventKeyRetired, Request: req.clean()})
	c.invalidate(string(realm)) // every guard of the realm must look again
	return c.commit(ctx)
}

// retire removes a key of session tokens. If no other one signs at the time, the first of those that will does.
func (k *signingKeys) retire(kid string, now time.Time) {
	k.Keys = slices.DeleteFunc(k.Keys, func(s signingKey) bool { return s.Use == useSession && s.ID == kid })
	var next *signingKey
	for i := range k.Keys {
		s := &k.Keys[i]
		switch {
		case s.Use != useSession:
		case !s.SignsFrom.After(now):
			return
		case next == nil || s.SignsFrom.Before(next.SignsFrom.Time):
			next = s
		}
	}
	if next != nil {
		next.SignsFrom = Instant{now}
	}
}
