package sidecar

import (
	"net/http"
	"strings"
	"time"
)

// confuses reports whether a header may not get any further, by its name: those that some servers read as another name; those in which
// a client, or a proxy that was not asked, says who or where it is, of which the proxy says what is true itself; and one that some
// programs take for a setting (httpoxy).
func confuses(name string) bool {
	switch name {
	case "Proxy", "X-Real-Ip", "Http2-Settings", "Forwarded":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || !inNames.have(name)
}

// characters are some of the 256 that a byte can be.
type characters [256]bool

// have reports whether all of a text is among them.
func (cs *characters) have(text string) bool {
	for i := range len(text) {
		if !cs[text[i]] {
			return false
		}
	}
	return true
}

// inNames are letters, digits and the hyphen, which all servers read alike in the name of a header. In place of any other, CGI and what came of it may read a hyphen.
var inNames = func() (all characters) {
	for c := range all {
		all[c] = c == '-' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
	}
	return all
}()

// inHosts are the characters that a host may have, and its port (RFC 9110 §4.2). net/http asks for them in Host alone, and not in the :authority of
// HTTP/2; the app takes what is there for the beginning of its own address.
var inHosts = func() (all characters) {
	for c := byte('!'); c < 0x7f; c++ {
		all[c] = strings.IndexByte("\"#,/<>?@\\^`{|}", c) < 0
	}
	return all
}()

// inMethods are the characters that a method may have (RFC 9110 §5.6.2).
var inMethods = func() (all characters) {
	for c := range all {
		all[c] = inNames[c] || strings.IndexByte("!#$%&'*+.^_`|~", byte(c)) >= 0
	}
	return all
}()

// fitsLine reports whether a request may have the first line that it would have in HTTP/1.1 (RFC 9112 §3), in which the app may be asked. Where it
// had one, net/http has seen to that. In HTTP/2 nobody did: a space within its query would be followed by what the app may take for the version.
func fitsLine(r *http.Request) bool {
	return r.ProtoMajor == 1 || inMethods.have(r.Method) && strings.IndexByte(r.URL.RawQuery, ' ') < 0
}

// edge is what a request meets first.
type edge struct {
	trusted proxies
	patient time.Duration
	next    http.Handler
}

// mayUpgrade reports whether a request that asks to speak another protocol may: a handshake for WebSockets, which is a GET without a body (RFC 6455
// §4.1) and is none in HTTP/1.0 (RFC 9110 §7.8).
func mayUpgrade(r *http.Request) bool {
	to := r.Header["Upgrade"]
	return len(to) == 1 && strings.EqualFold(to[0], "websocket") && r.Method == http.MethodGet && r.Body == http.NoBody && r.ProtoAtLeast(1, 1)
}

// ServeHTTP finds out where a request comes from, and removes, before anybody looks at it, what only serves to confuse those
// behind: header names that some servers read as another name, claims about where it comes from, and upgrades other
// than to a WebSocket.
func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		fail(w, r, http.StatusMethodNotAllowed, "no_proxy", "This is not a proxy to elsewhere.")
		return
	}
	if !inHosts.have(r.Host) {
		fail(w, r, http.StatusBadRequest, "bad_host", "The host of this request is none.")
		return
	}
	if !fitsLine(r) {
		fail(w, r, http.StatusBadRequest, "bad_request", "The method or the query of this request is none.")
		return
	}
	r = e.trusted.locate(r)
	for name := range r.Header {
		if confuses(name) {
			delete(r.Header, name)
		}
	}
	if !mayUpgrade(r) {
		delete(r.Header, "Upgrade")
	}
	if r.Body != http.NoBody && e.patient > 0 {
		body := &patientBody{body: r.Body, control: http.NewResponseController(w), limit: e.patient}
		defer body.leave()
		r = r.WithContext(r.Context()) // the server knows by the body of its own request whether the connection may be used again
		r.Body = body
	}
	if r.ProtoMajor == 2 && e.patient > 0 {
		answer := newPatientWriter(w, e.patient)
		defer answer.begin()
		w = answer
	}
	e.next.ServeHTTP(w, r)
}
