// Package fakeclock has a clock that tests move, so that what takes an hour takes no time.
package fakeclock

import (
	"sync"
	"time"
)

// Clock shows a time that only Advance changes. Safe for concurrent use.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// New returns a clock that shows the time at which it was made.
func New() *Clock { return &Clock{at: time.Now()} }

// Now returns what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
