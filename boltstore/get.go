package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// Get returns one Record per key, in the order of the keys. All of them are read at one moment.
func (s *Store) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	records := make([]core.Record, len(keys))
	err := s.view(ctx, func(tx *bolt.Tx) error {
		cursor := tx.Bucket(recordBucket).Cursor() // one for all, as each makes room for its way down the tree
		var key []byte
		for i, k := range keys {
			if err := k.Validate(); err != nil {
				return err
			}
			key = appendWhere(key[:0], k.Partition, k.Name)
			found, value := cursor.Seek(key)
			var err error
			if !bytes.Equal(found, key) {
				if err = absent(cursor, key); err != nil {
					return err
				}
				continue
			}
			if records[i], _, err = decodeRecord(key, value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("boltstore: get: %w", err)
	}
	return records, nil
}

// beside is how many records on either side tell whether one is missing. A damaged key that leads a search astray is one of the two that it ends between, and
// out of order with the one beyond, unless it is the very key that was looked for.
const beside = 3

// absent returns an error that wraps errGarbled unless what is around the place of a key that was not found is in order, and none of it was written under that
// key alone. Where a key on a page is damaged, those that are looked for by it are not found, and that they are missing would be an answer.
func absent(cursor *bolt.Cursor, key []byte) error {
	last := key
	found, value := cursor.Seek(key)
	for n := 0; n < beside && found != nil; n++ {
		if bytes.Compare(found, last) <= 0 || misplaced(key, found, value) {
			return fmt.Errorf("%w: %q, or its place, which holds %q", errGarbled, key, found)
		}
		last = found
		found, value = cursor.Next()
	}
	last = key
	cursor.Seek(key)
	found, value = cursor.Prev()
	for n := 0; n < beside && found != nil; n++ {
		if bytes.Compare(found, last) >= 0 || misplaced(key, found, value) {
			return fmt.Errorf("%w: %q, or its place, which holds %q", errGarbled, key, found)
		}
		last = found
		found, value = cursor.Prev()
	}
	return nil
}

// misplaced reports whether a value was once written under a key, and not under the one that it is found under. By chance, or because somebody looked for
// a name that makes it so, both keys may have one checksum: then nothing is damaged.
func misplaced(key, found, value []byte) bool {
	return writtenUnder(key, value) && !writtenUnder(found, value)
}

// writtenUnder reports whether a value is what was once written under a key.
func writtenUnder(key, value []byte) bool {
	return len(value) >= sumLength && binary.BigEndian.Uint32(value) == sum(key, value[sumLength:])
}
