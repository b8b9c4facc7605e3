package caddymodule

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// hasErrorRoute reports whether the server has an error route that answers failure. An error on an error route, none does.
func hasErrorRoute(r *http.Request, failure error) bool {
	if r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
		return false
	}
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Errors == nil || len(server.Errors.Routes) == 0 {
		return false
	}
	return answers(server.Errors.Routes, server.Errors.WithError(r, failure))
}

// answers reports whether a route with something in it, other than routes that do not match, matches r.
func answers(routes caddyhttp.RouteList, r *http.Request) bool {
	for _, route := range routes {
		if matches, err := route.MatcherSets.AnyMatchWithError(r); !matches && err == nil {
			continue
		}
		for _, h := range route.Handlers {
			switch h := h.(type) {
			case *errorGate: // which only passes on
			case *caddyhttp.Subroute:
				if answers(h.Routes, r) {
					return true
				}
			default:
				return true
			}
		}
	}
	return false
}

// setRetryAfter says, in whole seconds, when to try again; 0 says nothing.
func setRetryAfter(h http.Header, wait time.Duration) {
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
}
