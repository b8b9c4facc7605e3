package sidecar

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// patientBody is a request's body of which no read waits for longer than limit. A large upload may take hours, as
// long as something of it arrives.
type patientBody struct {
	body    io.ReadCloser
	control *http.ResponseController
	limit   time.Duration
	ended   bool
}

// slowBody says that a client began a body and sent nothing more of it.
type slowBody struct{ error }

func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.limit)) // a writer that cannot has limits of its own
	n, err := b.body.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, &slowBody{err}
	}
	if b.ended = errors.Is(err, io.EOF); b.ended {
		_ = b.control.SetReadDeadline(time.Time{}) // the server waits for the client to leave, or for its next request
	}
	return n, err
}

// Close ends the body. What the server reads of the rest, to use the connection again, has the same limit.
func (b *patientBody) Close() error {
	if !b.ended {
		_ = b.control.SetReadDeadline(time.Now().Add(b.limit))
	}
	return b.body.Close()
}
