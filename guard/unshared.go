package guard

import (
	"net/http"
	"slices"
	"strings"
)

// unshared returns w such that no cache gives a new cookie which g has set on it to anybody else (see Answer). Where no cookie is set, it is w itself.
func (g *Guard) unshared(w http.ResponseWriter) (answer http.ResponseWriter, end func()) {
	if h := w.Header(); h["Set-Cookie"] == nil || !g.setsCookie(h) {
		return w, func() {}
	}
	a := &unsharedAnswer{ResponseWriter: w, cookies: slices.Clone(w.Header()["Set-Cookie"])}
	return a, a.begin
}

// unsharedAnswer is an answer that is for one person alone.
type unsharedAnswer struct {
	http.ResponseWriter
	cookies  []string // as they were set before the handler was asked
	informed bool     // something was sent that only informs (1xx), after which httputil.ReverseProxy clears what was set before
	begun    bool
}

// begin has the headers say so.
func (a *unsharedAnswer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	h := a.Header()
	for _, cookie := range a.cookies {
		if a.informed && !slices.Contains(h["Set-Cookie"], cookie) {
			h.Add("Set-Cookie", cookie)
		}
	}
	for name := range h {
		if tellsSharedCaches(name) {
			delete(h, name)
		}
	}
	if !slices.ContainsFunc(h["Cache-Control"], forbidsSharing) {
		h.Add("Cache-Control", "private")
	}
}

// tellsSharedCaches reports whether a header, by its canonical name, has caches that others share pass by Cache-Control (RFC 9213, and what was before it).
func tellsSharedCaches(name string) bool {
	return strings.HasSuffix(name, "Cdn-Cache-Control") || name == "Surrogate-Control" || name == "X-Accel-Expires"
}

// forbidsSharing reports whether a Cache-Control header keeps the whole answer from caches that others share (RFC 9111 §5.2.2).
func forbidsSharing(line string) bool {
	for directive := range strings.SplitSeq(line, ",") {
		switch strings.ToLower(strings.TrimSpace(directive)) {
		case "private", "no-store":
			return true
		}
	}
	return false
}

func (a *unsharedAnswer) WriteHeader(status int) {
	if status >= http.StatusOK { // others only inform
		a.begin()
	} else {
		a.informed = true
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *unsharedAnswer) Write(p []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(p)
}

// FlushError sends what was written.
func (a *unsharedAnswer) FlushError() error {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Flush is FlushError for those who ask for a http.Flusher.
func (a *unsharedAnswer) Flush() { _ = a.FlushError() }

// Unwrap lets a ResponseController reach what is below.
func (a *unsharedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
