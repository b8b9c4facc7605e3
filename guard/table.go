package guard

import (
	"math"
	"sync/atomic"
	"time"
)

// table finds what is known by tag: open addressing with linear probing, so that looking costs one line of
// memory where a map takes several. Which line that is can be told before the tag is made. It keeps one entry for each tag.
type table struct {
	slots []slot // a power of two, at least a quarter of them empty
	count int
	hand  int // of the clock that chooses whose place is taken
}

// slot is a place in a table: all that a hit must look at, in the 64 bytes that memory is fetched by, and no pointer.
type slot struct {
	low, high uint64 // of the tag
	heard     uint64 // as in known, like the next and the stamps
	expires   int64
	recheck   second // as in known, unless somebody set about it since: then when the next may
	renew     second // likewise
	spot      spot   // where what is known lies; zero where the place is empty
	stamps    [3]uint16
	mark      uint32 // twice the tag's home, and 1 where it was of use since the hand last passed; to be read and written atomically
}

// used is in the mark of what was of use since the hand last passed.
const used = 1

// second is a time in seconds since the epoch, rounded up, which will do for what is not due to the moment.
type second uint32

const neverSecond = math.MaxUint32 // in the year 2106

// secondOf returns the second of a time in nanoseconds since the epoch.
func secondOf(nanos int64) second {
	s := nanos / int64(time.Second)
	if nanos%int64(time.Second) > 0 {
		s++
	}
	return second(max(0, min(s, neverSecond)))
}

// come reports whether a second has come at a time in nanoseconds since the epoch.
func (s second) come(at int64) bool { return s != neverSecond && at >= int64(s)*int64(time.Second) }

// claim reports whether a second has come at now, and puts it off.
func (s *second) claim(now time.Time, again time.Duration) bool {
	if !s.come(now.UnixNano()) {
		return false
	}
	*s = secondOf(now.Add(again).UnixNano())
	return true
}

// asPutOff returns s, or the later second that it was put off to before.
func (s second) asPutOff(former second) second {
	if former == neverSecond {
		return s
	}
	return max(s, former)
}

// slotOf returns the slot of what is known, which lies at a spot.
func slotOf(k known, at spot) slot {
	g := k.tag()
	return slot{low: g.low, high: g.high, mark: g.home << 1, heard: k.number(atHeard), expires: k.nanos(atExpires), recheck: secondOf(k.nanos(atRecheck)), renew: secondOf(k.nanos(atRenew)),
		spot: at, stamps: k.stamps()}
}

// tag returns the tag that s is of.
func (s *slot) tag() tag { return tag{s.low, s.high, s.mark >> 1} }

// has reports whether s is of a tag.
func (s *slot) has(g tag) bool { return s.low == g.low && s.high == g.high }

// isEmpty reports whether nothing is in a place.
func (s *slot) isEmpty() bool { return s.spot.length == 0 }

const smallestTable = 16

func newTable() table { return table{slots: make([]slot, smallestTable)} }

// get returns where a tag is, or nil.
func (t *table) get(g tag) *slot {
	if s := &t.slots[t.place(g)]; !s.isEmpty() {
		return s
	}
	return nil
}

// put stores s in the place of what has the same tag.
func (t *table) put(s slot) {
	at := &t.slots[t.place(s.tag())]
	if at.isEmpty() {
		t.count++
	}
	s.mark |= at.mark & used
	*at = s
}

// crowded reports whether a table has hardly a place left.
func (t *table) crowded() bool { return 4*t.count > 3*len(t.slots) }

// remove empties the place of a tag.
func (t *table) remove(g tag) {
	if at := t.place(g); !t.slots[at].isEmpty() {
		t.empty(at)
	}
}

// empty empties a place, and moves up what had to make way for it.
func (t *table) empty(hole int) {
	t.count--
	for at := t.next(hole); !t.slots[at].isEmpty(); at = t.next(at) {
		fromHome := (at - t.home(t.slots[at].tag())) & (len(t.slots) - 1)
		if fromHome >= (at-hole)&(len(t.slots)-1) { // its home is not behind the hole
			t.slots[hole] = t.slots[at]
			hole = at
		}
	}
	t.slots[hole] = slot{}
}

// maxChances bounds how long making room may take.
const maxChances = 128

// evict removes one entry, the first that was of no use since the hand last passed, and returns where it lay. There must be one.
func (t *table) evict() spot {
	for chances := maxChances; ; t.hand = t.next(t.hand) {
		s := &t.slots[t.hand]
		if s.isEmpty() {
			continue
		}
		if chances == 0 || s.mark&used == 0 {
			lay := s.spot
			t.empty(t.hand)
			return lay
		}
		s.mark &^= used
		chances--
	}
}

// place returns where a tag is, or else where it would go.
func (t *table) place(g tag) int {
	at := t.home(g)
	for !t.slots[at].isEmpty() && !t.slots[at].has(g) {
		at = t.next(at)
	}
	return at
}

// home is where the search for a tag begins.
func (t *table) home(g tag) int { return homeAmong(t.slots, g.home) }

// homeAmong is where the search from home begins. The low bits chose the shard already.
func homeAmong(slots []slot, home uint32) int { return int(home/maxShards) & (len(slots) - 1) }

func (t *table) next(at int) int { return (at + 1) & (len(t.slots) - 1) }

// doubled returns a table of twice the size with the same entries.
func (t *table) doubled() table {
	twice := table{slots: make([]slot, 2*len(t.slots))}
	for i := range t.slots {
		if !t.slots[i].isEmpty() {
			twice.put(t.slots[i])
		}
	}
	return twice
}

// use notes that s was of use. It writes only where that is news, so that cores do not fight over a popular token.
func (s *slot) use() {
	if atomic.LoadUint32(&s.mark)&used == 0 {
		atomic.OrUint32(&s.mark, used)
	}
}
