package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// errEnough ends a walk that whoever asked for it has left.
var errEnough = errors.New("enough")

// Items returns all that the store keeps, as it is at one moment. After an error, which comes last, something is missing.
func (s *Store) Items(ctx context.Context) iter.Seq2[core.Item, error] {
	return func(yield func(core.Item, error) bool) {
		err := s.view(ctx, func(tx *bolt.Tx) error {
			for _, part := range parts {
				if err := part.walk(ctx, tx, s.now(), yield); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(core.Item{}, fmt.Errorf("boltstore: items: %w", err))
		}
	}
}

// part is a bucket of the file whose content is of Items.
type part struct {
	bucket []byte
	read   func(item *core.Item, key, rest, value []byte) (deadline, error) // rest is what follows the name in key
}

var parts = []part{{recordBucket, readRecord}, {indexBucket, readMember}, {logBucket, readEntry}, {rateBucket, readRate}}

// walk yields all that is in the bucket and not to be tidied away already.
func (p part) walk(ctx context.Context, tx *bolt.Tx, now time.Time, yield func(core.Item, error) bool) error {
	c := tx.Bucket(p.bucket).Cursor()
	for key, value := c.First(); key != nil; key, value = c.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		item, rest, err := itemAt(key)
		until := deadline(0)
		if err == nil {
			until, err = p.read(&item, key, rest, value)
		}
		if err != nil {
			return err
		}
		if until != 0 {
			if item.Keep = time.UnixMilli(int64(until)).Sub(now); item.Keep <= 0 {
				continue
			}
		}
		if !yield(item, nil) {
			return errEnough
		}
	}
	return nil
}

// itemAt returns an Item with the partition and name that a key begins with, and what follows the name.
func itemAt(key []byte) (item core.Item, rest []byte, err error) {
	where, after, ok := bytes.Cut(key, []byte{separator})
	name, rest, _ := bytes.Cut(after, []byte{separator})
	item.Name = string(name)
	if realm, number, inRealm := strings.Cut(string(where), ":"); inRealm {
		n, _ := strconv.Atoi(number) // one that is none is 0, which is written otherwise
		item.Partition = core.Partition{Realm: core.RealmID(realm), Number: n}
	}
	if !ok || len(name) == 0 || item.Partition.String() != string(where) {
		return core.Item{}, nil, fmt.Errorf("%w: %q is no key", errGarbled, key)
	}
	return item, rest, nil
}

func readRecord(item *core.Item, key, _, value []byte) (deadline, error) {
	r, until, err := decodeRecord(key, value)
	item.Record = &r
	return until, err
}

func readMember(item *core.Item, key, member, _ []byte) (deadline, error) {
	if item.Member = string(member); item.Member == "" {
		return 0, fmt.Errorf("%w: %q is no member", errGarbled, key)
	}
	return 0, nil
}

func readEntry(item *core.Item, key, sequence, value []byte) (deadline, error) {
	operation, data, err := decodeEntry(key, value)
	if err == nil && len(sequence) != 8 {
		err = fmt.Errorf("%w: %q is no entry", errGarbled, key)
	}
	if err != nil {
		return 0, err
	}
	item.Entry = &core.Entry{Position: core.Position{Sequence: binary.BigEndian.Uint64(sequence), Operation: operation}, Data: bytes.Clone(data)}
	return 0, nil
}

func readRate(item *core.Item, key, _, value []byte) (deadline, error) {
	full, until, err := decodeRate(key, value)
	item.Full = time.UnixMicro(full).UTC()
	return until, err
}
