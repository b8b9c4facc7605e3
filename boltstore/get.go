package boltstore

import (
	"context"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// Get returns one Record per key, in the order of the keys. All of them are read at one moment.
func (s *Store) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	records := make([]core.Record, len(keys))
	err := s.view(ctx, func(tx *bolt.Tx) error {
		bucket := tx.Bucket(recordBucket)
		for i, k := range keys {
			if err := k.Validate(); err != nil {
				return err
			}
			key := whereKey(k.Partition, k.Name)
			value := bucket.Get(key)
			if value == nil {
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
