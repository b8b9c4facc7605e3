package sidecar

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/redistest"
)

// TestIdleConnections has the connections to the app closed that no request uses, and no others.
func TestIdleConnections(t *testing.T) {
	var opened, closed atomic.Int64
	answer := make(chan bool)
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-answer
		}
		_, _ = io.WriteString(w, "hello")
	}))
	app.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened.Add(1)
		case http.StateClosed:
			closed.Add(1)
		}
	}
	app.Start()
	defer app.Close()
	v := serve(t, http.NotFoundHandler(), func(o *Options) { o.Upstream, o.Guard.Public = app.URL, []string{"/*"} })
	ask := func(path string) string {
		_, text := v.ask(plain(t, nil), "GET", v.GuardURL()+path, "", nil)
		return text
	}

	slow := make(chan string)
	go func() { slow <- ask("/slow") }()
	redistest.Eventually(t, "the slow request has its connection", func() bool { return opened.Load() == 1 })
	for range 3 {
		ask("/")
	}
	if opened.Load() != 2 || closed.Load() != 0 {
		t.Errorf("%d connections were opened and %d closed; want 2, of which the second serves again, and 0", opened.Load(), closed.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan bool)
	go func() { v.front.closeIdle(ctx, time.Millisecond); close(done) }()
	redistest.Eventually(t, "the connection is closed that no request uses", func() bool { return closed.Load() == 1 })
	close(answer)
	if text := <-slow; text != "hello" {
		t.Errorf("the slow request = %q; want hello", text)
	}
	redistest.Eventually(t, "its connection is closed after it", func() bool { return closed.Load() == 2 })
	cancel()
	<-done
	for range 3 {
		if text := ask("/"); text != "hello" {
			t.Errorf("a request afterwards = %q; want hello", text)
		}
	}
	if opened.Load() != 3 {
		t.Errorf("%d connections were opened; want 3", opened.Load())
	}
}
