package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/postern-auth/postern/internal/failure"
)

// requestID returns the id of a request, and has the access log tell it: the one that a proxy gave it which the server's trusted_proxies
// name, else {http.request.uuid}.
func requestID(r *http.Request) string {
	id := ""
	if fromTrusted(r) {
		id = failure.SentID(r.Header)
	}
	replacer, served := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !served { // it is none of Caddy's: somebody wants a verdict explained
		return failure.IDOf(r)
	}
	if id == "" {
		id, _ = replacer.GetString("http.request.uuid")
	}
	if !logField(r, zap.String("request_id", id)) {
		return failure.IDOf(r)
	}
	return id
}

// logField has the access log tell more of a request, and reports false where the request is none of Caddy's.
func logField(r *http.Request, more zap.Field) bool {
	extra, is := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if is {
		extra.Set(more)
	}
	return is
}

// withID returns a request with its id, for what answers in the place of the guard.
func withID(r *http.Request) *http.Request { return failure.WithID(r, requestID(r)) }

// fromTrusted reports whether a request comes from a proxy that the server's trusted_proxies name.
func fromTrusted(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}
