package storetest_test

import (
	"path/filepath"
	"testing"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/storetest"
)

// What a store's own tests begin with. The suite opens many stores, each over an empty database.
func ExampleRun() {
	_ = func(t *testing.T) { // func TestStore(t *testing.T)
		storetest.Run(t, func(t *testing.T) core.Store {
			store, err := boltstore.Open(boltstore.Options{Path: filepath.Join(t.TempDir(), "postern.db")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			return store
		})
	}
}
