package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/jose"
)

// realmState is a realm with all that verifying its tokens takes.
type realmState struct {
	*Realm
	keys *keyring

	sealed   *signingKeys // what keys was opened from
	sealedAt uint64       // its version
	apt      *aptKeys
	aptAt    uint64   // its version
	data     *dataKey // nil until something was sealed under it
}

// state returns a realm with its keys, for whatever has to do with its users. It fails with ErrRealmNotFound, and with
// ErrRealmResetting while there are none that count.
func (r *Realms) state(ctx context.Context, id RealmID) (*realmState, error) {
	s, err := r.managed(ctx, id)
	if err == nil && s.ResetBy != "" {
		return nil, ErrRealmResetting
	}
	return s, err
}

// managed returns a realm with its keys, for whatever has to do with the realm itself.
func (r *Realms) managed(ctx context.Context, id RealmID) (*realmState, error) {
	now, err := r.d.clock.now()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	s, epoch := r.known[id], r.epoch
	r.mu.Unlock()
	if s != nil && r.watch.Fresh(now) && !asksStore(ctx) {
		return s, nil
	}
	s, err = r.read(ctx, id)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.epoch == epoch && len(r.known) < maxRealmsKnown && !asksStore(ctx) {
		r.known[id] = s
		r.byGUID[s.EnvironmentGUID] = id
	}
	return s, nil
}

// maxRealmsKnown bounds what is remembered.
const maxRealmsKnown = 10_000

// environment finds a realm by its guid.
type environment struct {
	GUID  string  `json:"guid"`
	Realm RealmID `json:"realm"`
}

func (e *environment) key(Partition) Key { return environmentKey(e.GUID) }

// stateByEnvironment returns the realm of an environment guid, which is compared byte for byte, or ErrEnvironmentNotFound.
func (r *Realms) stateByEnvironment(ctx context.Context, guid string) (*realmState, error) {
	r.mu.Lock()
	id, known := r.byGUID[guid]
	r.mu.Unlock()
	if known { // a guid never moves to another realm
		state, err := r.state(ctx, id)
		if err == ErrRealmNotFound {
			err = ErrEnvironmentNotFound
		}
		return state, err
	}
	var env environment
	_, found, err := r.d.load(ctx, environmentKey(guid), &env)
	if err != nil {
		return nil, fmt.Errorf("core: find environment: %w", err)
	}
	if !found {
		return nil, ErrEnvironmentNotFound
	}
	state, err := r.state(ctx, env.Realm)
	if err == nil && state.EnvironmentGUID != guid {
		return nil, fmt.Errorf("core: realm %s is not the environment that points to it", env.Realm)
	}
	return state, err
}

// read reads a realm and its keys in one go.
func (r *Realms) read(ctx context.Context, id RealmID) (*realmState, error) {
	if !validID(prefixRealm, string(id)) {
		return nil, ErrRealmNotFound
	}
	recs, err := r.d.store.Get(ctx, realmKey(id), signingKeysKey(id), aptKeysKey(id))
	if err != nil {
		return nil, fmt.Errorf("core: get realm: %w", err)
	}
	s := &realmState{Realm: &Realm{}, sealed: &signingKeys{}, sealedAt: recs[1].Version, apt: &aptKeys{Realm: id}, aptAt: recs[2].Version}
	found, err := decode(realmKey(id), recs[0], s.Realm)
	if err == nil && (!found || !s.DeletedAt.IsZero()) {
		return nil, ErrRealmNotFound
	}
	_, keysErr := decode(signingKeysKey(id), recs[1], s.sealed)
	_, aptErr := decode(aptKeysKey(id), recs[2], s.apt)
	if err := errors.Join(err, keysErr, aptErr); err != nil {
		return nil, err
	}
	s.Realm = s.withDefaults()
	if s.keys, err = r.d.openKeys(s.sealed); err != nil {
		return nil, err
	}
	if s.data, err = r.d.openData(s.sealed); err != nil {
		return nil, err
	}
	return s, s.apt.parse()
}

// begin returns what a change of a realm's keys starts from: the realm as the store has it, and the time.
func (r *Realms) begin(ctx context.Context, id RealmID) (*realmState, time.Time, error) {
	now, err := r.d.clock.now()
	if err != nil {
		return nil, now, err
	}
	state, err := r.read(ctx, id)
	return state, now, err
}

// lookEvery is how often a key that nobody has heard of is worth a look in the store, in each realm.
const lookEvery = time.Second

// verifier returns the key that a session token names. One that is not known may have been made a moment ago
// elsewhere, so the realm is read anew, but seldom: anybody can make up names of keys.
func (r *Realms) verifier(ctx context.Context, state *realmState, kid string, now time.Time) (*realmState, *jose.PublicKey, error) {
	if key := state.keys.verifier(useSession, kid); key != nil {
		return state, key, nil
	}
	r.mu.Lock()
	if now.Sub(r.looked[state.ID]) < lookEvery {
		r.mu.Unlock()
		return nil, nil, ErrInvalidToken
	}
	if len(r.looked) >= maxRealmsKnown {
		clear(r.looked)
	}
	r.looked[state.ID] = now
	r.mu.Unlock()
	state, err := r.read(ctx, state.ID)
	if err != nil {
		return nil, nil, err
	}
	if key := state.keys.verifier(useSession, kid); key != nil {
		return state, key, nil
	}
	return nil, nil, ErrInvalidToken
}

// moreKeys, after a realm's id, is the subject of news that a realm has keys that it had not: to be read anew by core, but
// no reason for guards to forget anybody.
const moreKeys = ".keys"

// Forget drops the realms among subjects.
func (r *Realms) Forget(subjects []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	for _, s := range subjects {
		if state := r.known[RealmID(strings.TrimSuffix(s, moreKeys))]; state != nil {
			delete(r.byGUID, state.EnvironmentGUID)
			delete(r.known, state.ID)
		}
	}
}

// ForgetAll drops all realms.
func (r *Realms) ForgetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	clear(r.known)
	clear(r.byGUID)
}
