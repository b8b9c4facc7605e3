package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Some directives before a guard hand on a copy of the request: tracing, timeouts, and a reverse_proxy whose response another handler follows, as in
// forward_auth. Error routes get Caddy's own, which has the headers in common with the copy, but not its body, nor what keeps trailers from it.

// isCaddysOwn reports whether r is what error routes get, and no copy of it. Caddy's placeholders speak of its own.
func isCaddysOwn(r *http.Request) bool {
	const mark = "postern"
	proto := r.Proto
	r.Proto = mark
	said, _ := replacerOf(r).GetString("http.request.proto")
	r.Proto = proto
	return said == mark
}

// leaveFailure returns a failure for error routes to answer. Where r is a copy that announces trailers, it is answered here, by its status alone. Where it is
// one with a body, the connection ends with the answer: Caddy's own has that body too, and no keptBody, so that what an error route leaves of it would be
// taken for the next request.
func leaveFailure(w http.ResponseWriter, r *http.Request, failure error) error {
	left := r.ProtoMajor == 1 && r.Body != nil && r.Body != http.NoBody
	if failure == nil || r.Trailer == nil && !left || isCaddysOwn(r) {
		return failure
	}
	if left {
		w.Header().Set("Connection", "close")
	}
	if r.Trailer == nil {
		return failure
	}
	status := http.StatusInternalServerError
	if known, is := errors.AsType[caddyhttp.HandlerError](failure); is && known.StatusCode != 0 {
		status = known.StatusCode
	}
	w.WriteHeader(status)
	return nil
}
