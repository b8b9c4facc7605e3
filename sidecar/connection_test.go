package sidecar

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/hosttest"
	"github.com/postern-auth/postern/internal/redistest"
)

// pouring is an app whose answers to /stream begin and do not end; it counts those that are open, and all else that it is asked for.
type pouring struct{ open, others atomic.Int32 }

func (p *pouring) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/stream" {
		p.others.Add(1)
		return
	}
	p.open.Add(1)
	defer p.open.Add(-1)
	_, _ = io.WriteString(w, "first\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// TestRevocationEndsTheConnection ends a session while an answer of which nothing more comes is open over HTTP/1. The answer must end, though its
// client has sent the next request, after which the server no longer notices that a client is gone; and so must the connection, on which
// that request, of somebody else, must not be served.
func TestRevocationEndsTheConnection(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			app := &pouring{}
			v := serve(t, app, func(o *Options) {
				if secure {
					o.TLSCert, o.TLSKey = makeCertificate(t, t.TempDir(), 1)
				}
			})
			ann, bob := v.signIn(v.parts.Core, v.realm.ID, "ann"), v.signIn(v.parts.Core, v.realm.ID, "bob")
			conn, err := net.Dial("tcp", v.app.Addr().String())
			v.must(err)
			defer conn.Close()
			v.must(conn.SetDeadline(time.Now().Add(30 * time.Second)))
			if secure {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			_, err = fmt.Fprintf(conn, "GET /stream HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer %s\r\n\r\nGET /next HTTP/1.1\r\nHost: app\r\nAuthorization: Bearer %s\r\n\r\n", ann.Token, bob.Token)
			v.must(err)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			v.must(err)
			_, err = io.ReadFull(resp.Body, make([]byte, len("first\n")))
			v.must(err)
			v.must(v.parts.Core.Sessions.Delete(t.Context(), v.realm.ID, ann.Session.ID, core.Request{}))
			_, _ = io.Copy(io.Discard, resp.Body) // until it is ended
			if n, err := conn.Read(make([]byte, 1)); err == nil {
				t.Errorf("the connection says %d bytes more; want it closed", n)
			}
			redistest.Eventually(t, "the app is let go", func() bool { return app.open.Load() == 0 })
			if n := app.others.Load(); n != 0 {
				t.Errorf("%d requests were served after the one whose session has ended; want none", n)
			}
		})
	}
}

// TestRevocationSparesOtherStreams ends a session one of whose answers shares a connection over HTTP/2 with somebody else's.
func TestRevocationSparesOtherStreams(t *testing.T) {
	app := &pouring{}
	v := serve(t, app, func(o *Options) { o.H2C = true })
	var dialled atomic.Int32
	client := plain(t, func(transport *http.Transport) {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
		transport.MaxConnsPerHost = 1 // or the second request might dial again, before the first has put its connection where others find it
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	})
	ann, bob := v.signIn(v.parts.Core, v.realm.ID, "ann"), v.signIn(v.parts.Core, v.realm.ID, "bob")
	var streams []io.ReadCloser
	for _, in := range []*core.SignedIn{ann, bob} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.GuardURL()+"/stream", nil)
		v.must(err)
		r.Header.Set("Authorization", "Bearer "+in.Token)
		resp, err := client.Do(r)
		v.must(err)
		defer resp.Body.Close()
		_, err = io.ReadFull(resp.Body, make([]byte, len("first\n")))
		v.must(err)
		streams = append(streams, resp.Body)
	}
	v.must(v.parts.Core.Sessions.Delete(t.Context(), v.realm.ID, ann.Session.ID, core.Request{}))
	if _, err := io.Copy(io.Discard, streams[0]); os.IsTimeout(err) {
		t.Fatalf("the stream whose session has ended goes on: %v", err)
	}
	redistest.Eventually(t, "the app is let go", func() bool { return app.open.Load() < 2 })
	if resp, _ := v.ask(client, http.MethodGet, v.GuardURL()+"/other", bob.Token, nil); resp.StatusCode != http.StatusOK || dialled.Load() != 1 {
		t.Errorf("the other user's next request = %d over connection %d; want 200 over the first", resp.StatusCode, dialled.Load())
	}
	if n := app.open.Load(); n != 1 {
		t.Errorf("%d streams are open; want the other user's", n)
	}
}

// TestRequestsHaveTheContextOfTheirConnection holds that the sidecar has what guard.ConnContext spares: a request that somebody makes over HTTP/1 gets
// to the proxy as it came, without another context, and so without another copy of it.
func TestRequestsHaveTheContextOfTheirConnection(t *testing.T) {
	v := serve(t, hosttest.App(), func(*Options) {})
	var came, went *http.Request
	guarded := v.front.current.guard.ProxyHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { went = r }))
	v.front.current.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came = r
		guarded.ServeHTTP(w, r)
	})
	r, err := http.NewRequest(http.MethodGet, v.GuardURL(), nil)
	v.must(err)
	r.Header.Set("Authorization", "Bearer "+v.signIn(v.parts.Core, v.realm.ID, "ann").Token)
	resp, err := http.DefaultClient.Do(r)
	v.must(err)
	resp.Body.Close()
	if came == nil || came != went {
		t.Errorf("the request came as %p and went on as %p; want it not copied", came, went)
	}
}
