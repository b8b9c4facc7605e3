package sidecar

import (
	"context"
	"net"

	"github.com/postern-auth/postern/guard"
)

// endedByGuard has the guard end what comes over a connection by ending that: see guard.WithConnection.
func endedByGuard(ctx context.Context, conn net.Conn) context.Context {
	return guard.WithConnection(endable(ctx, conn))
}

// endable returns a context for a connection, and what ends both. The guard has no answer get out any more in any case; but where all of one
// was out already, the connection would serve another request, in a context that has ended.
func endable(ctx context.Context, conn net.Conn) (context.Context, func()) {
	if secured, is := conn.(interface{ NetConn() net.Conn }); is { // to close TLS waits for a client that takes nothing
		conn = secured.NetConn()
	}
	ctx, cancel := context.WithCancel(ctx)
	return ctx, func() {
		cancel()
		_ = conn.Close()
	}
}
