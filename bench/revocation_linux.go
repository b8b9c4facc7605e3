package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/postern-auth/postern/core"
)

// maxStaleness is for how long a verdict is relied on while the store is silent: the sidecar's default.
const maxStaleness = 5 * time.Second

// nodes are two sidecars over one Redis: one is told to end sessions, and the other, whose way to Redis can be
// cut, is to refuse them.
type nodes struct {
	*population
	redis      *redisServer
	way        *way
	upstream   *httptest.Server
	api, guard string // URLs
	next       int    // the place of the next session to end, from the end
}

// measureRevocation is goal P5.
func measureRevocation(ctx context.Context, b *bench) error {
	if err := b.populate(ctx); err != nil {
		return err
	}
	n, err := b.startNodes(ctx)
	if err != nil {
		return err
	}
	defer n.upstream.Close()
	defer n.way.close()
	if err := n.quick(ctx, b); err != nil {
		return err
	}
	for range b.rounds(1, 5) {
		for _, c := range []cut{
			{name: "its way to Redis falls silent", cut: n.way.setter(silent), heal: n.way.setter(open)},
			{name: "its way to Redis breaks", cut: n.way.setter(broken), heal: n.way.setter(open)},
			{name: "Redis itself stops", cut: n.redis.pause, heal: n.redis.resume, all: true},
		} {
			if err := n.measureCut(ctx, b, c); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

// startNodes starts them.
func (b *bench) startNodes(ctx context.Context) (*nodes, error) {
	up := startUpstream()
	upstream := up.Listener.Addr().String()
	w, err := newWay(b.redis.addr)
	if err != nil {
		return nil, err
	}
	_, _, api, err := b.startSidecar(ctx, anyCore, b.redis.url(), upstream, b.crowd.tokens[0])
	if err != nil {
		return nil, err
	}
	_, listen, _, err := b.startSidecar(ctx, anyCore, "redis://"+w.addr(), upstream, b.crowd.tokens[0])
	if err != nil {
		return nil, err
	}
	return &nodes{population: b.crowd, redis: b.redis, way: w, upstream: up, api: "http://" + api + "/v1", guard: "http://" + listen + "/",
		next: len(b.crowd.tokens)}, nil
}

// quick measures revocations while all is well.
func (n *nodes) quick(ctx context.Context, b *bench) error {
	var sent, acknowledged []float64
	for range b.rounds(300, 2000) {
		token, session := n.take()
		if err := n.admits(ctx, token); err != nil {
			return err
		}
		refused := make(chan time.Time, 1)
		failed := make(chan error, 1)
		go func() {
			at, err := n.poll(ctx, token, 0)
			refused <- at
			failed <- err
		}()
		begun := time.Now()
		if err := n.end(ctx, session); err != nil {
			return err
		}
		done := time.Now()
		at := <-refused
		if err := <-failed; err != nil {
			return err
		}
		sent = append(sent, at.Sub(begun).Seconds()*1000)
		acknowledged = append(acknowledged, max(0, at.Sub(done).Seconds()*1000))
	}
	slices.Sort(sent)
	slices.Sort(acknowledged)
	at := func(v []float64, percent int) float64 { return v[min(len(v)-1, len(v)*percent/100)] }
	b.judge(at(sent, 99) <= 10, line{What: "from DELETE sent to one node, to the other's first 401: p99", Value: at(sent, 99), Unit: "ms",
		Detail: fmt.Sprintf("%d times, p50 %s, most %s", len(sent), number(at(sent, 50)), number(sent[len(sent)-1])), Limit: "<= 10"})
	b.add(line{What: "from the DELETE's answer: p99", Value: at(acknowledged, 99), Unit: "ms",
		Detail: fmt.Sprintf("p50 %s, most %s", number(at(acknowledged, 50)), number(acknowledged[len(acknowledged)-1]))})
	return nil
}

// cut is a way to keep news from a node.
type cut struct {
	name      string
	cut, heal func() error
	all       bool // the other node is cut off too, so that no session can be ended
}

// settle is how long a node is left alone before a cut, so that it is current again after the one before.
const settle = 3 * time.Second

// measureCut ends a session that the node cannot hear of, and waits until it is refused all the same.
func (n *nodes) measureCut(ctx context.Context, b *bench, c cut) error {
	token, session := n.take()
	kept := n.tokens[1]
	time.Sleep(settle)
	if err := errors.Join(n.admits(ctx, token), n.admits(ctx, kept)); err != nil {
		return err
	}
	if err := c.cut(); err != nil {
		return err
	}
	begun := time.Now()
	if !c.all {
		if err := n.end(ctx, session); err != nil {
			return errors.Join(err, c.heal())
		}
	}
	last, err := n.poll(ctx, token, time.Millisecond)
	if err = errors.Join(err, c.heal()); err != nil {
		return err
	}
	relied := last.Sub(begun)
	healed := time.Now()
	for n.admits(ctx, kept) != nil {
		if time.Since(healed) > 30*time.Second {
			return errors.New("the node does not recover")
		}
		time.Sleep(time.Millisecond)
	}
	recovered := time.Since(healed)
	why := ""
	if !c.all {
		if status, err := get(ctx, n.guard, token); err != nil || status != http.StatusUnauthorized {
			why = fmt.Sprintf("after that the ended session gets %d, %v", status, err)
		}
	}
	b.judge(relied <= maxStaleness && why == "", line{What: c.name + ": until the node no longer relies on what it knew", Value: relied.Seconds(),
		Unit: "s", Detail: "back " + recovered.Round(time.Millisecond).String() + " after it is healed", Limit: "<= max_staleness = 5", Why: why})
	return nil
}

// take returns a session that was not ended yet.
func (n *nodes) take() (string, core.SessionID) {
	n.next--
	return n.tokens[n.next], n.sessions[n.next]
}

// keptClient keeps connections, one for each of those who poll and end.
var keptClient = &http.Client{Timeout: 15 * time.Second}

// ask returns the status that a token gets.
func (n *nodes) ask(ctx context.Context, token string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.guard, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return status(r)
}

// status sends a request.
func status(r *http.Request) (int, error) {
	answer, err := keptClient.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, errors.Join(err, answer.Body.Close())
}

// admits asks once, and fails where that is refused.
func (n *nodes) admits(ctx context.Context, token string) error {
	if got, err := n.ask(ctx, token); err != nil || got != http.StatusOK {
		return fmt.Errorf("the token gets %d, %w; want 200", got, err)
	}
	return nil
}

// poll asks again and again until the answer is not 200. It returns when the first refusal came; where it pauses, when the
// last 200 did.
func (n *nodes) poll(ctx context.Context, token string, pause time.Duration) (time.Time, error) {
	last := time.Now()
	for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(pause) {
		got, err := n.ask(ctx, token)
		switch {
		case err != nil:
			return last, err
		case got != http.StatusOK && pause == 0:
			return time.Now(), nil
		case got != http.StatusOK:
			return last, nil
		}
		last = time.Now()
	}
	return last, errors.New("the ended session is never refused")
}

// end ends a session, at the other node.
func (n *nodes) end(ctx context.Context, session core.SessionID) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, n.api+"/sessions/"+string(session), nil)
	if err != nil {
		return err
	}
	r.Header.Set("X-Authrocket-Api-Key", n.managementKey)
	r.Header.Set("X-Authrocket-Realm", string(n.realm))
	if got, err := status(r); err != nil || got != http.StatusNoContent {
		return fmt.Errorf("DELETE of a session gets %d, %w", got, err)
	}
	return nil
}

// wayState is what a way does with what it is to carry.
type wayState int

const (
	open   wayState = iota
	silent          // holds it back
	broken          // drops connections, and takes no new ones
)

// way carries connections to Redis, unless it is told not to.
type way struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	changed sync.Cond
	state   wayState
	conns   map[net.Conn]bool
}

// newWay opens a way to an address.
func newWay(target string) (*way, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &way{listener: l, target: target, conns: map[net.Conn]bool{}}
	w.changed.L = &w.mu
	go w.serve()
	return w, nil
}

// addr returns where it begins.
func (w *way) addr() string { return w.listener.Addr().String() }

// set changes what it does.
func (w *way) set(s wayState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = s
	if s == broken {
		for c := range w.conns {
			_ = c.Close()
		}
		clear(w.conns)
	}
	w.changed.Broadcast()
}

// setter returns set for one state.
func (w *way) setter(s wayState) func() error {
	return func() error { w.set(s); return nil }
}

// close ends it.
func (w *way) close() {
	_ = w.listener.Close()
	w.set(broken)
}

// serve takes connections.
func (w *way) serve() {
	for {
		c, err := w.listener.Accept()
		if err != nil {
			return
		}
		r, err := net.Dial("tcp", w.target)
		if err != nil || !w.take(c, r) {
			_ = c.Close()
			if err == nil {
				_ = r.Close()
			}
			continue
		}
		go w.carry(r, c)
		go w.carry(c, r)
	}
}

// take notes a pair of connections, unless the way is broken.
func (w *way) take(pair ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == broken {
		return false
	}
	for _, c := range pair {
		w.conns[c] = true
	}
	return true
}

// carry copies one direction.
func (w *way) carry(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		w.mu.Lock()
		for w.state == silent {
			w.changed.Wait()
		}
		w.mu.Unlock()
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
