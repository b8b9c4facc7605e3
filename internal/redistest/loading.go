package redistest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// loadingKeys is how many keys a server reads that StartLoading returns, and loadingDelay how long it takes over each, in microseconds: forty
// seconds for all, unless it is told to finish.
const (
	loadingKeys  = 400
	loadingDelay = "100000"
)

// StartLoading starts a server that reads its data, as after a start, and refuses nearly everything with LOADING meanwhile. It goes on until
// finish is called, for forty seconds at most. The settings are those of StartKind.
func StartLoading(t testing.TB, kind string, settings ...string) (s *Server, finish func()) {
	t.Helper()
	s = StartKind(t, kind, append([]string{"enable-debug-command local", "rdbcompression no", "loading-process-events-interval-bytes 1024"}, settings...)...)
	c := s.Client(t)
	fill := c.Pipeline()
	for i := range loadingKeys {
		fill.Set(t.Context(), fmt.Sprintf("redistest:%d", i), strings.Repeat("x", 2048), 0) // it looks after its clients once in 1024 bytes
	}
	fill.ConfigSet(t.Context(), "key-load-delay", loadingDelay)
	if _, err := fill.Exec(t.Context()); err != nil {
		t.Fatalf("fill a server: %v", err)
	}
	patient := redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1, ReadTimeout: time.Minute})
	done := make(chan error, 1)
	go func() { done <- patient.Do(t.Context(), "debug", "reload").Err() }()
	finish = func() {
		if err := c.ConfigSet(t.Context(), "key-load-delay", "0").Err(); err != nil {
			t.Errorf("let a server finish: %v", err)
		}
	}
	t.Cleanup(func() {
		s.kill()
		<-done
		_ = patient.Close()
	})
	Eventually(t, "the server is loading", func() bool { return redis.IsLoadingError(c.Ping(t.Context()).Err()) })
	return s, finish
}
