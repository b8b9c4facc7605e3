package guard

import (
	"net/http"
	"strings"
)

// wishesElsewhere reports whether a request wishes for another protocol than a WebSocket. A proxy would switch the connection, and whatever
// came over it then would pass unseen: with h2c, requests for any path and in anybody's name.
func wishesElsewhere(h http.Header) bool {
	wished := h["Upgrade"]
	return wished != nil && (len(wished) != 1 || !strings.EqualFold(wished[0], "websocket"))
}

// keepWebSocketsOnly removes such a wish from the headers of a request. A WebSocket begins with GET (RFC 6455 §4.1), or over HTTP/2 and 3 with CONNECT: some apps
// switch for any other method too, and rules about GET would not have been asked for.
func keepWebSocketsOnly(h http.Header, method string) {
	if wishesElsewhere(h) || h["Upgrade"] != nil && method != http.MethodGet && method != http.MethodConnect {
		delete(h, "Upgrade")
	}
	if h["Http2-Settings"] != nil { // to look for a name takes less than to delete none
		delete(h, "Http2-Settings")
	}
}
