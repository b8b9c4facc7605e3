package core

import (
	"context"
	"fmt"
)

// partitionMark lies in each partition of a realm, and says only that the partition is there. A Redis Cluster may lose what one of its
// masters holds and keep the rest: of what a partition without its mark does not know, nobody can say that it never was.
type partitionMark struct {
	Realm  RealmID `json:"realm"`
	Number int     `json:"number"`
}

func (m *partitionMark) key(Partition) Key { return partitionMarkKey(Partition{m.Realm, m.Number}) }

// markedRealm says that the partitions of a realm have their marks, so that one which is missing was lost. It lies apart from them.
type markedRealm struct {
	Realm      RealmID `json:"realm"`
	Partitions int     `json:"partitions"`
}

func (m *markedRealm) key(Partition) Key { return markedRealmKey(m.Realm) }

// mark puts the marks of a realm, and when they are found at a later call notes that they are there: a failover may lose what was just
// written. done says that this was noted; what is lost from then on is not put again.
func (d *deps) mark(ctx context.Context, realm *Realm) (done bool, err error) {
	keys := []Key{markedRealmKey(realm.ID)}
	for _, p := range realm.partitions() {
		keys = append(keys, partitionMarkKey(p))
	}
	recs, err := d.store.Get(ctx, keys...)
	if err != nil {
		return false, fmt.Errorf("core: look for the marks of a realm: %w", err)
	}
	m := &markedRealm{}
	if done, err = decode(keys[0], recs[0], m); err != nil || done && m.Partitions == realm.Partitions {
		return done, err
	}
	missing := 0
	for i, p := range realm.partitions() {
		if recs[1+i].Version > 0 || i < m.Partitions {
			continue
		}
		missing++
		if err := d.put(ctx, p, &partitionMark{realm.ID, p.Number}); err != nil {
			return false, err
		}
	}
	if missing > 0 {
		return false, nil
	}
	return true, d.put(ctx, Partition{}, &markedRealm{realm.ID, realm.Partitions})
}

// markAgain puts the marks of a realm whose partitions have just been emptied, on purpose.
func (d *deps) markAgain(ctx context.Context, realm *Realm) error {
	for _, p := range realm.partitions() {
		if err := d.put(ctx, p, &partitionMark{realm.ID, p.Number}); err != nil {
			return err
		}
	}
	return nil
}

// put keeps a record by itself, whatever was there.
func (d *deps) put(ctx context.Context, p Partition, e entity) error {
	now, err := d.clock.now()
	if err != nil {
		return err
	}
	c := d.change(p, now)
	c.tx.Durable = true
	c.set(e, noExpiry)
	if err := c.commit(ctx); err != nil {
		return fmt.Errorf("core: mark a realm: %w", err)
	}
	return nil
}

// presence is what tells whether the store has what it held of partitions of a realm.
type presence struct {
	realm RealmID
	marks []Partition
}

// keys returns what to read.
func (a *presence) keys() []Key {
	keys := []Key{realmKey(a.realm), markedRealmKey(a.realm)}
	for _, p := range a.marks {
		keys = append(keys, partitionMarkKey(p))
	}
	return keys
}

// lacking reports whether anything was lost, by what was read. A realm that was deleted lacks nothing while something is left of it.
func (a *presence) lacking(recs []Record) (bool, error) {
	realm, m := &Realm{}, &markedRealm{}
	found, err := decode(realmKey(a.realm), recs[0], realm)
	if err != nil || !found {
		return !found, err
	}
	if _, err := decode(markedRealmKey(a.realm), recs[1], m); err != nil || !realm.DeletedAt.IsZero() {
		return false, err
	}
	for i, p := range a.marks {
		if p.Number < m.Partitions && recs[2+i].Version == 0 {
			return true, nil
		}
	}
	return false, nil
}
