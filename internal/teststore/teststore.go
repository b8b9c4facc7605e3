// Package teststore opens every kind of store that this machine can, for tests of what stands on one.
package teststore

import (
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// patient are options that wait for Redis for long: on a machine that is busy with other tests, a server may take longer than it has in
// production, and so may we.
var patient = redisstore.Options{DialTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, CallTimeout: 20 * time.Second}

// Open opens a store over an empty database of its own, closed when its t ends.
type Open func(t *testing.T) core.Store

// Each runs test once on the embedded file and once on each real Redis and Valkey at hand.
func Each(t *testing.T, test func(t *testing.T, open Open)) {
	t.Helper()
	t.Run("bolt", func(t *testing.T) { test(t, Bolt) })
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		test(t, func(t *testing.T) core.Store { return Redis(t, server) })
	})
}

// Bolt opens the embedded store in a temporary folder.
func Bolt(t *testing.T) core.Store {
	t.Helper()
	store, err := boltstore.Open(boltstore.Options{Path: filepath.Join(t.TempDir(), "postern.db")})
	if err != nil {
		t.Fatalf("boltstore.Open = %v", err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// Redis opens a store on a server, under key names of its own.
func Redis(t *testing.T, server *redistest.Server) core.Store {
	t.Helper()
	o := patient
	o.URL, o.KeyPrefix = server.URL(), "test-"+rand.Text()+":"
	store, err := redisstore.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("redisstore.Open = %v", err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// Cluster opens a store on the masters of a Redis Cluster.
func Cluster(t *testing.T, nodes []*redistest.Server) core.Store {
	t.Helper()
	o := patient
	o.Mode = redisstore.ModeCluster
	for _, n := range nodes {
		o.Addrs = append(o.Addrs, n.Addr())
	}
	store, err := redisstore.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("redisstore.Open of a cluster = %v", err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}
