package caddymodule

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// keptBody is a request's body that over HTTP/1 its server alone closes. Where a proxy closes one before its end, because the app answered
// early, Caddy's server no longer knows that the rest is still to come (it wraps the body in the request that net/http goes by), and would
// take that for the next request of the connection. Left open, the rest is read, or ends the connection.
type keptBody struct {
	io.ReadCloser
	closes bool // for good, as over HTTP/2 and 3, where a body's end ends nothing else
	closed atomic.Bool

	mu     sync.Mutex
	seen   []byte // by who had a sight of it, and still to be read
	unseen bool   // nobody reads it here any more
}

func (b *keptBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	b.mu.Lock()
	n := copy(p, b.seen)
	b.seen = b.seen[n:]
	b.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	return b.ReadCloser.Read(p)
}

// Close has nobody read any more.
func (b *keptBody) Close() error {
	b.closed.Store(true)
	if !b.closes {
		return nil
	}
	return b.ReadCloser.Close()
}

// keepBody leaves the closing of r's body to the server.
func keepBody(r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &keptBody{ReadCloser: r.Body, closes: r.ProtoMajor != 1}
	}
}

// sightOfBody is a keptBody as Caddy's own request has it, while those behind the guard have a copy of that: what is read here can be read there still. The
// placeholder {http.request.body} reads all of it, and gives it back to Caddy's own request alone.
type sightOfBody keptBody

func (b *sightOfBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.unseen {
		b.seen = append(b.seen, p[:n]...)
	}
	return n, err
}

// Close closes nothing: others read on.
func (*sightOfBody) Close() error { return nil }

// end says that nobody is behind the guard any more. An error route, which may pass on a body of any size, is to leave nothing of it in memory.
func (b *sightOfBody) end() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unseen, b.seen = true, nil
}

// showBody has r, of which admitted is a copy, see what those read who have the copy, until the end of what it returns; nil = there is no body.
func showBody(r, admitted *http.Request) *sightOfBody {
	kept, is := admitted.Body.(*keptBody)
	if !is {
		return nil
	}
	sight := (*sightOfBody)(kept)
	r.Body = sight
	return sight
}
