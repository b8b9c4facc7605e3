package sidecar

import (
	"bufio"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLastWord has an app answer, or not, and close the connection without reading a body. Its answer must arrive each time, and where there is none
// it must be said soon.
func TestLastWord(t *testing.T) {
	upstream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer upstream.Close()
	go func() {
		for {
			conn, err := upstream.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReaderSize(conn, 16)); err == nil && r.URL.Path == "/large" {
				_, _ = io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			}
			_ = conn.Close()
		}
	}()
	v := serve(t, http.NotFoundHandler(), func(o *Options) {
		o.Upstream, o.Guard.Public = "http://"+upstream.Addr().String(), []string{"/*"}
	})
	post := func(path string) int {
		conn, err := net.Dial("tcp", v.app.Addr().String())
		v.must(err)
		defer conn.Close()
		v.must(conn.SetDeadline(time.Now().Add(20 * time.Second)))
		go func() {
			_, _ = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: app\r\nContent-Length: 1048576\r\n\r\n"+strings.Repeat("x", 1<<20))
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		v.must(err)
		return resp.StatusCode
	}
	for i := range 200 {
		if got := post("/large"); got != http.StatusRequestEntityTooLarge {
			t.Fatalf("post %d, which the app answered by 413 = %d", i+1, got)
		}
	}
	for range 20 {
		if got := post("/away"); got != http.StatusBadGateway {
			t.Fatalf("a post that the app did not answer = %d, want 502", got)
		}
	}
}

// TestLastWordOfAWebSocket has an app end one, and its client take no notice and send on. It must be let go.
func TestLastWordOfAWebSocket(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = conn.Read(make([]byte, 1))
	})
	overTLS := httptest.NewTLSServer(app)
	t.Cleanup(overTLS.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: overTLS.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for scheme, change := range map[string]func(*Options){"http": func(*Options) {}, "https": func(o *Options) { o.Upstream, o.UpstreamCA = overTLS.URL, ca }} {
		v := serve(t, app, func(o *Options) {
			o.Guard.Public = []string{"/*"}
			change(o)
		})
		conn := v.dial()
		v.must(conn.SetDeadline(time.Now().Add(10 * time.Second)))
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		v.must(err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		v.must(err)
		if resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("a WebSocket to an app at %s = %d; want 101", scheme, resp.StatusCode)
		}
		for err == nil {
			_, err = io.WriteString(conn, "x")
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the client could send on for 10 seconds to an app at %s; want it to be let go", scheme)
		}
	}
}

// TestLastWordOfAnIdleConnection holds that http.Transport hears of a connection that was closed as idle, over which nothing of a request went, and of
// other failures than that the app has closed it.
func TestLastWordOfAnIdleConnection(t *testing.T) {
	below := &failing{}
	c := &lastWord{Conn: below}
	write := func(what string, fails error, want error) {
		t.Helper()
		below.err = fails
		if _, err := c.Write([]byte("x")); !errors.Is(err, want) {
			t.Errorf("%s = %v, want %v", what, err, want)
		}
	}
	write("the first write", syscall.EPIPE, syscall.EPIPE)
	write("a good one", nil, nil)
	write("the next, after the app has closed", syscall.ECONNRESET, nil)
	write("one to a connection that we closed", net.ErrClosed, net.ErrClosed)
	_, _ = c.Read(make([]byte, 1))
	write("one while the answer is on its way", syscall.EPIPE, nil)
	_, _ = c.Read(make([]byte, 1))
	write("the first of the next request", syscall.EPIPE, syscall.EPIPE)
}

// failing is a connection whose writes fail by err, where that is not nil.
type failing struct {
	net.Conn
	err error
}

func (f *failing) Read(p []byte) (int, error) { return len(p), nil }

func (f *failing) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return len(p), nil
}
