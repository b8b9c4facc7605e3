package boltstore

import (
	"bytes"
	"context"
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
			if !bytes.Equal(found, key) {
				continue
			}
			var err error
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
