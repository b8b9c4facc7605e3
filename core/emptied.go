package core

import (
	"context"
	"fmt"
)

// ErrEmptied says that the store lacks the very realm that something is asked for in: whatever is remembered of it is no longer true.
var ErrEmptied = &Error{Kind: KindUnavailable, Code: "data_missing", Detail: "the data store does not hold the realm; nothing was decided"}

// missed says what becomes of a credential that is genuine, or looks it, and of which a realm's partitions know nothing: refusal, if
// the store has the realm, or what is left of it after its deletion. A store that has neither was emptied, or is another than it was, such as
// one that lost its file and was started again. It says nothing about anybody, and who throws a token away now needs it when the
// data is back.
func (d *deps) missed(ctx context.Context, realm RealmID, refusal error) error {
	_, found, err := d.load(ctx, realmKey(realm), &Realm{})
	switch {
	case err != nil:
		return fmt.Errorf("core: get realm: %w", err)
	case !found:
		return ErrEmptied
	}
	return refusal
}

// lookForRealms has those forget everything whose realm the store does not hold, about every second. No news tells of a store that was
// emptied: where a log was empty before, it lacks nothing. What is asked again from then on is refused to nobody (see missed).
func (f *InvalidationFeed) lookForRealms(ctx context.Context, watches []*Watch) error {
	var keys []Key
	now, of := f.d.clock.local(), map[Key][]*Watch{}
	for _, w := range watches {
		if w.realm == "" {
			continue
		}
		key := realmKey(w.realm)
		if of[key] == nil {
			keys = append(keys, key)
		}
		of[key] = append(of[key], w)
	}
	if len(keys) == 0 || now.Sub(f.looked) < feedWait {
		return nil
	}
	recs, err := f.d.store.Get(ctx, keys...)
	if err != nil {
		return fmt.Errorf("core: look for the realms of the feed: %w", err)
	}
	f.looked = now
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, key := range keys {
		if recs[i].Version > 0 {
			continue
		}
		for _, w := range of[key] {
			w.listener.ForgetAll()
		}
	}
	return nil
}
