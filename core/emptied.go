package core

import (
	"context"
	"fmt"
)

// ErrEmptied says that the store lacks the very realm that something is asked for in, or the part of it: whatever is remembered of it is
// no longer true.
var ErrEmptied = &Error{Kind: KindUnavailable, Code: "data_missing", Detail: "the data store does not hold the realm; nothing was decided"}

// missed says what becomes of a credential that is genuine, or looks it, and of which a realm's partition knows nothing: refusal, if
// the store has the realm and the partition its mark, or what is left of the realm after its deletion. A store that has not was emptied, or is
// another than it was, such as one that lost its file and was started again. It says nothing about anybody, and who throws a token away now
// needs it when the data is back.
func (d *deps) missed(ctx context.Context, p Partition, refusal error) error {
	if err := d.present(ctx, p.Realm, p); err != nil {
		return err
	}
	return refusal
}

// present fails with ErrEmptied where the store lacks a realm, or what it held of one of these partitions.
func (d *deps) present(ctx context.Context, realm RealmID, partitions ...Partition) error {
	asked := presence{realm, partitions}
	recs, err := d.store.Get(ctx, asked.keys()...)
	if err != nil {
		return fmt.Errorf("core: look for a realm: %w", err)
	}
	switch lacking, err := asked.lacking(recs); {
	case err != nil:
		return err
	case lacking:
		return ErrEmptied
	}
	return nil
}

// missedRealm says what becomes of a token that says itself which realm it is of, of which the store knows nothing, and of a management key that
// it does not know: refusal, since a caller may say anything, unless the store does not even have what every store was set up with.
func (d *deps) missedRealm(ctx context.Context, refusal error) error {
	switch f, err := d.first(ctx); {
	case err != nil:
		return err
	case f == nil:
		return ErrEmptied
	}
	return refusal
}

// lookForRealms has those forget everything whose realm the store does not hold, or has lost a part of, about every second, and those who listen to news of
// all realms where it lacks what it was set up with. No news tells
// of a store that was emptied: where a log was empty before, it lacks nothing. What is asked again from then on is refused to nobody (see missed).
func (f *InvalidationFeed) lookForRealms(ctx context.Context, watches []*Watch) error {
	now := f.d.clock.local()
	if now.Sub(f.looked) < feedWait {
		return nil
	}
	var realms []presence
	keys := []Key{firstKey()}
	of := map[RealmID][]*Watch{} // "" = those who listen to news of all realms
	for _, w := range watches {
		if w.realm != "" && of[w.realm] == nil {
			realms = append(realms, w.presence())
			keys = append(keys, realms[len(realms)-1].keys()...)
		}
		of[w.realm] = append(of[w.realm], w)
	}
	recs, err := f.d.store.Get(ctx, keys...)
	if err != nil {
		return fmt.Errorf("core: look for the realms of the feed: %w", err)
	}
	f.looked = now
	f.mu.Lock()
	defer f.mu.Unlock()
	if recs[0].Version == 0 {
		forgetAll(of[""])
	}
	recs = recs[1:]
	for _, asked := range realms {
		n := len(asked.keys())
		if lacking, err := asked.lacking(recs[:n]); err != nil {
			return err
		} else if lacking {
			forgetAll(of[asked.realm])
		}
		recs = recs[n:]
	}
	return nil
}

// forgetAll has those who listen forget everything.
func forgetAll(watches []*Watch) {
	for _, w := range watches {
		w.listener.ForgetAll()
	}
}

// presence returns what tells whether the store has what w is about.
func (w *Watch) presence() presence {
	asked := presence{realm: w.realm}
	for _, log := range w.logs {
		if log.Partition.Realm == w.realm {
			asked.marks = append(asked.marks, log.Partition)
		}
	}
	return asked
}
