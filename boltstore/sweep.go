package boltstore

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	sweepEvery = time.Minute
	sweepBatch = 200                    // things tidied away in one transaction
	sweepPause = 100 * time.Millisecond // between two of them, which belongs to others
)

// keepTidy sweeps every now and then until the Store closes. A sweep that fails is made up for by the next: nothing
// depends on it.
func (s *Store) keepTidy() {
	timer := time.NewTimer(sweepEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.closing.Done():
			return
		}
		next := sweepEvery
		if tidied, err := s.sweep(); err == nil && tidied == sweepBatch {
			next = sweepPause
		}
		timer.Reset(next)
	}
}

// sweep tidies away at most sweepBatch things whose deadline has passed: expired records, old outcomes, full rate
// buckets. It returns how many there were.
func (s *Store) sweep() (int, error) {
	t := &tidying{now: deadline(s.now().UnixMilli())}
	if err := s.commit.submit(s.closing, t); err != nil {
		return 0, fmt.Errorf("boltstore: sweep: %w", err)
	}
	return t.tidied, nil
}

// tidying is one sweep as a change.
type tidying struct {
	now    deadline
	tidied int // set by write
}

// write implements change.
func (t *tidying) write(tx *bolt.Tx) (wrote bool, err error) {
	due := t.due(tx)
	for _, key := range due {
		if err := tidy(tx, key); err != nil {
			return true, err
		}
	}
	t.tidied = len(due)
	return t.tidied > 0, nil
}

// due returns the keys of the earliest deadlines that have passed.
func (t *tidying) due(tx *bolt.Tx) [][]byte {
	var keys [][]byte
	c := tx.Bucket(deadlineBucket).Cursor()
	for key, _ := c.First(); key != nil && len(keys) < sweepBatch; key, _ = c.Next() {
		if deadline(binary.BigEndian.Uint64(key)) > t.now {
			break
		}
		keys = append(keys, slices.Clone(key))
	}
	return keys
}

// tidy removes a deadline, and what it is about. A deadline is replaced whenever its thing is, so that it speaks
// of what is there now.
func tidy(tx *bolt.Tx, key []byte) error {
	bucket := kind(key[deadlineLength]).bucket()
	if bucket == nil {
		return fmt.Errorf("%w: deadline %q is of no known kind", errGarbled, key)
	}
	if err := tx.Bucket(bucket).Delete(key[deadlineLength+1:]); err != nil {
		return err
	}
	return tx.Bucket(deadlineBucket).Delete(key)
}

// setDeadline keeps the deadline of the thing under key; 0 is none.
func setDeadline(tx *bolt.Tx, d deadline, k kind, key []byte) error {
	if d == 0 {
		return nil
	}
	return tx.Bucket(deadlineBucket).Put(deadlineKey(d, k, key), nil)
}

// clearDeadline forgets the deadline of the thing under key; 0 is none.
func clearDeadline(tx *bolt.Tx, d deadline, k kind, key []byte) error {
	if d == 0 {
		return nil
	}
	return tx.Bucket(deadlineBucket).Delete(deadlineKey(d, k, key))
}
