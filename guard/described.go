package guard

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// shape is how a kind of proxy describes a request.
type shape struct {
	method, uri string // headers; "" = the method and the path of the request that asks
	host        string // header; "" = Host
	redirects   bool   // an answer that is a redirect reaches the browser
	resolves    bool   // with a path in Location resolved against the address that was asked at
}

// The shapes, by the path that they are asked for at.
var (
	shapeNginx   = shape{method: "X-Original-Method", uri: "X-Original-Uri", host: "X-Forwarded-Host"}
	shapeCaddy   = shape{method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host", redirects: true}
	shapeTraefik = shape{method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host", redirects: true, resolves: true}
	shapeEnvoy   = shape{redirects: true}
)

// envoyPrefix stands before the path that Envoy asks about.
const envoyPrefix = "/envoy"

// shapeOf returns how the request is described that a proxy asks about.
func shapeOf(asking *http.Request) (*shape, *Refusal) {
	switch path := asking.URL.EscapedPath(); {
	case path == "/nginx":
		return &shapeNginx, nil
	case path == "/caddy":
		return &shapeCaddy, nil
	case path == "/traefik":
		return &shapeTraefik, nil
	case strings.HasPrefix(asking.RequestURI, envoyPrefix+"/"):
		return &shapeEnvoy, nil
	}
	return nil, &refuseUnknownShape
}

// describing are all headers that describe a request in some shape. None of them is part of the request itself.
var describing = []string{"X-Original-Method", "X-Original-Uri", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For"}

// described returns the request that a proxy asks about, as if the client had sent it here, or why it is not described well.
func (s *shape) described(asking *http.Request, trusts func(string) bool) (*http.Request, *Refusal) {
	from := ParseForwarded(asking.Header, func(hop netip.Addr) bool { return trusts(remoteAddr(hop)) })
	proto, ok := scheme(from.Proto)
	if !ok {
		return nil, misdescribed("X-Forwarded-Proto")
	}
	host := asking.Host
	if s.host != "" {
		host = only(asking.Header, s.host)
	}
	if _, ok := parseOrigin(proto + "://" + host); !ok {
		return nil, misdescribed("the host")
	}
	method, target := asking.Method, strings.TrimPrefix(asking.RequestURI, envoyPrefix)
	if s.method != "" {
		method, target = only(asking.Header, s.method), only(asking.Header, s.uri)
	}
	if !isToken(method) {
		return nil, misdescribed("the method")
	}
	address, ok := parseTarget(target)
	if !ok {
		return nil, misdescribed("the path")
	}
	r := asking.Clone(asking.Context())
	r.Method, r.URL, r.RequestURI, r.Host, r.TLS = method, address, target, host, nil
	if proto == "https" {
		r.TLS = &tls.ConnectionState{}
	}
	r.RemoteAddr = from.RemoteAddr()
	for _, name := range describing {
		delete(r.Header, name)
	}
	describeUpgrade(r, asking)
	return r, nil
}

// describeUpgrade has r, which a proxy asks about, wish for a WebSocket where the client does, and for no other upgrade.
func describeUpgrade(r, asking *http.Request) {
	delete(r.Header, "Connection") // the proxy's, with us
	delete(r.Header, "Upgrade")
	if isHandshake(asking) {
		r.Header["Upgrade"] = []string{"websocket"}
	}
	if r.Method == http.MethodConnect && asking.Header["Upgrade"] != nil && cameOverStreams(asking.Header["Via"]) { // so Caddy asks about a WebSocket, and by GET the app
		r.Method = http.MethodGet
	}
}

// cameOverStreams reports whether the last entry of Via, which is that of the proxy that asks, says that it got the request over HTTP/2 or 3, where a
// WebSocket is a CONNECT. Over HTTP/1.1 that is a wish for a tunnel, whatever protocol it wishes for besides, and Caddy passes it on as one.
func cameOverStreams(via []string) bool {
	if len(via) == 0 {
		return false
	}
	last := via[len(via)-1]
	last = strings.TrimLeft(last[strings.LastIndexByte(last, ',')+1:], " \t")
	return strings.HasPrefix(last, "2.0 ") || strings.HasPrefix(last, "3.0 ")
}

// misdescribed is for a description of which something is missing, is there twice or cannot be read.
func misdescribed(what string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Reason: "misdescribed_request",
		Detail: "The proxy does not say once and readably " + what + " of the request that it asks about. Configure it as docs/forward-auth.md says."}
}

// scheme reads X-Forwarded-Proto. Traefik says wss of a WebSocket over TLS.
func scheme(proto string) (string, bool) {
	switch proto {
	case "https", "wss":
		return "https", true
	case "http", "ws":
		return "http", true
	}
	return "", false
}

// parseTarget reads a path with its query as a request line has it (RFC 9112 §3.2.1).
func parseTarget(target string) (*url.URL, bool) {
	if !strings.HasPrefix(target, "/") || strings.Contains(target, " ") {
		return nil, false
	}
	u, err := url.ParseRequestURI(target)
	return u, err == nil && u.Scheme == "" && u.Host == "" && u.Opaque == ""
}

// isHandshake reports whether a request opens a WebSocket. Proxies do not ask with the Upgrade of the request they ask about, but
// pass on what else only handshakes have (RFC 6455 §4.1, Fetch Standard).
func isHandshake(asking *http.Request) bool {
	h := asking.Header
	return h["Upgrade"] != nil || h["Sec-Websocket-Key"] != nil || h["Sec-Websocket-Version"] != nil || h.Get("Sec-Fetch-Mode") == "websocket"
}
