package sidecar

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/hosttest"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestIdleConnections has the connections to the app closed that no request uses, and no others.
func TestIdleConnections(t *testing.T) {
	var opened, closed atomic.Int64
	answer := make(chan bool)
	release := sync.OnceFunc(func() { close(answer) })
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
	defer release()
	v := serve(t, http.NotFoundHandler(), func(o *Options) { o.Upstream, o.Guard.Public = app.URL, []string{"/*"} })
	open := func() int64 { return opened.Load() - closed.Load() }
	serves := func() bool { // a connection again; net/http keeps none that it may not have done with after 50 ms, as on a busy machine
		before := opened.Load()
		if _, text := v.ask(plain(t, nil), "GET", v.GuardURL(), "", nil); text != "hello" {
			t.Errorf("a request = %q; want hello", text)
		}
		return opened.Load() == before
	}

	slow := v.begin(v.GuardURL() + "/slow")
	redistest.Eventually(t, "the slow request has its connection", func() bool { return open() == 1 })
	redistest.Eventually(t, "a second connection serves again", func() bool { return serves() && open() == 2 })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan bool)
	go func() { v.front.closeIdle(ctx, time.Millisecond); close(done) }()
	redistest.Eventually(t, "the connection is closed that no request uses", func() bool { return open() == 1 })
	release()
	if text := hosttest.Within(t, "the slow request is answered", slow); text != "200 hello" {
		t.Errorf("the slow request = %q; want hello", text)
	}
	redistest.Eventually(t, "its connection is closed after it", func() bool { return open() == 0 })
	cancel()
	hosttest.Within(t, "nobody closes idle connections any more", done)
	redistest.Eventually(t, "a connection serves again afterwards", serves)
}
