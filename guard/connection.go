package guard

import (
	"context"
	"net"
	"net/http"
)

// connectionKey is where ConnContext leaves what ends a connection.
type connectionKey struct{}

// ConnContext is what a server may have as http.Server.ConnContext. Over HTTP/1 Admit then ends a request by ending its connection, which
// serves no other at the time, and makes no context for it: with what a proxy hangs on one, that is six allocations. Over HTTP/2 and 3, and
// where it is not there, each admitted request has a context of its own; and so it has on a server whose http.Server.BaseContext may end.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	if ctx.Done() != nil { // another guard of this server was here; or ctx would keep what is derived from it for as long as the server runs
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	return context.WithValue(ctx, connectionKey{}, func() {
		cancel()
		go conn.Close() // else it could serve another request, in a context that has ended. Over TLS that waits for a client that takes nothing
	})
}

// ending returns the context of a request, what ends it, and what gives back what that took; nil = it took nothing.
func ending(r *http.Request) (ctx context.Context, end, release func()) {
	if end, is := r.Context().Value(connectionKey{}).(func()); is && r.ProtoMajor == 1 {
		return r.Context(), end, nil
	}
	ctx, cancel := context.WithCancel(r.Context())
	return ctx, cancel, cancel
}
