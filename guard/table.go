package guard

// table finds what is known by hash: open addressing with linear probing, so that looking costs one line of
// memory where a map takes several. It keeps one entry for each hash.
type table struct {
	slots []slot // a power of two, at least a quarter of them empty
	count int
}

// slot is a place in a table; empty without known.
type slot struct {
	hash  uint64
	known *known
}

const smallestTable = 16

func newTable() table { return table{slots: make([]slot, smallestTable)} }

// get returns what has a hash, or nil.
func (t *table) get(hash uint64) *known { return t.slots[t.place(hash)].known }

// put stores k in the place of what has the same hash.
func (t *table) put(k *known) {
	at := t.place(k.hash)
	if t.slots[at].known == nil {
		t.count++
	}
	t.slots[at] = slot{k.hash, k}
	if 4*t.count > 3*len(t.slots) {
		t.grow()
	}
}

// remove empties the place of a hash, and moves up what had to make way for it.
func (t *table) remove(hash uint64) {
	hole := t.place(hash)
	if t.slots[hole].known == nil {
		return
	}
	t.count--
	for at := t.next(hole); t.slots[at].known != nil; at = t.next(at) {
		fromHome := (at - t.home(t.slots[at].hash)) & (len(t.slots) - 1)
		if fromHome >= (at-hole)&(len(t.slots)-1) { // its home is not behind the hole
			t.slots[hole] = t.slots[at]
			hole = at
		}
	}
	t.slots[hole] = slot{}
}

// place returns where a hash is, or else where it would go.
func (t *table) place(hash uint64) int {
	at := t.home(hash)
	for t.slots[at].known != nil && t.slots[at].hash != hash {
		at = t.next(at)
	}
	return at
}

// home is where the search for a hash begins. Its low bits chose the shard already.
func (t *table) home(hash uint64) int { return int(hash>>32) & (len(t.slots) - 1) }

func (t *table) next(at int) int { return (at + 1) & (len(t.slots) - 1) }

// grow doubles the table.
func (t *table) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	for _, s := range old {
		if s.known != nil {
			t.slots[t.place(s.hash)] = s
		}
	}
}
