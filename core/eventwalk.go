package core

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// eventWalk follows one chain from its beginning to its end. It is for one goroutine.
type eventWalk struct {
	d     *deps
	p     Partition
	realm RealmID
	marks []EventMark // that are still to be come by

	sealer *eventSealer // nil where nothing was sealed yet
	end    *eventChain  // as it was when the walk began
	floor  *eventFloor  // as it was read last

	number  uint64            // up to this one all is well
	link    string            // of that one
	waiting map[uint64]*Event // by their number, those that are as they were written and whose turn has not come

	events, earlier int
	first, last     *Event
}

// Events come by the time they were made at, and wait for those before them in the chain, which another process may have made a little
// later. maxWaiting bounds how many do before what they wait for is taken for missing.
const maxWaiting = 100_000

// walk reads all, and returns a *EventsFlaw for what is wrong first.
func (w *eventWalk) walk(ctx context.Context, m *merge) error {
	if err := w.open(ctx); err != nil {
		return err
	}
	for {
		entries, err := m.take(ctx, MaxRange)
		if err != nil {
			return fmt.Errorf("core: verify events: %w", err)
		}
		if len(entries) == 0 {
			break
		}
		if err := w.read(ctx, entries); err != nil {
			return err
		}
	}
	for w.sealer != nil && w.number < w.end.Number {
		if err := w.skip(ctx); err != nil {
			return err
		}
	}
	return w.close(ctx)
}

// flaw says what is wrong.
func (w *eventWalk) flaw(format string, values ...any) error {
	return &EventsFlaw{Realm: w.realm, What: fmt.Sprintf(format, values...), Intact: w.last}
}

// open reads where the chain ends, and where its beginning was removed.
func (w *eventWalk) open(ctx context.Context) error {
	secret := &eventSecret{}
	_, sealed, err := w.d.load(ctx, eventSecretKey(), secret)
	if err != nil {
		return fmt.Errorf("core: verify events: %w", err)
	}
	if sealed {
		key, err := secret.open(w.d)
		if err != nil {
			return err
		}
		w.sealer = newEventSealer(key)
	}
	switch w.end, err = w.bounds(ctx); {
	case err != nil:
		return err
	case w.end == nil:
		w.sealer = nil
		return nil
	case !sealed:
		return w.flaw("the key that events were sealed with is gone")
	}
	w.link = w.end.start(w.sealer, w.p)
	return nil
}

// bounds returns the end of the chain and takes in its floor, as they are now. The end is nil where there is no chain.
func (w *eventWalk) bounds(ctx context.Context) (*eventChain, error) {
	keys := []Key{eventChainKey(w.p, w.realm), eventFloorKey(w.p, w.realm)}
	recs, err := w.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: verify events: %w", err)
	}
	end, floor := &eventChain{}, &eventFloor{}
	begun, err := decode(keys[0], recs[0], end)
	if err != nil {
		return nil, err
	}
	removed, err := decode(keys[1], recs[1], floor)
	if err != nil || !begun {
		return nil, err
	}
	w.floor = floor
	switch {
	case w.sealer == nil: // which open tells
	case !end.holds(w.sealer, w.p):
		return nil, w.flaw("the record of the last event was altered")
	case !end.Altered.IsZero():
		return nil, w.flaw("the record of the last event was altered before %s, and events may have been removed then", end.Altered.UTC().Format(time.RFC3339))
	case removed && !w.sealer.holds(floor.Seal, floor.sealed(w.sealer, w.p)):
		return nil, w.flaw("the record of how far events were removed was altered")
	}
	return end, nil
}

// read holds events against their seals and goes on with them as far as they follow each other.
func (w *eventWalk) read(ctx context.Context, entries []listed) error {
	keys := make([]Key, len(entries))
	for i, e := range entries {
		keys[i] = eventKey(w.p, EventID(prefixEvent+e.member[len(e.lane.prefix):]))
	}
	recs, err := w.d.store.Get(ctx, keys...)
	if err != nil {
		return fmt.Errorf("core: verify events: %w", err)
	}
	for i := range recs {
		if recs[i].Version == 0 {
			continue // removed; whether it should have been is told by those around it
		}
		if err := w.hold(keys[i], recs[i], entries[i].lane.prefix); err != nil {
			return err
		}
		if err := w.follow(); err != nil {
			return err
		}
	}
	for len(w.waiting) > maxWaiting && w.number < w.end.Number {
		if err := w.skip(ctx); err != nil {
			return err
		}
	}
	return nil
}

// hold holds one event against its seal, found where the members of an index begin with prefix.
func (w *eventWalk) hold(key Key, rec Record, prefix string) error {
	e := &Event{}
	if _, err := decode(key, rec, e); err != nil {
		return w.flaw("event %s was altered: it cannot be read any more", key.Name[len("e:"):])
	}
	if _, own := realmEventsIndex(w.realm, e.Type); e.keeper() != w.realm || own != prefix {
		return w.flaw("event %s was altered, or is in a list that it does not belong to", e.ID)
	}
	_, link, sealed := splitLink(rec.Value)
	switch {
	case !sealed && e.Number == 0 && e.Link == "" && (w.sealer == nil || e.At.Before(w.end.Began.Time)):
		w.earlier++
		return nil
	case w.sealer == nil:
		return w.flaw("event %s is sealed, and the record of the last one is gone", e.ID)
	case !sealed:
		return w.flaw("event %s was inserted, or altered: it has no seal", e.ID)
	case !w.sealer.genuine(w.p, rec.Value) || link != e.Link:
		return w.flaw("event %s was altered", e.ID)
	case e.Number <= w.number || w.waiting[e.Number] != nil:
		return w.flaw("event %s was inserted: there is another number %d in its chain", e.ID, e.Number)
	}
	w.waiting[e.Number] = e
	return nil
}

// follow goes on with the events that come next.
func (w *eventWalk) follow() error {
	for e := w.waiting[w.number+1]; e != nil; e = w.waiting[w.number+1] {
		if e.After != w.link {
			return w.flaw("event %s follows another than the one that is before it now", e.ID)
		}
		delete(w.waiting, e.Number)
		if err := w.reach(e.Number, e.Link); err != nil {
			return err
		}
		w.events++
		if w.last = e; w.first == nil {
			w.first = e
		}
	}
	return nil
}

// reach notes that all is well up to an event, and holds it against a mark of it.
func (w *eventWalk) reach(number uint64, link string) error {
	w.number, w.link = number, link
	for _, m := range w.marks {
		if m.Number == number && m.Link != link {
			return w.flaw("the events up to number %d are not those that were noted", number)
		}
	}
	w.marks = slices.DeleteFunc(w.marks, func(m EventMark) bool { return m.Number == number })
	return nil
}

// skip passes over events that are missing, where a sweep removed them.
func (w *eventWalk) skip(ctx context.Context) error {
	if _, err := w.bounds(ctx); err != nil { // the sweep may go on meanwhile
		return err
	}
	next := w.next()
	last, link := w.end.Number, w.end.Link // that is missing
	if next != nil {
		last, link = next.Number-1, next.After
	}
	switch removed := max(w.number, w.floor.Number); {
	case last <= removed:
		if err := w.reach(last, link); err != nil {
			return err
		}
		return w.follow()
	case next != nil:
		return w.flaw("%s removed before event %s", count(last-removed), next.ID)
	default:
		return w.flaw("%s removed, up to the newest", count(last-removed))
	}
}

// next returns the first event that waits; nil for none.
func (w *eventWalk) next() *Event {
	var next *Event
	for _, e := range w.waiting {
		if next == nil || e.Number < next.Number {
			next = e
		}
	}
	return next
}

// count says how many events it was that something happened to.
func count(n uint64) string {
	if n == 1 {
		return "an event was"
	}
	return fmt.Sprintf("%d events were", n)
}

// close holds what was found against the end of the chain: what is beyond it was never written. The end may have moved on meanwhile, and
// some of what came with it may have been seen.
func (w *eventWalk) close(ctx context.Context) error {
	if w.sealer != nil {
		if w.number == w.end.Number && w.link != w.end.Link {
			return w.flaw("the newest event is another than was written last")
		}
		end, err := w.bounds(ctx)
		if err != nil {
			return err
		}
		if end == nil || w.number > end.Number {
			return w.flaw("the record of the last event is gone, or that of one before it")
		}
		for _, e := range w.waiting {
			if e.Number > end.Number {
				return w.flaw("event %s was inserted: it has a number, %d, that was not given yet", e.ID, e.Number)
			}
		}
	}
	if len(w.marks) == 0 {
		return nil
	}
	if m := w.marks[0]; m.Number > w.number {
		return w.flaw("events up to number %d were noted, and the last there is number %d: newer ones were removed", m.Number, w.number)
	}
	return w.flaw("what was noted is older than what is kept, and cannot be compared")
}
