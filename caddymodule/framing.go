package caddymodule

import "net/http"

// isUnsure reports whether two servers may have cut a request out of its connection in two ways: one with a length beside chunks (RFC 9112 §6.3), with
// chunks in HTTP/1.0 (§6.1), or with trailers that are none. What follows may be a part of it to a proxy in front of us. Nothing tells any more here, so
// every request in chunks and every one of HTTP/1.0 may be one.
func isUnsure(r *http.Request) bool {
	return r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0)
}

// lastIfUnsure has the connection of such a request end with the answer, as in the sidecar.
func lastIfUnsure(w http.ResponseWriter, r *http.Request) {
	if isUnsure(r) {
		w.Header().Set("Connection", "close")
	}
}
