package core

import (
	"fmt"
	"sync/atomic"
	"time"
)

// maxClockSkew is how far our clock may be from the store's before expiry can no longer be judged.
const maxClockSkew = time.Minute

// clock is the one clock that expiry is judged by: the machine's, corrected by the store's, and
// never running backwards. Safe for concurrent use.
type clock struct {
	local  func() time.Time
	offset atomic.Int64 // nanoseconds to add to local
	last   atomic.Int64 // the latest time given out, in nanoseconds since the epoch
}

// now returns the time. It fails with ErrUnavailable while our clock and the store's are so far
// apart that a token could be taken for alive that is dead, or the other way round.
func (c *clock) now() (time.Time, error) {
	offset := time.Duration(c.offset.Load())
	if offset.Abs() > maxClockSkew {
		return time.Time{}, ErrUnavailable.with(fmt.Sprintf("the clocks of this machine and of the data store are %s apart",
			offset.Abs().Round(time.Second)))
	}
	t := c.local().Add(offset).UnixNano()
	for {
		last := c.last.Load()
		if t <= last {
			return time.Unix(0, last).UTC(), nil
		}
		if c.last.CompareAndSwap(last, t) {
			return time.Unix(0, t).UTC(), nil
		}
	}
}

// correct takes the store's clock as measured between two readings of the local one.
func (c *clock) correct(before, store, after time.Time) {
	middle := before.Add(after.Sub(before) / 2)
	c.offset.Store(int64(store.Sub(middle)))
}
