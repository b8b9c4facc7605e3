package sidecar

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

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

// hasPath reports whether the app is at a path, which requests may not leave.
func (up *upstream) hasPath() bool { return up.url.Path != "" && up.url.Path != "/" }

// parseUpstream returns the app at an address that readUpstream reads, which over TLS is known by the certificates in a file; "" = by those that the system trusts.
func parseUpstream(text, caFile string) (*upstream, error) {
	u, socket, err := readUpstream(text)
	pool, failed := readCertificates(caFile)
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

// readUpstream reads where the app is: http://, https:// (HTTP/2 where the app has it), h2c:// (HTTP/2 without
// TLS), or unix:/path of a socket that HTTP is spoken over.
func readUpstream(text string) (u *url.URL, socket string, err error) {
	u, err = url.Parse(text)
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
	if err != nil {
		return nil, "", fmt.Errorf("upstream %q must be a URL like http://127.0.0.1:3000, https://app.internal, h2c://127.0.0.1:3000 or unix:/run/app.sock", text)
	}
	return u, socket, nil
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
