package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// How a call is tried again.
const (
	maxAttempts = 3
	backoff     = 10 * time.Millisecond // before the second attempt, on average; then twice as long
)

// call is a script to run on one partition.
type call struct {
	script *script
	keys   []string // at least one
	args   []any    // but for the call number

	reply []any // but for the call number; set by a run that succeeded
}

// action is what a method of Store does with its calls.
type action struct {
	name    string // for errors
	write   bool   // changes data
	repeats bool   // may be sent again when an answer was lost
	durable bool   // is done only when the server says that it is safe
}

// run runs the calls in one round trip, again if need be and allowed, all within the call timeout.
func (s *Store) run(ctx context.Context, a action, calls ...*call) error {
	whole := false // send the scripts' text: the server does not know their digests
	return s.persist(ctx, a, func(ctx context.Context) error {
		if len(calls) == 0 {
			return nil
		}
		err := s.attempt(ctx, a, whole, calls)
		whole = whole || redis.HasErrorPrefix(err, "NOSCRIPT")
		return err
	})
}

// persist makes an attempt, and more of them if need be and allowed, all within the call timeout. What it
// returns wraps what core.Store promises.
func (s *Store) persist(ctx context.Context, a action, attempt func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("redisstore: %s: %w", a.name, err)
	}
	within, cancel := context.WithTimeout(ctx, s.options.CallTimeout)
	defer cancel()
	overall := refused
	for n := 1; ; n++ {
		err := attempt(within)
		if err == nil {
			return nil
		}
		v := s.judge(err)
		if v == broken || v == lost {
			overall = v
		}
		again := v == retry || v == lost && a.repeats
		if !again || n == maxAttempts || !pause(within, n) {
			return failure(ctx, a, overall, err)
		}
	}
}

// judge says what an attempt has done. A Cluster client may have tried by itself before, so that a refusal
// tells of its last try only.
func (s *Store) judge(err error) verdict {
	v := judge(err)
	if s.cluster != nil && v == retry && !redis.HasErrorPrefix(err, "NOSCRIPT") {
		return lost
	}
	return v
}

// pause waits a little after the n-th attempt, and reports whether there is time for one.
func pause(ctx context.Context, n int) bool {
	average := backoff << (n - 1)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(average/2 + rand.N(average)):
		return true
	}
}

// attempt sends all calls at once and reads their replies.
func (s *Store) attempt(ctx context.Context, a action, whole bool, calls []*call) error {
	if len(calls) == 1 && !a.durable {
		return s.read(calls[0], s.send(ctx, s.client, whole, calls[0]))
	}
	pipe, err := s.pipeline(ctx, a, calls[0])
	if err != nil {
		return err
	}
	sent := make([]sending, len(calls))
	for i, c := range calls {
		sent[i] = s.send(ctx, pipe, whole, c)
	}
	var waiting redis.Cmder
	if a.durable {
		waiting = s.waitCommand(ctx, pipe)
	}
	_, failed := pipe.Exec(ctx)
	for i, c := range calls {
		if err := s.read(c, sent[i]); err != nil {
			return err
		}
	}
	if a.durable && changed(calls[0].reply) {
		return s.confirmed(waiting)
	}
	return failed
}

// pipeline returns a pipeline. One that ends with a wait goes to a single server, as WAIT vouches for its own
// connection only.
func (s *Store) pipeline(ctx context.Context, a action, first *call) (redis.Pipeliner, error) {
	if s.cluster == nil || !a.durable {
		return s.client.Pipeline(), nil
	}
	node, err := s.cluster.MasterForKey(ctx, first.keys[0])
	if err != nil {
		return nil, &dialError{err}
	}
	return node.Pipeline(), nil
}

// sending is a call under way.
type sending struct {
	number string
	cmd    *redis.Cmd
}

// send sends a call, or queues it if to is a pipeline.
func (s *Store) send(ctx context.Context, to redis.Scripter, whole bool, c *call) sending {
	number := strconv.FormatUint(s.calls.Add(1), 36)
	args := append([]any{number}, c.args...)
	if whole {
		return sending{number, to.Eval(ctx, c.script.source, c.keys, args...)}
	}
	return sending{number, to.EvalSha(ctx, c.script.digest, c.keys, args...)}
}

// read reads the reply to a call, which must bear its number: a reply that went astray, or that came to
// us by mistake, must never pass for ours. After one, no connection can be trusted.
func (s *Store) read(c *call, sent sending) error {
	if err := sent.cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	reply, err := sent.cmd.Slice()
	if err != nil || len(reply) == 0 || reply[0] != any(sent.number) {
		s.conns.breakAll()
		return errShifted
	}
	c.reply = reply[1:]
	return nil
}
