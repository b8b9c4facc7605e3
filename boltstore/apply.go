package boltstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// Apply carries out a transaction, all of it or nothing, and returns once it is on disk. Durable asks for no more than
// that. Changes happen in the order of the Transaction's fields.
func (s *Store) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	if err := tx.Validate(); err != nil {
		return core.Outcome{}, fmt.Errorf("boltstore: apply: %w", err)
	}
	a := newApplication(tx, s.now())
	err := s.commit.submit(ctx, a, a.rings()...)
	if conflict, ok := errors.AsType[*core.ConflictError](err); ok {
		return core.Outcome{}, conflict
	}
	if err != nil {
		return core.Outcome{}, fmt.Errorf("boltstore: apply: %w", err)
	}
	return a.outcome, nil
}

// application is a Transaction ready to be written. It holds copies: the caller may be gone before it is.
type application struct {
	partition core.Partition
	id        string
	now       int64 // by this machine's clock

	outcomeKey []byte
	require    []core.Precondition
	puts       []put
	deletes    []string
	index      []core.IndexChange
	appends    []addition
	resets     []string

	outcome core.Outcome // set by write
}

// put is a record to set, but for its version.
type put struct {
	key      []byte
	record   core.Record
	deadline deadline
}

// newApplication copies tx, to be carried out at now by this machine's clock.
func newApplication(tx *core.Transaction, now time.Time) *application {
	a := &application{
		partition:  tx.Partition,
		id:         tx.ID,
		now:        now.UnixMilli(),
		outcomeKey: whereKey(tx.Partition, tx.ID),
		require:    slices.Clone(tx.Require),
		deletes:    slices.Clone(tx.Delete),
		index:      slices.Clone(tx.Index),
		resets:     slices.Clone(tx.Reset),
	}
	for _, p := range tx.Put {
		a.puts = append(a.puts, put{
			key:      whereKey(tx.Partition, p.Name),
			record:   core.Record{Value: slices.Clone(p.Value), Schema: p.Schema, Expires: p.Expires},
			deadline: expiryDeadline(now, tx.Now, p.Expires),
		})
	}
	for _, e := range tx.Append {
		a.appends = append(a.appends, addition{
			prefix: listPrefix(tx.Partition, e.Log),
			data:   slices.Clone(e.Data),
			keep:   uint64(e.Keep),
		})
	}
	return a
}

// expiryDeadline returns when a record may go: ExpirySlack after it expires, counted by this
// machine's clock from the caller's now, which may be another time altogether.
func expiryDeadline(here, now, expires time.Time) deadline {
	if expires.IsZero() {
		return 0
	}
	left := expires.UnixMilli() - now.UnixMilli()
	return deadlineAfter(here.UnixMilli(), left+core.ExpirySlack.Milliseconds())
}

// rings returns the logs that a appends to.
func (a *application) rings() []string {
	var logs []string
	for _, e := range a.appends {
		logs = append(logs, string(e.prefix))
	}
	return logs
}

// write implements change. Nothing is written before every precondition is known to hold.
func (a *application) write(tx *bolt.Tx) (wrote bool, err error) {
	if done := tx.Bucket(outcomeBucket).Get(a.outcomeKey); done != nil {
		version, err := decodeOutcome(a.outcomeKey, done)
		a.outcome = core.Outcome{Version: version, Repeated: true}
		return false, err
	}
	for _, p := range a.require {
		if err := a.holds(tx, p); err != nil {
			return false, err
		}
	}
	for _, step := range []func(*bolt.Tx) error{a.putAll, a.deleteAll, a.changeIndexes, a.appendAll, a.resetAll, a.remember} {
		if err := step(tx); err != nil {
			return true, err
		}
	}
	return true, nil
}

// holds returns a ConflictError unless p does.
func (a *application) holds(tx *bolt.Tx, p core.Precondition) error {
	key := whereKey(a.partition, p.Name)
	version := uint64(0)
	if value := tx.Bucket(recordBucket).Get(key); value != nil {
		r, _, err := decodeRecord(key, value)
		if err != nil {
			return err
		}
		version = r.Version
	}
	if version != p.Version {
		return &core.ConflictError{Key: core.Key{Partition: a.partition, Name: p.Name}}
	}
	return nil
}

// putAll sets the records, all at one new version.
func (a *application) putAll(tx *bolt.Tx) error {
	a.outcome = core.Outcome{}
	if len(a.puts) == 0 {
		return nil
	}
	records := tx.Bucket(recordBucket)
	version, err := records.NextSequence()
	if err != nil {
		return err
	}
	for _, p := range a.puts {
		if err := forgetRecordDeadline(tx, p.key); err != nil {
			return err
		}
		p.record.Version = version
		if err := records.Put(p.key, encodeRecord(p.key, p.record, p.deadline)); err != nil {
			return err
		}
		if err := setDeadline(tx, p.deadline, kindRecord, p.key); err != nil {
			return err
		}
	}
	a.outcome.Version = version
	return nil
}

func (a *application) deleteAll(tx *bolt.Tx) error {
	for _, name := range a.deletes {
		key := whereKey(a.partition, name)
		if err := forgetRecordDeadline(tx, key); err != nil {
			return err
		}
		if err := tx.Bucket(recordBucket).Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// forgetRecordDeadline removes the deadline of the record under key, if it is there and has one.
func forgetRecordDeadline(tx *bolt.Tx, key []byte) error {
	value := tx.Bucket(recordBucket).Get(key)
	if value == nil {
		return nil
	}
	_, d, err := decodeRecord(key, value)
	if err != nil {
		return err
	}
	return clearDeadline(tx, d, kindRecord, key)
}

func (a *application) changeIndexes(tx *bolt.Tx) error {
	bucket := tx.Bucket(indexBucket)
	for _, c := range a.index {
		key := memberKey(listPrefix(a.partition, c.Index), c.Member)
		change := func() error { return bucket.Put(key, nil) }
		if c.Remove {
			change = func() error { return bucket.Delete(key) }
		}
		if err := change(); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) appendAll(tx *bolt.Tx) error {
	for _, e := range a.appends {
		if err := e.write(tx, a.id); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) resetAll(tx *bolt.Tx) error {
	for _, name := range a.resets {
		if err := dropRate(tx, whereKey(a.partition, name)); err != nil {
			return err
		}
	}
	return nil
}

// remember keeps the outcome, for whoever repeats the operation.
func (a *application) remember(tx *bolt.Tx) error {
	if err := tx.Bucket(outcomeBucket).Put(a.outcomeKey, encodeOutcome(a.outcomeKey, a.outcome.Version)); err != nil {
		return err
	}
	return setDeadline(tx, deadlineAfter(a.now, core.OutcomeLifetime.Milliseconds()), kindOutcome, a.outcomeKey)
}
