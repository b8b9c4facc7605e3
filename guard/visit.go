package guard

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/core"
)

// visit is a request under way, from Admit until its handler returns. A WebSocket, a stream of events and a long
// download are under way for long; they end when the user may no longer enter.
type visit struct {
	who     *standing // never altered, but replaced
	safe    bool      // it only reads; known where that matters, with Settings.StaleOK
	end     func()    // ends its context
	release func()    // gives back what that took; nil = nothing
	w       http.ResponseWriter
	checked int64 // nanoseconds since the epoch: when it was last known that the user may be here

	shard      *visitShard
	prev, next *visit
}

// visits are all requests under way that somebody made who is known. Safe for concurrent use.
type visits struct {
	shards [visitShards]visitShard
	turn   chan struct{} // holds one while there is something to review

	abandoned atomic.Bool   // nobody reviews them any more
	notice    time.Duration // for how long those last that are abandoned
}

const visitShards = 16

// visitShard is a part of them, in a ring that begins and ends with head.
type visitShard struct {
	mu   sync.Mutex
	head visit
	_    [48]byte
}

func newVisits() *visits {
	vs := &visits{turn: make(chan struct{}, 1), notice: confirmEvery}
	for i := range vs.shards {
		head := &vs.shards[i].head
		head.prev, head.next = head, head
	}
	return vs
}

// review has all visits looked at soon. It does not block.
func (vs *visits) review() {
	select {
	case vs.turn <- struct{}{}:
	default:
	}
}

// enter notes a visit.
func (vs *visits) enter(v *visit) {
	v.shard = &vs.shards[v.who.known.tag().low%visitShards]
	v.shard.mu.Lock()
	defer v.shard.mu.Unlock()
	v.prev, v.next = v.shard.head.prev, &v.shard.head
	v.prev.next, v.next.prev = v, v
	if vs.abandoned.Load() {
		vs.endSoon(v)
	}
}

// abandon has all visits end soon, those too that are yet to begin: nobody would notice if their user might no longer enter.
func (vs *visits) abandon() {
	vs.abandoned.Store(true)
	for i := range vs.shards {
		s := &vs.shards[i]
		s.mu.Lock()
		for v := s.head.next; v != &s.head; v = v.next {
			vs.endSoon(v)
		}
		s.mu.Unlock()
	}
}

// endSoon cuts a visit that lasts for longer than the notice.
func (vs *visits) endSoon(v *visit) { time.AfterFunc(vs.notice, v.cut) }

// none reports whether there are no visits.
func (vs *visits) none() bool {
	for i := range vs.shards {
		s := &vs.shards[i]
		s.mu.Lock()
		empty := s.head.next == &s.head
		s.mu.Unlock()
		if !empty {
			return false
		}
	}
	return true
}

// leave forgets a visit. There is none where v is nil.
func (v *visit) leave() {
	if v == nil {
		return
	}
	v.shard.mu.Lock()
	v.prev.next, v.next.prev = v.next, v.prev
	v.next = nil
	v.shard.mu.Unlock()
	if v.release != nil {
		v.release()
	}
}

// cut ends a visit, unless its handler has returned. Cancelling its context ends what a proxy does; who reads no context, such
// as a file server, finds its connection closed.
func (v *visit) cut() {
	v.shard.mu.Lock()
	defer v.shard.mu.Unlock()
	if v.next == nil {
		return
	}
	v.end()
	_ = http.NewResponseController(innermost(v.w)).SetWriteDeadline(time.Now()) // where it was taken over, its proxy closes it
}

// innermost returns the server's own writer, which bears to be told from elsewhere that it is over. What wraps it, such as Caddy's idle timeouts, is for the
// handler alone. Should that put the deadline off before a write has failed by it, the visit is cut again at the next review.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, wraps := w.(interface{ Unwrap() http.ResponseWriter })
		if !wraps {
			return w
		}
		w = outer.Unwrap()
	}
}

// Admit does what Prepare does for a request that v allows, and more: it gives a cookie past half its life a new token, and
// ends the request when its user may no longer enter, by cancelling its context. The handler is to answer by what Answer makes of w, and leave must be called
// when it has returned.
func (g *Guard) Admit(w http.ResponseWriter, r *http.Request, v Verdict) (admitted *http.Request, leave func()) {
	r, here := g.admit(w, r, &v)
	return r, here.leave
}

// admit is Admit, which returns the visit, nil where it is nobody's.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request, v *Verdict) (*http.Request, *visit) {
	if !v.admitted() {
		return g.prepare(r, v, &passage{Context: r.Context()}), nil
	}
	v.known.fetch() // while room is made for the visit
	if v.renews() {
		g.renewCookie(w, r, &v.standing)
	}
	here := &struct {
		passage
		visit
	}{}
	here.Context, here.end, here.release = ending(r)
	r = g.prepare(r, v, &here.passage)
	g.enter(w, r, v, &here.passage.who, &here.visit)
	return r, &here.visit
}

// escort is admit for a handler that asks nobody but the headers who a request comes from, and so needs no passage.
func (g *Guard) escort(w http.ResponseWriter, r *http.Request, v *Verdict) (*http.Request, *visit) {
	v.known.fetch() // while the headers are gone through
	former := passageOf(r.Context())
	if !v.admitted() {
		g.rewrite(r, v, former, nil)
		if mayHaveTrailers(r) {
			r = g.names.bare(r, v, r.Context())
		}
		return r, nil
	}
	if v.renews() {
		g.renewCookie(w, r, &v.standing)
	}
	if r.Header["Upgrade"] != nil {
		// It may last for days, and what is known lies in a book of 8 KiB (shelf), all of which is kept while a part of it is. Beside the
		// buffers of a request that is little, unless there are many that do not end, each with a book that was given up long ago.
		v.known = v.known.alone()
	}
	here := &struct {
		standing
		visit
		texts [4]string
	}{standing: v.standing}
	ctx, end, release := ending(r)
	here.end, here.release = end, release
	g.rewrite(r, v, former, here.texts[:])
	if release != nil || mayHaveTrailers(r) {
		r = g.names.withoutTrailers(r, ctx)
	}
	g.enter(w, r, v, &here.standing, &here.visit)
	return r, &here.visit
}

// enter notes a visit to r's end of who v allows.
func (g *Guard) enter(w http.ResponseWriter, r *http.Request, v *Verdict, who *standing, here *visit) {
	here.who, here.safe, here.w, here.checked = who, g.c.StaleOK > 0 && isSafe(r), w, v.at
	g.visits.enter(here)
}

const (
	reviewEvery   = time.Second     // how often visits are looked at where there is no news
	confirmEvery  = 5 * time.Second // while the feed is silent, how often the store is asked about each
	reviewTimeout = time.Second     // for one answer
	reviewers     = 16              // who ask at once
)

// watchVisits has the visits attended to, once there may be some.
func (g *Guard) watchVisits() { g.attending.Do(func() { g.crew.start(g.attend) }) }

// attend looks at visits when there is news, and every second, until ctx ends.
func (g *Guard) attend(ctx context.Context) {
	tick := time.NewTicker(reviewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-g.visits.turn:
		}
		g.reviewAll(ctx)
	}
}

// reviewAll asks again about all visits that there was news of or whose time is over and, while the feed is silent, about all
// others too. One for which the answer is no, or for which there is none, is cut: what is open for long is no safer
// than what is asked for now.
func (g *Guard) reviewAll(ctx context.Context) {
	now := g.now()
	h := g.home.Load() // nil while nobody came but users of issuers elsewhere
	var work sync.WaitGroup
	defer work.Wait()
	slots := make(chan struct{}, reviewers)
	for _, v := range g.visits.doubtful(now, h) {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			if !g.confirm(ctx, v, now) && ctx.Err() == nil {
				v.cut()
			}
		})
	}
}

// doubtful returns the visits to ask about.
func (vs *visits) doubtful(now time.Time, h *home) []*visit {
	var all []*visit
	at, fresh := now.UnixNano(), h == nil || h.watch.Fresh(now)
	due := func(v *visit) bool { return !fresh && (at-v.checked >= int64(confirmEvery) || !h.steady(v.checked)) }
	for i := range vs.shards {
		s := &vs.shards[i]
		s.mu.Lock()
		for v := s.head.next; v != &s.head; v = v.next {
			if v.who.overtaken() || at >= v.who.known.nanos(atExpires) || due(v) || v.who.unmet(now) != nil {
				all = append(all, v)
			}
		}
		s.mu.Unlock()
	}
	return all
}

// confirm reports whether who v is of may still be here.
func (g *Guard) confirm(ctx context.Context, v *visit, now time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	again := *v.who
	k, err := calmly(ctx, func(ctx context.Context) (known, error) { return g.readAgain(ctx, &again) })
	if err != nil {
		return !core.IsRefusal(err) && v.safe && !again.overtaken() &&
			now.UnixNano() < again.known.nanos(atExpires) && g.inGrace(v.checked, now)
	}
	again.known, again.by = k, g
	if again.unmet(now) != nil {
		return false
	}
	v.shard.mu.Lock()
	defer v.shard.mu.Unlock()
	v.who, v.checked = &again, now.UnixNano()
	return true
}
