package guard

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

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
	facts   sync.Pool // of *facts
}

// stampCount is how many stamps there are, as many as 16 bits can count; 512 KiB.
const stampCount = 1 << 16

// maxShards is how many shards a large cache has, a power of two.
const maxShards = 64

// shard is a part of the cache, with the second-chance algorithm to make room.
type shard struct {
	mu    sync.RWMutex
	byTag table
	shelf shelf
	limit int
	room  int                    // bytes that texts may take, unless it is one alone
	early atomic.Pointer[[]slot] // the table's, for those who do not wait for mu
	_     [8]byte                // shards share no cache line
}

// What is known of most users takes less than usualSize bytes, and of one in many orgs a hundred times as much: who has such a user's token makes as many
// more as they like, and must not fill all memory with them.
const (
	usualSize = 2 << 10
	leastRoom = 256 << 10 // of a shard
)

// newCache returns a cache of at most size entries.
func newCache(size int) *cache {
	count := 1
	for count < maxShards && size/(2*count) >= 256 {
		count *= 2
	}
	c := &cache{tagger: newTagger(), seed: maphash.MakeSeed(), shards: make([]shard, count), stamps: make([]atomic.Uint64, stampCount),
		facts: sync.Pool{New: func() any { return new(facts) }}}
	for i := range c.shards {
		s := &c.shards[i]
		s.limit = size / count
		s.room = max(s.limit*usualSize, leastRoom)
		s.lay(newTable())
	}
	return c
}

// expect says that q's credential is about to be looked for: the memory where that begins, which among many is in no cache of
// the processor, is on its way from now on.
func (c *cache) expect(q *question) {
	q.home = c.tagger.home(q.token, q.byKey)
	c.shard(q.home).expect(q.home)
}

// get returns what is known of q's credential, which was expected, and still holds at now, if anything; and whether it may be time
// to read it again.
func (c *cache) get(q *question, now time.Time) (k known, old bool) {
	g, at, s := c.tagger.tag(q), now.UnixNano(), c.shard(q.home)
	s.mu.RLock()
	found := s.byTag.get(g)
	if found == nil {
		s.mu.RUnlock()
		return "", false
	}
	k, old = s.known(found), found.recheck.come(at)
	holds := at < found.expires && !c.overtaken(found.heard, &found.stamps)
	if holds {
		found.use()
	}
	s.mu.RUnlock()
	if !holds {
		s.drop(k)
		return "", false
	}
	return k, old
}

// admitsFrom reports whether k may be shown from an address.
func (c *cache) admitsFrom(k known, a netip.Addr) bool {
	if !k.is(flagBound) {
		return true
	}
	room := c.facts.Get().(*facts)
	defer c.facts.Put(room)
	room.read(k)
	return room.who.AdmitsFrom(a)
}

// heard returns the number of the last news, which a read takes before it begins.
func (c *cache) heard() uint64 { return c.news.Load() }

// put remembers k, unless news overtook it. It takes the place of what was known of the credential.
func (c *cache) put(k known) {
	if stamps := k.stamps(); !c.overtaken(k.number(atHeard), &stamps) {
		c.shardOf(k).put(k)
	}
}

// amend has more remembered of a read, unless it is not remembered any more.
func (c *cache) amend(more known) { c.shardOf(more).amend(more) }

// drop forgets k.
func (c *cache) drop(k known) { c.shardOf(k).drop(k) }

// claimRecheck reports whether k should be read again at now: to one caller, and to the next a while later.
func (c *cache) claimRecheck(k known, now time.Time) bool {
	return c.claim(k, func(s *slot) bool { return s.recheck.claim(now, recheckAgain) })
}

// claimRenewal reports whether a cookie that shows k should get a new token at now: to one caller, and to the next a while later.
func (c *cache) claimRenewal(k known, now time.Time) bool {
	return c.claim(k, func(s *slot) bool { return s.renew.claim(now, renewAgain) })
}

// claim reports what due makes of k's slot, while nobody else looks at it; false where k is not remembered any more.
func (c *cache) claim(k known, due func(*slot) bool) bool {
	s := c.shardOf(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byTag.get(k.tag())
	return found != nil && due(found)
}

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

// empty drops everything, and gives back the memory that it took.
func (c *cache) empty() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.lay(newTable())
		s.shelf = shelf{}
		s.mu.Unlock()
	}
}

// overtaken reports whether there has been news of everything or of those with these stamps since a read began.
func (c *cache) overtaken(heard uint64, stamps *[3]uint16) bool {
	if c.news.Load() <= heard { // there is no newer stamp: three places far off in memory need not be looked at
		return false
	}
	return c.all.Load() > heard || c.stamps[stamps[0]].Load() > heard || c.stamps[stamps[1]].Load() > heard || c.stamps[stamps[2]].Load() > heard
}

// stampsOf returns the stamps of the user, and of the session or the API key.
func (c *cache) stampsOf(who *core.Identity) [3]uint16 {
	stamps := [3]uint16{c.stamp(string(who.User)), c.stamp(string(who.Session)), c.stamp(string(who.Credential))}
	if who.Credential == "" {
		stamps[2] = stamps[1]
	}
	return stamps
}

// stamp returns where news of a subject is noted.
func (c *cache) stamp(subject string) uint16 { return uint16(maphash.String(c.seed, subject)) }

// shard returns where tags with a home are kept.
func (c *cache) shard(home uint32) *shard { return &c.shards[int(home)&(len(c.shards)-1)] }

// shardOf returns where k is kept.
func (c *cache) shardOf(k known) *shard { return c.shard(k.tag().home) }

// lay has the shard go by a table from now on.
func (s *shard) lay(t table) {
	s.byTag = t
	s.early.Store(&t.slots)
}

// expect begins to fetch the memory where a search from home begins. It may be in a table that is given up at that moment.
func (s *shard) expect(home uint32) {
	slots := *s.early.Load()
	prefetch(unsafe.Pointer(&slots[homeAmong(slots, home)]))
}

// known returns what a slot is of.
func (s *shard) known(at *slot) known { return known(s.shelf.get(at.spot)) }

// put stores k, in the place of what has the same tag, and else, and where it is long, of what was of no use of late where there is no other.
func (s *shard) put(k known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.byTag.count >= s.limit && s.byTag.get(k.tag()) == nil || s.byTag.count > 0 && s.shelf.wanted+len(k) > s.room {
		s.unwant(s.byTag.evict())
	}
	s.replace(slotOf(k, s.write(k)))
}

// amend stores more of what is known, if that is of the read that is remembered.
func (s *shard) amend(more known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byTag.get(more.tag())
	if found == nil || !s.known(found).sameRead(more) {
		return
	}
	at := s.write(more)
	amended := *found // which writing may have moved
	amended.spot = at
	s.replace(amended)
}

// drop removes k, if what is remembered is of the same read.
func (s *shard) drop(k known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.byTag.get(k.tag()); found != nil && s.known(found).sameRead(k) {
		lay := found.spot
		s.byTag.remove(k.tag())
		s.unwant(lay)
	}
}

// replace stores a slot, in the place of the one with the same tag. A cookie that was given a new token a moment ago is given no other because its own
// was read again.
func (s *shard) replace(with slot) {
	var former spot
	if found := s.byTag.get(with.tag()); found != nil {
		former = found.spot
		with.renew = with.renew.asPutOff(found.renew)
	}
	if s.byTag.put(with); s.byTag.crowded() {
		s.lay(s.byTag.doubled())
	}
	if former.length > 0 {
		s.unwant(former)
	}
}

// write has a text kept. No slot leads to it yet.
func (s *shard) write(k known) spot {
	if !s.shelf.fits(len(k)) {
		if closed, was := s.shelf.turn(); was {
			s.tidy(closed)
		}
	}
	return s.shelf.put(string(k))
}

// unwant notes that no slot leads to a text any more.
func (s *shard) unwant(at spot) {
	s.shelf.unwant(at)
	s.tidy(at.book)
}

// tidy gives a book up of which less than half is wanted, and moves the rest. So at most twice the memory is used that is
// wanted, and no byte is moved more often on the average than another is forgotten.
func (s *shard) tidy(book uint32) {
	if !s.shelf.sparse(book) {
		return
	}
	for at, text := 0, s.shelf.books[book].text; at < len(text); {
		k := known(text[at:]).first()
		if found := s.byTag.get(k.tag()); found != nil && found.spot.book == book && int(found.spot.at) == at {
			found.spot = s.write(k)
		}
		at += len(k)
	}
	s.shelf.give(book)
}
