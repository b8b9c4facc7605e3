package core

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// EventsProof is what Verify found of events that are as they were written.
type EventsProof struct {
	Events  int         // that were held against their seals
	Earlier int         // others, from before events were sealed: nothing tells whether they are as they were written
	First   *Event      // the oldest of those that were; nil where there are none
	Last    *Event      // the newest
	Marks   []EventMark // stand for all of them
}

// EventsFlaw says that events of a realm are not what was written.
type EventsFlaw struct {
	Realm  RealmID // "" = those of no realm
	What   string  // the first that is wrong: "event ev_... was altered"
	Intact *Event  // the last before it in its partition; nil where it is the first
}

// Error says what is wrong, and up to where all is well.
func (f *EventsFlaw) Error() string {
	if f.Intact == nil {
		return f.What
	}
	return fmt.Sprintf("%s; up to event %s (%s) all is as it was written", f.What, f.Intact.ID, f.Intact.At.UTC().Format(time.RFC3339))
}

// Verify holds all events of a realm, or with "" those of none, against their seals, and returns a *EventsFlaw where one was
// altered, removed, inserted or put elsewhere since it was read from the log. It reads them all, a thousand at a time.
//
// since are Marks of an earlier proof; those of other realms are passed over. The events up to them must be the same as
// then. Without them Verify cannot tell a store that was put back to what it was earlier, nor what was written by somebody who has the
// master key.
//
// It fails with ErrRealmNotFound.
func (e *Events) Verify(ctx context.Context, realm RealmID, since []EventMark) (*EventsProof, error) {
	state, _, err := e.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	proof, partitions := &EventsProof{}, slices.Compact(append(state.partitions(), Partition{}))
	for _, m := range since {
		if m.Realm == realm && !slices.Contains(partitions, m.Partition) {
			return nil, &EventsFlaw{Realm: realm, What: "events of a partition were noted that there is not: " + m.String()}
		}
	}
	for _, p := range partitions {
		if err := e.catchUp(ctx, p); err != nil {
			return nil, err
		}
		w := &eventWalk{d: e.d, p: p, realm: realm, waiting: map[uint64]*Event{}}
		for _, m := range since {
			if m.Realm == realm && m.Partition == p {
				w.marks = append(w.marks, m)
			}
		}
		if err := w.walk(ctx, e.outbox.merged(p, realm)); err != nil {
			return nil, err
		}
		proof.add(w)
	}
	return proof, nil
}

// merged returns the merge of all indexes of a realm's events in a partition, the oldest first.
func (o *Outbox) merged(p Partition, realm RealmID) *merge {
	m := &merge{store: o.d.store}
	for _, kind := range eventTypes {
		name, prefix := realmEventsIndex(realm, kind)
		m.addFrom(Index{p, name}, prefix, "", "")
	}
	return m
}

// add takes in what a walk found.
func (proof *EventsProof) add(w *eventWalk) {
	proof.Events += w.events
	proof.Earlier += w.earlier
	if w.first != nil && (proof.First == nil || w.first.At.Before(proof.First.At.Time)) {
		proof.First = w.first
	}
	if w.last != nil && (proof.Last == nil || w.last.At.After(proof.Last.At.Time)) {
		proof.Last = w.last
	}
	if w.sealer != nil {
		proof.Marks = append(proof.Marks, EventMark{Partition: w.p, Realm: w.realm, Number: w.number, Link: w.link})
	}
}
