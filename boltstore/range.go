package boltstore

import (
	"bytes"
	"context"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// usualRange is how many members a range has room for from the start.
const usualRange = 128

// Range returns at most r.Limit members of an index that are at least r.From and less than r.To, the least first, or the
// greatest where r.Descending is set.
func (s *Store) Range(ctx context.Context, r core.Range) ([]string, error) {
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("boltstore: range: %w", err)
	}
	prefix := listPrefix(r.Index.Partition, r.Index.Name)
	from, to := memberKey(prefix, r.From), afterList(prefix)
	if r.To != "" {
		to = memberKey(prefix, r.To)
	}
	members := make([]string, 0, min(r.Limit, usualRange))
	err := s.view(ctx, func(tx *bolt.Tx) error {
		cursor := tx.Bucket(indexBucket).Cursor()
		key, _ := cursor.Seek(from)
		next := cursor.Next
		if r.Descending {
			key, _ = seekBefore(cursor, to)
			next = cursor.Prev
		}
		for len(members) < r.Limit && within(key, from, to) {
			members = append(members, string(key[len(prefix):]))
			key, _ = next()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("boltstore: range: %w", err)
	}
	return members, nil
}

// within reports whether there is a key, and it is at least from and less than to.
func within(key, from, to []byte) bool {
	return key != nil && bytes.Compare(key, from) >= 0 && bytes.Compare(key, to) < 0
}

// seekBefore moves c to the last key that is less than to, nil if there is none. bbolt's own Prev will not do after a
// Seek beyond the last key. Nor does it pass over a page that the transaction has emptied: it stays there and returns
// nil, as it does where there is nothing before.
func seekBefore(c *bolt.Cursor, to []byte) (key, value []byte) {
	if key, _ := c.Seek(to); key == nil {
		return c.Last()
	}
	if first, _ := c.Bucket().Cursor().First(); bytes.Compare(first, to) >= 0 {
		return nil, nil
	}
	for key == nil {
		key, value = c.Prev()
	}
	return key, value
}
