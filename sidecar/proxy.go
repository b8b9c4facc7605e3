package sidecar

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/failure"
	"github.com/postern-auth/postern/internal/namedfile"
)

// upstream is the app, and the way to it.
type upstream struct {
	url        *url.URL
	transport  atomic.Pointer[http.Transport]
	handshakes *http.Transport // for WebSockets
}

// RoundTrip asks the app. A connection of HTTP/2 cannot become a WebSocket's, so one without TLS, where net/http does not see to that, is of HTTP/1.1. Nor is
// a WebSocket's a lastWord: who goes on sending over one that the app has ended has nothing more to hear, and would not be let go.
func (up *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header["Upgrade"] != nil {
		return up.handshakes.RoundTrip(r)
	}
	transport := up.transport.Load()
	answer, err := transport.RoundTrip(r)
	if err != nil && isTurnedAway(err) {
		up.connectAnew(transport)
		if onlyReads(r) {
			return up.transport.Load().RoundTrip(r)
		}
	}
	return answer, err
}

// onlyReads reports whether a request may be sent again of which it is not known whether it was heard.
func onlyReads(r *http.Request) bool {
	return r.Body == nil && (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions)
}

// connectAnew has requests from now on go over other connections than a transport's, which ends when nothing is under way on it any more.
func (up *upstream) connectAnew(instead *http.Transport) {
	if up.transport.CompareAndSwap(instead, instead.Clone()) {
		instead.CloseIdleConnections()
	}
}

// turnedAway is what http.Transport says of a request in HTTP/2 that the app ended, as errors.As reads it.
type turnedAway struct {
	StreamID uint32
	Code     uint32 // RFC 9113 §7
	Cause    error
}

func (turnedAway) Error() string { return "ended by the app" }

// isTurnedAway reports whether an app takes no more requests on a connection. All clients share one, so that it would take none of the others either, for as
// long as somebody sees to that: Node's http2 counts what it has yet to send, to clients that do not take it, and what was given up.
func isTurnedAway(err error) bool {
	const enhanceYourCalm = 0xb
	ended, is := errors.AsType[turnedAway](err)
	return is && ended.Code == enhanceYourCalm
}

// rest closes the connections that no request uses.
func (up *upstream) rest() {
	up.transport.Load().CloseIdleConnections()
	up.handshakes.CloseIdleConnections()
}

// parseUpstream reads where the app is: http://, https:// (HTTP/2 where the app has it), h2c:// (HTTP/2 without
// TLS), or unix:/path of a socket that HTTP is spoken over.
func parseUpstream(text, caFile string) (*upstream, error) {
	u, err := url.Parse(text)
	socket := ""
	switch {
	case err != nil:
	case u.Scheme == "unix" && u.Host == "" && u.Path != "":
		socket, u = u.Path, &url.URL{Scheme: "http", Host: "app"}
	case u.Scheme == "unix" && u.Opaque != "": // a path that is not absolute
		socket, u = u.Opaque, &url.URL{Scheme: "http", Host: "app"}
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		err = errors.New("incomplete")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "h2c":
		err = errors.New("unknown scheme")
	case u.Port() != "" && !isPort(u.Port()):
		err = errors.New("no port")
	}
	pool, failed := readCertificates(caFile)
	if err != nil {
		err = fmt.Errorf("upstream %q must be a URL like http://127.0.0.1:3000, https://app.internal, h2c://127.0.0.1:3000 or unix:/run/app.sock", text)
	}
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	dial := dialerOf(socket)
	t, handshakes := newTransport(heard(dial)), newTransport(dial)
	switch u.Scheme {
	case "http":
		t.IdleConnTimeout = 0 // front.closeIdle closes them
	case "h2c":
		u.Scheme = "http"
		t.Protocols = new(http.Protocols)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	if pool != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		handshakes.TLSClientConfig = t.TLSClientConfig.Clone()
	}
	up := &upstream{url: u, handshakes: handshakes}
	up.transport.Store(t)
	return up, nil
}

// isPort reports whether a text is the number of a port that there can be.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// silentFor is for how long an app that is asked in HTTP/2 may send nothing, and then not answer whether it is there. All requests share its
// connection: on one to a machine that is gone they would wait until TCP gives up, a quarter of an hour later.
const silentFor = 30 * time.Second

// untaken is how much of an answer in HTTP/2 is kept here, in bytes, while its client takes none of it. net/http would keep 4 MiB: clients that leave all they
// ask for would take all memory. An app a millisecond away can still send 256 MB a second of each answer.
const untaken = 256 << 10

// restAfter is how long, about, a connection to the app stays open that no request uses.
const restAfter = 90 * time.Second

// dialFunc opens a connection to the app.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialerOf returns what opens one, through a socket where one is named.
func dialerOf(socket string) dialFunc {
	dialer := &net.Dialer{Timeout: dialFor, KeepAlive: 30 * time.Second}
	if socket == "" {
		return dialer.DialContext
	}
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, dialer, socket) }
}

// heard has dial's connections be heard to their end.
func heard(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &lastWord{Conn: conn}, nil
	}
}

// newTransport returns the connections to the app. Each closes itself, as one of HTTP/2 has to: a request that
// its client ended may be over for us and not yet for the connection, which upstream.rest, at the end of a generation, then takes to be in use.
func newTransport(dial dialFunc) *http.Transport {
	return &http.Transport{
		DialContext:           dial,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   256, // the default of 2 opens a connection for most requests under load
		IdleConnTimeout:       restAfter,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // what the app sends is what the client gets
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: silentFor, PingTimeout: silentFor, MaxReceiveBufferPerStream: untaken},
	}
}

// dialFor is for how long a connection to the app is tried.
const dialFor = 5 * time.Second

// dialSocket returns a connection through a socket. Where as many wait as the app lets wait, the system says so at once (EAGAIN, unix(7)), and not after
// a while as over TCP. That is no reason to fail a request: many come at once when idle connections have been closed. So this asks again, for dialFor.
func dialSocket(ctx context.Context, dialer *net.Dialer, socket string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialFor)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		conn, err := dialer.DialContext(ctx, "unix", socket)
		if !errors.Is(err, syscall.EAGAIN) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}

// readCertificates reads a file of certificates in PEM; nil = none is named.
func readCertificates(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := namedfile.Read(file)
	if err != nil {
		return nil, fmt.Errorf("upstream_ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("upstream_ca: there is no certificate in %s", file)
	}
	return pool, nil
}

// newProxy returns the reverse proxy to the app. X-Forwarded-* say what this listener saw, or what a proxy that
// is trusted said, and nothing that a client claims.
func newProxy(up *upstream, patient time.Duration, log *zap.Logger) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(up.url)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // of which ReverseProxy takes away what url.ParseQuery does not read; the guard reads none of it
			r.Out.Host = r.In.Host
			r.Out.Trailer = nil // which would be announced, and come without values
			setForwarded(r.Out.Header, r.In)
		},
		ModifyResponse: func(answer *http.Response) error { return passable(answer, patient) },
		Transport:      up,
		BufferPool:     &buffers{sync.Pool{New: func() any { return new(buffer) }}},
		ErrorLog:       zap.NewStdLog(log),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if _, tooSlow := errors.AsType[*slowBody](err); tooSlow || errors.Is(err, context.Canceled) {
				// The client has gone, or sends nothing more, after which the server cancels the request.
				fail(w, r, http.StatusRequestTimeout, "request_timeout", "The request did not arrive in time, or was ended.")
				return
			}
			if _, broken := errors.AsType[*brokenBody](err); broken {
				fail(w, r, http.StatusBadRequest, "bad_request", "The body of this request cannot be read.")
				return
			}
			r = failure.WithID(r, failure.IDOf(r)) // the same for the log and for who is told
			log.Warn("upstream failed", zap.String("request_id", failure.IDOf(r)), zap.String("error", unquoted(err)))
			fail(w, r, http.StatusBadGateway, "app_away", "The app behind this address does not answer. Try again shortly.")
		},
	}
}

// quoting finds where net/http begins to quote an answer that it cannot read: a line of its header, such as Set-Cookie, or its beginning.
var quoting = regexp.MustCompile(`(?s)(malformed (?:MIME header(?: initial)?(?: line)?|HTTP (?:response|version|status code))).*`)

// unquoted returns what an error of the transport says, without what the app sent, which is somebody's.
func unquoted(err error) string { return quoting.ReplaceAllString(err.Error(), "$1") }

// passable has an answer of the app be one that can be passed on, and a WebSocket end that its client has ended, patient later. In HTTP/1.1 no trailers follow a body whose length is told, as they do in HTTP/2.
func passable(answer *http.Response, patient time.Duration) error {
	if answer.StatusCode < http.StatusContinue { // net/http reads 000, and panics when it is to write it
		return fmt.Errorf("malformed HTTP status %q", answer.Status)
	}
	if len(answer.Trailer) > 0 && answer.Request.Method != http.MethodHead {
		answer.Header.Del("Content-Length")
	}
	if answer.StatusCode == http.StatusSwitchingProtocols {
		if conn, is := answer.Body.(io.ReadWriteCloser); is {
			answer.Body = &appsEnd{conn, patient}
		}
	}
	return nil
}

// hasPath reports whether the app is at a path, which requests may not leave.
func (up *upstream) hasPath() bool { return up.url.Path != "" && up.url.Path != "/" }

// confined keeps requests below the path of an app that has one, as http://127.0.0.1:3000/shop: what may be read as a way out, such as
// /../admin, is refused.
func confined(up *upstream, app http.Handler) http.Handler {
	if !up.hasPath() {
		return app
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !guard.IsPlain(r.URL) {
			fail(w, r, http.StatusBadRequest, "ambiguous_path", "The path of this request can be read in more than one way.")
			return
		}
		app.ServeHTTP(w, r)
	})
}

// buffers lends the proxy what it copies bodies with.
type buffers struct{ pool sync.Pool }

// buffer is what is lent. The pool keeps pointers to arrays, because to keep a slice takes an allocation each time.
type buffer [32 << 10]byte

func (b *buffers) Get() []byte  { return b.pool.Get().(*buffer)[:] }
func (b *buffers) Put(p []byte) { b.pool.Put((*buffer)(p)) }

// confuses reports whether a header may not get any further, by its name: those that some servers read as another name; those in which
// a client, or a proxy that was not asked, says who or where it is, of which the proxy says what is true itself; and one that some
// programs take for a setting (httpoxy).
func confuses(name string) bool {
	switch name {
	case "Proxy", "X-Real-Ip", "Http2-Settings", "Forwarded":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || !inNames.have(name)
}

// characters are some of the 256 that a byte can be.
type characters [256]bool

// have reports whether all of a text is among them.
func (cs *characters) have(text string) bool {
	for i := range len(text) {
		if !cs[text[i]] {
			return false
		}
	}
	return true
}

// inNames are letters, digits and the hyphen, which all servers read alike in the name of a header. In place of any other, CGI and what came of it may read a hyphen.
var inNames = func() (all characters) {
	for c := range all {
		all[c] = c == '-' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
	}
	return all
}()

// inHosts are the characters that a host may have, and its port (RFC 9110 §4.2). net/http asks for them in Host alone, and not in the :authority of
// HTTP/2; the app takes what is there for the beginning of its own address.
var inHosts = func() (all characters) {
	for c := byte('!'); c < 0x7f; c++ {
		all[c] = strings.IndexByte("\"#,/<>?@\\^`{|}", c) < 0
	}
	return all
}()

// inMethods are the characters that a method may have (RFC 9110 §5.6.2).
var inMethods = func() (all characters) {
	for c := range all {
		all[c] = inNames[c] || strings.IndexByte("!#$%&'*+.^_`|~", byte(c)) >= 0
	}
	return all
}()

// fitsLine reports whether a request may have the first line that it would have in HTTP/1.1 (RFC 9112 §3), in which the app may be asked. Where it
// had one, net/http has seen to that. In HTTP/2 nobody did: a space within its query would be followed by what the app may take for the version.
func fitsLine(r *http.Request) bool {
	return r.ProtoMajor == 1 || inMethods.have(r.Method) && strings.IndexByte(r.URL.RawQuery, ' ') < 0
}

// edge is what a request meets first.
type edge struct {
	trusted proxies
	patient time.Duration
	next    http.Handler
}

// mayUpgrade reports whether a request that asks to speak another protocol may: a handshake for WebSockets, which is a GET without a body (RFC 6455
// §4.1) and is none in HTTP/1.0 (RFC 9110 §7.8).
func mayUpgrade(r *http.Request) bool {
	to := r.Header["Upgrade"]
	return len(to) == 1 && strings.EqualFold(to[0], "websocket") && r.Method == http.MethodGet && r.Body == http.NoBody && r.ProtoAtLeast(1, 1)
}

// ServeHTTP finds out where a request comes from, and removes, before anybody looks at it, what only serves to confuse those
// behind: header names that some servers read as another name, claims about where it comes from, and upgrades other
// than to a WebSocket.
func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		fail(w, r, http.StatusMethodNotAllowed, "no_proxy", "This is not a proxy to elsewhere.")
		return
	}
	if !inHosts.have(r.Host) {
		fail(w, r, http.StatusBadRequest, "bad_host", "The host of this request is none.")
		return
	}
	if !fitsLine(r) {
		fail(w, r, http.StatusBadRequest, "bad_request", "The method or the query of this request is none.")
		return
	}
	r = e.trusted.locate(r)
	for name := range r.Header {
		if confuses(name) {
			delete(r.Header, name)
		}
	}
	if !mayUpgrade(r) {
		delete(r.Header, "Upgrade")
	}
	if r.Body != http.NoBody && e.patient > 0 {
		body := &patientBody{body: r.Body, control: http.NewResponseController(w), limit: e.patient}
		defer body.leave()
		r = r.WithContext(r.Context()) // the server knows by the body of its own request whether the connection may be used again
		r.Body = body
	}
	if r.ProtoMajor == 2 && e.patient > 0 {
		answer := newPatientWriter(w, e.patient)
		defer answer.begin()
		w = answer
	}
	e.next.ServeHTTP(w, r)
}
