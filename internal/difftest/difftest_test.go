package difftest_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/draws"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

func init() { draws.Usual("60", "50", "20260402") }

// opener opens a store over an empty database that is gone when its t ends.
type opener struct {
	name string
	open func(t *rapid.T) core.Store
}

// TestStoresAgree plays random histories against the embedded file and each real Redis and Valkey at hand.
func TestStoresAgree(t *testing.T) {
	stores := []opener{{"bolt", bolt(t)}}
	redistest.Each(t, func(_ *testing.T, server *redistest.Server) { // they run until the process ends
		stores = append(stores, opener{server.Kind, redis(server)})
	})
	if len(stores) < 2 {
		t.Skip("NOT TESTED: there is no store to compare with")
	}
	agree(t, stores)
}

// agree plays histories against the stores, each history over empty ones.
func agree(t *testing.T, stores []opener) {
	rapid.Check(t, func(t *rapid.T) {
		var sides []*side
		for _, s := range stores {
			sides = append(sides, newSide(s.name, s.open(t)))
		}
		newHistory(t, sides).play()
	})
}

// bolt opens files in a folder of the test.
func bolt(t *testing.T) func(*rapid.T) core.Store {
	dir, n := t.TempDir(), 0
	return func(t *rapid.T) core.Store {
		n++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", n))
		store, err := boltstore.Open(boltstore.Options{Path: path})
		if err != nil {
			t.Fatalf("boltstore.Open: %v", err)
		}
		t.Cleanup(func() {
			if err := errors.Join(store.Close(), os.Remove(path)); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return store
	}
}

// prefixes numbers the stores of all tests, which share a server.
var prefixes atomic.Int64

// redis opens stores on a server, each under key names of its own.
func redis(server *redistest.Server) func(*rapid.T) core.Store {
	return func(t *rapid.T) core.Store {
		prefix := fmt.Sprintf("difftest-%d-%d:", os.Getpid(), prefixes.Add(1))
		store, err := redisstore.Open(t.Context(), redisstore.Options{URL: server.URL(), KeyPrefix: prefix, DialTimeout: 10 * time.Second,
			ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, CallTimeout: 20 * time.Second})
		if err != nil {
			t.Fatalf("redisstore.Open: %v", err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return store
	}
}
