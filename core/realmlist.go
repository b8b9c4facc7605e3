package core

import (
	"cmp"
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

// List returns a page of the realms, without their keys, and whether there are more. It reads the names of all realms,
// and the records of those that it passes over for the filters' sake. It fails with KindInvalid, also where After is no
// realm.
func (r *Realms) List(ctx context.Context, in ListRealms) (page []*Realm, more bool, err error) {
	if err := in.validate(); err != nil {
		return nil, false, err
	}
	ids, err := r.ordered(ctx, in)
	if err != nil {
		return nil, false, err
	}
	for some := range slices.Chunk(ids, defaultPage) {
		realms, err := r.records(ctx, some)
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
	return page, false, nil
}

// ordered returns the ids of the realms after in.After, in the order asked for.
func (r *Realms) ordered(ctx context.Context, in ListRealms) ([]RealmID, error) {
	var ids []RealmID
	if in.Only != "" {
		ids = []RealmID{in.Only}
	} else if err := r.each(ctx, func(id RealmID) error { ids = append(ids, id); return nil }); err != nil {
		return nil, err
	}
	if in.Sort == RealmsByID {
		slices.SortFunc(ids, func(a, b RealmID) int { return cmp.Compare(a, b) })
	}
	if in.Descending {
		slices.Reverse(ids)
	}
	if in.After == "" {
		return ids, nil
	}
	at := slices.Index(ids, in.After)
	if at < 0 {
		return nil, invalid("after", "After must be the id of a realm")
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
