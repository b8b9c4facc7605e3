package boltstore

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// fakeChange is a change that does as it is told.
type fakeChange func(tx *bolt.Tx) (wrote bool, err error)

func (f fakeChange) write(tx *bolt.Tx) (wrote bool, err error) { return f(tx) }

// writing returns a change that sets a key of bucket records.
func writing(key string) fakeChange {
	return func(tx *bolt.Tx) (bool, error) { return true, tx.Bucket(recordBucket).Put([]byte(key), nil) }
}

func openCommitter(t *testing.T) (*Store, *committer) {
	s, err := Open(Options{Path: filepath.Join(t.TempDir(), "postern.db")})
	if err != nil {
		t.Fatalf("Open = %v; want a Store", err)
	}
	t.Cleanup(func() { s.Close() })
	return s, s.commit
}

// written returns whether each key is in the file.
func written(t *testing.T, s *Store, keys ...string) []bool {
	var found []bool
	err := s.view(t.Context(), func(tx *bolt.Tx) error {
		for _, k := range keys {
			at, _ := tx.Bucket(recordBucket).Cursor().Seek([]byte(k))
			found = append(found, string(at) == k)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestSpoiler: one change that fails halfway is undone, and those that shared its transaction are not.
func TestSpoiler(t *testing.T) {
	s, c := openCommitter(t)
	failure := errors.New("failed halfway")
	changes := []change{
		writing("a"),
		fakeChange(func(tx *bolt.Tx) (bool, error) { _, err := writing("b")(tx); return true, errors.Join(err, failure) }),
		writing("c"),
		fakeChange(func(tx *bolt.Tx) (bool, error) { _, _ = writing("d")(tx); panic("page 7: invalid") }),
		fakeChange(func(*bolt.Tx) (bool, error) { return false, &core.ConflictError{} }),
		writing("e"),
	}
	var requests []*request
	for _, change := range changes {
		requests = append(requests, &request{change: change, done: make(chan error, 1)})
	}
	c.settle(requests)

	want := []error{nil, failure, nil, errGarbled, nil, nil}
	for i, r := range requests {
		err := <-r.done
		if _, conflict := errors.AsType[*core.ConflictError](err); conflict != (i == 4) || !conflict && !errors.Is(err, want[i]) {
			t.Errorf("change %d: %v; want %v", i, err, want[i])
		}
	}
	found := written(t, s, "a", "b", "c", "d", "e")
	for i, want := range []bool{true, false, true, false, true} {
		if found[i] != want {
			t.Errorf("after the commit, a to e are there: %v; want a, c and e", found)
		}
	}
}

// TestNothingWritten: what writes nothing costs no commit.
func TestNothingWritten(t *testing.T) {
	s, c := openCommitter(t)
	commits := func() (id int) {
		_ = s.db.View(func(tx *bolt.Tx) error { id = tx.ID(); return nil })
		return id
	}
	before := commits()
	refused := fakeChange(func(*bolt.Tx) (bool, error) { return false, &core.ConflictError{} })
	if err := c.submit(t.Context(), refused); err == nil {
		t.Error("submit = nil; want the conflict")
	}
	if after := commits(); after != before {
		t.Errorf("the file is at transaction %d; want %d, as before", after, before)
	}
}

// TestCancelledWrite: until a change is taken up cancelling undoes it; from then on its outcome is unknown.
func TestCancelledWrite(t *testing.T) {
	s, c := openCommitter(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	taken, waiting := make(chan error, 1), make(chan error, 1)
	go func() {
		taken <- c.submit(ctx, fakeChange(func(tx *bolt.Tx) (bool, error) { close(begun); <-finish; return writing("taken")(tx) }))
	}()
	select {
	case <-begun:
	case err := <-taken:
		t.Fatalf("submit = %v; want the change made", err)
	}
	go func() { waiting <- c.submit(ctx, writing("waiting")) }()
	cancel()
	if err := <-taken; !errors.Is(err, context.Canceled) || !errors.Is(err, core.ErrOutcomeUnknown) {
		t.Errorf("submit, cancelled under way = %v; want ErrOutcomeUnknown and the context's error", err)
	}
	if err := <-waiting; !errors.Is(err, context.Canceled) || errors.Is(err, core.ErrOutcomeUnknown) {
		t.Errorf("submit, cancelled before = %v; want the context's error alone", err)
	}
	close(finish)
	if err := c.submit(t.Context(), writing("next")); err != nil {
		t.Errorf("submit = %v; want it done", err)
	}
	if found := written(t, s, "taken", "waiting", "next"); !found[0] || found[1] || !found[2] {
		t.Errorf("taken, waiting and next are there: %v; want true, false, true", found)
	}
}

// TestDiskHangs has a commit not come to its end. Who waits for it, or behind it, is told so in the end, and not held up for as long as the disk is.
func TestDiskHangs(t *testing.T) {
	s, c := openCommitter(t)
	c.patience = 50 * time.Millisecond
	begun, finish := make(chan struct{}), make(chan struct{})
	taken := make(chan error, 1)
	go func() {
		taken <- c.submit(t.Context(), fakeChange(func(tx *bolt.Tx) (bool, error) { close(begun); <-finish; return writing("taken")(tx) }))
	}()
	<-begun
	if err := c.submit(t.Context(), writing("waiting")); !errors.Is(err, core.ErrUnavailable) || errors.Is(err, core.ErrOutcomeUnknown) {
		t.Errorf("submit behind a commit that hangs = %v; want ErrUnavailable", err)
	}
	if err := <-taken; !errors.Is(err, core.ErrOutcomeUnknown) || errors.Is(err, core.ErrUnavailable) {
		t.Errorf("submit of what hangs = %v; want ErrOutcomeUnknown", err)
	}
	close(finish)
	c.patience = time.Minute
	if err := c.submit(t.Context(), writing("next")); err != nil {
		t.Errorf("submit afterwards = %v; want it done", err)
	}
	if found := written(t, s, "taken", "waiting", "next"); !found[0] || found[1] || !found[2] {
		t.Errorf("taken, waiting and next are there: %v; want true, false, true", found)
	}
}
