package core

import (
	"context"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/core/internal/argon2"
)

// hasher computes password hashes, no more at once than there are slots, with a short queue before them, and on threads
// of low priority: a flood of sign-ins costs neither the memory nor the latency of everything else. Safe for
// concurrent use.
//
// A turn is more than a hash: the account is read in it and the attempt counted, which waits for the store. One turn more than
// slots, so that none is empty meanwhile, was tried: no more sign-ins, and other requests waited longer.
type hasher struct {
	params  params
	random  io.Reader
	turns   hashQueue // one for each slot
	workers workers
	shared  *sharedMemory
	decoy   phc         // what a password is compared with where there is none, at the same cost
	recent  recentTimes // that our own hashes took of late
	done    hashWork
}

// recentTimes are how long the last of something took. Safe for concurrent use.
type recentTimes struct {
	count atomic.Uint64
	times [16]atomic.Int64 // nanoseconds
}

// note adds a time, in the place of the oldest.
func (r *recentTimes) note(took time.Duration) {
	at := r.count.Add(1) - 1
	r.times[at%uint64(len(r.times))].Store(int64(took))
}

// any returns one of the times, or false where there is none. Many of them are spread as the times themselves are, which their
// mean would not be.
func (r *recentTimes) any() (time.Duration, bool) {
	known := min(r.count.Load(), uint64(len(r.times)))
	if known == 0 {
		return 0, false
	}
	took := r.times[rand.Uint64N(known)].Load() // a pause is no secret
	return time.Duration(took), took > 0
}

// hashWork counts what was computed, so that it can be seen that all sign-ins cost alike.
type hashWork struct {
	own      atomic.Int64 // hashes at our own cost, the decoy's among them
	imported atomic.Int64 // hashes of other kinds
	levelled atomic.Int64 // of these, those made to take as long as one of our own, or that took longer
}

func newHasher(slots int, p params, busy func(bool), random io.Reader) *hasher {
	return &hasher{params: p, random: random, workers: newWorkers(slots, busy),
		turns: hashQueue{free: slots, most: slots * queuePerSlot}, shared: newSharedMemory(slots, p),
		decoy: phc{params: p, salt: make([]byte, saltSize), hash: make([]byte, hashSize)}}
}

// admit waits for a turn. It returns ErrBusy at once where the queue is full, and later where somebody else gets the place. The
// caller must call release.
func (h *hasher) admit(ctx context.Context, from asker) (release func(), err error) {
	if err := h.turns.enter(ctx, from); err != nil {
		return nil, err
	}
	return h.turns.leave, nil
}

// compute does work on a worker, and returns how long that took.
func (h *hasher) compute(work func(*argon2.Memory)) (took time.Duration) {
	h.workers.do(func(m *argon2.Memory) {
		begun := time.Now()
		work(m)
		took = time.Since(begun)
	})
	return took
}

// hash returns the text to keep for a password. The caller has a turn.
func (h *hasher) hash(password []byte) (text string, err error) {
	h.own(func(m *argon2.Memory) { text, err = newPHC(h.random, h.params, m, password) })
	return text, err
}

// own computes one hash at our own cost.
func (h *hasher) own(compute func(*argon2.Memory)) {
	took := h.compute(compute)
	h.done.own.Add(1)
	h.recent.note(took)
}

// verify compares a password, as it was typed and as preparePassword made it, with what is kept, which may be nothing:
// then it costs the same and fails. stale says that the hash should be made anew, since it is of another kind or
// what a hash costs has changed. The caller has a turn.
func (h *hasher) verify(kept *password, typed string, prepared []byte) (ok, stale bool, err error) {
	if kept.Hash == "" {
		h.refuse(prepared)
		return false, false, nil
	}
	if kept.Imported {
		foreign, err := parseImportedHash(kept.Hash)
		if err != nil {
			h.refuse(prepared)
			return false, false, err
		}
		return h.foreign(foreign, []byte(typed)), readsAll(foreign, []byte(typed)), nil
	}
	own, err := parsePHC(kept.Hash)
	if err != nil {
		h.refuse(prepared)
		return false, false, err
	}
	if own.memory > h.params.memory { // in memory of its own: a worker's would stay as large
		defer h.shared.take(int(own.memory))()
		h.own(func(*argon2.Memory) { ok = own.matches(&argon2.Memory{Pause: giveWay}, prepared) })
		return ok, true, nil
	}
	h.own(func(m *argon2.Memory) { ok = own.matches(m, prepared) })
	return ok, own.params != h.params, nil
}

// refuse costs what a comparison does.
func (h *hasher) refuse(password []byte) {
	h.own(func(m *argon2.Memory) { h.decoy.matches(m, password) })
}

// nextToNothing is the part of what our own hash takes that a hash from elsewhere may take beside one.
const nextToNothing = 1. / 200

// foreign compares a password with a hash that came from elsewhere. One that is cheaper than ours takes as long as
// ours, so that who has one cannot be told from who has none, or is nobody. One that is dearer can be told, until its
// first sign-in replaces it. Beside one that takes next to nothing, as most of the cheap ones do, one of ours is computed: beside busy neighbours
// a thread that lingers for a time is mostly not at work when it is up, and some per cent late.
func (h *hasher) foreign(f importedHash, password []byte) (ok bool) {
	if kib := memoryOf(f); kib > 0 {
		defer h.shared.take(kib)()
	}
	usual, known := h.recent.any()
	h.compute(func(m *argon2.Memory) {
		begun := time.Now()
		ok = f.matches(password)
		if took := time.Since(begun); took < time.Duration(nextToNothing*float64(usual)) {
			h.decoy.matches(m, password)
		} else {
			linger(usual - took) // on the thread of the hash, as exactly as the kernel can
		}
	})
	h.done.imported.Add(1)
	if !known { // nothing to go by yet
		h.refuse(password)
		return ok
	}
	h.done.levelled.Add(1)
	return ok
}
