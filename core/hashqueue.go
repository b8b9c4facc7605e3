package core

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// queuePerSlot is how many may wait for each password hash being computed.
const queuePerSlot = 16

// ErrBusy says that more passwords are being checked than this machine can bear. It counts as no attempt.
var ErrBusy = &Error{Kind: KindUnavailable, Code: "busy", Detail: "too many passwords to check at once; try again shortly", RetryAfter: 2 * time.Second}

// busyTimes is after how many seconds at most those who are refused are told to come again. Each is told a time of their own from 1
// on, so that many who came at once do not come again at once.
const busyTimes = 5

// busy is ErrBusy, for one who is refused.
func busy() *Error {
	return ErrBusy.retryAfter(time.Duration(1+rand.IntN(busyTimes)) * time.Second) // a time to wait is no secret
}

// asker is whoever has a password hashed, as far as fairness goes: a realm, and in it an address that was seen and not only
// told of; "" is all others.
type asker struct {
	realm   RealmID
	address string
}

// hashQueue gives turns to those who have a password hashed, the oldest first. Where all places are taken, a newcomer gets the youngest
// of whoever holds most: first among realms, then among the addresses of a realm. So a flood from one realm or one address
// keeps nobody else from signing in, and has all the places as long as nobody else wants one. Fair queues of networks drop from the longest
// for the same reason (RFC 8290 §4.1). Safe for concurrent use.
type hashQueue struct {
	most int // places to wait in

	mu      sync.Mutex
	free    int // turns that nobody has; while there are some, nobody waits
	waiting []*waiter
}

// waiter holds a place.
type waiter struct {
	asker
	told chan error // once: nil when it is their turn, ErrBusy when somebody else has the place
}

// enter waits for a turn, which ends with leave. It returns ErrBusy where there is no place to wait in, or no longer.
func (q *hashQueue) enter(ctx context.Context, from asker) error {
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.mu.Unlock()
		return nil
	}
	if len(q.waiting) >= q.most && !q.makeRoom(from) {
		q.mu.Unlock()
		return busy()
	}
	w := &waiter{from, make(chan error, 1)}
	q.waiting = append(q.waiting, w)
	q.mu.Unlock()
	select {
	case err := <-w.told:
		return err
	case <-ctx.Done():
		q.abandon(w)
		return ctx.Err()
	}
}

// leave ends a turn, which is the oldest waiter's then.
func (q *hashQueue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.free++
		return
	}
	q.tell(0, nil)
}

// abandon gives up a place, or the turn that came of it in the same moment.
func (q *hashQueue) abandon(w *waiter) {
	q.mu.Lock()
	at := slices.Index(q.waiting, w)
	if at >= 0 {
		q.waiting = slices.Delete(q.waiting, at, at+1)
	}
	q.mu.Unlock()
	if at < 0 && <-w.told == nil {
		q.leave()
	}
}

// tell takes a waiter out of the queue and tells them why. The caller holds mu.
func (q *hashQueue) tell(at int, why error) {
	q.waiting[at].told <- why
	q.waiting = slices.Delete(q.waiting, at, at+1)
}

// makeRoom takes a place for a newcomer from whoever holds most, if that is more than the newcomer then has. The caller holds mu.
func (q *hashQueue) makeRoom(from asker) bool {
	realms, sources := map[RealmID]int{from.realm: 1}, map[asker]int{from: 1} // the newcomer's place among them
	for _, w := range q.waiting {
		realms[w.realm]++
		sources[w.asker]++
	}
	realm, least := from.realm, sources[from]
	for _, w := range q.waiting {
		if realms[w.realm] > realms[realm] {
			realm, least = w.realm, 0
		}
	}
	victim := -1
	for at, w := range slices.Backward(q.waiting) { // the youngest first
		if w.realm == realm && sources[w.asker] > least {
			victim, least = at, sources[w.asker]
		}
	}
	if victim < 0 {
		return false
	}
	q.tell(victim, busy())
	return true
}
