package guard

import (
	"context"
	"net/http"
)

// connectionKey is where WithConnection leaves how a connection ends.
type connectionKey struct{}

// WithConnection returns ctx for a server that derives from it the contexts of all that comes over one connection
// (http.Server.ConnContext). Over HTTP/1 Admit then ends a request by ending its connection, which serves no other at the time, and
// makes no context for it: with what a proxy hangs on one, that is six allocations. end must end ctx, have the connection
// serve nothing more, and not block; it may be called more than once.
func WithConnection(ctx context.Context, end func()) context.Context {
	return context.WithValue(ctx, connectionKey{}, end)
}

// endable returns the context of a request, what ends it, and what gives back what that took; nil = it took nothing.
func endable(r *http.Request) (ctx context.Context, end, release func()) {
	if end, is := r.Context().Value(connectionKey{}).(func()); is && r.ProtoMajor == 1 {
		return r.Context(), end, nil
	}
	ctx, cancel := context.WithCancel(r.Context())
	return ctx, cancel, cancel
}
