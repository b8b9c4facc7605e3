package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/fastjson"
)

// entity is what core keeps as a record. Each knows its own key, so that a reader can tell a reply
// meant for somebody else from its own, whatever the fault in between.
type entity interface {
	key(p Partition) Key
}

// frugal is an entity whose record leaves out what is the same for most of its kind, as there are many of them. A record
// that says it all the same is read like any other.
type frugal interface {
	entity
	lean() any // what the record says
	fill()     // puts back what it left out
}

// encodeEntity returns v as its record says it.
func encodeEntity(v entity) ([]byte, error) {
	if f, ok := v.(frugal); ok {
		return fastjson.Marshal(f.lean())
	}
	return fastjson.Marshal(v)
}

// leaveOut makes *v zero where it is the usual.
func leaveOut[T comparable](v *T, usual T) {
	if *v == usual {
		var zero T
		*v = zero
	}
}

// schema is the version of the JSON inside records.
const schema = 1

// decode reads rec, found under key, into v. It reports false for a missing record.
func decode(key Key, rec Record, v entity) (bool, error) {
	if rec.Version == 0 {
		return false, nil
	}
	if rec.Schema != schema {
		return false, fmt.Errorf("core: record %s has schema %d, this version reads %d", key.Name, rec.Schema, schema)
	}
	if err := fastjson.Unmarshal(rec.Value, v); err != nil {
		return false, fmt.Errorf("core: record %s: %w", key.Name, err)
	}
	if f, ok := v.(frugal); ok {
		f.fill()
	}
	if got := v.key(key.Partition); got != key {
		return false, fmt.Errorf("core: record asked for as %s says that it is %s", key.Name, got.Name)
	}
	return true, nil
}

// load reads one record into v.
func (d *deps) load(ctx context.Context, key Key, v entity) (version uint64, found bool, err error) {
	recs, err := d.store.Get(ctx, key)
	if err != nil {
		return 0, false, err
	}
	found, err = decode(key, recs[0], v)
	return recs[0].Version, found, err
}

// change is a Transaction being put together. Its methods keep the first error for commit.
type change struct {
	d   *deps
	tx  Transaction
	err error
}

// change begins a Transaction in p at the given time.
func (d *deps) change(p Partition, now time.Time) *change {
	id, err := d.ids.operation()
	return &change{d: d, tx: Transaction{Partition: p, ID: id, Now: now}, err: err}
}

// create puts a record that must not be there yet. expires may be zero.
func (c *change) create(v entity, expires time.Time) { c.replace(v, 0, expires) }

// replace puts a record in the place of the version that was read.
func (c *change) replace(v entity, version uint64, expires time.Time) {
	name := v.key(c.tx.Partition).Name
	value, err := encodeEntity(v)
	c.err = errors.Join(c.err, err)
	c.tx.Require = append(c.tx.Require, Precondition{name, version})
	c.put(name, value, expires)
}

// set puts a record whatever was there: another, in the same Transaction, is the one that is conditional.
func (c *change) set(v entity, expires time.Time) {
	value, err := encodeEntity(v)
	c.err = errors.Join(c.err, err)
	c.put(v.key(c.tx.Partition).Name, value, expires)
}

func (c *change) put(name string, value []byte, expires time.Time) {
	c.tx.Put = append(c.tx.Put, Put{Name: name, Value: value, Schema: schema, Expires: expires})
}

// remove deletes the version of a record that was read.
func (c *change) remove(key Key, version uint64) {
	c.unchanged(key, version)
	c.tx.Delete = append(c.tx.Delete, key.Name)
}

// unchanged requires a record to be at the version that was read.
func (c *change) unchanged(key Key, version uint64) {
	c.tx.Require = append(c.tx.Require, Precondition{key.Name, version})
}

// index adds a member to an index.
func (c *change) index(index, member string) {
	c.tx.Index = append(c.tx.Index, IndexChange{Index: index, Member: member})
}

// unindex removes a member from an index.
func (c *change) unindex(index, member string) {
	c.tx.Index = append(c.tx.Index, IndexChange{Index: index, Member: member, Remove: true})
}

// invalidate tells all who remember a verdict about these subjects (ids) to forget it. The loss of
// such news would re-open an account, so the Transaction becomes durable.
func (c *change) invalidate(subjects ...string) {
	c.tx.Durable = true
	c.tx.Append = append(c.tx.Append, Append{Log: logInvalidation, Data: []byte(strings.Join(subjects, " ")), Keep: keepInvalidations})
}

// event appends e to the partition's event log, with its secret sealed, and returns the id that it gave it.
func (c *change) event(e Event) EventID {
	b := bucket(c.tx.Partition.Number)
	if e.User != "" {
		b, _ = bucketOf(string(e.User))
	}
	id, err := c.d.ids.id(prefixEvent, b)
	c.err = errors.Join(c.err, err)
	e.ID, e.At = EventID(id), Instant{c.tx.Now}
	if e.Secret != "" {
		e.Sealed, err = c.d.master.seal(c.d.random, e.sealedPlace(), []byte(e.Secret))
		c.err = errors.Join(c.err, err)
	}
	data, err := fastjson.Marshal(&e)
	c.err = errors.Join(c.err, err)
	c.tx.Append = append(c.tx.Append, Append{Log: logEvents, Data: data, Keep: keepEvents, Unhurried: true})
	return e.ID
}

// commit carries the Transaction out, or leaves that to whoever answers the call: see withheld. A failed precondition is
// a *ConflictError.
func (c *change) commit(ctx context.Context) error {
	if w := withheldBy(ctx); w != nil {
		return w.hold(ctx, c)
	}
	_, err := c.carryOut(ctx)
	return err
}

// committed is commit for a caller who goes on with what was put, and needs its version.
func (c *change) committed(ctx context.Context) (uint64, error) {
	if w := withheldBy(ctx); w != nil {
		if err := w.carryOut(ctx); err != nil {
			return 0, err
		}
		w.settle(&c.tx)
	}
	return c.carryOut(ctx)
}

// carryOut carries the Transaction out.
func (c *change) carryOut(ctx context.Context) (uint64, error) {
	if c.err != nil {
		return 0, c.err
	}
	out, err := c.d.apply(ctx, &c.tx)
	c.d.writes.note(ctx, c.d.troubles, c.d.clock.local(), err)
	if err == nil || errors.Is(err, ErrOutcomeUnknown) {
		c.d.feed.announce(&c.tx)
	}
	return out.Version, err
}

// rehearse returns the error that the Transaction would meet now.
func (c *change) rehearse(ctx context.Context) error {
	if c.err != nil {
		return c.err
	}
	if len(c.tx.Require) == 0 {
		return nil
	}
	keys := make([]Key, len(c.tx.Require))
	for i, required := range c.tx.Require {
		keys[i] = Key{c.tx.Partition, required.Name}
	}
	recs, err := c.d.store.Get(ctx, keys...)
	if err != nil {
		return fmt.Errorf("core: rehearse a change: %w", err)
	}
	for i, rec := range recs {
		if rec.Version != c.tx.Require[i].Version {
			return &ConflictError{keys[i]}
		}
	}
	return nil
}

// conflictOn reports whether err says that key was not as required.
func conflictOn(err error, key Key) bool {
	var conflict *ConflictError
	return errors.As(err, &conflict) && conflict.Key == key
}

// isConflict reports whether err says that something else was faster.
func isConflict(err error) bool {
	_, is := errors.AsType[*ConflictError](err)
	return is
}

// maxTries is how often a change is tried anew when something else was faster, and longestPause the longest time between two tries.
const (
	maxTries     = 20
	longestPause = 256 * time.Millisecond
)

// retry runs f again while it meets a conflict that f did not explain, with what it reads fresh each time.
func retry(f func() error) error {
	var err error
	for try := range maxTries {
		standBack(try)
		if err = f(); !isConflict(err) {
			return err
		}
	}
	return contention()
}

// standBack waits before a try: not before the first two, then for a random time that may be twice as long each time. Of fifty who change
// one record at once only one is faster each time; the others must not all come back together, or most of them never get their turn.
func standBack(try int) {
	if try < 2 {
		return
	}
	longest := min(time.Millisecond<<min(try, 10), longestPause)
	time.Sleep(rand.N(longest)) // a time to wait is no secret
}

// contention says that something else was faster each time.
func contention() *Error {
	return &Error{Kind: KindUnavailable, Code: "contention", Detail: "others change the same thing all the time; try again", RetryAfter: time.Second}
}

// Instant is a time kept to the millisecond, in JSON as milliseconds since the epoch.
type Instant struct{ time.Time }

// MarshalJSON writes milliseconds since the epoch.
func (t Instant) MarshalJSON() ([]byte, error) { return t.AppendJSON(nil), nil }

// AppendJSON appends milliseconds since the epoch.
func (t Instant) AppendJSON(b []byte) []byte { return strconv.AppendInt(b, t.UnixMilli(), 10) }

// UnmarshalJSON reads milliseconds since the epoch.
func (t *Instant) UnmarshalJSON(b []byte) error {
	ms, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return fmt.Errorf("core: instant: %w", err)
	}
	t.Time = time.UnixMilli(ms).UTC()
	return nil
}

// Seconds is a duration in whole seconds, also in JSON.
type Seconds int64

// Duration returns s as a time.Duration.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// noExpiry is the expiry of a record that stays.
var noExpiry time.Time
