package redisstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// How reads travel together.
const (
	convoysAtOnce  = 2                // round trips under way, while they come back in time
	convoyPatience = time.Millisecond // for which the first in line waits for that
	convoyLength   = 128              // passengers of one at most
)

// convoys lets reads share round trips. A read that finds few others under way goes at once, by itself. Those that come while
// enough are under way wait for one of them to come back, and go together in one pipeline: of what a short command costs this
// program and the server, more than half is the system calls that carry it. Nobody waits for company that is not there, nor
// for a server that is slow. Whoever has waited longest sends the pipeline; no goroutine is there for it. Safe for concurrent
// use.
type convoys struct {
	client   redis.UniversalClient
	patience time.Duration // convoyPatience, but in a test

	mu    sync.Mutex
	going int // convoys under way, or about to go
	line  []*passenger
}

// passenger is the commands of one attempt.
type passenger struct {
	commands []redis.Cmder
	until    time.Time // then nobody waits for the answers any more
	turn     chan bool // true: send a convoy; false: one has carried you
}

// carry sends commands and waits until each has its answer, or its error. Where they share a round trip, the earliest deadline
// among them ends it for all: a ctx that ends sooner than a server may take to answer is not for carry.
func (c *convoys) carry(ctx context.Context, commands []redis.Cmder) {
	p := &passenger{commands: commands}
	p.until, _ = ctx.Deadline()
	all := c.begin(p)
	if all == nil {
		all = c.wait(p)
	}
	if all == nil {
		return
	}
	defer c.end(all)
	c.send(ctx, all)
}

// begin returns the convoy that p sends at once. If it is nil, p is in line.
func (c *convoys) begin(p *passenger) []*passenger {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.going < convoysAtOnce {
		c.going++
		return c.gather(p)
	}
	p.turn = make(chan bool, 1)
	c.line = append(c.line, p)
	return nil
}

// wait returns the convoy that p sends in the end. It returns nil when somebody has carried p.
func (c *convoys) wait(p *passenger) []*passenger {
	late := time.NewTimer(c.patience)
	defer late.Stop()
	var sends bool
	select {
	case sends = <-p.turn:
	case <-late.C:
		if all := c.leave(p); all != nil {
			return all
		}
		sends = <-p.turn
	}
	if !sends {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gather(p)
}

// leave takes p out of the line, to go without waiting for others to come back, and returns the convoy that it sends. It returns
// nil where p is under way already.
func (c *convoys) leave(p *passenger) []*passenger {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.line, p)
	if at < 0 {
		return nil
	}
	c.line = slices.Delete(c.line, at, at+1)
	c.going++
	return c.gather(p)
}

// gather returns the convoy that p sends: p, and those in line now. Whoever comes later waits, or goes with another: what is counted
// as going has its passengers. It is called with the lock.
func (c *convoys) gather(p *passenger) []*passenger {
	n := min(len(c.line), convoyLength-1)
	all := append(append(make([]*passenger, 0, 1+n), p), c.line[:n]...)
	c.line = slices.Delete(c.line, 0, n)
	return all
}

// end tells those who were carried, and has the first in line send the next convoy.
func (c *convoys) end(all []*passenger) {
	for _, p := range all[1:] {
		p.turn <- false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.line) == 0 || c.going > convoysAtOnce {
		c.going--
		return
	}
	c.line[0].turn <- true
	c.line = slices.Delete(c.line, 0, 1)
}

// send makes the round trip. That the caller of one passenger has gone does not end it for the others.
func (c *convoys) send(ctx context.Context, all []*passenger) {
	if len(all) == 1 && len(all[0].commands) == 1 {
		_ = c.client.Process(ctx, all[0].commands[0]) // which has the error
		return
	}
	pipe := c.client.Pipeline()
	earliest := all[0].until
	for _, p := range all {
		_ = pipe.BatchProcess(ctx, p.commands...)
		if p.until.Before(earliest) {
			earliest = p.until
		}
	}
	if len(all) > 1 {
		ctx = until(context.WithoutCancel(ctx), earliest)
	}
	_, _ = pipe.Exec(ctx) // each command has its error
}
