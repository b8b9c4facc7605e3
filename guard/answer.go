package guard

import "net/http"

// Answer returns w as the handler behind g is to have it, for a request that was admitted. The answer to a CORS preflight has no body, since browsers read
// none, and an app may take OPTIONS for GET, as Go's file server and most programs in PHP do: anybody could read what is there. No
// cache gives a new cookie which g has set to anybody else, whatever the handler says of caching: the last word on that, as of the moment when the answer
// begins, is ours. end is to be called when the handler has returned.
func (g *Guard) Answer(w http.ResponseWriter, admitted *http.Request) (answer http.ResponseWriter, end func()) {
	if isPreflight(admitted) {
		return &headersAlone{ResponseWriter: w}, func() {}
	}
	return g.unshared(w)
}

// headersAlone is an answer without its body.
type headersAlone struct {
	http.ResponseWriter
	begun bool
}

func (a *headersAlone) WriteHeader(status int) {
	if status >= http.StatusOK { // others only inform
		a.begun = true
		a.Header().Del("Content-Length") // of which nothing comes
		a.Header().Del("Trailer")
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *headersAlone) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return len(p), nil
}

// FlushError sends the headers.
func (a *headersAlone) FlushError() error {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Flush is FlushError for those who ask for a http.Flusher.
func (a *headersAlone) Flush() { _ = a.FlushError() }

// Unwrap lets a ResponseController reach what is below.
func (a *headersAlone) Unwrap() http.ResponseWriter { return a.ResponseWriter }
