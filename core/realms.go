package core

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
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

func newRealms(d *deps) *Realms {
	r := &Realms{d: d, known: map[RealmID]*realmState{}, byGUID: map[string]RealmID{}, looked: map[RealmID]time.Time{}}
	r.watch = d.feed.watch(r, invalidationLog(Partition{}))
	return r
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
	if err := r.unnamed(ctx, realm.Name, realm.ID); err != nil {
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
	keys, err := newSigningKeys(r.d, realm.ID, settings, now)
	if err != nil {
		return nil, nil, err
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
	c := r.d.change(Partition{}, now)
	c.replace(after, version, noExpiry)
	if err := r.rekey(ctx, c, before, after); err != nil {
		return nil, err
	}
	if err := r.rename(ctx, c, before, after); err != nil {
		return nil, err
	}
	if err := r.settleEmails(ctx, before, after); err != nil {
		return nil, err
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

// Find returns a realm by its id or its name; the first realm also by DefaultRealm. In stores that were made before names were unique, one that repeats is not found by,
// and the error says so. It fails with ErrRealmNotFound, and ErrEmptied where the store has lost what it was set up with.
func (r *Realms) Find(ctx context.Context, idOrName string) (*Realm, error) {
	realm, err := r.find(ctx, idOrName)
	if err == ErrRealmNotFound {
		err = r.d.missedRealm(ctx, err)
	}
	return realm, err
}

func (r *Realms) find(ctx context.Context, idOrName string) (*Realm, error) {
	if validID(prefixRealm, idOrName) {
		return r.Get(ctx, RealmID(idOrName))
	}
	members, err := r.d.store.Range(ctx, Range{Index: Index{Name: indexRealms}, From: idOrName + "\x00", To: idOrName + "\x01", Limit: 2})
	if err != nil {
		return nil, fmt.Errorf("core: find realm: %w", err)
	}
	switch len(members) {
	case 0:
		return r.renamedFirst(ctx, idOrName)
	case 1:
		return r.Get(ctx, RealmID(strings.TrimPrefix(members[0], idOrName+"\x00")))
	}
	return nil, ErrRealmNotFound.with("several realms have this name; name one by its id")
}

// renamedFirst returns the first realm by the name that it has no more; by any other name there is none.
func (r *Realms) renamedFirst(ctx context.Context, name string) (*Realm, error) {
	if name != DefaultRealm {
		return nil, ErrRealmNotFound
	}
	f, err := r.d.first(ctx)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, ErrRealmNotFound
	}
	return r.Get(ctx, f.Realm)
}
