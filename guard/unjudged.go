package guard

import "net/http"

// Disarm removes from the headers of r, which met no guard and is passed on all the same, what it could say or do there in somebody's name: identity
// headers, and the wish for another protocol than a WebSocket. Credentials stay, for a guard that is yet to come. It returns the refusal of a request that
// g lets nobody make, which is not to be passed on, and else nil.
func (g *Guard) Disarm(r *http.Request) *Refusal {
	if why := g.refusedToAll(r); why != nil {
		return why
	}
	g.names.strip(r.Header)
	keepWebSocketsOnly(r.Header, r.Method)
	return nil
}

// WithoutTrailers returns a copy of r without identity in its trailers: both those that were announced and those that are still to come.
func (g *Guard) WithoutTrailers(r *http.Request) *http.Request {
	return g.names.withoutTrailers(r, r.Context())
}
