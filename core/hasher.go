package core

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// queuePerSlot is how many may wait for each password hash being computed.
const queuePerSlot = 16

// ErrBusy says that more passwords are being checked than this machine can bear. It counts as no attempt.
var ErrBusy = &Error{Kind: KindUnavailable, Code: "busy", Detail: "too many sign-ins at once; try again shortly", RetryAfter: 2 * time.Second}

// hasher computes password hashes, no more at once than there are slots, with a short queue before them:
// a flood of sign-ins costs neither the memory nor the latency of everything else. Safe for concurrent use.
type hasher struct {
	params  params
	random  io.Reader
	slots   chan struct{}
	waiting atomic.Int64
	decoy   phc // what a password is compared with where there is none, at the same cost
}

func newHasher(slots int, p params, random io.Reader) *hasher {
	return &hasher{params: p, random: random, slots: make(chan struct{}, slots),
		decoy: phc{params: p, salt: make([]byte, saltSize), hash: make([]byte, hashSize)}}
}

// admit waits for a slot. It returns ErrBusy at once where the queue is full. The caller must call
// release.
func (h *hasher) admit(ctx context.Context) (release func(), err error) {
	if h.waiting.Add(1) > int64(cap(h.slots)*(1+queuePerSlot)) {
		h.waiting.Add(-1)
		return nil, ErrBusy
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; h.waiting.Add(-1) }, nil
	case <-ctx.Done():
		h.waiting.Add(-1)
		return nil, ctx.Err()
	}
}

// hash returns the text to keep for a password. The caller holds a slot.
func (h *hasher) hash(password []byte) (string, error) { return newPHC(h.random, h.params, password) }

// verify compares a password with a kept text, which may be "": then it costs the same and fails. stale
// says that the text should be made anew since what a hash costs has changed. The caller holds a slot.
func (h *hasher) verify(text string, password []byte) (ok, stale bool, err error) {
	if text == "" {
		h.decoy.matches(password)
		return false, false, nil
	}
	kept, err := parsePHC(text)
	if err != nil {
		h.decoy.matches(password)
		return false, false, err
	}
	return kept.matches(password), kept.params != h.params, nil
}
