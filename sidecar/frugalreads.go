package sidecar

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// watchAfter is for how long the read that watches a client waits before it is begun.
const watchAfter = 10 * time.Millisecond

// frugalReads are the reads of a connection, for which little is asked of the system. net/http gives each request five deadlines, of which three
// meet no read at all; and while a handler works it reads one byte, to learn whether the client leaves, which nearly always is called off
// before anything has come. All this takes longer than the guard does.
//
// So a deadline is kept here, and Conn has one that is not later; a read that it wakes too early goes on. And net/http's read of one byte begins
// watchAfter later, unless it is called off before: that much later a request learns that nobody waits for it. It is known by the deadline that is
// taken away right before it: others read single bytes too, as of a frame of HTTP/2 that has one, and do not wait.
type frugalReads struct {
	net.Conn

	readMu  sync.Mutex
	until   time.Time   // the deadline that was asked for; zero = none
	given   time.Time   // the one that Conn has; zero = none
	reading int         // reads of Conn that are under way
	cleared bool        // the deadline was taken away, and nothing was read since
	waiting bool        // a read of one byte is not to begin yet
	waited  sync.Cond   // of readMu: waiting has ended
	timer   *time.Timer // ends waiting; nil = there was none so far
}

// Read reads what has come, or waits for something until the deadline.
func (c *frugalReads) Read(p []byte) (n int, err error) {
	if err := c.start(len(p)); err != nil {
		return 0, err
	}
	for again := true; again; {
		n, err = c.Conn.Read(p)
		again, err = c.goOn(err)
	}
	return n, err
}

// start is called before Conn is read.
func (c *frugalReads) start(size int) error {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	if size == 1 && c.cleared {
		c.wait()
	}
	c.cleared = false
	if !c.fits() {
		if c.isOver() {
			return os.ErrDeadlineExceeded
		}
		if err := c.fit(); err != nil {
			return err
		}
	}
	c.reading++
	return nil
}

// goOn is called when Conn was read, with the error of that, and reports whether it is to be read again.
func (c *frugalReads) goOn(err error) (bool, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.isOver() {
		if err = c.fit(); err == nil {
			return true, nil
		}
	}
	c.reading--
	return false, err
}

// isOver reports whether the deadline that was asked for is over. The caller holds readMu.
func (c *frugalReads) isOver() bool { return !c.until.IsZero() && !time.Now().Before(c.until) }

// fits reports whether the deadline that Conn has is not later than what was asked for. The caller holds readMu.
func (c *frugalReads) fits() bool {
	return c.until.IsZero() || !c.given.IsZero() && !c.until.Before(c.given)
}

// fit gives Conn the deadline that was asked for. The caller holds readMu.
func (c *frugalReads) fit() error {
	c.given = c.until
	return c.Conn.SetReadDeadline(c.until)
}

// wait waits for watchAfter, or until a deadline is asked for. The caller holds readMu.
func (c *frugalReads) wait() {
	c.waiting = true
	if c.timer == nil {
		c.waited.L = &c.readMu
		c.timer = time.AfterFunc(watchAfter, c.begin)
	} else {
		c.timer.Reset(watchAfter)
	}
	for c.waiting {
		c.waited.Wait()
	}
	c.timer.Stop()
}

// begin ends a wait whose time is over.
func (c *frugalReads) begin() {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	c.endWait()
}

// endWait lets reads begin that wait. The caller holds readMu.
func (c *frugalReads) endWait() {
	if c.waiting {
		c.waiting = false
		c.waited.Broadcast()
	}
}

// SetReadDeadline asks for a deadline of reads, of those under way too.
func (c *frugalReads) SetReadDeadline(t time.Time) error {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	c.until, c.cleared = t, t.IsZero()
	if !c.cleared {
		c.endWait()
	}
	if c.reading > 0 && !c.fits() {
		return c.fit()
	}
	return nil
}
