package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
)

// Two callers want one name. It is a record that must be absent, so only one of them gets it.
func Example() {
	folder, err := os.MkdirTemp("", "postern")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)

	store, err := boltstore.Open(boltstore.Options{Path: filepath.Join(folder, "postern.db")})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	for _, user := range []string{"ada", "grace"} {
		_, err := store.Apply(context.Background(), &core.Transaction{
			ID:      "claim-for-" + user,
			Now:     time.Now(),
			Require: []core.Precondition{{Name: "name:admiral"}},
			Put:     []core.Put{{Name: "name:admiral", Value: []byte(user)}},
		})
		if conflict, taken := errors.AsType[*core.ConflictError](err); taken {
			fmt.Println(user, "comes too late for", conflict.Key.Name)
			continue
		}
		fmt.Println(user, "has it")
	}
	// Output:
	// ada has it
	// grace comes too late for name:admiral
}
