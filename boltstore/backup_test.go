package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
)

// pair sets two records in one Transaction.
func pair(t *testing.T, s *boltstore.Store, n int) {
	t.Helper()
	value := fmt.Appendf(nil, "%d", n)
	_, err := s.Apply(t.Context(), &core.Transaction{ID: fmt.Sprintf("op%d", n), Now: time.Now(),
		Put: []core.Put{{Name: "a", Value: value}, {Name: "b", Value: value}}})
	if err != nil {
		t.Error(err)
	}
}

// TestBackup takes backups while others write: each opens, and is of one moment.
func TestBackup(t *testing.T) {
	s := openTemp(t)
	pair(t, s, 0)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	defer writers.Wait()
	defer close(stop)
	writers.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
				pair(t, s, n)
			}
		}
	})
	for range 5 {
		var backup bytes.Buffer
		if err := s.Backup(t.Context(), &backup); err != nil {
			t.Fatalf("Backup = %v", err)
		}
		path := filepath.Join(t.TempDir(), "backup.db")
		if err := os.WriteFile(path, backup.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		recs, err := open(t, path).Get(t.Context(), core.Key{Name: "a"}, core.Key{Name: "b"})
		if err != nil || recs[0].Version == 0 || recs[0].Version != recs[1].Version || string(recs[0].Value) != string(recs[1].Value) {
			t.Errorf("a backup holds %+v, %v; want two records of one Transaction", recs, err)
		}
	}
}

// TestBackupEnds ends one with its context, and where it cannot be written.
func TestBackupEnds(t *testing.T) {
	s := openTemp(t)
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Backup(ctx, endsAfterOne{cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("Backup under a context that ends = %v; want context.Canceled", err)
	}
	full := errors.New("the disk is full")
	if err := s.Backup(t.Context(), broken{full}); !errors.Is(err, full) {
		t.Errorf("Backup to a writer that fails = %v; want its error", err)
	}
	s.Close()
	if err := s.Backup(t.Context(), &bytes.Buffer{}); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Backup of a closed Store = %v; want core.ErrUnavailable", err)
	}
}

// endsAfterOne calls itself when it is written to.
type endsAfterOne struct{ end func() }

func (w endsAfterOne) Write(p []byte) (int, error) { w.end(); return len(p), nil }

// broken takes nothing.
type broken struct{ err error }

func (w broken) Write([]byte) (int, error) { return 0, w.err }
