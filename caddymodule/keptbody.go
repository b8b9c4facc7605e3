package caddymodule

import (
	"io"
	"net/http"
	"sync/atomic"
)

// keptBody is a request's body over HTTP/1 that its server alone closes. Where a proxy closes one before its end, because the app answered
// early, Caddy's server no longer knows that the rest is still to come (it wraps the body in the request that net/http goes by), and would
// take that for the next request of the connection. Left open, the rest is read, or ends the connection.
type keptBody struct {
	io.ReadCloser
	closed atomic.Bool
}

func (b *keptBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.ReadCloser.Read(p)
}

// Close has nobody read any more.
func (b *keptBody) Close() error {
	b.closed.Store(true)
	return nil
}

// keepBody leaves the closing of r's body to the server. Over HTTP/2 and 3 a body's end ends nothing else.
func keepBody(r *http.Request) {
	if r.ProtoMajor == 1 && r.Body != nil && r.Body != http.NoBody {
		r.Body = &keptBody{ReadCloser: r.Body}
	}
}
