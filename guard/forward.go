package guard

import (
	"net"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/internal/failure"
	"github.com/postern-auth/postern/internal/seldom"
)

// ForwardAuth serves the verdict to proxies that ask before they pass a request on: nginx's auth_request, forward_auth of
// Caddy and Traefik, ext_authz of Envoy. It judges the request that the proxy describes, and not the one that asks.
//
// Proxies describe in different headers, and pass a client's own on beside those that they set. So the path that is asked for says
// how to read the description, and no header does: whoever configures the proxy chooses it, and no client.
//
//	/nginx          X-Original-Method, X-Original-URI
//	/caddy          X-Forwarded-Method, X-Forwarded-Uri
//	/traefik        the same
//	/envoy/<path>   the method, and the path and query after /envoy
//
// and all of them X-Forwarded-Proto and X-Forwarded-For; X-Forwarded-Host says the host, with Envoy Host does. What is missing, is
// there twice or cannot be read is answered 400, and whoever trusts does not vouch for 403: a path that may be wrong is not judged.
//
// The answer to an allowed request is 200. It has each of the guard's identity headers and those that the client sent, also such as other programs before apps set, an empty one
// where there is nothing to tell, so that a proxy that copies them overwrites what the client sent; Authorization and Cookie as the
// application may see them, and of API keys nothing; and Set-Cookie for a cookie past half its life. What the client sent under a name that an application could
// take for an identity header, such as X_Postern_User_Id, or for one that names another path or method, no proxy overwrites: such a request is answered 400. So is, where rules look at
// paths, one in which X-Original-URL or X-Rewrite-URL names another path than the one that is judged, or X-Script-Name names any. So is one that wishes for another protocol than a WebSocket, as far as proxies tell: they would pass that on, and whatever came over the connection then would be judged by nobody. A refused one is answered as by Refuse, with these
// differences: gRPC calls get the status of HTTP, since their 200 would let them in, and since nginx passes on no redirect, a browser
// to be sent to sign in gets 401 there, with Location. For Traefik that is a whole address: a path would lead to where it asks.
//
// What is refused has the id that a trusted proxy gave the request in X-Request-Id, else as Options.RequestID says.
//
// trusts reports whether an address, as http.Request.RemoteAddr has it, is that of a proxy that may describe requests. The
// client's address is the last one in X-Forwarded-For that it does not hold for. What is open for long is not cut when its user
// may no longer enter: only a proxy of one's own could do that.
func (g *Guard) ForwardAuth(trusts func(remoteAddr string) bool) http.Handler {
	unanswered := seldom.New(g.log)
	return http.HandlerFunc(func(w http.ResponseWriter, asking *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		leaveBody(w, asking)
		if id := failure.SentID(asking.Header); id != "" && trusts(asking.RemoteAddr) {
			asking = failure.WithID(asking, id)
		}
		r, shape, why := g.askedAbout(asking, trusts)
		if why != nil {
			told := *why
			told.RequestID = g.requestID(asking)
			noteQuestion(unanswered, asking, &told)
			answerProgram(w, asking, &told)
			return
		}
		v := g.Judge(r)
		if v.Decision != Allow {
			g.refuseForward(w, g.Prepare(r, v), v, shape)
			return
		}
		if v.admitted() && v.renews() {
			g.renewCookie(w, r, &v.standing)
		}
		w.Header().Set("Cache-Control", "no-store") // a renewed cookie asks for less
		g.answerForward(w.Header(), asking.Header, g.Prepare(r, v).Header)
		w.WriteHeader(http.StatusOK)
	})
}

// noteQuestion logs that a proxy asks as none is answered, which nginx for one keeps to itself. What only a client can have written is no fault of the proxy's.
func noteQuestion(log *seldom.Log, asking *http.Request, why *Refusal) {
	switch why.Reason {
	case refuseStranger.Reason, refuseUnknownShape.Reason, misdescribed("").Reason:
		from, _, err := net.SplitHostPort(asking.RemoteAddr)
		if err != nil { // over a socket
			from = asking.RemoteAddr
		}
		log.Warn("a proxy asks for a verdict, and is refused", zap.String("reason", why.Reason), zap.String("error", why.Detail),
			zap.String("remote_ip", from), zap.String("request_id", why.RequestID))
	}
}

// leaveBody has an answer not wait for the body of who asks, which says nothing of the request that is asked about. A proxy that drops the body and leaves
// Content-Length, as nginx does unless it is told otherwise, sends none, and net/http reads up to 256 KiB before it answers unless the connection ends.
func leaveBody(w http.ResponseWriter, asking *http.Request) {
	if asking.ProtoMajor == 1 && asking.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
}

// askedAbout returns the request that a proxy asks about and how it describes it, or why that cannot be judged.
func (g *Guard) askedAbout(asking *http.Request, trusts func(remoteAddr string) bool) (*http.Request, *shape, *Refusal) {
	if !trusts(asking.RemoteAddr) {
		return nil, nil, &refuseStranger
	}
	shape, why := shapeOf(asking)
	if why != nil {
		return nil, nil, why
	}
	if g.names.misspelt(asking.Header) {
		return nil, nil, &refuseMisspelt
	}
	if wishesElsewhere(asking.Header) || asking.Header["Http2-Settings"] != nil { // nginx tells the latter alone
		return nil, nil, &refuseUpgrade
	}
	r, why := shape.described(asking, trusts)
	if why == nil && len(g.c.rules) > 0 && asksElsewhere(r) {
		why = &refuseOtherPath
	}
	return r, shape, why
}

// answerForward tells a proxy what the application is to see, in the place of what the client sent.
func (g *Guard) answerForward(answer, sent, seen http.Header) {
	for name := range sent {
		if g.names.owns(name) || isGatekeepers(name) {
			answer[name] = []string{""}
		}
	}
	if g.c.sources.key {
		answer[g.c.APIKeyHeader] = []string{""}
	}
	for i := range g.c.headers {
		name := g.c.headers[i].name
		answer[name] = []string{seen.Get(name)}
	}
	answer[assertionHeader] = []string{seen.Get(assertionHeader)}
	answer["Authorization"] = []string{seen.Get("Authorization")}
	answer["Cookie"] = []string{strings.Join(seen["Cookie"], "; ")}
}

// refuseForward answers a request that v does not allow.
func (g *Guard) refuseForward(w http.ResponseWriter, r *http.Request, v Verdict, s *shape) {
	why := v.Refusal
	if why.RequestID == "" {
		why.RequestID = g.requestID(r)
	}
	to, signsIn := g.signInAddress(r, &why)
	switch {
	case signsIn && !s.redirects:
		w.Header().Set("Location", to)
		answerProgram(w, r, &why)
	case signsIn && s.resolves && strings.HasPrefix(to, "/"):
		sendTo(w, &why, g.c.ownOrigin(r).String()+to)
	default:
		g.refuseHTTP(w, r, &why)
	}
}

// Refusals of those who ask.
var (
	refuseStranger = Refusal{Status: http.StatusForbidden, Reason: "untrusted_proxy",
		Detail: "Verdicts are for proxies that are trusted. Name the address of this one in trusted_proxies."}

	refuseMisspelt = Refusal{Status: http.StatusBadRequest, Reason: "misspelt_header",
		Detail: "The request has a header that could be taken for one that says who somebody is, or what is asked for, in a spelling that no proxy removes. Send it without."}

	refuseUpgrade = Refusal{Status: http.StatusBadRequest, Reason: "other_protocol",
		Detail: "The request wishes to go on in another protocol than a WebSocket, which no proxy takes out. Send it without Upgrade and HTTP2-Settings."}

	refuseUnknownShape = Refusal{Status: http.StatusBadRequest, Reason: "unknown_proxy",
		Detail: "Ask at /nginx, /caddy, /traefik or /envoy/ and the path, which say how a request is described."}
)
