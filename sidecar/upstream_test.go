package sidecar

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/internal/redistest"
)

// TestWebSocketToHTTP2 opens a WebSocket to an app that is asked in HTTP/2 without TLS, in which there are none.
func TestWebSocketToHTTP2(t *testing.T) {
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprint(w, r.Proto)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
	}))
	app.Config.Protocols = new(http.Protocols)
	app.Config.Protocols.SetHTTP1(true)
	app.Config.Protocols.SetUnencryptedHTTP2(true)
	app.Start()
	t.Cleanup(app.Close)
	v := serve(t, http.NotFoundHandler(), func(o *Options) {
		o.Upstream, o.Guard.Public = strings.Replace(app.URL, "http", "h2c", 1), []string{"/*"}
	})
	if _, body := v.ask(plain(t, nil), http.MethodGet, v.GuardURL(), "", nil); body != "HTTP/2.0" {
		t.Errorf("a request reached the app as %q; want HTTP/2.0", body)
	}
	conn := v.dial()
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	v.must(err)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	v.must(err)
	hello := make([]byte, len("hello"))
	if resp.StatusCode == http.StatusSwitchingProtocols {
		_, err = io.ReadFull(r, hello)
	}
	if err != nil || string(hello) != "hello" {
		t.Errorf("a WebSocket = %d and %q, %v; want 101 and what the app says", resp.StatusCode, hello, err)
	}
}

// TestWebSocketHearsWhatCameEarly has a client, which should not, send before its WebSocket is open, and end what it sends: all of it reaches the
// app, and the app is heard to its end.
func TestWebSocketHearsWhatCameEarly(t *testing.T) {
	asked := make(chan bool)
	open := make(chan bool)
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- true
		<-open
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		text, _ := io.ReadAll(both)
		_, _ = fmt.Fprintf(conn, "heard %s", text)
	})
	v := serve(t, app, func(o *Options) { o.Guard.Public = []string{"/*"} })
	for _, early := range []string{"", "with the request", "while the app works"} {
		conn := v.dial()
		handshake := "GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
		if early == "with the request" {
			handshake += early
		}
		_, err := io.WriteString(conn, handshake)
		v.must(err)
		<-asked
		if early == "while the app works" {
			_, err = io.WriteString(conn, early)
			v.must(err)
		}
		open <- true
		r := bufio.NewReader(conn)
		_, err = http.ReadResponse(r, nil)
		v.must(err)
		_, err = io.WriteString(conn, " and later")
		v.must(err)
		v.must(conn.(*net.TCPConn).CloseWrite())
		if text, err := io.ReadAll(r); err != nil || string(text) != "heard "+early+" and later" {
			t.Errorf("what came early %q: the app says %q, %v; want it heard", early, text, err)
		}
		_ = conn.Close()
	}
}

// TestMalformedStatus has an app answer with a status that net/http reads, and cannot write.
func TestMalformedStatus(t *testing.T) {
	app, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	go func() {
		for {
			conn, err := app.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n")
			_ = conn.Close()
		}
	}()
	v := serve(t, http.NotFoundHandler(), func(o *Options) {
		o.Upstream, o.Guard.Public = "http://"+app.Addr().String(), []string{"/*"}
	})
	resp, _ := v.ask(plain(t, nil), http.MethodPost, v.GuardURL(), "", nil) // which no client sends twice
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("the answer = %d; want 502", resp.StatusCode)
	}
}

// TestTrailersOfRequests holds that the app is not told of trailers that do not come.
func TestTrailersOfRequests(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		announced := len(r.Trailer)
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s, %d trailers, %d at last", body, announced, len(r.Trailer))
	})
	v := serve(t, app, func(o *Options) { o.Guard.Public = []string{"/*"} })
	r, err := http.NewRequest(http.MethodPost, v.GuardURL(), io.MultiReader(strings.NewReader("body"))) // whose length is not known
	v.must(err)
	r.Trailer = http.Header{"X-Sum": {"42"}}
	resp, err := plain(t, nil).Do(r)
	v.must(err)
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != "body, 0 trailers, 0 at last" {
		t.Errorf("the app got %q, %v; want the body and no trailers", got, err)
	}
}

// inHTTP2 returns an app that is asked in HTTP/2 without TLS.
func inHTTP2(t *testing.T, app http.Handler) *upstream {
	t.Helper()
	server := httptest.NewUnstartedServer(app)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	up, err := parseUpstream(strings.Replace(server.URL, "http", "h2c", 1), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(up.rest)
	return up
}

// page asks the app for its first page, of which the body is yet to come.
func (up *upstream) page(t *testing.T) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, up.url.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := up.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestSilentHTTP2 has the machine of an app go away without a word, while a connection in HTTP/2 is open. The request on it fails in
// bounded time, and the next one asks anew.
func TestSilentHTTP2(t *testing.T) {
	up := inHTTP2(t, http.NotFoundHandler())
	if h2 := up.transport.Load().HTTP2; h2 == nil || h2.SendPingTimeout != silentFor || h2.PingTimeout != silentFor {
		t.Fatalf("the transport has %+v; want it to find out that the app is silent", h2)
	}
	up.transport.Load().HTTP2.SendPingTimeout, up.transport.Load().HTTP2.PingTimeout = 20*time.Millisecond, 2*time.Second
	var gone atomic.Bool
	dial := up.transport.Load().DialContext
	up.transport.Load().DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &mutedConn{conn, &gone}, err
	}
	ask := func() error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, up.url.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := up.RoundTrip(r)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	if err := ask(); err != nil {
		t.Fatalf("a request = %v; want an answer", err)
	}
	gone.Store(true)
	if err := ask(); err == nil {
		t.Error("a request to an app that is gone was answered")
	}
	gone.Store(false)
	if err := ask(); err != nil {
		t.Errorf("a request to an app that is back = %v; want an answer", err)
	}
}

// TestUntakenAnswer has nobody take an answer in HTTP/2. Little of it may be kept for them, and the app is to wait with the rest.
func TestUntakenAnswer(t *testing.T) {
	sent := make(chan int, 1)
	up := inHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n, chunk := 0, make([]byte, 4<<10)
		for err := error(nil); err == nil; n += len(chunk) {
			if err = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second)); err == nil {
				_, err = w.Write(chunk)
			}
		}
		sent <- n
	}))
	defer up.page(t).Body.Close()
	if n := <-sent; n < untaken || n > 2*untaken {
		t.Errorf("of an answer that nobody takes the app could send %d bytes; want about %d", n, untaken)
	}
}

// TestTurnedAway has an app in HTTP/2 turn away all requests on a connection that others share. Only the first that does more than read may hear of that:
// it is asked over another connection from then on.
func TestTurnedAway(t *testing.T) {
	for _, tt := range []struct {
		method        string
		code          byte
		first, others int
	}{
		{http.MethodPost, 0xb, 502, 404}, {http.MethodGet, 0xb, 404, 404}, {http.MethodPost, 0x8, 502, 502}, {http.MethodGet, 0x8, 502, 502},
	} {
		turnedAway := turnedAwayBy(t, tt.code)
		for i, want := range []int{tt.first, tt.others, tt.others} {
			if got := turnedAway(tt.method); got != want {
				t.Errorf("where the app ends requests with code %d, %s %d = %d; want %d", tt.code, tt.method, i+1, got, want)
			}
		}
	}
}

// turnedAwayBy returns what asks an app in HTTP/2 for a page that is not there. On the first connection that is asked over, it ends each request with a code.
func turnedAwayBy(t *testing.T, code byte) (ask func(method string) int) {
	t.Helper()
	up := inHTTP2(t, http.NotFoundHandler())
	full, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = full.Close() })
	go turnAway(full, code)
	var dialed atomic.Int64
	dial := up.transport.Load().DialContext
	up.transport.Load().DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dialed.Add(1) > 1 {
			return dial(ctx, network, address)
		}
		return dial(ctx, network, full.Addr().String())
	}
	proxy := newProxy(up, time.Minute, zap.NewNop())
	return func(method string) int {
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(method, "/", nil).WithContext(t.Context()))
		return w.Code
	}
}

// turnAway serves HTTP/2 to who comes first, and ends every request with a code (RFC 9113 §4.1, §6.4).
func turnAway(l net.Listener, code byte) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	_, err = in.Discard(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if err == nil {
		_, err = conn.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // SETTINGS
	}
	for head := make([]byte, 9); err == nil; {
		if _, err = io.ReadFull(in, head); err != nil {
			return
		}
		_, err = in.Discard(int(head[0])<<16 | int(head[1])<<8 | int(head[2]))
		if err == nil && head[3] == 1 { // HEADERS
			_, err = conn.Write(slices.Concat([]byte{0, 0, 4, 3, 0}, head[5:9], []byte{0, 0, 0, code}))
		}
	}
}

// mutedConn is a connection on which nothing that is sent arrives while the other side is gone.
type mutedConn struct {
	net.Conn
	gone *atomic.Bool
}

func (c *mutedConn) Write(p []byte) (int, error) {
	if c.gone.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// TestLateRest ends the use of an app, as a reload does, while a request to it is not quite over: its connection is closed all the same.
func TestLateRest(t *testing.T) {
	var open atomic.Int64
	rested := make(chan bool, 1)
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		select {
		case <-rested:
			_, _ = io.WriteString(w, "hello")
		case <-r.Context().Done():
		}
	}))
	app.Config.Protocols = new(http.Protocols)
	app.Config.Protocols.SetHTTP1(true)
	app.Config.Protocols.SetUnencryptedHTTP2(true)
	app.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	app.Start()
	t.Cleanup(app.Close)
	for scheme, timeout := range map[string]time.Duration{"http": 0, "https": restAfter, "h2c": restAfter} {
		up, err := parseUpstream(strings.Replace(app.URL, "http", scheme, 1), "")
		if err != nil {
			t.Fatal(err)
		}
		if up.transport.Load().IdleConnTimeout != timeout {
			t.Errorf("over %s an idle connection closes itself after %v; want %v", scheme, up.transport.Load().IdleConnTimeout, timeout)
		}
		if scheme == "https" {
			continue
		}
		up.transport.Load().IdleConnTimeout = min(up.transport.Load().IdleConnTimeout, 20*time.Millisecond)
		resp := up.page(t)
		up.rest()
		rested <- true
		if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "hello" {
			t.Errorf("the request = %q, %v; want hello", text, err)
		}
		_ = resp.Body.Close()
		redistest.Eventually(t, "the connection over "+scheme+" is closed", func() bool { return open.Load() == 0 })
	}
}
