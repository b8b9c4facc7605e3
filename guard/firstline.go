package guard

import (
	"net/http"
	"strings"
)

// splitsLine reports whether r has a query with a space, after which an app that is asked in HTTP/1.1 looks for the version (RFC 9112 §3): it would
// read another request than was judged. Over HTTP/1.1 net/http refuses that; over HTTP/2 and 3 a query is passed on as it is.
func splitsLine(r *http.Request) bool {
	return r.ProtoMajor > 1 && strings.IndexByte(r.URL.RawQuery, ' ') >= 0
}

// refuseLine is what the sidecar says too.
var refuseLine = Refusal{Status: http.StatusBadRequest, Reason: "bad_request", Detail: "The query of this request is none: it has a space. Send it as %20."}
