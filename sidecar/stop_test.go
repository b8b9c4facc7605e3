package sidecar

import (
	"net/http"
	"sync"
	"testing"

	"github.com/postern-auth/postern/internal/redistest"
)

// TestStop lets a request under way finish, and tells whoever watches meanwhile that no other will be served.
func TestStop(t *testing.T) {
	arrived, leave := make(chan struct{}), make(chan struct{})
	app := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-leave
	})
	v := serve(t, app, func(o *Options) { o.AdminListen, o.Guard.Public = "127.0.0.1:0", []string{"/*"} })
	release := sync.OnceFunc(func() { close(leave) })
	t.Cleanup(release) // or the server would wait, where the test has ended early
	answer, stopped := make(chan int), make(chan struct{})
	go func() {
		resp, _ := v.ask(plain(t, nil), "GET", v.GuardURL(), "", nil)
		answer <- resp.StatusCode
	}()
	<-arrived
	go func() {
		v.stop()
		close(stopped)
	}()
	redistest.Eventually(t, "who watches is told that the server stops", func() bool {
		resp, body := v.ask(plain(t, nil), "GET", urlOf("http", v.admin)+"/readyz", "", nil)
		return resp.StatusCode == http.StatusServiceUnavailable && body == "stopping\n"
	})
	release()
	if got := <-answer; got != http.StatusOK {
		t.Errorf("the request under way = %d; want 200", got)
	}
	<-stopped
}
