package redisstore

import (
	"context"
	"net"
	"sync"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// connections knows every open connection of a client, so that all can be broken at once. It is a hook of
// the client. Safe for concurrent use.
type connections struct {
	mu   sync.Mutex
	open map[*connection]struct{}
}

func newConnections() *connections {
	return &connections{open: make(map[*connection]struct{})}
}

// breakAll closes every connection. Calls under way on them fail, and are tried again on new ones.
func (c *connections) breakAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		_ = conn.Conn.Close()
	}
}

// DialHook keeps account of what is dialled, and marks the errors of what was never connected.
func (c *connections) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		raw, err := next(ctx, network, addr)
		if err != nil {
			return nil, &dialError{err}
		}
		conn := &connection{Conn: raw, all: c}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open[conn] = struct{}{}
		if sys, ok := raw.(syscall.Conn); ok {
			return socket{conn, sys}, nil
		}
		return conn, nil
	}
}

// ProcessHook leaves commands alone.
func (c *connections) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook leaves pipelines alone.
func (c *connections) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// connection is an open connection that tells when it is closed.
type connection struct {
	net.Conn
	all *connections
}

// Close closes the connection and forgets it.
func (c *connection) Close() error {
	c.all.mu.Lock()
	delete(c.all.open, c)
	c.all.mu.Unlock()
	return c.Conn.Close()
}

// socket is a connection that the client's pool can look at between calls: whether it was closed, or has unread
// bytes, which must be a reply to nobody. A TLS connection cannot be looked at.
type socket struct {
	*connection
	syscall.Conn
}

// dialError says that a connection was never made, so that nothing can have been sent on it.
type dialError struct{ error }

// Unwrap returns why.
func (e *dialError) Unwrap() error { return e.error }
