package sidecar

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// lastWord is a connection to an app that is heard to its end. An app may answer before it has read all of a body, with 413 say, and close the
// connection; what is sent of the body then fails, and http.Transport would give up for that although the answer has come. So such a write is taken for
// one that went well: whoever reads gets the answer, or the same failure, and neither is long in coming, as nothing is open any more.
//
// A write is let fail that is the first since an answer was read: it begins a request on a connection that the app closed as idle, and nothing of it
// was heard, which http.Transport must know to send it again.
type lastWord struct {
	net.Conn
	read  bool        // something was read, which may be on its way to whoever waits for it still: more is not asked for
	wrote atomic.Bool // something was written since then
}

func (c *lastWord) Read(p []byte) (int, error) {
	if c.read {
		c.wrote.Store(false)
	}
	n, err := c.Conn.Read(p)
	c.read = n > 0
	return n, err
}

func (c *lastWord) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 && !c.wrote.Load() {
		c.wrote.Store(true)
	}
	if err != nil && c.wrote.Load() && (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)) {
		return len(p), nil
	}
	return n, err
}
