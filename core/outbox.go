package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postern-auth/postern/internal/fastjson"
)

// Outbox reads the event logs. What it finds it keeps as records that can be looked for, and makes out to the hooks
// that want to hear of it; each event once, since the place in the log is moved on by the Transaction that does so. The
// path of a request writes the log entry and nothing more. Safe for concurrent use.
type Outbox struct {
	d       *deps
	hooks   *AppHooks
	renewal time.Duration // how often the claim of a delivery is renewed, by the machine's clock
}

// eventCursor is how far the event log of a partition has been read.
type eventCursor struct {
	Realm     RealmID `json:"realm,omitempty"`
	Number    int     `json:"number,omitempty"`
	Sequence  uint64  `json:"seq"`
	Operation string  `json:"op"`
	Gaps      int     `json:"gaps,omitempty"`      // how often events were lost
	Untrimmed int     `json:"untrimmed,omitempty"` // events read since the log was last trimmed
}

func (c *eventCursor) key(Partition) Key { return eventCursorKey(Partition{c.Realm, c.Number}) }

func (c *eventCursor) position() Position { return Position{c.Sequence, c.Operation} }

// moveTo notes that all up to p has been read.
func (c *eventCursor) moveTo(p Position) { c.Sequence, c.Operation = p.Sequence, p.Operation }

// EventGapError says that events of a partition were lost before they were read: the log was trimmed, or a replica
// that had seen less was promoted. What happened to them is not known; what comes after is read on.
type EventGapError struct {
	Partition Partition
	After     Position // the last that was read
}

// Error names the partition.
func (e *EventGapError) Error() string {
	return fmt.Sprintf("core: events of partition %s after number %d were lost before they were read", e.Partition, e.After.Sequence)
}

// The log keeps this many of its events after they were read, and is trimmed by an empty entry for every trimEvery
// of them: stores trim a log where it is appended to, a little at a time. Only a log that was read to its end is
// trimmed, so that unread events, of which there may be keepEvents, are not.
const (
	keepEventsRead = 10_000
	trimEvery      = 15
)

// cursorOperations is what it takes to note how far a log was read, in the same Transaction: a precondition and a put.
const cursorOperations = 2

// batchOperations bounds the operations of one Transaction; one more event takes at most eventOperations.
const (
	batchOperations = MaxOperations - eventOperations - 10
	eventOperations = 2 + 7 + 2*2*maxHooks // the record and its chain's, its places, and the notifications of a realm's hooks and of those for all
)

// catchUp reads a partition's log to the end that it has now, and returns that place. Several processes may do so at
// once: one is faster, and the others go on after it. Where events were lost, Options.Trouble is told an *EventGapError,
// and it goes on after them.
func (o *Outbox) catchUp(ctx context.Context, p Partition) (Position, error) {
	for {
		r, err := o.begin(ctx, p)
		if err != nil {
			return Position{}, fmt.Errorf("core: read events: %w", err)
		}
		feeds, err := o.d.store.Tail(ctx, []LogPosition{{eventLog(p), r.cursor.position()}}, 0)
		if err != nil {
			return Position{}, fmt.Errorf("core: read events: %w", err)
		}
		r.atEnd = len(feeds[0].Entries) < MaxTail
		if feeds[0].Gap {
			err = r.leap(ctx, p, feeds[0].Next)
		} else {
			err = r.take(ctx, p, feeds[0].Entries)
		}
		switch gap, lost := errors.AsType[*EventGapError](err); {
		case lost:
			o.d.troubles.tell(leaseEvents, gap)
		case isConflict(err):
		case err != nil:
			return Position{}, fmt.Errorf("core: read events: %w", err)
		case r.atEnd:
			return feeds[0].Next, nil
		}
	}
}

// eventReading is one pass over what Tail found in a log.
type eventReading struct {
	o       *Outbox
	cursor  *eventCursor
	version uint64 // of the cursor
	asked   time.Time
	atEnd   bool // there was nothing behind these entries
	hooks   map[RealmID][]*AppHook
	kept    []*Event // in the batch that is not committed yet

	sealer   *eventSealer // there once a chain is
	chains   map[RealmID]*eventChain
	own      Record        // of the chain of the partition's realm, read with the cursor
	extended []*eventChain // by the batch that is not committed yet
}

// begin returns a reading of a partition's log from where the last one ended.
func (o *Outbox) begin(ctx context.Context, p Partition) (*eventReading, error) {
	keys := []Key{eventCursorKey(p), eventChainKey(p, p.Realm)}
	recs, err := o.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	r := &eventReading{o: o, cursor: &eventCursor{Realm: p.Realm, Number: p.Number}, version: recs[0].Version, asked: o.d.clock.local(),
		hooks: map[RealmID][]*AppHook{}, chains: map[RealmID]*eventChain{}, own: recs[1]}
	_, err = decode(keys[0], recs[0], r.cursor)
	return r, err
}

// hooksOf returns the hooks that may want to hear of events of a realm, as they were when the reading began or later.
func (r *eventReading) hooksOf(ctx context.Context, realm RealmID) ([]*AppHook, error) {
	hooks, known := r.hooks[realm]
	if known {
		return hooks, nil
	}
	hooks, err := r.o.hooks.sealed(ctx, realm)
	if err == nil {
		r.hooks[realm] = hooks
	}
	return hooks, err
}

// leap goes on after events that were lost.
func (r *eventReading) leap(ctx context.Context, p Partition, to Position) error {
	now, err := r.o.d.clock.now()
	if err != nil {
		return err
	}
	gap := &EventGapError{Partition: p, After: r.cursor.position()}
	r.cursor.moveTo(to)
	r.cursor.Gaps++
	c := r.o.d.change(p, now)
	c.replace(r.cursor, r.version, noExpiry)
	if err := c.commit(ctx); err != nil {
		return err
	}
	return gap
}

// take keeps events, as many in a Transaction as it has room for.
func (r *eventReading) take(ctx context.Context, p Partition, entries []Entry) error {
	events := 0
	for len(entries) > 0 {
		now, err := r.o.d.clock.now()
		if err != nil {
			return err
		}
		c := r.o.d.change(p, now)
		most := min(len(entries), batchOperations/3) // each a record and two places, or more
		c.tx.Put, c.tx.Index = slices.Grow(c.tx.Put, most), slices.Grow(c.tx.Index, 2*most)
		n := 0
		for n < len(entries) && c.tx.operations()+len(r.extended) < batchOperations {
			added, err := r.keep(ctx, c, entries[n].Data)
			if err != nil {
				return err
			}
			r.cursor.moveTo(entries[n].Position)
			events += added
			r.cursor.Untrimmed += added
			n++
		}
		if entries = entries[n:]; events == 0 {
			continue // only marks of trimming: not worth a write, and read again with what follows
		}
		r.endChains(c)
		r.trim(c, len(entries) == 0)
		if err := r.commit(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// keep adds one event to c, and reports how many it was: a mark of trimming is none.
func (r *eventReading) keep(ctx context.Context, c *change, data []byte) (int, error) {
	if len(data) == 0 {
		return 0, nil
	}
	e := &Event{}
	if err := fastjson.Unmarshal(data, e); err != nil {
		return 0, fmt.Errorf("entry of the event log: %w", err)
	}
	sealed := e.Sealed
	e.Sealed = "" // what it opens to is for e-mails alone
	hooks, err := r.hooksOf(ctx, e.Realm)
	if err != nil {
		return 0, err
	}
	c.notify(e, sealed, hooks)
	if err := r.seal(ctx, c, e); err != nil {
		return 0, err
	}
	for _, m := range e.members() {
		c.index(m.Index, m.Member)
	}
	r.kept = append(r.kept, e)
	return 1, nil
}

// seal adds an event to c as the next of its chain.
func (r *eventReading) seal(ctx context.Context, c *change, e *Event) error {
	chain, err := r.chainOf(ctx, c, e.keeper())
	if err != nil {
		return err
	}
	record, err := chain.add(r.sealer, c.tx.Partition, e)
	if err != nil {
		return err
	}
	c.put(e.key(c.tx.Partition).Name, record, noExpiry)
	if !slices.Contains(r.extended, chain) {
		r.extended = append(r.extended, chain)
	}
	return nil
}

// chainOf returns the chain of a realm's events in c's partition, and begins it where there is none. It was read after the cursor, and
// changes with it alone: where it is older or younger than that, c is not carried out.
func (r *eventReading) chainOf(ctx context.Context, c *change, realm RealmID) (*eventChain, error) {
	if chain := r.chains[realm]; chain != nil {
		return chain, nil
	}
	p, rec := c.tx.Partition, r.own
	key := eventChainKey(p, realm)
	if realm != p.Realm {
		recs, err := r.o.d.store.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		rec = recs[0]
	}
	chain := &eventChain{Realm: realm}
	found, err := decode(key, rec, chain)
	if err != nil {
		return nil, err
	}
	if err := r.openChain(ctx, chain, p, found); err != nil {
		return nil, err
	}
	if !found {
		chain.Began = Instant{c.tx.Now}
		chain.Link = chain.start(r.sealer, p)
	} else if !chain.holds(r.sealer, p) {
		chain.Altered = Instant{c.tx.Now} // not to be sealed as if nothing had been
	}
	r.chains[realm] = chain
	return chain, nil
}

// openChain gets ready to seal events of a chain. The key that is remembered will do where it made the chain's seal; else the data may have been
// restored or replaced since it was read.
func (r *eventReading) openChain(ctx context.Context, chain *eventChain, p Partition, found bool) (err error) {
	if r.sealer, err = r.o.d.eventSealer(ctx, !found); err == nil && found && !chain.holds(r.sealer, p) {
		r.sealer, err = r.o.d.eventSealer(ctx, true)
	}
	return err
}

// endChains notes in c where the chains end that its events are in.
func (r *eventReading) endChains(c *change) {
	for _, chain := range r.extended {
		chain.Seal = chain.sealed(r.sealer, c.tx.Partition)
		c.set(chain, noExpiry)
	}
	r.extended = nil
}

// trim makes the log shorter where it was read to its end a moment ago.
func (r *eventReading) trim(c *change, last bool) {
	if !last || !r.atEnd || r.o.d.clock.local().Sub(r.asked) > time.Second {
		return
	}
	for ; r.cursor.Untrimmed >= trimEvery && c.tx.operations() < MaxOperations-cursorOperations; r.cursor.Untrimmed -= trimEvery {
		c.tx.Append = append(c.tx.Append, Append{Log: logEvents, Keep: keepEventsRead, Unhurried: true})
	}
}

// commit carries a batch out and moves the cursor on with it.
func (r *eventReading) commit(ctx context.Context, c *change) error {
	c.replace(r.cursor, r.version, noExpiry)
	version, err := c.committed(ctx)
	r.version = version
	if err == nil {
		for _, e := range r.kept {
			r.o.d.happened(e)
		}
	}
	r.kept = nil
	return err
}
