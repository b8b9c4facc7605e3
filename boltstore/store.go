package boltstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/postern-auth/postern/core"
)

// Store is a core.Store over one file. It is made by Open and safe for concurrent use.
type Store struct {
	db      *database
	now     func() time.Time
	opening string // random; see core.Fitness
	commit  *committer
	bells   *bells

	closing  context.Context // done once Close is called
	stop     context.CancelFunc
	running  sync.WaitGroup // the committer's and the sweeper's goroutines
	closed   sync.Once
	closeErr error
}

var _ core.Store = (*Store)(nil)

// errClosed is what callers of a closed Store hear.
var errClosed = fmt.Errorf("the store is closed: %w", core.ErrUnavailable)

// start returns a Store over db, with its goroutines running.
func start(opened *bolt.DB, options Options) *Store {
	db := newDatabase(opened)
	closing, stop := context.WithCancel(context.Background())
	bells := newBells()
	s := &Store{
		db:      db,
		now:     options.Now,
		opening: rand.Text(),
		commit:  newCommitter(db, bells, closing.Done()),
		bells:   bells,
		closing: closing,
		stop:    stop,
	}
	s.running.Go(s.commit.run)
	s.running.Go(s.keepTidy)
	return s
}

// Local reports that nothing is read but a file that this process has mapped.
func (s *Store) Local() bool { return true }

// Close lets the commit under way finish and closes the file. What is called during or after it returns an
// error that wraps core.ErrUnavailable. Closing again does nothing and returns what the first call did.
func (s *Store) Close() error {
	s.closed.Do(func() {
		s.stop()
		if s.db.stuck.happened() { // bbolt would wait for its own locks
			s.closeErr = fmt.Errorf("boltstore: close: %w", errLost)
			return
		}
		s.running.Wait()
		if err := s.db.Close(); err != nil {
			s.closeErr = fmt.Errorf("boltstore: close: %w", err)
		}
	})
	return s.closeErr
}

// Check returns this machine's clock, and a warning where others can read the file. It fails where the file is gone or written over, or another is in its place. It reads only.
func (s *Store) Check(ctx context.Context) (core.Fitness, error) {
	fitness := core.Fitness{Server: "bolt", Now: s.now(), Opening: s.opening}
	err := s.view(ctx, func(*bolt.Tx) error {
		info, err := s.db.inPlace()
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
			fitness.Findings = append(fitness.Findings, core.Finding{
				Code: "file_mode",
				Text: fmt.Sprintf("Others on this machine may open %s (its mode is %#o), which holds password hashes: run chmod 600 on it.", s.db.Path(), mode),
			})
		}
		return nil
	})
	if err != nil {
		return core.Fitness{}, fmt.Errorf("boltstore: check: %w", err)
	}
	return fitness, nil
}

// view calls read with what is in the file at one moment, unless ctx is done or the Store closed.
func (s *Store) view(ctx context.Context, read func(*bolt.Tx) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recoverGarbled(&err)
	tx, err := s.db.begin(false)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return errClosed
	}
	if err != nil {
		return err
	}
	defer s.db.end(tx)
	return read(tx)
}

// recoverGarbled turns a panic into an error. bbolt panics when it meets a damaged page, and faults where the disk cannot read one, as the
// file is mapped into memory: with debug.SetPanicOnFault that is a panic too. It must cost the caller its answer and not everyone the
// process.
func recoverGarbled(err *error) {
	r := recover()
	if r == nil {
		return
	}
	if _, fault := r.(interface{ Addr() uintptr }); fault {
		r = "a part of the file cannot be read"
	}
	*err = fmt.Errorf("%w: %v", errGarbled, r)
}
