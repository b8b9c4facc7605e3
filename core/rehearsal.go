package core

import (
	"context"
	"hash/maphash"
	"sync"
)

// maxRehearsed is how many records a Rehearsal remembers: those of some million users, in about 60 MB.
const maxRehearsed = 4_000_000

// Rehearsal remembers whom a dry import would have made, since they would stand in the way of those who come later in the same file. It
// keeps a hash of each name, id and key that one user alone can have, and of maxRehearsed at most: whoever comes after that is held
// against the store alone. The zero value remembers nobody. Safe for concurrent use.
type Rehearsal struct {
	mu    sync.Mutex
	seed  maphash.Seed
	taken map[uint64]struct{}
}

// has reports whether a record would be there.
func (r *Rehearsal) has(key Key) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, there := r.taken[r.sum(key)]
	return there
}

// play returns the error that a change would meet now, and where there is none, notes what the change would make.
func (r *Rehearsal) play(ctx context.Context, c *change) error {
	if err := c.rehearse(ctx); r == nil || err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var sums []uint64
	for _, required := range c.tx.Require {
		key := Key{c.tx.Partition, required.Name}
		sum := r.sum(key)
		if _, there := r.taken[sum]; there {
			return &ConflictError{key}
		}
		if required.Version == 0 {
			sums = append(sums, sum)
		}
	}
	if len(r.taken)+len(sums) > maxRehearsed {
		return nil
	}
	for _, sum := range sums {
		r.taken[sum] = struct{}{}
	}
	return nil
}

// sum returns the hash of a key.
func (r *Rehearsal) sum(key Key) uint64 {
	if r.taken == nil {
		r.seed, r.taken = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	return maphash.Comparable(r.seed, key)
}
