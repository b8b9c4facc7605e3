package httpapi

import (
	"bytes"
	"maps"
	"net/http"
)

// draft is an answer that is not sent yet.
type draft struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newDraft() *draft { return &draft{header: http.Header{}} }

// Header returns the headers, beside those that every answer has.
func (d *draft) Header() http.Header { return d.header }

// WriteHeader notes the status.
func (d *draft) WriteHeader(status int) { d.status = status }

// Write adds to the body.
func (d *draft) Write(p []byte) (int, error) { return d.body.Write(p) }

// send sends the answer.
func (d *draft) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), d.header)
	w.WriteHeader(d.status)
	_, _ = w.Write(d.body.Bytes()) // a caller that has gone
}
