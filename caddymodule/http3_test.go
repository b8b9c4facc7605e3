//go:build !race

package caddymodule

// Caddy's handshakes of QUIC read what its start has written, and the race detector does not see that a datagram lies between: quic-go reads them by
// calls of its own. 'make proxies' runs what is here.

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/url"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/postern-auth/postern/internal/hosttest"
)

// quicConfig takes the certificate of loadTLS.
func quicConfig() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}
}

// TestHostOverHTTP3 runs the table that all hosts run over HTTP/3, which Caddy speaks to whoever asks for it.
func TestHostOverHTTP3(t *testing.T) {
	transport := &http3.Transport{TLSClientConfig: quicConfig()}
	defer transport.Close()
	newWorld(t).runTable("", transport)
}

// TestStreamsOverHTTP3 opens a WebSocket by extended CONNECT (RFC 9220): with a cookie only for a page of the site itself, and both ends of it
// learn when the session ends.
func TestStreamsOverHTTP3(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	w.loadTLS(w.config("", guarded))
	conn, err := quic.DialAddr(t.Context(), w.site, quicConfig(), &quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h3 := new(http3.Transport).NewClientConn(conn)
	defer h3.CloseWithError(0, "")
	cookie := "__Host-postern=" + p.tokens.Valid
	for _, header := range []http.Header{{"Cookie": {cookie}}, {"Cookie": {cookie}, "Origin": {"https://elsewhere.example"}}} {
		if status, _ := w.connect(h3, header); status != http.StatusForbidden {
			t.Errorf("with %d headers = %d, want 403", len(header), status)
		}
	}
	status, stream := w.connect(h3, http.Header{"Cookie": {cookie}, "Origin": {"https://" + w.site}})
	if status != http.StatusOK {
		t.Fatalf("from a page of the site = %d, want 200", status)
	}
	heard := make([]byte, 5)
	_, err = stream.Write([]byte("hello"))
	if _, read := io.ReadFull(stream, heard); errors.Join(err, read) != nil || string(heard) != "hello" {
		t.Fatalf("heard %q, %v; want hello", heard, errors.Join(err, read))
	}
	r, err := http.NewRequestWithContext(t.Context(), "DELETE", "https://"+w.site+"/v1/users/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.tokens.Valid)
	if resp, err := h3.RoundTrip(r); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("DELETE /v1/users/me = %v, %v", resp, err)
	}
	hosttest.MustEnd(t, stream)
}

// TestWriterOfNoContextEndsOverHTTP3 has an app behind FastCGI, whose answers Caddy passes on without a look at the context, write on and on.
func TestWriterOfNoContextEndsOverHTTP3(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	app, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = fcgi.Serve(app, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(rw, "data: beat\n\n"); err != nil {
					return
				}
				_ = http.NewResponseController(rw).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}))
	}()
	t.Cleanup(func() { _ = app.Close() })
	w.loadTLS(w.config("", "postern_api /v1/*\n\tpostern_auth\n\treverse_proxy "+app.Addr().String()+" {\n\t\ttransport fastcgi\n\t\tflush_interval -1\n\t}"))
	transport := &http3.Transport{TLSClientConfig: quicConfig()}
	defer transport.Close()
	ask := func(method, path string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://"+w.site+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+p.tokens.Valid)
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	stream := ask("GET", "/events")
	if _, err := io.ReadFull(stream.Body, make([]byte, 100)); err != nil {
		t.Fatalf("the stream = %d, %v", stream.StatusCode, err)
	}
	if resp := ask("DELETE", "/v1/users/me"); resp.StatusCode >= 300 {
		t.Fatalf("DELETE /v1/users/me = %d", resp.StatusCode)
	}
	hosttest.MustEnd(t, stream.Body)
}

// connect asks for a WebSocket with headers, and returns the status and what is then open.
func (w *world) connect(conn *http3.ClientConn, header http.Header) (int, io.ReadWriter) {
	w.Helper()
	stream, err := conn.OpenRequestStream(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	err = stream.SendRequestHeader(&http.Request{Method: "CONNECT", Proto: "websocket", Host: w.site, Header: header,
		URL: &url.URL{Scheme: "https", Host: w.site, Path: "/"}})
	if err != nil {
		w.Fatal(err)
	}
	resp, err := stream.ReadResponse()
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, stream
}
