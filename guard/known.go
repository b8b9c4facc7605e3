package guard

import (
	"math"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/core"
)

// known is a credential and who it stands for, as it was read once. All but its atomics is fixed.
type known struct {
	tag     tag
	asOf    uint64       // the news that had been heard when the read began
	stamps  [3]uint32    // of the user, the session and the credential, or of what vouches for it elsewhere: where news of them is noted
	expires int64        // nanoseconds since the epoch
	recheck atomic.Int64 // nanoseconds since the epoch: from when on it should be read again; never while that is under way

	token   string
	byKey   bool         // an API key, and no session token
	address netip.Addr   // that an API key was shown from when it was read
	readAt  int64        // nanoseconds since the epoch
	renew   atomic.Int64 // likewise: from when on a cookie should get a new token; never while that is under way

	cache    *cache    // that remembers it
	by       *compiled // whose told it is
	told     []string  // what each of its headers says
	asserted atomic.Pointer[assertion]
	from     *outside // the issuer elsewhere that vouches for it; nil = it is one of ours
	identity core.Identity
}

const never = math.MaxInt64

// newKnown returns what was read of a credential. All texts are copied into one, which keeps nothing else alive and spares
// the garbage collector most of its work.
func newKnown(q *question, who core.Identity, now time.Time, g *Guard) *known {
	k := &known{cache: g.cache, by: g.c, tag: g.cache.tagger.tag(q.token, q.byKey), asOf: q.heard, stamps: g.cache.stampsOf(&who),
		expires: who.ExpiresAt.UnixNano(), byKey: q.byKey, address: q.address, readAt: now.UnixNano()}
	k.token, k.identity = pack(q.token, who)
	k.told = g.c.headers.told(&k.identity)
	k.recheck.Store(orNever(who.RecheckAt))
	k.renew.Store(orNever(who.RenewAt))
	return k
}

// orNever returns t in nanoseconds since the epoch, or never where it is zero.
func orNever(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return t.UnixNano()
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

// due reports whether what at says has come, to one caller only.
func due(at *atomic.Int64, now time.Time) bool {
	t := at.Load()
	return t <= now.UnixNano() && at.CompareAndSwap(t, never)
}

// overtaken reports whether there has been news of k since its read began.
func (k *known) overtaken() bool { return k.cache.overtaken(k.asOf, &k.stamps) }
