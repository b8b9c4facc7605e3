package boltstore_test

import (
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
	var mu sync.Mutex
	var acknowledged []string
	underLoad := make(chan struct{}) // closed once each writer could have written some
	var running sync.WaitGroup
	for w := range childWriters {
		running.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d", w, i)
				_, err := s.Apply(t.Context(), childTransaction(id))
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
		_, err := s.Tail(t.Context(), []core.LogPosition{{Log: core.Log{Name: "quiet"}}}, time.Minute)
		if !errors.Is(err, core.ErrUnavailable) {
			t.Errorf("Tail under Close = %v; want ErrUnavailable", err)
		}
	})
	select {
	case <-underLoad:
	case <-time.After(20 * time.Second):
		t.Error("hardly anything was written in 20 seconds")
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
