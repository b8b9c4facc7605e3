package guard

import (
	"net/http"
	"strings"
)

// keepWebSocketsOnly removes from a request the wish for any other protocol than a WebSocket. A proxy would switch the connection, and
// whatever came over it then would pass unseen: with h2c, requests for any path and in anybody's name.
func keepWebSocketsOnly(h http.Header) {
	if wished := h["Upgrade"]; wished != nil && (len(wished) != 1 || !strings.EqualFold(wished[0], "websocket")) {
		delete(h, "Upgrade")
	}
	if h["Http2-Settings"] != nil { // to look for a name takes less than to delete none
		delete(h, "Http2-Settings")
	}
}
