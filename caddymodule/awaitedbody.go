package caddymodule

import (
	"io"
	"net/http"
)

// leaveBody has the connection of r end with its answer where the client has only announced a body, and waits to be told to send it. Caddy's
// server wraps the body in the request that net/http goes by, which so no longer knows that nothing comes of a body that nobody read, and
// would wait for it, for a minute, before it answers. It reports whether the client waits.
func leaveBody(w http.ResponseWriter, r *http.Request) bool {
	if r.ProtoMajor != 1 || r.Header.Get("Expect") == "" || r.Body == nil || r.Body == http.NoBody {
		return false
	}
	w.Header().Set("Connection", "close")
	return true
}

// awaitBody does what leaveBody does, unless the body is read by whoever answers, in its own goroutine.
func awaitBody(w http.ResponseWriter, r *http.Request) {
	if leaveBody(w, r) && !isUnsure(r) {
		r.Body = &awaitedBody{r.Body, w.Header()}
	}
}

// awaitedBody is a body that its client sends once it is told to, which reading it does.
type awaitedBody struct {
	io.ReadCloser
	answer http.Header
}

// Read has the connection live on, since the body is coming.
func (b *awaitedBody) Read(p []byte) (int, error) {
	b.answer.Del("Connection")
	return b.ReadCloser.Read(p)
}
