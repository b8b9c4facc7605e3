package redisstore_test

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
	"github.com/postern-auth/postern/storetest"
)

func TestMain(m *testing.M) {
	code := redistest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func TestStore(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		storetest.Run(t, func(t *testing.T) core.Store { return open(t, shared(s)) })
	})
}

func TestStoreShared(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		storetest.RunShared(t, func(t *testing.T) (a, b core.Store) {
			o := shared(s)
			return open(t, o), open(t, o)
		})
	})
}

// prefixes numbers the tests, which share a server.
var prefixes atomic.Int64

// shared returns options for a shared server, with key prefix of one test. The machine may be busy.
func shared(s *redistest.Server) redisstore.Options {
	o := options(s.URL())
	o.KeyPrefix = fmt.Sprintf("test-%d-%d:", os.Getpid(), prefixes.Add(1))
	return o
}

// options are patient enough for a busy machine.
func options(url string) redisstore.Options {
	return redisstore.Options{URL: url, PoolSize: 50, DialTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, CallTimeout: 20 * time.Second}
}

// open returns a store that is closed with the test.
func open(t testing.TB, o redisstore.Options) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return s
}
