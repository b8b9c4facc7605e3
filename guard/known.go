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
	token    string
	identity core.Identity
	sendable fieldSet

	asOf    uint64    // the news that had been heard when the read began
	stamps  [2]uint32 // of the user and of the session: where news of them is noted
	hash    uint64
	slot    int          // in its shard's ring; guarded by the shard
	used    atomic.Bool  // since the hand of its shard's clock last passed
	recheck atomic.Int64 // nanoseconds since the epoch: from when on it should be read again; never while that is under way
}

const never = math.MaxInt64

// newKnown returns what was read of a token. It keeps nothing that it was given alive: all texts are copied into one,
// which also spares the garbage collector most of its work.
func newKnown(token string, who core.Identity, asOf uint64) *known {
	k := &known{asOf: asOf, identity: who}
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
