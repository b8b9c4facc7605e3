package sidecar

import (
	"bufio"
	"io"
	"net"
	"time"
)

// Whoever is at one end of a WebSocket may end what they send, and be told more yet. The other end need not mind: a client that stays silent, or an app that
// does not look, would hold both connections for good. So it has a while, as who takes nothing has, and then both are closed.

// clientsEnd is the connection to the client of a WebSocket.
type clientsEnd struct {
	net.Conn
	early *bufio.Reader // has what the client has sent before, and is not to read any more: net/http takes the end of that for the end of the request; nil = nothing is left
	limit time.Duration
}

func (c *clientsEnd) Read(p []byte) (int, error) {
	if c.early != nil {
		if n := c.early.Buffered(); n > 0 {
			return c.early.Read(p[:min(n, len(p))])
		}
		c.early = nil
	}
	return c.Conn.Read(p)
}

// CloseWrite says that the app has ended.
func (c *clientsEnd) CloseWrite() error {
	_ = c.SetReadDeadline(time.Now().Add(c.limit))
	return closeWrite(c.Conn)
}

// appsEnd is the connection to its app.
type appsEnd struct {
	io.ReadWriteCloser
	limit time.Duration
}

// CloseWrite says that the client has ended.
func (a *appsEnd) CloseWrite() error {
	time.AfterFunc(a.limit, func() { _ = a.Close() })
	if half, is := a.ReadWriteCloser.(interface{ CloseWrite() error }); is {
		return half.CloseWrite()
	}
	return nil
}
