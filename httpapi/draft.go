package httpapi

import (
	"bytes"
	"maps"
	"net/http"
	"sync"
)

// draft is an answer that is not sent yet.
type draft struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// drafts are those that were freed.
var drafts = sync.Pool{New: func() any { return new(draft) }}

// newDraft returns an empty draft that puts its headers into header, to be freed where that is easy to see to.
func newDraft(header http.Header) *draft {
	d := drafts.Get().(*draft)
	d.header = header
	return d
}

// free ends the use of a draft.
func (d *draft) free() {
	if d.body.Cap() > maxDraftKept {
		return
	}
	d.header, d.status = nil, 0
	d.body.Reset()
	drafts.Put(d)
}

// maxDraftKept is the longest body, in bytes, whose room is used again.
const maxDraftKept = 64 << 10

// Header returns the headers, beside those that every answer has.
func (d *draft) Header() http.Header { return d.header }

// WriteHeader notes the status.
func (d *draft) WriteHeader(status int) { d.status = status }

// Write adds to the body.
func (d *draft) Write(p []byte) (int, error) { return d.body.Write(p) }

// send sends the answer with headers that are not w's yet.
func (d *draft) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), d.header)
	d.sendBody(w)
}

// sendBody sends the answer with the headers that w has, which were the draft's too.
func (d *draft) sendBody(w http.ResponseWriter) {
	w.WriteHeader(d.status)
	_, _ = w.Write(d.body.Bytes()) // a caller that has gone
}
