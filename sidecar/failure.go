package sidecar

import (
	"net/http"

	"github.com/postern-auth/postern/internal/failure"
)

// fail answers a request that neither the guard refuses nor the app answers, in the form that its caller reads.
func fail(w http.ResponseWriter, r *http.Request, status int, code, detail string) {
	if rec := recorderOf(w); rec != nil {
		rec.reason = code
	}
	id := failure.IDOf(r)
	failure.SetHeaders(w.Header(), id)
	if failure.IsNavigation(r) {
		failure.WritePage(w, status, http.StatusText(status), detail, id, failure.Link{})
		return
	}
	f := failure.Failure{Status: status, Code: code, Detail: detail}
	f.WriteForApp(w, r)
}

// identify gives a request the id that a proxy gave it which is trusted, or else a new one, for the log, the app and whoever is told of a failure.
func (p proxies) identify(r *http.Request) (*http.Request, string) {
	id := p.sentID(r)
	if id == "" {
		id = failure.NewID()
	}
	r = failure.WithID(r, id)
	r.Header[failure.IDHeader] = []string{id}
	return r, id
}

// sentID returns the id that a proxy gave a request which is trusted; "" = none.
func (p proxies) sentID(r *http.Request) string {
	if !p.trust(r.RemoteAddr) {
		return ""
	}
	return failure.SentID(r.Header)
}
