package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
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
	words  []any    // the command: three words that command sets, the keys, the call number, the arguments
	texts  []string // those of the arguments that words point to
	room   room     // where keys and texts may stand

	number string // of the last attempt
	reply  []any  // but for the call number; set by a run that succeeded
}

// keysAt is where the keys stand among a call's words.
const keysAt = 3

// calls are those that were freed.
var calls = sync.Pool{New: func() any { return new(call) }}

// newCall returns a call with room for its keys, which must be as many in the end, and for arguments, some of which are texts.
// It may be freed.
func newCall(s *script, keys, args, texts int) *call {
	c := calls.Get().(*call)
	c.script, c.keys, c.texts = s, slices.Grow(c.keys, keys), slices.Grow(c.texts, texts)
	c.words = slices.Grow(c.words, keysAt+keys+1+args)[:keysAt+keys+1]
	c.words[keysAt+keys] = &c.number
	return c
}

// free lets another call use the room of this one, of which nobody may hold a part: neither keys nor reply are theirs. The client holds
// none: it copies words into a connection's buffer while Process and Exec run, in the goroutine that calls them or, for a Cluster's
// pipelines, in some that it waits for; shows hooks and meters a command during that time alone; and keeps nothing of it after,
// whatever the error, in which there is nothing of it either.
func (c *call) free() {
	clear(c.keys)
	clear(c.words)
	clear(c.texts)
	clear(c.room)
	*c = call{keys: c.keys[:0], words: c.words[:0], texts: c.texts[:0], room: c.room[:0]}
	if cap(c.room) > maxRoomKept {
		c.room = nil
	}
	calls.Put(c)
}

// maxRoomKept is the largest room, in bytes, that is used again: a batch of events has as much.
const maxRoomKept = 128 << 10

// key adds a key.
func (c *call) key(key string) {
	c.keys = append(c.keys, key)
	c.words[keysAt+len(c.keys)-1] = &c.keys[len(c.keys)-1]
}

// arg adds arguments. Texts may be pointers, which cost no allocation.
func (c *call) arg(args ...any) { c.words = append(c.words, args...) }

// text adds an argument. It costs no allocation.
func (c *call) text(text string) {
	c.texts = append(c.texts, text)
	c.arg(&c.texts[len(c.texts)-1])
}

// add adds a key with its arguments.
func (c *call) add(key string, args ...any) {
	c.key(key)
	c.arg(args...)
}

// action is what a method of Store does with its calls.
type action struct {
	name    string // for errors
	write   bool   // changes data
	repeats bool   // may be sent again when an answer was lost
	durable bool   // is done only when the server says that it is safe
	brief   bool   // reads a little: many of them share a round trip
}

// run runs the calls in one round trip, again if need be and allowed, all within the call timeout.
func (s *Store) run(ctx context.Context, a action, calls ...*call) error {
	whole := false // send the scripts' text: the server does not know their digests
	return s.persist(ctx, a, func(ctx context.Context) error {
		if len(calls) == 0 {
			return nil
		}
		err := s.attempt(ctx, a, whole, calls)
		whole = whole || err != nil && redis.HasErrorPrefix(err, "NOSCRIPT")
		return err
	})
}

// persist makes an attempt, and more of them if need be and allowed, all within the call timeout. What it
// returns wraps what core.Store promises.
func (s *Store) persist(ctx context.Context, a action, attempt func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("redisstore: %s: %w", a.name, err)
	}
	within := until(ctx, time.Now().Add(s.options.CallTimeout))
	overall := refused
	for n := 1; ; n++ {
		err := attempt(within)
		if err == nil {
			return nil
		}
		v := s.judge(a, err)
		if s.cluster != nil {
			s.cluster.ReloadState(ctx) // in the background: its client asks who has the slots if a node says that it has not, else once a minute
		}
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
// tells of its last try only, but where pipeline has chosen the node.
func (s *Store) judge(a action, err error) verdict {
	v := judge(err)
	if s.cluster != nil && !a.durable && v == retry && !redis.HasErrorPrefix(err, "NOSCRIPT") {
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
		return ctx.Err() == nil
	}
}

// deadline is a context that is over at a time, and rings no bell then: whoever waits under it does so on a connection, which
// gets its deadline from here, or for as long as the pool lets them. It costs a call no timer.
type deadline struct {
	context.Context
	at time.Time
}

// until returns a context that ends with ctx, and at the latest at a time.
func until(ctx context.Context, at time.Time) context.Context {
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(at) {
		return ctx
	}
	return deadline{ctx, at}
}

// Deadline returns when it is over.
func (d deadline) Deadline() (time.Time, bool) { return d.at, true }

// Err says whether it is over.
func (d deadline) Err() error {
	if err := d.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(d.at) {
		return context.DeadlineExceeded
	}
	return nil
}

// attempt sends all calls at once and reads their replies.
func (s *Store) attempt(ctx context.Context, a action, whole bool, calls []*call) error {
	sent := make([]redis.Cmder, len(calls))
	for i, c := range calls {
		sent[i] = s.command(ctx, whole, c)
	}
	if a.durable {
		return s.attemptDurable(ctx, calls, sent)
	}
	switch {
	case a.brief && s.cluster == nil && s.patient(ctx):
		s.convoys.carry(ctx, sent)
	case len(sent) == 1:
		_ = s.client.Process(ctx, sent[0])
	default:
		pipe := s.client.Pipeline()
		_ = pipe.BatchProcess(ctx, sent...)
		_, _ = pipe.Exec(ctx)
	}
	return s.read(calls, sent) // each command has its error
}

// patient reports whether there is time enough for a server to answer, so that whoever shares a round trip is not cut short.
func (s *Store) patient(ctx context.Context) bool {
	at, _ := ctx.Deadline()
	return time.Until(at) >= s.options.ReadTimeout
}

// attemptDurable is attempt for calls whose first is to be safe before it counts as done.
func (s *Store) attemptDurable(ctx context.Context, calls []*call, sent []redis.Cmder) error {
	pipe, err := s.pipeline(ctx, calls[0])
	if err != nil {
		return err
	}
	_ = pipe.BatchProcess(ctx, sent...)
	waiting := s.waitCommand(ctx, pipe)
	_, failed := pipe.Exec(ctx)
	if err := s.read(calls, sent); err != nil {
		return err
	}
	if changed(calls[0].reply) {
		return s.confirmed(waiting)
	}
	return failed
}

// pipeline returns a pipeline that ends with a wait. It goes to a single server, as WAIT vouches for its own connection only.
func (s *Store) pipeline(ctx context.Context, first *call) (redis.Pipeliner, error) {
	if s.cluster == nil {
		return s.client.Pipeline(), nil
	}
	node, err := s.cluster.MasterForKey(ctx, first.keys[0])
	if err != nil {
		return nil, &dialError{err}
	}
	return node.Pipeline(), nil
}

// command spells a call out for the server, by the script's digest or whole, under a number that no other has.
func (s *Store) command(ctx context.Context, whole bool, c *call) redis.Cmder {
	c.number = strconv.FormatUint(s.calls.Add(1), 36)
	c.words[0], c.words[1], c.words[2] = "evalsha", &c.script.digest, len(c.keys)
	if whole {
		c.words[0], c.words[1] = "eval", &c.script.source
	}
	return redis.NewCmd(ctx, c.words...)
}

// read reads the replies to calls, which must bear their numbers: a reply that went astray, or that came to us by mistake, must
// never pass for ours. After one, no connection can be trusted.
func (s *Store) read(calls []*call, sent []redis.Cmder) error {
	for i, c := range calls {
		cmd := sent[i].(*redis.Cmd)
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		reply, err := cmd.Slice()
		if err != nil || len(reply) == 0 || reply[0] != any(c.number) {
			s.conns.breakAll()
			return errShifted
		}
		c.reply = reply[1:]
	}
	return nil
}
