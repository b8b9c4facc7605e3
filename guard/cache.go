package guard

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// cache remembers who tokens stand for, until told otherwise. It is bounded, and a hit neither allocates nor
// waits for writers elsewhere. Safe for concurrent use.
//
// News is counted. Each subject (a user, a session or an API key) hashes to a stamp, which holds the number of the last news of it,
// and each known holds the number that was current when its read began: where a stamp is newer, it is forgotten. So
// forgetting takes one store, needs no index, and also catches a read that the news overtook. Two
// subjects may share a stamp; then one is read again without need.
type cache struct {
	seed   maphash.Seed
	shards []shard // a power of two

	news   atomic.Uint64 // number of the last news
	all    atomic.Uint64 // number of the last news that was of everything
	stamps []atomic.Uint64
}

// stampCount is how many stamps there are, a power of two; 512 KiB.
const stampCount = 1 << 16

// maxShards is how many shards a large cache has, a power of two.
const maxShards = 64

// shard is a part of the cache, with the second-chance algorithm to make room.
type shard struct {
	mu     sync.RWMutex
	byHash table
	ring   []*known // nil where one was dropped
	free   []int32  // the places of those
	limit  int
	hand   int
	_      [24]byte // shards share no cache line
}

// newCache returns a cache of at most size entries.
func newCache(size int) *cache {
	count := 1
	for count < maxShards && size/(2*count) >= 256 {
		count *= 2
	}
	c := &cache{seed: maphash.MakeSeed(), shards: make([]shard, count), stamps: make([]atomic.Uint64, stampCount)}
	for i := range c.shards {
		c.shards[i] = shard{byHash: newTable(), limit: size / count}
	}
	return c
}

// get returns what is known of q's credential and still holds at now, or nil.
func (c *cache) get(q *question, now time.Time) *known {
	hash := maphash.String(c.seed, q.token)
	s := c.shard(hash)
	s.mu.RLock()
	k := s.byHash.get(hash)
	s.mu.RUnlock()
	if k == nil {
		return nil
	}
	if c.overtaken(k) || now.UnixNano() >= k.expires { // first, so that the token is fetched from memory meanwhile
		s.drop(k)
		return nil
	}
	if k.token != q.token || k.byKey != q.byKey { // a hash is no proof
		return nil
	}
	k.use()
	return k
}

// heard returns the number of the last news, which a read takes before it begins.
func (c *cache) heard() uint64 { return c.news.Load() }

// put remembers k, unless news overtook it. It takes the place of what was known of the token.
func (c *cache) put(k *known) {
	k.hash = maphash.String(c.seed, k.token)
	k.stamps = [3]uint32{c.stamp(string(k.identity.User)), c.stamp(string(k.identity.Session)), c.stamp(string(k.identity.Credential))}
	if !c.overtaken(k) {
		c.shard(k.hash).put(k)
	}
}

// drop forgets k.
func (c *cache) drop(k *known) { c.shard(k.hash).drop(k) }

// forget drops what is known of users and sessions. It, and forgetAll, are called one at a time.
func (c *cache) forget(subjects []string) {
	n := c.news.Add(1)
	for _, s := range subjects {
		c.stamps[c.stamp(s)].Store(n)
	}
}

// forgetAll drops everything.
func (c *cache) forgetAll() { c.all.Store(c.news.Add(1)) }

// overtaken reports whether there has been news of k since its read began.
func (c *cache) overtaken(k *known) bool {
	return c.all.Load() > k.asOf || c.stamps[k.stamps[0]].Load() > k.asOf || c.stamps[k.stamps[1]].Load() > k.asOf ||
		k.byKey && c.stamps[k.stamps[2]].Load() > k.asOf
}

// stamp returns where news of a subject is noted.
func (c *cache) stamp(subject string) uint32 {
	return uint32(maphash.String(c.seed, subject) & (stampCount - 1))
}

// shard returns where a token with this hash is kept.
func (c *cache) shard(hash uint64) *shard { return &c.shards[hash&uint64(len(c.shards)-1)] }

// put stores k in the place of what has the same hash, else in a free one, else in one that it makes free.
func (s *shard) put(k *known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byHash.get(k.hash)
	switch {
	case old != nil:
		k.slot = old.slot
		k.used.Store(old.used.Load())
	case len(s.free) > 0:
		k.slot = s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
	case len(s.ring) < s.limit:
		k.slot = int32(len(s.ring))
		s.ring = append(s.ring, nil)
	default:
		k.slot = s.evict()
	}
	s.ring[k.slot] = k
	s.byHash.put(k)
}

// maxSteps bounds how long making room may take.
const maxSteps = 128

// evict frees and returns a place: the first whose holder was of no use since the hand last passed.
func (s *shard) evict() int32 {
	for range maxSteps {
		if !s.ring[s.hand].used.Swap(false) {
			break
		}
		s.hand = (s.hand + 1) % len(s.ring)
	}
	slot := s.hand
	s.hand = (s.hand + 1) % len(s.ring)
	s.byHash.remove(s.ring[slot].hash)
	return int32(slot)
}

// drop removes k, if it is still there.
func (s *shard) drop(k *known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byHash.get(k.hash) != k {
		return
	}
	s.byHash.remove(k.hash)
	s.ring[k.slot] = nil
	s.free = append(s.free, k.slot)
}
