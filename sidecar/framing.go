package sidecar

import "net/http"

// lastIfUnsure has a connection end with the answer to a request that two servers may have cut out of it in two ways. Whoever sends a length
// beside chunks (RFC 9112 §6.3), or chunks in HTTP/1.0 (§6.1), is served nothing more on it, since what follows may be the body of the one
// request to a proxy in front of us and another request to us. net/http removes the header that would tell, so every request in chunks
// and every one of HTTP/1.0 is the last.
func lastIfUnsure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
