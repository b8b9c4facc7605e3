// Package sidecar is the host that stands beside an app: a small reverse proxy that lets through only
// requests with a known user, and the /v1 API on a listener of its own.
//
// It chooses the store, opens the listeners and proxies; who may pass is decided in guard, what the API does in
// httpapi. It is plain net/http: whoever wants certificates, HTTP/3 or load balancing puts the
// Caddy module to use instead.
package sidecar
