package guard

import (
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/core"
)

// known is a token and who it stands for, as it was read once. All but its atomics is fixed.
type known struct {
	// What a hit looks at lies together, to be fetched from memory at once.
	token   string
	asOf    uint64       // the news that had been heard when the read began
	stamps  [2]uint32    // of the user and of the session: where news of them is noted
	expires int64        // nanoseconds since the epoch
	recheck atomic.Int64 // nanoseconds since the epoch: from when on it should be read again; never while that is under way
	used    atomic.Bool  // since the hand of its shard's clock last passed

	sendable fieldSet
	slot     int32 // in its shard's ring; guarded by the shard
	hash     uint64
	identity core.Identity
}

const never = math.MaxInt64

// newKnown returns what was read of a token. All texts are copied into one, which keeps nothing else alive and spares
// the garbage collector most of its work.
func newKnown(token string, who core.Identity, asOf uint64) *known {
	k := &known{asOf: asOf, expires: who.ExpiresAt.UnixNano()}
	k.token, k.identity = pack(token, who)
	k.sendable = sendableFields(&k.identity)
	k.recheck.Store(never)
	if !who.RecheckAt.IsZero() {
		k.recheck.Store(who.RecheckAt.UnixNano())
	}
	return k
}

// pack returns both with all their texts in one allocation. The realm, which they share, stays as it is.
func pack(token string, who core.Identity) (string, core.Identity) {
	texts := [...]string{token, string(who.User), string(who.Session), string(who.Type), who.Username, who.Email, who.Name, who.ArbitraryID}
	all := strings.Join(texts[:], "")
	for i, t := range texts {
		texts[i], all = all[:len(t)], all[len(t):]
	}
	who.User, who.Session, who.Type = core.UserID(texts[1]), core.SessionID(texts[2]), core.UserType(texts[3])
	who.Username, who.Email, who.Name, who.ArbitraryID = texts[4], texts[5], texts[6], texts[7]
	return texts[0], who
}

// due reports whether k should be read again, to one caller only.
func (k *known) due(now time.Time) bool {
	at := k.recheck.Load()
	return at <= now.UnixNano() && k.recheck.CompareAndSwap(at, never)
}

// use notes that k was of use. It writes only where that is news, so that cores do not fight over a popular token.
func (k *known) use() {
	if !k.used.Load() {
		k.used.Store(true)
	}
}
