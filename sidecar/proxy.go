package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"regexp"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/failure"
)

// newProxy returns the reverse proxy to the app. X-Forwarded-* say what this listener saw, or what a proxy that
// is trusted said, and nothing that a client claims.
func newProxy(up *upstream, patient time.Duration, log *zap.Logger) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(up.url)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // of which ReverseProxy takes away what url.ParseQuery does not read; the guard reads none of it
			r.Out.Host = r.In.Host
			r.Out.Trailer = nil // which would be announced, and come without values
			setForwarded(r.Out.Header, r.In)
		},
		ModifyResponse: func(answer *http.Response) error { return passable(answer, patient) },
		Transport:      up,
		BufferPool:     &buffers{sync.Pool{New: func() any { return new(buffer) }}},
		ErrorLog:       zap.NewStdLog(log),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if _, tooSlow := errors.AsType[*slowBody](err); tooSlow || errors.Is(err, context.Canceled) {
				// The client has gone, or sends nothing more, after which the server cancels the request.
				fail(w, r, http.StatusRequestTimeout, "request_timeout", "The request did not arrive in time, or was ended.")
				return
			}
			if _, broken := errors.AsType[*brokenBody](err); broken {
				fail(w, r, http.StatusBadRequest, "bad_request", "The body of this request cannot be read.")
				return
			}
			r = failure.WithID(r, failure.IDOf(r)) // the same for the log and for who is told
			log.Warn("upstream failed", zap.String("request_id", failure.IDOf(r)), zap.String("error", unquoted(err)))
			fail(w, r, http.StatusBadGateway, "app_away", "The app behind this address does not answer. Try again shortly.")
		},
	}
}

// quoting finds where net/http begins to quote an answer that it cannot read: a line of its header, such as Set-Cookie, or its beginning.
var quoting = regexp.MustCompile(`(?s)(malformed (?:MIME header(?: initial)?(?: line)?|HTTP (?:response|version|status code))).*`)

// unquoted returns what an error of the transport says, without what the app sent, which is somebody's.
func unquoted(err error) string { return quoting.ReplaceAllString(err.Error(), "$1") }

// passable has an answer of the app be one that can be passed on, and a WebSocket end that its client has ended, patient later. In HTTP/1.1 no trailers follow a body whose length is told, as they do in HTTP/2.
func passable(answer *http.Response, patient time.Duration) error {
	if answer.StatusCode < http.StatusContinue { // net/http reads 000, and panics when it is to write it
		return fmt.Errorf("malformed HTTP status %q", answer.Status)
	}
	if len(answer.Trailer) > 0 && answer.Request.Method != http.MethodHead {
		answer.Header.Del("Content-Length")
	}
	if answer.StatusCode == http.StatusSwitchingProtocols {
		if conn, is := answer.Body.(io.ReadWriteCloser); is {
			answer.Body = &appsEnd{conn, patient}
		}
	}
	return nil
}

// confined keeps requests below the path of an app that has one, as http://127.0.0.1:3000/shop: what may be read as a way out, such as
// /../admin, is refused.
func confined(up *upstream, app http.Handler) http.Handler {
	if !up.hasPath() {
		return app
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !guard.IsPlain(r.URL) {
			fail(w, r, http.StatusBadRequest, "ambiguous_path", "The path of this request can be read in more than one way.")
			return
		}
		app.ServeHTTP(w, r)
	})
}

// buffers lends the proxy what it copies bodies with.
type buffers struct{ pool sync.Pool }

// buffer is what is lent. The pool keeps pointers to arrays, because to keep a slice takes an allocation each time.
type buffer [32 << 10]byte

func (b *buffers) Get() []byte  { return b.pool.Get().(*buffer)[:] }
func (b *buffers) Put(p []byte) { b.pool.Put((*buffer)(p)) }
