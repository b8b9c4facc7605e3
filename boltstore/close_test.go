package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
)

// TestCloseUnderLoad closes a Store while it is written to and tailed: nobody is left waiting, no goroutine is
// left behind, and what was acknowledged is in the file.
func TestCloseUnderLoad(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "postern.db")
	s, err := boltstore.Open(boltstore.Options{Path: path})
	if err != nil {
		t.Fatalf("Open = %v; want a Store", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // of whoever is left waiting
	defer cancel()
	var mu sync.Mutex
	var acknowledged []string
	underLoad := make(chan struct{}) // closed once each writer could have written some
	var running sync.WaitGroup
	for w := range childWriters {
		running.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d", w, i)
				_, err := s.Apply(ctx, childTransaction(id))
				if err != nil {
					if !errors.Is(err, core.ErrUnavailable) {
						t.Errorf("Apply under Close = %v; want ErrUnavailable", err)
					}
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, id)
				if len(acknowledged) == 10*childWriters {
					close(underLoad)
				}
				mu.Unlock()
			}
		})
	}
	running.Go(func() {
		_, err := s.Tail(ctx, []core.LogPosition{{Log: core.Log{Name: "quiet"}}}, 5*time.Minute)
		if !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("Tail under Close = %v; want ErrUnavailable", err)
		}
	})
	select {
	case <-underLoad:
	case <-time.After(time.Minute):
		t.Error("hardly anything was written in a minute")
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v; want it closed", err)
		}
	}
	running.Wait()

	again, err := boltstore.Open(boltstore.Options{Path: path})
	if err != nil {
		t.Fatalf("Open again = %v; want a Store", err)
	}
	defer again.Close()
	checkAcknowledged(t, again, acknowledged)
	checkUntorn(t, again)
}
