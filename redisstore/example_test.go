package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/redisstore"
)

// A host opens the store, and looks whether the database is fit before it serves anybody.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	store, err := redisstore.Open(ctx, redisstore.Options{URL: "redis://127.0.0.1:1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	fitness, err := store.Check(ctx)
	if errors.Is(err, core.ErrUnavailable) {
		fmt.Println("nobody answers there: nothing can be known, and nobody is signed out")
		return
	}
	for _, f := range fitness.Findings {
		fmt.Println(f.Code, f.Text)
	}
	// Output: nobody answers there: nothing can be known, and nobody is signed out
}
