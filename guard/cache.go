package guard

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/core"
)

// cache remembers who tokens stand for, until told otherwise. It is bounded, and a hit neither allocates nor
// waits for writers elsewhere. Safe for concurrent use.
//
// News is counted. Each subject (a user, a session or an API key) hashes to a stamp, which holds the number of the last news of it,
// and each known holds the number that was current when its read began: where a stamp is newer, it is forgotten. So
// forgetting takes one store, needs no index, and also catches a read that the news overtook. Two
// subjects may share a stamp; then one is read again without need.
type cache struct {
	tagger *tagger
	seed   maphash.Seed // of stamps
	shards []shard      // a power of two

	telling sync.Mutex    // held while news is told, which comes from the feed and from issuers elsewhere
	news    atomic.Uint64 // number of the last news
	all     atomic.Uint64 // number of the last news that was of everything
	stamps  []atomic.Uint64
}

// stampCount is how many stamps there are, a power of two; 512 KiB.
const stampCount = 1 << 16

// maxShards is how many shards a large cache has, a power of two.
const maxShards = 64

// shard is a part of the cache, with the second-chance algorithm to make room.
type shard struct {
	mu    sync.RWMutex
	byTag table
	limit int
	_     [56]byte // shards share no cache line
}

// newCache returns a cache of at most size entries.
func newCache(size int) (*cache, error) {
	tagger, err := newTagger()
	if err != nil {
		return nil, err
	}
	count := 1
	for count < maxShards && size/(2*count) >= 256 {
		count *= 2
	}
	c := &cache{tagger: tagger, seed: maphash.MakeSeed(), shards: make([]shard, count), stamps: make([]atomic.Uint64, stampCount)}
	for i := range c.shards {
		c.shards[i] = shard{byTag: newTable(), limit: size / count}
	}
	return c, nil
}

// get returns what is known of q's credential and still holds at now, or nil; and whether it may be time to read it again.
func (c *cache) get(q *question, now time.Time) (k *known, old bool) {
	t, at := c.tagger.tag(q.token, q.byKey), now.UnixNano()
	s := c.shard(t)
	s.mu.RLock()
	found := s.byTag.get(t)
	if found == nil {
		s.mu.RUnlock()
		return nil, false
	}
	k, old = found.known, at >= found.recheck
	holds := at < found.expires && !c.overtaken(found.asOf, &found.stamps)
	if holds {
		found.use()
	}
	s.mu.RUnlock()
	if !holds {
		s.drop(k)
		return nil, false
	}
	return k, old
}

// heard returns the number of the last news, which a read takes before it begins.
func (c *cache) heard() uint64 { return c.news.Load() }

// put remembers k, unless news overtook it. It takes the place of what was known of the credential.
func (c *cache) put(k *known) {
	if !k.overtaken() {
		c.shard(k.tag).put(k)
	}
}

// drop forgets k.
func (c *cache) drop(k *known) { c.shard(k.tag).drop(k) }

// forget drops what is known of users and sessions.
func (c *cache) forget(subjects []string) {
	c.telling.Lock()
	defer c.telling.Unlock()
	n := c.news.Add(1)
	for _, s := range subjects {
		c.stamps[c.stamp(s)].Store(n)
	}
}

// forgetAll drops everything.
func (c *cache) forgetAll() {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.all.Store(c.news.Add(1))
}

// overtaken reports whether there has been news of everything or of those with these stamps since a read began.
func (c *cache) overtaken(asOf uint64, stamps *[3]uint32) bool {
	return c.all.Load() > asOf || c.stamps[stamps[0]].Load() > asOf || c.stamps[stamps[1]].Load() > asOf || c.stamps[stamps[2]].Load() > asOf
}

// stampsOf returns the stamps of the user, and of the session or the API key.
func (c *cache) stampsOf(who *core.Identity) [3]uint32 {
	stamps := [3]uint32{c.stamp(string(who.User)), c.stamp(string(who.Session)), c.stamp(string(who.Credential))}
	if who.Credential == "" {
		stamps[2] = stamps[1]
	}
	return stamps
}

// stamp returns where news of a subject is noted.
func (c *cache) stamp(subject string) uint32 {
	return uint32(maphash.String(c.seed, subject) & (stampCount - 1))
}

// shard returns where a tag is kept.
func (c *cache) shard(t tag) *shard { return &c.shards[t.low&uint64(len(c.shards)-1)] }

// put stores k, in the place of what has the same tag, and else of what was of no use of late where there is no other.
func (s *shard) put(k *known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byTag.count >= s.limit && s.byTag.get(k.tag) == nil {
		s.byTag.evict()
	}
	s.byTag.put(slot{tag: k.tag, known: k, asOf: k.asOf, expires: k.expires, recheck: k.recheck.Load(), stamps: k.stamps})
}

// drop removes k, if it is still there.
func (s *shard) drop(k *known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.byTag.get(k.tag); found != nil && found.known == k {
		s.byTag.remove(k.tag)
	}
}
