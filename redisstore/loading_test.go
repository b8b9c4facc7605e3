package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestAwaitLoaded waits for a server that was started a moment ago, and for no other.
func TestAwaitLoaded(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, shared *redistest.Server) {
		server, finish := redistest.StartLoading(t, shared.Kind)
		s := open(t, options(server.URL()))
		if _, err := s.Get(t.Context(), core.Key{Name: "n"}); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("Get while the server loads = %v; want ErrUnavailable", err)
		}
		impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		s.AwaitLoaded(impatient, func() {})
		if _, err := s.Check(t.Context()); !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("Check after AwaitLoaded with 50ms = %v; want it to have returned while the server loads", err)
		}
		said := 0
		s.AwaitLoaded(t.Context(), func() { said++; finish() })
		if _, err := s.Check(t.Context()); err != nil || said != 1 {
			t.Errorf("Check after AwaitLoaded, which said %d times that it waits = %v; want once, and an answer", said, err)
		}
		server.Stop(t)
		s.AwaitLoaded(t.Context(), func() { t.Error("AwaitLoaded waits for a server that does not run") })
	})
}

// TestAwaitLoadedInSilence has a server that reads its data not answer for longer than a call waits: it is waited for all the same.
func TestAwaitLoadedInSilence(t *testing.T) {
	t.Parallel()
	server, _ := redistest.StartLoading(t, "redis")
	proxy := redistest.NewProxy(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o, once, asked, silent := options(proxy.URL()), 0, 0, false
	o.CallTimeout = 2 * time.Second // and so one attempt a look
	o.Now = func() time.Time {      // a look asks for the time, at most as often as the first did
		switch {
		case !silent:
			once++
		case asked == once:
			cancel() // it has looked again
		default:
			asked++
		}
		return time.Now()
	}
	s := open(t, o)
	s.AwaitLoaded(ctx, func() {
		silent = true
		proxy.Set(redistest.Swallow())
	})
	if ctx.Err() == nil {
		t.Error("AwaitLoaded gave up a server that read its data, and then did not answer in time")
	}
}
