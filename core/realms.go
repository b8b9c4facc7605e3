package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/postern-auth/postern/internal/jose"
)

// Realms makes and finds realms, and remembers those in use for as long as the feed says that they
// have not changed. Safe for concurrent use.
type Realms struct {
	d     *deps
	watch *Watch

	mu     sync.Mutex
	known  map[RealmID]*realmState
	byGUID map[string]RealmID
	looked map[RealmID]time.Time // when a realm was last read for the sake of an unknown key
	epoch  int                   // counts what was forgotten, so that a read that was overtaken is not remembered
}

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

func newRealms(d *deps) *Realms {
	r := &Realms{d: d, known: map[RealmID]*realmState{}, byGUID: map[string]RealmID{}, looked: map[RealmID]time.Time{}}
	r.watch = d.feed.watch(r, invalidationLog(Partition{}))
	return r
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

// NewRealm is what a realm is made of.
type NewRealm struct {
	Name     string // 1 to 100 characters
	Settings RealmSettings
	Mail     bool // with a hook that writes to whoever forgot their password; see AppHook.Preset

	About RealmChange // what else is to be set of it; Name and Settings in it are not looked at
}

// Create makes a realm with its signing keys. It fails with KindInvalid, also where another realm has the name.
func (r *Realms) Create(ctx context.Context, in NewRealm, req Request) (*Realm, error) {
	c, realm, err := r.creation(in, req)
	if err != nil {
		return nil, err
	}
	if err := r.unnamed(ctx, realm.Name); err != nil {
		return nil, err
	}
	if err := c.commit(ctx); conflictOn(err, realmNameKey(realm.Name)) {
		return nil, errRealmName
	} else if err != nil {
		return nil, fmt.Errorf("core: create realm: %w", err)
	}
	return realm.withDefaults(), nil
}

// creation puts together the Transaction that makes a realm, for callers who have more to add to it.
func (r *Realms) creation(in NewRealm, req Request) (*change, *Realm, error) {
	name, err := realmName(in.Name)
	if err != nil {
		return nil, nil, err
	}
	settings := in.Settings.withDefaults()
	if err := settings.validate(); err != nil {
		return nil, nil, err
	}
	now, err := r.d.clock.now()
	if err != nil {
		return nil, nil, err
	}
	realm, err := r.fresh(name, now)
	if err != nil {
		return nil, nil, err
	}
	realm.Settings = in.Settings
	if err := realm.describe(in.About); err != nil {
		return nil, nil, err
	}
	keys, err := newSigningKeys(r.d, realm.ID, settings.TokenAlg, now)
	if err != nil {
		return nil, nil, err
	}
	if settings.APTEncryption != APTEncryptionOff {
		if err := keys.addDecryption(r.d, now); err != nil {
			return nil, nil, err
		}
	}
	c := r.d.change(Partition{}, now)
	c.create(realm, noExpiry)
	c.create(keys, noExpiry)
	c.create(&aptKeys{Realm: realm.ID}, noExpiry)
	c.create(&environment{GUID: realm.EnvironmentGUID, Realm: realm.ID}, noExpiry)
	c.create(&realmClaim{realm.Name, realm.ID}, noExpiry)
	c.index(indexRealms, realm.member())
	c.event(Event{Realm: realm.ID, Type: eventRealmCreated, Request: req.clean()})
	if in.Mail {
		c.presets(realm.ID, req)
	}
	return c, realm, nil
}

// fresh returns a realm that has its names and no settings.
func (r *Realms) fresh(name string, now time.Time) (*Realm, error) {
	b, err := r.d.ids.bucket()
	if err != nil {
		return nil, err
	}
	id, err := r.d.ids.id(prefixRealm, b)
	if err != nil {
		return nil, err
	}
	guid, err := uuid.NewRandomFromReader(r.d.random)
	if err != nil {
		return nil, fmt.Errorf("core: environment guid: %w", err)
	}
	issuer := "urn:postern:" + id
	if r.d.publicURL != "" {
		issuer = r.d.publicURL + "/v1/realms/" + id
	}
	return &Realm{ID: RealmID(id), Name: name, EnvironmentGUID: guid.String(), Issuer: issuer, Partitions: 1, CreatedAt: Instant{now}}, nil
}

// RealmChange is what is to be set of a realm. What is nil stays as it is.
type RealmChange struct {
	Name          *string                // 1 to 100 characters
	Settings      func(s *RealmSettings) // changes the settings in place; zero values stand for the defaults
	State         *State                 // StateActive or StateInactive
	Reference     *string                // at most 255 characters
	Custom        *Custom                // replaces all of it
	ResourceLinks *json.RawMessage       // an object or array of at most 16 KiB, replaced whole; null empties it
}

// Update changes a realm. It is felt everywhere within the moment that news takes. It fails with
// ErrRealmNotFound and KindInvalid.
func (r *Realms) Update(ctx context.Context, id RealmID, in RealmChange, req Request) (*Realm, error) {
	return r.change(ctx, id, Event{Type: eventRealmUpdated, Request: req.clean()}, func(before *Realm) (*Realm, error) {
		return before.changed(in)
	})
}

// change turns a realm into what to makes of it, as it is kept, and tells of it by e.
func (r *Realms) change(ctx context.Context, id RealmID, e Event, to func(*Realm) (*Realm, error)) (*Realm, error) {
	e.Realm = id
	var realm *Realm
	err := retry(func() (err error) {
		realm, err = r.changeOnce(ctx, id, e, to)
		return err
	})
	return realm, err
}

// changeOnce tries once.
func (r *Realms) changeOnce(ctx context.Context, id RealmID, e Event, to func(*Realm) (*Realm, error)) (*Realm, error) {
	now, err := r.d.clock.now()
	if err != nil {
		return nil, err
	}
	before, version, err := r.record(ctx, id)
	if err != nil {
		return nil, err
	}
	after, err := to(before)
	if err != nil {
		return nil, err
	}
	if after.Settings.SharedEmails != before.Settings.SharedEmails {
		if err := r.noUsers(ctx, before); err != nil {
			return nil, err
		}
	}
	c := r.d.change(Partition{}, now)
	c.replace(after, version, noExpiry)
	if err := r.rekey(ctx, c, before, after); err != nil {
		return nil, err
	}
	if before.Name != after.Name {
		if err := r.unnamed(ctx, after.Name); err != nil {
			return nil, err
		}
		c.unindex(indexRealms, before.member())
		c.index(indexRealms, after.member())
		c.tx.Delete = append(c.tx.Delete, realmNameKey(before.Name).Name)
		c.create(&realmClaim{after.Name, id}, noExpiry)
	}
	c.event(e)
	c.invalidate(string(id))
	if err := c.commit(ctx); conflictOn(err, realmNameKey(after.Name)) {
		return nil, errRealmName
	} else if err != nil {
		return nil, err
	}
	return after.withDefaults(), nil
}

// record reads a realm as the store has it now, without defaults, or returns ErrRealmNotFound.
func (r *Realms) record(ctx context.Context, id RealmID) (*Realm, uint64, error) {
	if !validID(prefixRealm, string(id)) {
		return nil, 0, ErrRealmNotFound
	}
	realm := &Realm{}
	version, found, err := r.d.load(ctx, realmKey(id), realm)
	if err != nil {
		return nil, 0, fmt.Errorf("core: get realm: %w", err)
	}
	if !found || !realm.DeletedAt.IsZero() {
		return nil, 0, ErrRealmNotFound
	}
	return realm, version, nil
}

// Get returns a realm by its id, or ErrRealmNotFound.
func (r *Realms) Get(ctx context.Context, id RealmID) (*Realm, error) {
	state, err := r.managed(ctx, id)
	if err != nil {
		return nil, err
	}
	return state.Realm, nil
}

// Find returns a realm by its id or its name. In stores that were made before names were unique, one that repeats is not found by,
// and the error says so.
func (r *Realms) Find(ctx context.Context, idOrName string) (*Realm, error) {
	if validID(prefixRealm, idOrName) {
		return r.Get(ctx, RealmID(idOrName))
	}
	members, err := r.d.store.Range(ctx, Range{Index: Index{Name: indexRealms}, From: idOrName + "\x00", To: idOrName + "\x01", Limit: 2})
	if err != nil {
		return nil, fmt.Errorf("core: find realm: %w", err)
	}
	switch len(members) {
	case 0:
		return nil, ErrRealmNotFound
	case 1:
		return r.Get(ctx, RealmID(strings.TrimPrefix(members[0], idOrName+"\x00")))
	}
	return nil, ErrRealmNotFound.with("several realms have this name; name one by its id")
}

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

// errRealmName says that a realm goes by the name already. Guards and pages are told of realms by name: whoever could give theirs
// the name of another would take its place, or have neither found.
var errRealmName = invalid("name", "Name has already been taken")

// realmClaim makes the name of a realm its own.
type realmClaim struct {
	Name  string  `json:"name"`
	Realm RealmID `json:"realm"`
}

func (c *realmClaim) key(Partition) Key { return realmNameKey(c.Name) }

// unnamed fails where a realm has a name, claimed or from before there were claims.
func (r *Realms) unnamed(ctx context.Context, name string) error {
	members, err := r.d.store.Range(ctx, Range{Index: Index{Name: indexRealms}, From: name + "\x00", To: name + "\x01", Limit: 1})
	if err != nil {
		return fmt.Errorf("core: find realm: %w", err)
	}
	if len(members) > 0 {
		return errRealmName
	}
	return nil
}

// environment finds a realm by its guid.
type environment struct {
	GUID  string  `json:"guid"`
	Realm RealmID `json:"realm"`
}

func (e *environment) key(Partition) Key { return environmentKey(e.GUID) }
