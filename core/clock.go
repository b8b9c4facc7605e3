package core

import (
	"fmt"
	"sync/atomic"
	"time"
)

// maxClockSkew is how far our clock may be from the store's before expiry can no longer be judged.
const maxClockSkew = time.Minute

// standstill is how far the clock may be set back unnoticed: it stands still for so long, and what is measured by it is that much older than it seems.
const standstill = 100 * time.Millisecond

// clock is the one clock that expiry is judged by: the machine's, corrected by the store's, and
// never running backwards: where one of the two is set back, it stands still until that time has come again. Safe for concurrent use.
type clock struct {
	local  func() time.Time
	offset atomic.Int64 // nanoseconds to add to local
	last   atomic.Int64 // the latest time given out, in nanoseconds since the epoch
	stood  atomic.Int64 // the latest at which it stood still, likewise; 0 = it never did
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
			if last-t > int64(standstill) && last-c.local().Add(offset).UnixNano() > int64(standstill) { // and not only while this waited for a processor
				c.stand(last)
			}
			return time.Unix(0, last).UTC(), nil
		}
		if c.last.CompareAndSwap(last, t) {
			return time.Unix(0, t).UTC(), nil
		}
	}
}

// stand notes that the clock stands still at a time.
func (c *clock) stand(at int64) {
	for stood := c.stood.Load(); stood < at && !c.stood.CompareAndSwap(stood, at); {
		stood = c.stood.Load()
	}
}

// steady reports whether the clock has run on ever since a time that it showed, in nanoseconds since the epoch. Else nobody can say how long ago that was.
func (c *clock) steady(since int64) bool { return since > c.stood.Load() }

// correct takes the store's clock as measured between two readings of the local one. What can be due to the time between these changes nothing.
func (c *clock) correct(before, store, after time.Time) {
	half := after.Sub(before) / 2
	measured := store.Sub(before.Add(half))
	offset := min(max(time.Duration(c.offset.Load()), measured-half), measured+half)
	c.offset.Store(int64(offset))
	_, _ = c.now() // finds out whether it stands still from now on
}
