package caddymodule

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/postern-auth/postern/guard"
)

// errorGate stands before the error routes of a server that has guards. These get Caddy's own request. Where that failed before it met a guard, for
// which a method of 33 letters is enough, it is as its client sent it. Where a directive before the guard handed on a copy, as tracing and forward_auth do,
// it lacks what the guard made of its body.
type errorGate struct {
	guard *sharedGuard // any of the server
}

// metGuard is the variable of a request that holds its last meeting with a guard.
const metGuard = "http.auth.postern.guard"

// meeting is how a request met a guard.
type meeting struct {
	guard *sharedGuard
	made  *http.Request // what the guard made of it
}

// String keeps a meeting that is asked for by a placeholder to itself.
func (*meeting) String() string { return "" }

// ServeHTTP passes on what error routes may see, and has their answer be as that of what is behind the guard (guard.Guard.Answer).
func (g *errorGate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	lastIfUnsure(w, r)
	leaveBody(w, r)
	leaveUnsaid(r)
	own := g.guard
	if met, is := caddyhttp.GetVar(r.Context(), metGuard).(*meeting); is {
		own = met.guard
	} else if why := own.Disarm(r); why != nil {
		w.WriteHeader(why.Status)
		return nil
	}
	r = own.WithoutTrailers(r)
	keepBody(r)
	answer, end := own.Answer(w, r)
	defer end()
	return next.ServeHTTP(answer, r)
}

// leaveToErrorRoutes has r be what the guard made of it, since error routes get r itself, and not the copy. Its headers are those of the copy, but not its
// body, after which trailers may name somebody.
func (g *sharedGuard) leaveToErrorRoutes(r, prepared *http.Request) {
	keepBody(prepared)
	r.Body, r.ContentLength, r.Trailer = prepared.Body, prepared.ContentLength, prepared.Trailer
	caddyhttp.SetVar(r.Context(), metGuard, &meeting{g, prepared})
}

// asMet returns r as a guard is to meet it. Where it comes to one again as Caddy's own request, as it does on an error route, the former have removed the
// credentials: whoever is known would be nobody, or told to sign in while the store is away.
func asMet(r *http.Request) *http.Request {
	if met, is := caddyhttp.GetVar(r.Context(), metGuard).(*meeting); is {
		return guard.Anew(r, met.made)
	}
	return r
}

// gateErrorRoutes puts one before the error routes of a server, while its configuration is loaded. Caddy makes ready the routes of a server first, then
// its error routes, and then named routes, when those can only be reached from within: in a Caddyfile all have a subroute around them.
func (g *sharedGuard) gateErrorRoutes(ctx caddy.Context) error {
	gate := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{&errorGate{g}}}
	gateSubroutes(ctx, gate)
	server, is := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !is || server.Errors == nil || isGated(server.Errors.Routes) {
		return nil
	}
	if slices.ContainsFunc(server.Routes, isRaw) {
		server.Errors.Routes = slices.Insert(server.Errors.Routes, 0, gate)
		return nil
	}
	if slices.ContainsFunc(server.Errors.Routes, isRaw) { // a guard on an error route, which sees to it itself
		return nil
	}
	if err := gate.ProvisionHandlers(ctx, nil); err != nil {
		return err
	}
	for _, route := range server.Errors.Routes {
		for _, h := range route.Handlers {
			if inner, is := h.(*caddyhttp.Subroute); is && !isGated(inner.Routes) {
				inner.Routes = slices.Insert(inner.Routes, 0, gate)
			}
		}
	}
	return nil
}

// unhandled stands after the error routes of a subroute around a guard. Where none of these answers, Caddy goes on to what follows the subroute, which may be
// the app: it is to look for error routes further out instead.
type unhandled struct{}

func (unhandled) ServeHTTP(_ http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	err, _ := r.Context().Value(caddyhttp.ErrorCtxKey).(error)
	return err
}

// gateSubroutes puts gate before the error routes that subroutes around the guard have of their own, as only JSON can say, and unhandled after them. Caddy makes these
// ready after their routes.
func gateSubroutes(ctx caddy.Context, gate caddyhttp.Route) {
	for _, around := range ctx.Modules() {
		sub, is := around.(*caddyhttp.Subroute)
		if is && sub.Errors != nil && !isGated(sub.Errors.Routes) && slices.ContainsFunc(sub.Routes, isRaw) {
			end := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{unhandled{}}}
			sub.Errors.Routes = slices.Concat(caddyhttp.RouteList{gate}, sub.Errors.Routes, caddyhttp.RouteList{end})
		}
	}
}

// isGated reports whether a gate is before routes.
func isGated(routes caddyhttp.RouteList) bool {
	if len(routes) == 0 || len(routes[0].Handlers) == 0 {
		return false
	}
	_, is := routes[0].Handlers[0].(*errorGate)
	return is
}

// isRaw reports whether the handlers of a route are still to be made.
func isRaw(route caddyhttp.Route) bool { return len(route.HandlersRaw) > 0 }
