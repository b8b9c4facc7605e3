package boltstore

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"github.com/postern-auth/postern/core"
)

// The buckets of the file; doc.go says what is in them.
var (
	metaBucket     = []byte("meta")
	recordBucket   = []byte("records")
	indexBucket    = []byte("indexes")
	logBucket      = []byte("logs")
	rateBucket     = []byte("rates")
	outcomeBucket  = []byte("outcomes")
	deadlineBucket = []byte("deadlines")
)

var formatKey = []byte("format")

// separator ends the parts of a key. Names and realms have no such byte, so that no two things share a key and what
// is listed under one name is found nowhere else.
const separator = 0x00

// whereKey returns the key of what is called name in p: a record, a rate bucket, or the outcome of an operation.
func whereKey(p core.Partition, name string) []byte {
	return appendWhere(make([]byte, 0, len(p.Realm)+len(name)+16), p, name)
}

// appendWhere appends a whereKey.
func appendWhere(key []byte, p core.Partition, name string) []byte {
	if p.Realm == "" {
		key = append(key, '_')
	} else {
		key = append(key, p.Realm...)
		key = append(key, ':')
		key = strconv.AppendInt(key, int64(p.Number), 10)
	}
	key = append(key, separator)
	return append(key, name...)
}

// listPrefix returns what the keys of an index's members, or a log's entries, begin with.
func listPrefix(p core.Partition, name string) []byte {
	return append(whereKey(p, name), separator)
}

// afterList returns the first key beyond all that begin with a listPrefix.
func afterList(prefix []byte) []byte {
	end := slices.Clone(prefix)
	end[len(end)-1] = separator + 1
	return end
}

// memberKey returns the key of an index's member.
func memberKey(prefix []byte, member string) []byte {
	return append(slices.Clip(prefix), member...)
}

// entryKey returns the key of a log's entry.
func entryKey(prefix []byte, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(slices.Clip(prefix), sequence)
}

// kind says which bucket a deadline is about.
type kind byte

const (
	kindOutcome kind = 'o'
	kindRecord  kind = 'r'
	kindRate    kind = 't'
)

// bucket returns the name of the bucket, nil for an unknown kind.
func (k kind) bucket() []byte {
	switch k {
	case kindOutcome:
		return outcomeBucket
	case kindRecord:
		return recordBucket
	case kindRate:
		return rateBucket
	}
	return nil
}

// deadline is when something may be tidied away, in Unix milliseconds by this machine's clock. 0 = never.
type deadline int64

// deadlineAfter returns the deadline so many milliseconds after now, at least 1 and as late as can be written.
func deadlineAfter(now, milliseconds int64) deadline {
	if milliseconds > 0 && now > math.MaxInt64-milliseconds {
		return math.MaxInt64
	}
	return deadline(max(1, now+milliseconds))
}

const deadlineLength = 8

// deadlineKey returns the key under which the deadline of a thing is kept.
func deadlineKey(d deadline, k kind, key []byte) []byte {
	at := make([]byte, 0, deadlineLength+1+len(key))
	at = binary.BigEndian.AppendUint64(at, uint64(d))
	return append(append(at, byte(k)), key...)
}
