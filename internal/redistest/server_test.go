package redistest

import (
	"context"
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestServerLives(t *testing.T) {
	s := Start(t, "appendonly yes")
	c := s.Client(t)
	ctx := t.Context()
	if err := c.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	if got, err := c.Get(ctx, "k").Result(); err != nil || got != "v" {
		t.Errorf("after a restart Get = %q, %v; want what was there", got, err)
	}

	s.Pause(t)
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if err := c.Ping(short).Err(); err == nil {
		t.Error("a paused server answered")
	}
	s.Resume(t)
	if err := c.Ping(ctx).Err(); err != nil {
		t.Errorf("after Resume: %v", err)
	}

	s.Stop(t)
	if err := c.Ping(ctx).Err(); err == nil {
		t.Error("a stopped server answered")
	}
}

func TestEachIsShared(t *testing.T) {
	Each(t, func(t *testing.T, s *Server) {
		if err := s.Client(t).Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	})
	if first, second := Shared(t), Shared(t); first.URL() != second.URL() {
		t.Errorf("Shared = %s, then %s; want one server", first.URL(), second.URL())
	}
}
