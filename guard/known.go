package guard

import (
	"encoding/binary"
	"math"
	"strings"
	"time"
	"unsafe"

	"github.com/postern-auth/postern/core"
)

// known is a credential and who it stands for, as it was read once: all of it in one text, which nobody alters and which holds no
// pointers. So the garbage collector has nothing to walk through in what is remembered of 100,000 tokens. The credential itself
// is not in it, but its tag. The empty known is nobody.
//
// It begins with numbers, each in its place. Then comes what packer writes, then where each header's text lies among that, and at
// the end the assertion, if one was signed.
type known string

// The places of the numbers, little endian. Times are nanoseconds since the epoch, never where there is none.
const (
	atTag      = 0  // 16 bytes
	atHeard    = 16 // the news that had been heard when the read began
	atRead     = 24 // when that was
	atExpires  = 32
	atRecheck  = 40 // from when on it should be read again
	atRenew    = 48 // from when on a cookie should get a new token
	atSignedIn = 56
	atStamps   = 64 // three of 16 bits, as in cache.stampsOf
	atFrom     = 70 // 8 bits: number of the issuer elsewhere that vouches for it, counted from 1; 0 = it is one of ours
	atFlags    = 71 // 8 bits
	atTold     = 72 // 32 bits: where it is written where each header's text lies
	atSigned   = 76 // 32 bits: where the assertion lies, or would
	atSize     = 80 // 32 bits: of all of it
	atHome     = 84 // 32 bits: of the tag
	headSize   = 88
)

// What flags say.
const (
	flagVerified = 1 << iota // the e-mail address is
	flagMFA
	flagBound // an API key that may be shown from some addresses only
)

const never = math.MaxInt64

// number returns the number in a place.
func (k known) number(at int) uint64 { return binary.LittleEndian.Uint64([]byte(k[at : at+8])) }

// offset returns the number of 32 bits in a place.
func (k known) offset(at int) int { return int(binary.LittleEndian.Uint32([]byte(k[at : at+4]))) }

func (k known) tag() tag { return tag{k.number(atTag), k.number(atTag + 8), uint32(k.offset(atHome))} }

// nanos returns the time in a place.
func (k known) nanos(at int) int64 { return int64(k.number(at)) }

// time returns the time in a place, zero where that is never.
func (k known) time(at int) time.Time {
	if n := k.nanos(at); n != never {
		return time.Unix(0, n).UTC()
	}
	return time.Time{}
}

func (k known) stamps() (all [3]uint16) {
	for i := range all {
		all[i] = binary.LittleEndian.Uint16([]byte(k[atStamps+2*i : atStamps+2*i+2]))
	}
	return all
}

// is reports whether a flag is set.
func (k known) is(flag byte) bool { return k[atFlags]&flag != 0 }

// lineSize is how many bytes of memory a processor fetches at once.
const lineSize = 64

// fetch begins to fetch k, which was looked for among many and lies in no cache; of a long one as much as most have.
func (k known) fetch() {
	for at := 0; at < min(len(k), 8*lineSize); at += lineSize {
		prefetch(unsafe.Pointer(unsafe.StringData(string(k[at:]))))
	}
}

// sameRead reports whether k and other come from the same read, whatever was signed since.
func (k known) sameRead(other known) bool { return k[:atExpires] == other[:atExpires] }

// first returns the first of several that lie one behind the other.
func (k known) first() known { return k[:k.offset(atSize)] }

// alone returns k in memory of its own: what is remembered lies with others', and whoever keeps a part keeps them all.
func (k known) alone() known { return known(strings.Clone(string(k))) }

// told returns the text for each header of the guard that read k, in room if that is enough; "" = it is absent. The texts are parts of k.
func (k known) told(headers int, room []string) []string {
	room = room[:0]
	places := unpacker(k[k.offset(atTold):])
	for range headers {
		at := places.number()
		room = append(room, string(k[at:][:places.number()]))
	}
	return room
}

// assertion returns what was signed, as a part of k, unless it is due again at now; else "".
func (k known) assertion(now time.Time) string {
	signed := k[k.offset(atSigned):]
	if signed == "" || now.UnixNano() >= signed.nanos(0) {
		return ""
	}
	return string(signed[8:])
}

// withAssertion returns k with a new assertion, which is due again at a time.
func (k known) withAssertion(text string, due time.Time) known {
	p := packer(k[:k.offset(atSigned)])
	p = binary.LittleEndian.AppendUint64(p, uint64(due.UnixNano()))
	p = append(p, text...)
	binary.LittleEndian.PutUint32(p[atSize:], uint32(len(p)))
	return known(p)
}

// sameUser reports whether k and other are of one user.
func (k known) sameUser(other known) bool {
	one, two := k.identity(), other.identity()
	return one.User == two.User && one.Realm == two.Realm
}

// fields returns what FieldOf says of who k is.
func (k known) fields() func(name string) (value string, exists bool) {
	return func(name string) (string, bool) {
		who := k.identity()
		return FieldOf(name, &who)
	}
}

// identity returns who k is. Its texts are parts of k.
func (k known) identity() core.Identity {
	var f facts
	f.rest(f.read(k))
	return f.who
}
