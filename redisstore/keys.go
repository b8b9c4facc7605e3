package redisstore

import (
	"slices"
	"unsafe"

	"github.com/postern-auth/postern/core"
)

// keys builds all keys; its value is the prefix. The table is in doc.go.
type keys string

// in returns what builds the keys of a partition.
func (k keys) in(p core.Partition) place { return place{prefix: string(k) + "{" + p.String() + "}"} }

// wake is the channel on which log entries are announced.
func (k keys) wake() string { return string(k) + "wake" }

// place builds the keys of one partition.
type place struct {
	prefix string // what they all begin with
	room   *room  // where they stand one behind the other, and what is sent beside them; nil = each by itself
}

// usualName is how long the names of records and indexes usually are, with what says which of them it is.
const usualName = 32

// within returns a place whose keys, as many as is said, and texts, so many bytes, stand in r and are good as long as r is not used
// again.
func (p place) within(r *room, keys, texts int) place {
	*r = slices.Grow(*r, keys*(len(p.prefix)+usualName)+texts)
	p.room = r
	return p
}

// room is where keys and texts stand one behind the other.
type room []byte

// since returns what stands there from a place on. It is no copy: rooms are used again, so that a transaction costs no allocation of
// all that is sent. What stands there is never written to until then, also where room grows, which leaves it where it was.
func (r room) since(begin int) string {
	return unsafe.String(unsafe.SliceData(r[begin:]), len(r)-begin)
}

// text returns data as a text, in the room.
func (p place) text(data []byte) string {
	begin := len(*p.room)
	*p.room = append(*p.room, data...)
	return p.room.since(begin)
}

// key builds a key.
func (p place) key(kind, name string) string {
	if p.room == nil {
		return p.prefix + kind + name
	}
	begin := len(*p.room)
	*p.room = append(append(append(*p.room, p.prefix...), kind...), name...)
	return p.room.since(begin)
}

func (p place) record(name string) string { return p.key("r:", name) }
func (p place) index(name string) string  { return p.key("i:", name) }
func (p place) log(name string) string    { return p.key("l:", name) }
func (p place) bucket(name string) string { return p.key("b:", name) }
func (p place) outcome(id string) string  { return p.key("o:", id) }
func (p place) version() string           { return p.key("v", "") }
func (p place) heartbeat() string         { return p.key("h", "") }
