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
