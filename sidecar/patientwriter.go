package sidecar

import (
	"net/http"
	"time"
)

// patientWriter is what an answer over HTTP/2 is written to, no part of which waits for longer than limit. Its patientConn does not see to
// that: a client may go on with the connection, and let no more of this answer come.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
}

func newPatientWriter(w http.ResponseWriter, limit time.Duration) *patientWriter {
	return &patientWriter{w, http.NewResponseController(w), limit}
}

// Unwrap lets a ResponseController reach what is below.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *patientWriter) Write(p []byte) (int, error) {
	w.begin()
	defer w.end()
	return w.ResponseWriter.Write(p)
}

// FlushError sends what was written, for a ResponseController.
func (w *patientWriter) FlushError() error {
	w.begin()
	defer w.end()
	return w.control.Flush()
}

// begin bounds what is written from now on. The server sends the rest of an answer after its handler has returned.
func (w *patientWriter) begin() { _ = w.control.SetWriteDeadline(time.Now().Add(w.limit)) }

// end lets an answer go on in which nothing waits to be written: an event stream may be quiet for hours.
func (w *patientWriter) end() { _ = w.control.SetWriteDeadline(time.Time{}) }
