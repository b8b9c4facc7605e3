package caddymodule

import (
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// endingWriter takes nothing more once its request is to end. Over HTTP/3 nothing else holds whoever reads no context, as FastCGI and file servers do not: there
// a deadline that has passed stops only a write that waits, and Caddy's idle timeouts put it off before the next.
type endingWriter struct {
	*caddyhttp.ResponseWriterWrapper
	ended func() error // nil = it is not
}

// untilEnd returns w, which takes nothing more once admitted is to end. Over HTTP/1 and 2 the guard ends the connection or the stream.
func untilEnd(w http.ResponseWriter, admitted *http.Request) http.ResponseWriter {
	if admitted.ProtoMajor < 3 {
		return w
	}
	return &endingWriter{&caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, admitted.Context().Err}
}

// Write writes, unless the request is to end.
func (w *endingWriter) Write(p []byte) (int, error) {
	if err := w.ended(); err != nil {
		return 0, err
	}
	return w.ResponseWriterWrapper.Write(p)
}

// ReadFrom writes what r holds, as far as it comes.
func (w *endingWriter) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, r)
}
