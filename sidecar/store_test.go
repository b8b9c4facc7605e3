package sidecar

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/proctest"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestUnreachable says in Redis' own words why it cannot be used, and what to do about that, without what is said to callers of the API.
func TestUnreachable(t *testing.T) {
	for why, want := range map[string]string{
		"WRONGPASS invalid username-password pair": "are user and password right",
		"NOAUTH Authentication required.":          "give user and password",
		"NOPERM this user has no permissions":      "docs/production.md",
		"LOADING Redis is loading the dataset":     "try again when it has",
		"OOM command not allowed":                  "raise maxmemory",
		"NOREPLICAS Not enough good replicas":      "min-replicas-to-write",
		"READONLY You can't write":                 "name the master",
		"MISCONF Redis is configured to save":      "cannot write to its disk",
		"dial tcp 10.0.0.1:6379: refused":          "is it running, and",
	} {
		for _, err := range []error{fmt.Errorf("redisstore: check: %s", why), fmt.Errorf("core: set up: redisstore: apply: %w (%s)", core.ErrUnavailable, why)} {
			said := unreachable(&Options{RedisURL: "redis://:hunter2@10.0.0.1"}, err).Error()
			if !strings.HasPrefix(said, "cannot use Redis: "+strings.TrimSuffix(why, ".")+"; ") || !strings.Contains(said, want) || strings.Contains(said, "hunter2") || strings.Contains(said, "nothing was decided") {
				t.Errorf("unreachable(%v) = %q; want %q", err, said, want)
			}
		}
	}
	if said := unreachable(&Options{RedisURL: "rediss://h"}, errors.New("redisstore: check: context deadline exceeded")).Error(); !strings.Contains(said, "does it speak TLS") {
		t.Errorf("with TLS it says %q; want a word of that", said)
	}
}

// TestCannotListen says of each way in which an address cannot be taken what to do.
func TestCannotListen(t *testing.T) {
	for _, tt := range []struct {
		network string
		err     error
		want    string
	}{
		{"tcp", syscall.EADDRINUSE, "A is taken by another program; stop it, or choose another address with --listen"},
		{"tcp", syscall.EACCES, "this user may not listen on A; give the program CAP_NET_BIND_SERVICE, or choose a port from 1024 up with --listen"},
		{"tcp", syscall.EADDRNOTAVAIL, "A is no address of this machine; choose another with --listen"},
		{"unix", syscall.EADDRINUSE, "cannot listen on A: there is a file that is no socket; move it away, or choose another address with --listen"},
		{"unix", syscall.EACCES, "cannot listen on A: permission denied; choose another address with --listen"},
	} {
		if got := cannotListen(tt.network, "A", "--listen", tt.err).Error(); got != tt.want {
			t.Errorf("cannotListen(%s, %v) = %q; want %q", tt.network, tt.err, got, tt.want)
		}
	}
}

// TestNotAllowed says what to do where the operating system says no, and nothing more of all else.
func TestNotAllowed(t *testing.T) {
	for err, want := range map[error]string{syscall.EACCES: "run this as the user who owns the data", syscall.EROFS: "name a folder that can be written", errors.New("other"): "other"} {
		if got := notAllowed(fmt.Errorf("x: %w", err)); !errors.Is(got, err) || !strings.Contains(got.Error(), want) {
			t.Errorf("notAllowed(%v) = %v; want %q", err, got, want)
		}
	}
	if notAllowed(nil) != nil {
		t.Error("notAllowed(nil) is an error")
	}
}

// TestLoadingRedis starts over a Redis that was started itself a moment ago: it is waited for, and that is said once, in the log, and no
// address is taken meanwhile.
func TestLoadingRedis(t *testing.T) {
	redis, finish := redistest.StartLoading(t, "redis")
	const waits = "redis still reads its data after a start; waiting for it"
	saved, logged := observer.New(zapcore.InfoLevel)
	free, err := proctest.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	saw := zap.New(saved, zap.Hooks(func(e zapcore.Entry) error {
		if e.Message == waits {
			if proctest.Listens(free) {
				t.Errorf("%s is taken before Redis has its data", free)
			}
			finish()
		}
		return nil
	}))
	s, err := Open(t.Context(), Options{Upstream: "http://127.0.0.1:1", Listen: free, APIListen: "127.0.0.1:0", Data: t.TempDir(), MakeMasterKey: true, AllowUnfit: true, Log: saw, RedisURL: redis.URL()})
	if err != nil {
		t.Fatalf("Open over a Redis that reads its data = %v", err)
	}
	s.close()
	if n := logged.FilterMessage(waits).Len(); n != 1 {
		t.Errorf("the log says %d times that it waits; want once", n)
	}
}
