package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// maxTrim bounds how many old entries go with each new one, so that a log which is to be much shorter from now on
// does not hold up the writer.
const maxTrim = 16

// addition is an entry to append to a log.
type addition struct {
	prefix []byte // of the log's keys
	data   []byte
	keep   uint64 // how many entries the log is to have
}

// write appends the entry, and trims the log. The newest entry always stays: it says how far the log has come.
func (e addition) write(tx *bolt.Tx, operation string) error {
	bucket := tx.Bucket(logBucket)
	newest, err := newestEntry(bucket.Cursor(), e.prefix)
	if err != nil {
		return err
	}
	sequence := newest.Sequence + 1
	key := entryKey(e.prefix, sequence)
	if err := bucket.Put(key, encodeEntry(key, operation, e.data)); err != nil {
		return err
	}
	for range maxTrim {
		oldest, _ := bucket.Cursor().Seek(e.prefix)
		if sequenceOf(oldest)+e.keep > sequence {
			return nil
		}
		if err := bucket.Delete(slices.Clone(oldest)); err != nil {
			return err
		}
	}
	return nil
}

// sequenceOf reads the sequence from the end of an entry's key.
func sequenceOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// newestEntry returns the position after a log's newest entry, the zero Position if it has none.
func newestEntry(c *bolt.Cursor, prefix []byte) (core.Position, error) {
	key, value := seekBefore(c, afterList(prefix))
	if !bytes.HasPrefix(key, prefix) {
		return core.Position{}, nil
	}
	operation, _, err := decodeEntry(key, value)
	return core.Position{Sequence: sequenceOf(key), Operation: operation}, err
}

// Tail returns, for each of logs, what was appended after a position. It answers as soon as one of them has
// something, or after wait with nothing. It waits without polling: an append wakes it.
func (s *Store) Tail(ctx context.Context, logs []core.LogPosition, wait time.Duration) ([]core.Feed, error) {
	t, err := newTail(logs)
	if err != nil {
		return nil, fmt.Errorf("boltstore: tail: %w", err)
	}
	listener := s.bells.listen(t.names()) // before the first look, so that no append is missed
	defer s.bells.leave(listener)
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		if err := s.view(ctx, t.look); err != nil {
			return nil, fmt.Errorf("boltstore: tail: %w", err)
		}
		if t.news() || len(logs) == 0 {
			return t.feeds, nil
		}
		select {
		case <-listener.rung:
		case <-timeout.C:
			return t.feeds, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("boltstore: tail: %w", ctx.Err())
		case <-s.closing.Done():
			return nil, fmt.Errorf("boltstore: tail: %w", errClosed)
		}
	}
}

// tail is a Tail under way: what was found at the last look. At the first look, Next is where the caller is.
type tail struct {
	prefixes [][]byte
	feeds    []core.Feed
}

func newTail(logs []core.LogPosition) (*tail, error) {
	t := &tail{feeds: make([]core.Feed, len(logs))}
	for i, l := range logs {
		if err := l.Log.Validate(); err != nil {
			return nil, err
		}
		t.prefixes = append(t.prefixes, listPrefix(l.Log.Partition, l.Log.Name))
		t.feeds[i] = core.Feed{Log: l.Log, Next: l.After}
	}
	return t, nil
}

// names returns what to listen to.
func (t *tail) names() []string {
	var names []string
	for _, p := range t.prefixes {
		names = append(names, string(p))
	}
	return names
}

// look reads on in every log.
func (t *tail) look(tx *bolt.Tx) error {
	c := tx.Bucket(logBucket).Cursor()
	for i := range t.feeds {
		if err := readOn(c, t.prefixes[i], &t.feeds[i]); err != nil {
			return err
		}
	}
	return nil
}

// news reports whether there is something to tell.
func (t *tail) news() bool {
	return slices.ContainsFunc(t.feeds, func(f core.Feed) bool { return f.Gap || len(f.Entries) > 0 })
}

// readOn fills feed with what follows its Next, and moves that on.
func readOn(c *bolt.Cursor, prefix []byte, feed *core.Feed) error {
	if feed.Next == core.End {
		var err error
		feed.Next, err = newestEntry(c, prefix)
		return err
	}
	holds, err := holdsPosition(c, prefix, feed.Next)
	if err != nil {
		return err
	}
	if !holds {
		feed.Gap = true
		feed.Next, err = newestEntry(c, prefix)
		return err
	}
	key, value := c.Seek(entryKey(prefix, feed.Next.Sequence+1))
	for ; bytes.HasPrefix(key, prefix) && len(feed.Entries) < core.MaxTail; key, value = c.Next() {
		operation, data, err := decodeEntry(key, value)
		if err != nil {
			return err
		}
		feed.Next = core.Position{Sequence: sequenceOf(key), Operation: operation}
		feed.Entries = append(feed.Entries, core.Entry{Position: feed.Next, Data: slices.Clone(data)})
	}
	return nil
}

// holdsPosition reports whether nothing is missing after p: the log has the very entry that p is after, or, if p is the
// zero Position, has never been trimmed.
func holdsPosition(c *bolt.Cursor, prefix []byte, p core.Position) (bool, error) {
	if p == (core.Position{}) {
		key, _ := c.Seek(prefix)
		return !bytes.HasPrefix(key, prefix) || sequenceOf(key) == 1, nil
	}
	at := entryKey(prefix, p.Sequence)
	key, value := c.Seek(at)
	if !bytes.Equal(key, at) {
		return false, nil
	}
	operation, _, err := decodeEntry(key, value)
	return operation == p.Operation, err
}
