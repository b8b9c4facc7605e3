package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/core"
)

// bells wake those who wait for entries of a log. All share one pub/sub connection, made when somebody
// first waits. It may fail, and announcements be lost: then those who wait find out at their next poll.
// Safe for concurrent use.
type bells struct {
	open      func() *redis.PubSub // asks nothing of Redis yet
	channel   string
	pingEvery time.Duration // pingEvery, but in a test

	mu      sync.Mutex
	pubsub  *redis.PubSub // nil until somebody waits, and after close
	closed  bool
	waiting map[string]map[chan struct{}]struct{} // by log, as core.Log says it
	done    sync.WaitGroup
}

func newBells(open func() *redis.PubSub, channel string) *bells {
	return &bells{open: open, channel: channel, pingEvery: pingEvery, waiting: make(map[string]map[chan struct{}]struct{})}
}

// listen returns a channel that has something in it whenever one of the logs may have got entries since it was last
// empty. It must be given back with leave.
func (b *bells) listen(logs []core.LogPosition) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	bell := make(chan struct{}, 1)
	for _, l := range logs {
		name := l.Log.String()
		if b.waiting[name] == nil {
			b.waiting[name] = make(map[chan struct{}]struct{})
		}
		b.waiting[name][bell] = struct{}{}
	}
	if b.pubsub == nil && !b.closed {
		pubsub := b.open()
		b.pubsub = pubsub
		b.done.Go(func() { b.hear(pubsub) }) // not here: a Redis that does not answer would hold up everybody who listens
	}
	return bell
}

// leave ends what listen began.
func (b *bells) leave(logs []core.LogPosition, bell chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range logs {
		name := l.Log.String()
		delete(b.waiting[name], bell)
		if len(b.waiting[name]) == 0 {
			delete(b.waiting, name)
		}
	}
}

const (
	pingEvery = 3 * time.Second        // so often the connection is tried, on which nothing may be announced for long
	pingFor   = 5 * time.Second        // and for so long
	mostLost  = 3                      // pings without any answer, after which it is made again
	hearAgain = 100 * time.Millisecond // pause after what could not be heard, from the second time on
)

// hear rings for what is announced, until the subscription is closed. When the connection is made, or made again, it rings for everybody:
// announcements may have been lost before; and one may have been in what could not be heard.
func (b *bells) hear(pubsub *redis.PubSub) {
	_ = pubsub.Subscribe(context.Background(), b.channel) // what fails is tried again by the client
	over := make(chan struct{})
	defer close(over)
	b.done.Go(func() { ping(pubsub, b.pingEvery, over) })
	for failed := false; ; {
		m, err := receive(pubsub, mostLost*b.pingEvery)
		if errors.Is(err, redis.ErrClosed) {
			return
		}
		if err != nil && failed {
			time.Sleep(hearAgain)
		}
		failed = err != nil
		switch m := m.(type) {
		case *redis.Message:
			b.ring(m.Payload)
		case *redis.Subscription, *unheard:
			b.ringAll()
		}
	}
}

// unheard stands for what came over a subscription and could not be read.
type unheard struct{}

// receive returns the next that comes over a subscription. Where nothing does for so long, not even the answer to a ping, the connection leads nowhere any more,
// though what is written to it may be taken for a quarter of an hour; then it fails, and the next makes another. A channel of go-redis's would be the end of the
// process where what comes is not formed as messages are: who reads for it panics, in a goroutine of its own.
func receive(pubsub *redis.PubSub, atMost time.Duration) (m any, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			m, err = &unheard{}, fmt.Errorf("redisstore: announcement: %v", p)
		}
	}()
	return pubsub.Receive(ctx) // which gives a connection up on which ctx ended
}

// ping tries the connection of a subscription now and again, until over. One that cannot be written to is made again.
func ping(pubsub *redis.PubSub, every time.Duration, over <-chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
			ctx, cancel := context.WithTimeout(context.Background(), pingFor)
			_ = pubsub.Ping(ctx)
			cancel()
		}
	}
}

// ring rings for what announcement has said.
func (b *bells) ring(announced string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	partition, logs, _ := strings.Cut(announced, " ")
	for log := range strings.SplitSeq(logs, " ") {
		for bell := range b.waiting[partition+" "+log] {
			pull(bell)
		}
	}
}

func (b *bells) ringAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, all := range b.waiting {
		for bell := range all {
			pull(bell)
		}
	}
}

// pull rings a bell that is not ringing yet.
func pull(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// close ends the subscription.
func (b *bells) close() {
	b.mu.Lock()
	b.closed = true
	pubsub := b.pubsub
	b.pubsub = nil
	b.mu.Unlock()
	if pubsub != nil {
		_ = pubsub.Close()
		b.done.Wait()
	}
}
