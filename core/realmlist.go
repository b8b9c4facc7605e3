package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// RealmOrder is an order that realms are listed in.
type RealmOrder string

// The orders.
const (
	RealmsByName RealmOrder = "name" // bytewise; those of one name in the order they were made
	RealmsByID   RealmOrder = "id"   // the order in which they were made
)

// ListRealms says which realms to list and which page of them. The zero ListRealms asks for the first 100 of all by
// name.
type ListRealms struct {
	Reference  *string // exactly this; nil = any. "" is no reference, and no realm's
	State      State   // StateActive or StateInactive; "" = any
	After      RealmID // go on after this realm's place in the order; "" = from the start
	Limit      int     // realms on the page, 1 to MaxRange; default 100
	Sort       RealmOrder
	Descending bool    // the last first
	Only       RealmID // this one alone, for whoever may see no other; "" = all
}

// validate fills the defaults and returns what is wrong, all of it, as KindInvalid.
func (in *ListRealms) validate() error {
	defaultTo(&in.Limit, defaultPage)
	defaultTo(&in.Sort, RealmsByName)
	var errs fieldErrors
	errs.check(slices.Contains([]State{"", StateActive, StateInactive}, in.State), "state", "State must be active or inactive")
	errs.check(in.Limit >= 1 && in.Limit <= MaxRange, "max_results", "Max results must be from 1 to 1000")
	errs.check(in.Sort == RealmsByName || in.Sort == RealmsByID, "sort", "Sort must be id or name")
	return errs.err()
}

// shows reports whether a realm is among those asked for.
func (in *ListRealms) shows(r *Realm) bool {
	return (in.State == "" || r.State == in.State) && (in.Reference == nil || *in.Reference != "" && r.Reference == *in.Reference)
}

// List returns a page of the realms, without their keys, and whether there are more. By name it reads what it shows, and
// those that it passes over for the filters' sake; by id, the names of all realms besides. It fails with KindInvalid, also
// where After is no realm.
func (r *Realms) List(ctx context.Context, in ListRealms) (page []*Realm, more bool, err error) {
	if err := in.validate(); err != nil {
		return nil, false, err
	}
	next, err := r.walk(ctx, in)
	if err != nil {
		return nil, false, err
	}
	for {
		ids, err := next()
		if err != nil || len(ids) == 0 {
			return page, false, err
		}
		realms, err := r.records(ctx, ids)
		if err != nil {
			return nil, false, err
		}
		for _, realm := range realms {
			if !in.shows(realm) {
				continue
			}
			if len(page) == in.Limit {
				return page, true, nil
			}
			page = append(page, realm)
		}
	}
}

// errAfterRealm says that a list cannot go on.
var errAfterRealm = invalid("after", "After must be the id of a realm")

// walk returns what returns the ids of realms after in.After, in the order asked for: some more each time, and none at the end.
func (r *Realms) walk(ctx context.Context, in ListRealms) (next func() ([]RealmID, error), err error) {
	if in.Only == "" && in.Sort == RealmsByName {
		return r.walkNames(ctx, in)
	}
	ids, err := r.ordered(ctx, in)
	if err != nil {
		return nil, err
	}
	return func() (some []RealmID, err error) {
		some, ids = ids[:min(len(ids), defaultPage)], ids[min(len(ids), defaultPage):]
		return some, nil
	}, nil
}

// walkNames is walk along the index that they lie in.
func (r *Realms) walkNames(ctx context.Context, in ListRealms) (next func() ([]RealmID, error), err error) {
	at := Range{Index: Index{Name: indexRealms}, Limit: min(in.Limit+1, MaxRange), Descending: in.Descending}
	if in.After != "" {
		if !validID(prefixRealm, string(in.After)) {
			return nil, errAfterRealm
		}
		after, _, err := r.record(ctx, in.After)
		if err == ErrRealmNotFound {
			return nil, errAfterRealm
		} else if err != nil {
			return nil, err
		}
		at.goOn(after.member())
	}
	ended := false
	return func() ([]RealmID, error) {
		if ended {
			return nil, nil
		}
		members, err := r.d.store.Range(ctx, at)
		if err != nil {
			return nil, fmt.Errorf("core: list realms: %w", err)
		}
		ids := make([]RealmID, len(members))
		for i, m := range members {
			ids[i] = realmAt(m)
			at.goOn(m)
		}
		ended = len(members) < at.Limit
		return ids, nil
	}, nil
}

// ordered returns the ids of the realms after in.After by id, or of in.Only alone.
func (r *Realms) ordered(ctx context.Context, in ListRealms) ([]RealmID, error) {
	var ids []RealmID
	if in.Only != "" {
		ids = []RealmID{in.Only}
	} else if err := r.each(ctx, func(id RealmID) error { ids = append(ids, id); return nil }); err != nil {
		return nil, err
	}
	slices.Sort(ids)
	if in.Descending {
		slices.Reverse(ids)
	}
	if in.After == "" {
		return ids, nil
	}
	at := slices.Index(ids, in.After)
	if at < 0 {
		return nil, errAfterRealm
	}
	return ids[at+1:], nil
}

// records reads realms, passing over those that are gone.
func (r *Realms) records(ctx context.Context, ids []RealmID) ([]*Realm, error) {
	keys := make([]Key, len(ids))
	for i, id := range ids {
		keys[i] = realmKey(id)
	}
	recs, err := r.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: list realms: %w", err)
	}
	var list []*Realm
	for i := range recs {
		realm := &Realm{}
		found, err := decode(keys[i], recs[i], realm)
		if err != nil {
			return nil, err
		}
		if found && realm.DeletedAt.IsZero() {
			list = append(list, realm.withDefaults())
		}
	}
	return list, nil
}

// realmAt returns the realm that a place among realms is of.
func realmAt(member string) RealmID { return RealmID(member[strings.LastIndexByte(member, 0)+1:]) }
