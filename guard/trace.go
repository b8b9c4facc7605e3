package guard

import (
	"net/http"
	"strings"
)

// isTrace reports whether r asks to have itself sent back (RFC 9110 §9.3.8). What an app, or a server before it, would send back is what we
// told it: whom a request comes from, under our signature too, and a token that is passed on. A page that reads that has what cookies are kept
// from scripts for, and no app needs TRACE.
func isTrace(r *http.Request) bool {
	return len(r.Method) == len(http.MethodTrace) && strings.EqualFold(r.Method, http.MethodTrace)
}

var refuseTrace = Refusal{Status: http.StatusMethodNotAllowed, Reason: "trace",
	Detail: "TRACE is not passed on, since the answer would hold what only the application is to see. Send another method."}
