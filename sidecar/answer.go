package sidecar

import (
	"bufio"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"
)

// answered has the proxy answer as the app does. httputil.ReverseProxy sends what was set on an answer beforehand, such as a renewed cookie or that
// the connection ends, with the first answer of the app that only informs (1xx), and clears it; and of a body whose type the app does not
// tell, net/http tells one by how it begins, which may be text/html for what somebody else uploaded.
// patient is how long who is left at one end of a WebSocket may go on.
func answered(proxy http.Handler, patient time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{ResponseWriter: w, request: r, patient: patient}
		h := w.Header()
		if len(h) > 0 {
			a.before = maps.Clone(h)
		}
		h["Content-Type"] = nil
		proxy.ServeHTTP(a, r)
	})
}

// answer is what the proxy writes an answer of the app to.
type answer struct {
	http.ResponseWriter
	request  *http.Request
	patient  time.Duration
	before   http.Header // what was set before the app was asked; nil = nothing
	informed bool        // the app has informed, after which all headers were cleared
	asked    bool        // the app has asked for the body, and the client was told so
}

// Unwrap lets a ResponseController reach what is below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader sends the headers of the app with an answer that only informs, and those that were set before with the last.
func (a *answer) WriteHeader(status int) {
	h := a.Header()
	informs := status < http.StatusOK && status != http.StatusSwitchingProtocols
	switch {
	case informs && !a.informed:
		for name, values := range a.before { // the app's come after them
			if h[name] = h[name][len(values):]; len(h[name]) == 0 {
				delete(h, name)
			}
		}
		a.informed = true
	case !informs && a.informed:
		if _, told := h["Content-Type"]; !told {
			h["Content-Type"] = nil // which is there, so that none is made up
		}
		for name, values := range a.before {
			h[name] = slices.Concat(values, h[name])
		}
	}
	if !informs || a.mayInform(status) {
		a.ResponseWriter.WriteHeader(status)
	}
}

// mayInform reports whether the client may be sent what only informs. In HTTP/1.0 there is no such thing (RFC 9110 §15.2). And to a client of HTTP/1.1 that
// waits to be asked for its body, net/http may just be saying 100 (Continue) by itself: it guards only a 100 of ours against that, before which all
// others would be written into it.
func (a *answer) mayInform(status int) bool {
	a.asked = a.asked || status == http.StatusContinue
	return a.request.ProtoAtLeast(1, 1) && (a.asked || a.request.ProtoMajor > 1 || a.request.Header["Expect"] == nil)
}

// Hijack gives away the connection, for a WebSocket, with what the client has sent early: httputil.ReverseProxy reads from the connection alone, and
// would go on in the midst of it.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, both, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil {
		conn = &clientsEnd{conn, both.Reader, a.patient}
	}
	return conn, both, err
}
