package redisstore

import (
	"context"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/core"
)

// bells wake those who wait for entries of a log. All share one pub/sub connection, made when somebody
// first waits. It may fail, and announcements be lost: then those who wait find out at their next poll.
// Safe for concurrent use.
type bells struct {
	open    func() *redis.PubSub // asks nothing of Redis yet
	channel string

	mu      sync.Mutex
	pubsub  *redis.PubSub // nil until somebody waits, and after close
	closed  bool
	waiting map[string]map[chan struct{}]struct{} // by log, as core.Log says it
	done    sync.WaitGroup
}

func newBells(open func() *redis.PubSub, channel string) *bells {
	return &bells{open: open, channel: channel, waiting: make(map[string]map[chan struct{}]struct{})}
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
		b.done.Go(func() { // not here: a Redis that does not answer would hold up everybody who listens
			_ = pubsub.Subscribe(context.Background(), b.channel) // what fails is tried again by the client
			b.hear(pubsub.ChannelWithSubscriptions())
		})
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

// hear rings for what is announced. When the connection is made, or made again, it rings for everybody:
// announcements may have been lost before.
func (b *bells) hear(messages <-chan any) {
	for m := range messages {
		switch m := m.(type) {
		case *redis.Message:
			b.ring(m.Payload)
		case *redis.Subscription:
			b.ringAll()
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
