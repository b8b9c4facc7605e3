package sidecar

import (
	"net/http"
	"sync"
	"testing"
	"time"

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

// TestStopCuts ends a stream that would go on for ever, which is no failure of the server: the test world holds that Run returns none.
func TestStopCuts(t *testing.T) {
	gone := make(chan struct{})
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	})
	v := serve(t, app, func(o *Options) { o.Drain, o.Guard.Public = time.Millisecond, []string{"/*"} })
	resp, err := plain(t, nil).Get(v.GuardURL())
	v.must(err)
	defer resp.Body.Close()
	v.stop()
	<-gone
	if n := v.logged.FilterMessage("requests that took longer than drain were cut").Len(); n != 1 {
		t.Errorf("%d lines say that a request was cut; want 1", n)
	}
}
