package sidecar

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// patientListener accepts connections on which no write waits for longer than limit: a client that takes nothing
// must not hold a connection, a buffer and a request to the app for good.
type patientListener struct {
	net.Listener
	limit time.Duration
}

func (l patientListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newPatientConn(conn, l.limit), nil
}

// patientConn is a connection of a patientListener. It keeps the deadline for writes to itself, because net/http takes away what
// is set after each request, and when a connection becomes a WebSocket's.
type patientConn struct {
	frugalReads
	limit time.Duration
	begun time.Time

	mu    sync.Mutex
	asked time.Time    // until when others let writes wait; zero = as long as we do
	set   time.Time    // the deadline that Conn has
	suits atomic.Int64 // nanoseconds since begun, which are read in half the time of the time of day: until when set will do for writes
}

func newPatientConn(conn net.Conn, limit time.Duration) *patientConn {
	return &patientConn{frugalReads: frugalReads{Conn: conn}, limit: limit, begun: time.Now()}
}

// Write waits for between three quarters of the limit and all of it, or until the deadline that was asked for if that is earlier.
func (c *patientConn) Write(p []byte) (int, error) {
	if int64(time.Since(c.begun)) >= c.suits.Load() {
		if err := c.bound(time.Now()); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// bound sees to the deadline of a write that begins now. Ours is set anew only when a quarter of the limit is over, because to
// set one costs more than all else here.
func (c *patientConn) bound(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	latest := now.Add(c.limit)
	if !c.asked.IsZero() && c.asked.Before(latest) {
		return c.setTo(c.asked)
	}
	if c.set.Before(now.Add(c.limit*3/4)) || c.set.After(latest) {
		if err := c.setTo(latest); err != nil {
			return err
		}
	}
	c.suits.Store(int64(c.set.Sub(c.begun) - c.limit*3/4))
	return nil
}

// setTo gives Conn a deadline, unless it has that one. The caller holds mu.
func (c *patientConn) setTo(deadline time.Time) error {
	if c.set.Equal(deadline) {
		return nil
	}
	c.set = deadline
	return c.Conn.SetWriteDeadline(deadline)
}

// SetWriteDeadline asks for a deadline, which a write under way keeps as well. To ask for none takes away what was asked for before
// and, from the next write on, leaves our own.
func (c *patientConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = t
	if t.IsZero() {
		return nil
	}
	c.suits.Store(0)
	return c.setTo(t)
}

// SetDeadline asks for a deadline of writes, and sets that of reads.
func (c *patientConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite ends what is sent, as net/http does before it closes a connection that a client still writes to.
func (c *patientConn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite ends what is sent over a connection, where that can be.
func closeWrite(conn net.Conn) error {
	if half, is := conn.(interface{ CloseWrite() error }); is {
		return half.CloseWrite()
	}
	return nil
}
