package redisstore

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/core"
)

// announceEvery is how often this process announces entries of one log that are in no hurry: well within core.HearsayDelay.
const announceEvery = 25 * time.Millisecond

// announcement returns what is published where tx has appended to logs: "<partition> <log> ...", "" where it appends to none.
func announcement(tx *core.Transaction) string {
	if len(tx.Append) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(tx.Partition.String())
	for i, entry := range tx.Append {
		if i == 0 || entry.Log != tx.Append[i-1].Log {
			b.WriteByte(' ')
			b.WriteString(entry.Log)
		}
	}
	return b.String()
}

// unhurried reports whether all that tx appends may be heard of a little later.
func unhurried(tx *core.Transaction) bool {
	for _, entry := range tx.Append {
		if !entry.Unhurried {
			return false
		}
	}
	return len(tx.Append) > 0
}

// announcements bound how often entries are announced that are in no hurry, since each message wakes whoever listens, in every
// process. The first goes out at once, with the script that appends the entry; for those that come within the next 25 ms
// one more goes out at their end. Safe for concurrent use.
type announcements struct {
	publish func(what string)

	mu     sync.Mutex
	lately map[string]bool // what was announced a moment ago, and whether it is to be once more
}

func newAnnouncements(client redis.UniversalClient, channel string, patience time.Duration) *announcements {
	return &announcements{lately: map[string]bool{}, publish: func(what string) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = client.Publish(ctx, channel, what).Err() // whoever waits finds out at the next poll
	}}
}

// now reports whether something may be announced at once. If not, later is to be called when it has happened.
func (a *announcements) now(what string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, lately := a.lately[what]; lately {
		return false
	}
	a.lately[what] = false
	a.wait(what)
	return true
}

// later has something announced that has happened, within announceEvery.
func (a *announcements) later(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, lately := a.lately[what]; !lately {
		a.wait(what)
	}
	a.lately[what] = true
}

// wait has what comes from now on announced together.
func (a *announcements) wait(what string) {
	time.AfterFunc(announceEvery, func() {
		if a.owed(what) {
			a.publish(what)
			a.wait(what) // after it, so that a server that does not answer is asked once
		}
	})
}

// owed reports whether something is to be announced, and notes that it is.
func (a *announcements) owed(what string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	owed := a.lately[what]
	if owed {
		a.lately[what] = false
	} else {
		delete(a.lately, what)
	}
	return owed
}
