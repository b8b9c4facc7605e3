package core

import (
	"sync"
	"time"
)

// How many deliveries are made at once.
const (
	deliveryPlaces   = 16
	deliveriesToHook = 4                      // at once
	placeTime        = 500 * time.Millisecond // for which a delivery may hold a place, by the machine's clock
)

// places says which deliveries may begin, so that hooks that do not answer hold up no other, however many they are: a bulkhead, and a
// circuit breaker for each hook. A delivery gives its place up after placeTime, and goes on without. A hook that then turns out
// to have failed is stuck: until a call to it goes well, or fails at once, it is called by one delivery at a time, which takes no place.
// So there are never more than four deliveries to a hook, and for each that hangs one in the long run. Safe for concurrent use.
type places struct {
	patience time.Duration // placeTime

	mu     sync.Mutex
	flying map[NotificationID]*flight // deliveries under way
	hooks  map[AppHookID]*calledHook  // those that are called or stuck
	taken  int                        // places
	made   int                        // how often room was made
	room   chan struct{}              // holds something once room was made
}

// flight is a delivery under way.
type flight struct {
	hook    AppHookID
	holds   bool // a place
	late    bool // it has taken longer than a place may be held
	expires *time.Timer
}

// calledHook is what is known of a hook that deliveries go to.
type calledHook struct {
	flights int
	stuck   bool // the latest call took long, and failed
}

func newPlaces() *places {
	return &places{patience: placeTime, flying: map[NotificationID]*flight{}, hooks: map[AppHookID]*calledHook{}, room: make(chan struct{}, 1)}
}

// full reports whether there is no place.
func (p *places) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken >= deliveryPlaces
}

// take notes that a delivery begins, unless it is under way or its hook has enough of them. Whoever took it calls leave.
func (p *places) take(id NotificationID, hook AppHookID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hooks[hook]
	if h == nil {
		h = &calledHook{}
	}
	if p.flying[id] != nil || h.flights >= deliveriesToHook || h.stuck && h.flights > 0 {
		return false
	}
	h.flights++
	f := &flight{hook: hook, holds: !h.stuck}
	if f.holds {
		p.taken++
	}
	p.hooks[hook], p.flying[id] = h, f
	f.expires = time.AfterFunc(p.patience, func() { p.expire(f) })
	return true
}

// expire takes its place from a delivery that has taken long.
func (p *places) expire(f *flight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.late = true
	if f.holds {
		p.vacate(f)
	}
}

// leave notes that a delivery has ended, and what its call came to; nil = none was made.
func (p *places) leave(id NotificationID, call *Attempted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.flying[id]
	f.expires.Stop()
	delete(p.flying, id)
	h := p.hooks[f.hook]
	h.flights--
	if call != nil {
		h.stuck = f.late && call.Result == NotDelivered
	}
	if h.flights == 0 && !h.stuck {
		delete(p.hooks, f.hook)
	}
	p.vacate(f)
}

// vacate frees the place of a delivery, and says that there is room: for another, or to its hook. p.mu is held.
func (p *places) vacate(f *flight) {
	if f.holds {
		f.holds = false
		p.taken--
	}
	p.made++
	select {
	case p.room <- struct{}{}:
	default:
	}
}

// madeSoFar returns how often room was made.
func (p *places) madeSoFar() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}
