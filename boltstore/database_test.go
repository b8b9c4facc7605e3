package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// set sets a record.
func set(t *testing.T, s *Store, name string) {
	t.Helper()
	if _, err := s.Apply(t.Context(), &core.Transaction{ID: "put-" + name, Put: []core.Put{{Name: name, Value: []byte(name)}}}); err != nil {
		t.Fatalf("Apply(%s) = %v; want it done", name, err)
	}
}

// wantLost asks for everything, from many sides, which must fail at once and decide nothing.
func wantLost(t *testing.T, s *Store, asked ...string) {
	t.Helper()
	late := time.AfterFunc(time.Minute, func() { panic("a call of a store whose file is lost has not returned in a minute") })
	defer late.Stop()
	var all sync.WaitGroup
	for _, name := range asked {
		all.Go(func() {
			if r, err := s.Get(t.Context(), core.Key{Name: name}); !errors.Is(err, errLost) || !errors.Is(err, core.ErrUnavailable) {
				t.Errorf("Get(%s) = %+v, %v; want errLost", name, r, err)
			}
		})
		all.Go(func() {
			out, err := s.Apply(t.Context(), &core.Transaction{ID: "again-" + name, Put: []core.Put{{Name: name, Value: []byte("new")}}})
			if err == nil {
				t.Errorf("Apply(%s) = %+v; want a failure", name, out)
			}
		})
	}
	all.Wait()
	if fitness, err := s.Check(t.Context()); !errors.Is(err, errLost) {
		t.Errorf("Check = %+v, %v; want errLost", fitness, err)
	}
	if _, err := s.Tail(t.Context(), []core.LogPosition{{Log: core.Log{Name: "l"}}}, time.Minute); !errors.Is(err, errLost) {
		t.Errorf("Tail = %v; want errLost", err)
	}
	if err := s.Close(); err != nil && !errors.Is(err, errLost) {
		t.Errorf("Close = %v; want it closed, or errLost", err)
	}
}

// TestFileEmptied empties the file while it is open, as a program does that rotates logs, or begins to copy something there. Nobody waits for ever, the process
// goes on, and nobody is told that what was there is not.
func TestFileEmptied(t *testing.T) {
	for what, spoil := range map[string]func(path string) error{
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"overwritten": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.Write(bytes.Repeat([]byte("text\n"), 8192))
			return errors.Join(err, f.Close())
		},
	} {
		for _, first := range []string{"a reader", "a writer"} {
			t.Run(what+", and "+first+" finds it", func(t *testing.T) {
				s, _ := openCommitter(t)
				set(t, s, "a")
				if err := spoil(s.db.Path()); err != nil {
					t.Fatal(err)
				}
				if first == "a writer" {
					if n, err := s.sweep(); err == nil {
						t.Errorf("sweep = %d; want a failure", n)
					}
				}
				wantLost(t, s, "a", "b", "c", "d")
			})
		}
	}
}

// TestBackupCopiedOver copies a backup over the file while it is open: into the very file, as cp does. What was written since is not told to be missing, nor is the
// backup spoilt by what is written next: started again over it, all is as it was at its moment.
func TestBackupCopiedOver(t *testing.T) {
	for _, first := range []string{"a reader", "a writer"} {
		t.Run(first+" finds it", func(t *testing.T) {
			s, _ := openCommitter(t)
			path := s.db.Path()
			set(t, s, "a")
			var backup bytes.Buffer
			if err := s.Backup(t.Context(), &backup); err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				set(t, s, fmt.Sprint("since", i))
			}
			if err := os.WriteFile(path, backup.Bytes(), 0); err != nil {
				t.Fatal(err)
			}
			if first == "a writer" {
				if _, err := s.sweep(); !errors.Is(err, errLost) {
					t.Errorf("sweep = %v; want errLost", err)
				}
			}
			wantLost(t, s, "a", "since0", "since19")

			again, err := Open(Options{Path: path})
			if err != nil {
				t.Fatalf("Open of the backup = %v; want a Store", err)
			}
			defer again.Close()
			r, err := again.Get(t.Context(), core.Key{Name: "a"}, core.Key{Name: "since0"})
			if err != nil || string(r[0].Value) != "a" || r[1].Version != 0 {
				t.Errorf("Get of the backup = %+v, %v; want a, and nothing since", r, err)
			}
			if content, err := os.ReadFile(path); err != nil || !bytes.Equal(content, backup.Bytes()) {
				t.Errorf("the backup is not as it was (%v)", err)
			}
		})
	}
}

// TestDoubtfulCommit puts a transaction into the file that was not acknowledged, as after a disk that took it and did not say so. Nothing is wrong with that, however often
// it happens.
func TestDoubtfulCommit(t *testing.T) {
	s, _ := openCommitter(t)
	for i := range 3 {
		if err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(recordBucket).Put([]byte(fmt.Sprint(i)), nil) }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), core.Key{Name: "a"}); err != nil {
			t.Errorf("Get after it = %v; want an answer", err)
		}
		set(t, s, fmt.Sprint("a", i))
	}
}

// TestUndoFails has bbolt panic where a transaction is undone, as it does where a commit met damaged pages halfway. It costs nobody the process.
func TestUndoFails(t *testing.T) {
	s, _ := openCommitter(t)
	set(t, s, "a")
	err := s.db.Update(func(tx *bolt.Tx) error {
		s.db.undo(tx) // which is not for a function to do that bbolt calls
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantLost(t, s, "a")
}
