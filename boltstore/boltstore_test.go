package boltstore_test

import (
	"path/filepath"
	"testing"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) core.Store { return openTemp(t) })
}

// openTemp returns a Store over a new file, closed when t ends.
func openTemp(t testing.TB) *boltstore.Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "postern.db"))
}

// open returns a Store over the file at path, closed when t ends.
func open(t testing.TB, path string) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(boltstore.Options{Path: path})
	if err != nil {
		t.Fatalf("Open(%s) = %v; want a Store", path, err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
