package guard

import (
	"net/http"
	"strings"
)

// IsTunnel reports whether r asks for a tunnel (RFC 9110 §9.3.6). net/http passes on what comes over one as it is, after headers that say of no
// body: an app would take it for the next requests of its connection, for anything and in anybody's name, unseen by the guard. A WebSocket over
// HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220) begins with CONNECT too, and is none: a proxy asks the app for it by GET.
func IsTunnel(r *http.Request) bool {
	if len(r.Method) != len(http.MethodConnect) || !strings.EqualFold(r.Method, http.MethodConnect) {
		return false
	}
	switch r.ProtoMajor {
	case 2:
		return len(r.Header[":protocol"]) != 1 || r.Header[":protocol"][0] != "websocket"
	case 3:
		return r.Proto != "websocket"
	}
	return true
}

// refuseTunnel is what the sidecar says too.
var refuseTunnel = Refusal{Status: http.StatusMethodNotAllowed, Reason: "no_proxy", Detail: "This is not a proxy to elsewhere."}
