package redisstore

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

// A record is kept as "<version> <schema> <expires> <value>": version and schema in decimal, expires in base-36
// milliseconds since the epoch, or nothing for never. apply.lua puts the version in front of the rest.

// errNotARecord says that a value has another form.
var errNotARecord = errors.New("not in the form of a record: does another program use our key prefix?")

// usualHead is about how many bytes stand before a value, without its version.
const usualHead = 16

// encode returns what is kept of a record, but for its version.
func encode(p *core.Put) []byte {
	return append(appendHead(make([]byte, 0, len(p.Value)+usualHead), p), p.Value...)
}

// appendHead appends what stands between a record's version and its value.
func appendHead(b []byte, p *core.Put) []byte {
	b = strconv.AppendInt(b, int64(p.Schema), 10)
	b = append(b, ' ')
	if !p.Expires.IsZero() {
		b = strconv.AppendInt(b, p.Expires.UnixMilli(), 36)
	}
	return append(b, ' ')
}

// kept is encode in the place's room.
func (p place) kept(put *core.Put) string {
	begin := len(*p.room)
	*p.room = append(appendHead(*p.room, put), put.Value...)
	return p.room.since(begin)
}

// decode reads a kept record. It accepts what encode and apply.lua write, and nothing else.
func decode(kept string) (core.Record, error) {
	version, after, _ := strings.Cut(kept, " ")
	schema, after, _ := strings.Cut(after, " ")
	expires, value, whole := strings.Cut(after, " ")

	v, okVersion := number(version, 10)
	s, okSchema := number(schema, 10)
	if !whole || !okVersion || v < 1 || !okSchema || s < 0 || s > core.MaxSchema {
		return core.Record{}, errNotARecord
	}
	r := core.Record{Value: []byte(value), Schema: int(s), Version: uint64(v)}
	if expires == "" {
		return r, nil
	}
	ms, ok := number(expires, 36)
	r.Expires = time.UnixMilli(ms).UTC()
	if !ok || r.Expires.IsZero() {
		return core.Record{}, errNotARecord
	}
	return r, nil
}

// number reads a number in the one form that strconv.AppendInt writes: no plus sign, no capitals, no zero in front.
func number(s string, base int) (int64, bool) {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] == '0' && s != "0" {
		return 0, false
	}
	for i := range len(digits) {
		if c := digits[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, base, 64)
	return n, err == nil
}
