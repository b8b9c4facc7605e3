package sidecar

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// patientBody is a request's body of which no read waits for longer than limit. A large upload may take hours, as
// long as something of it arrives.
type patientBody struct {
	body    io.ReadCloser
	control *http.ResponseController
	limit   time.Duration
	ended   atomic.Bool // it was read to its end
}

// slowBody says that a client began a body and sent nothing more of it.
type slowBody struct{ error }

// brokenBody says that a client left before the end of a body, or framed it as HTTP does not have it: that is nothing the app did.
type brokenBody struct{ error }

func (b *patientBody) Read(p []byte) (int, error) {
	if b.ended.Load() { // and is closed where the app answers before the proxy, which has sent all of it, asks whether there is more
		return 0, io.EOF
	}
	_ = b.control.SetReadDeadline(time.Now().Add(b.limit)) // a writer that cannot has limits of its own
	n, err := b.body.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, &slowBody{err}
	}
	if err != nil && err != io.EOF { // io.ErrUnexpectedEOF among others
		return n, &brokenBody{err}
	}
	if err == io.EOF && !b.ended.Swap(true) {
		_ = b.control.SetReadDeadline(time.Time{}) // the server waits for the client to leave, or for its next request
	}
	return n, err
}

// Close ends the body. What the server reads of the rest, to use the connection again, has the same limit.
func (b *patientBody) Close() error {
	b.leave()
	return b.body.Close()
}

// leave is called when nobody reads the body any more. The server then reads the rest before it answers, even of a request that was
// refused at sight, and has no limit of its own for that.
func (b *patientBody) leave() {
	if !b.ended.Load() {
		_ = b.control.SetReadDeadline(time.Now().Add(b.limit))
	}
}
