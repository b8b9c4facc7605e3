package boltstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// errLost says that the file that is open does not hold what was written to it.
var errLost = fmt.Errorf("the file is not what was written to it: another program emptied it or wrote over it while it was open, or it is damaged; "+
	"stop this server, see to the file, or put a backup in its place, and start it again (%w)", core.ErrUnavailable)

// errReplaced says that writing to the open file would be in vain.
var errReplaced = errors.New("another file is in the place")

// database is the open file, for as long as it is what was opened. bbolt believes whatever it finds in the file when a transaction begins, but where
// pages are free, which it remembers: what another program wrote over it, such as a backup that was copied there, would be told as ours, and spoilt by the
// next commit. Safe for concurrent use, but that one transaction at a time writes.
type database struct {
	*bolt.DB
	file  fs.FileInfo // nil = it was gone at once
	lost  event       // it is not
	stuck event       // bbolt holds locks that nobody gives back

	mu     sync.Mutex // while a transaction begins: whoever waits for that within bbolt, and it fails, waits for ever
	newest int        // number of the newest transaction that is known to be in the file; one more may be, while it is committed or after that failed
}

// newDatabase returns the database over db, which was opened just now.
func newDatabase(db *bolt.DB) *database {
	d := &database{DB: db, lost: newEvent(), stuck: newEvent()}
	d.file, _ = os.Stat(db.Path())
	_ = db.View(func(tx *bolt.Tx) error { d.newest = tx.ID(); return nil })
	return d
}

// inPlace returns what the system says of the file. It fails where that is gone from where it was opened, or another is in its place: what is written then
// is lost when this process ends.
func (d *database) inPlace() (fs.FileInfo, error) {
	info, err := os.Stat(d.Path())
	if err != nil {
		return nil, err
	}
	if !os.SameFile(info, d.file) {
		return nil, fmt.Errorf("%w of %s, which takes no changes any more: start this server again", errReplaced, d.Path())
	}
	return info, nil
}

// begin begins a transaction. It fails with errLost, from the first time on for ever.
func (d *database) begin(writable bool) (tx *bolt.Tx, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost.happened() {
		return nil, errLost
	}
	defer func() {
		if d.getStuck(recover()) { // there is no beginning of the file, or nothing of bbolt's there
			tx, err = nil, errLost
		}
	}()
	if tx, err = d.DB.Begin(writable); err != nil {
		return nil, err
	}
	found := tx.ID()
	if writable {
		found-- // its own
	}
	if found < d.newest || found > d.newest+1 {
		_ = tx.Rollback()
		d.lost.happen()
		return nil, errLost
	}
	if writable {
		d.newest = found
	}
	return tx, nil
}

// committed notes that a transaction is in the file.
func (d *database) committed(id int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newest = id
}

// undo ends a transaction that has written, unless it was committed. That fails where the file is damaged so that the commit failed halfway.
func (d *database) undo(tx *bolt.Tx) {
	defer func() { d.getStuck(recover()) }()
	_ = tx.Rollback()
}

// end ends a transaction that has read, unless that would be to wait for ever.
func (d *database) end(tx *bolt.Tx) {
	if !d.stuck.happened() {
		_ = tx.Rollback()
	}
}

// getStuck reports whether bbolt has panicked, in the midst of what it does under its locks.
func (d *database) getStuck(panicked any) bool {
	if panicked == nil {
		return false
	}
	d.stuck.happen()
	d.lost.happen()
	return true
}

// event is something that happens once, and can be waited for.
type event struct {
	c    chan struct{} // closed then
	once *sync.Once
}

func newEvent() event { return event{make(chan struct{}), new(sync.Once)} }

func (e event) happen() { e.once.Do(func() { close(e.c) }) }

func (e event) happened() bool {
	select {
	case <-e.c:
		return true
	default:
		return false
	}
}
