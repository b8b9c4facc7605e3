// Package seldom logs what happens with every request while something is wrong, and is worth one line now and then. A sampler of zap's
// does so too, and keeps half a megabyte of counters for it.
package seldom

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// every is how much time there is between two lines.
const every = 10 * time.Second

// Log passes on at most one entry in 10 seconds. Make it with New. Safe for concurrent use.
type Log struct {
	to   *zap.Logger
	next atomic.Int64 // nanoseconds since the epoch: when there may be a line again
}

// New returns a Log that speaks through to, and goes by its clock.
func New(to *zap.Logger) *Log { return &Log{to: to.WithOptions(zap.AddCallerSkip(1))} }

// Warn logs at WarnLevel, unless somebody did a moment ago.
func (l *Log) Warn(text string, fields ...zap.Field) {
	entry := l.to.Check(zap.WarnLevel, text)
	if entry == nil {
		return
	}
	now, next := entry.Time.UnixNano(), l.next.Load()
	if now >= next && l.next.CompareAndSwap(next, now+int64(every)) {
		entry.Write(fields...)
	}
}
