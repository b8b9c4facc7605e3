package redisstore

import (
	"strings"

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
	prefix string           // what they all begin with
	room   *strings.Builder // where they stand one behind the other, and what is sent beside them; nil = each by itself
}

// usualName is how long the names of records and indexes usually are, with what says which of them it is.
const usualName = 32

// withRoom returns a place whose keys, as many as is said, and texts, so many bytes, share one allocation.
func (p place) withRoom(keys, texts int) place {
	p.room = &strings.Builder{}
	p.room.Grow(keys*(len(p.prefix)+usualName) + texts)
	return p
}

// text returns data as a text, in the room.
func (p place) text(data []byte) string {
	begin := p.room.Len()
	p.room.Write(data)
	return p.room.String()[begin:]
}

// key builds a key.
func (p place) key(kind, name string) string {
	if p.room == nil {
		return p.prefix + kind + name
	}
	begin := p.room.Len()
	p.room.WriteString(p.prefix)
	p.room.WriteString(kind)
	p.room.WriteString(name)
	return p.room.String()[begin:]
}

func (p place) record(name string) string { return p.key("r:", name) }
func (p place) index(name string) string  { return p.key("i:", name) }
func (p place) log(name string) string    { return p.key("l:", name) }
func (p place) bucket(name string) string { return p.key("b:", name) }
func (p place) outcome(id string) string  { return p.key("o:", id) }
func (p place) version() string           { return p.key("v", "") }
func (p place) heartbeat() string         { return p.key("h", "") }
