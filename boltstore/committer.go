package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// maxShared bounds how many changes share one commit, so that the first of them does not wait long for the last.
const maxShared = 256

// commitPatience is how long a change may take to be on disk. Of a disk that hangs its caller is told that, as of one that is full, rather than waiting with it.
const commitPatience = 10 * time.Second

// errHangs says that nothing was written for commitPatience.
var errHangs = errors.New("the disk does not take it")

// change is something to write. Its results are fields of its own, which nobody reads before it is committed.
type change interface {
	// write carries the change out in tx, which it shares with others, and reports whether it wrote anything.
	// It may be called again in a later tx if that one could not be committed, so it depends on nothing but tx and on
	// fields that it does not set. An error after it wrote undoes tx; one before is the caller's answer.
	write(tx *bolt.Tx) (wrote bool, err error)
}

// request is a change on its way through the committer.
type request struct {
	change change
	rings  []string // logs whose followers to wake once it is committed
	wrote  bool
	err    error
	done   chan error // with room for the answer, which its caller may no longer wait for
}

// committer carries out all changes, one shared transaction after the other. While one is being forced to
// disk the next changes gather; a change that comes alone is committed at once. (bbolt's own Batch makes
// a lone writer wait for company.)
type committer struct {
	db       *database
	bells    *bells
	requests chan *request
	closing  <-chan struct{}
	patience time.Duration // commitPatience, but in a test
}

func newCommitter(db *database, bells *bells, closing <-chan struct{}) *committer {
	return &committer{db: db, bells: bells, requests: make(chan *request), closing: closing, patience: commitPatience}
}

// submit carries out a change and returns once it is on disk, or will not be. If ctx ends before the change was
// taken up, nothing happens; if it ends later the error wraps core.ErrOutcomeUnknown too. So it is where that takes longer than commitPatience.
func (c *committer) submit(ctx context.Context, change change, rings ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{change: change, rings: rings, done: make(chan error, 1)}
	late := time.NewTimer(c.patience)
	defer late.Stop()
	select {
	case c.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closing:
		return errClosed
	case <-c.db.lost.c:
		return errLost
	case <-late.C:
		return fmt.Errorf("%w: %w", core.ErrUnavailable, errHangs)
	}
	select {
	case err := <-r.done:
		return err
	case <-c.db.stuck.c: // and with it, perhaps, who would answer
		return fmt.Errorf("%w (%v)", core.ErrOutcomeUnknown, errLost)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", core.ErrOutcomeUnknown, ctx.Err())
	case <-late.C:
		return fmt.Errorf("%w: %w", core.ErrOutcomeUnknown, errHangs)
	}
}

// run commits what is submitted until the Store closes.
func (c *committer) run() {
	debug.SetPanicOnFault(true) // see recoverGarbled
	for {
		select {
		case first := <-c.requests:
			c.settle(c.gather(first))
		case <-c.closing:
			return
		}
	}
}

// gather returns first and whatever else is waiting by now.
func (c *committer) gather(first *request) []*request {
	shared := []*request{first}
	for len(shared) < maxShared {
		select {
		case r := <-c.requests:
			shared = append(shared, r)
		default:
			return shared
		}
	}
	return shared
}

// settle commits requests together and answers each. One that undoes the transaction is answered
// with its error, and the others are tried again without it.
func (c *committer) settle(requests []*request) {
	for len(requests) > 0 {
		spoiler, err := c.attempt(requests)
		if spoiler < 0 {
			c.answer(requests, err)
			return
		}
		requests[spoiler].done <- err
		requests = append(requests[:spoiler:spoiler], requests[spoiler+1:]...)
	}
}

// attempt carries requests out in one transaction and commits it, unless none of them wrote anything. It returns the
// number of the request that undid the transaction, or -1, and what went wrong.
func (c *committer) attempt(requests []*request) (spoiler int, err error) {
	if _, err := c.db.inPlace(); errors.Is(err, fs.ErrNotExist) || errors.Is(err, errReplaced) {
		return -1, fmt.Errorf("begin: %w: %w", core.ErrUnavailable, err)
	}
	tx, err := c.db.begin(true)
	if err != nil {
		return -1, fmt.Errorf("begin: %w: %w", core.ErrUnavailable, err)
	}
	defer c.db.undo(tx)
	wrote := false
	for i, r := range requests {
		r.wrote, r.err = carryOut(r.change, tx)
		if r.wrote && r.err != nil {
			return i, r.err
		}
		wrote = wrote || r.wrote
	}
	if !wrote {
		return -1, nil
	}
	id := tx.ID()
	if err := commit(tx); err != nil {
		return -1, fmt.Errorf("commit: %w: %w", core.ErrOutcomeUnknown, err)
	}
	c.db.committed(id)
	return -1, nil
}

// commit commits tx. A panic is an error too: what was written may make bbolt look at pages beside it.
func commit(tx *bolt.Tx) (err error) {
	defer recoverGarbled(&err)
	return tx.Commit()
}

// carryOut calls the change's write. A panic counts as an error after it wrote.
func carryOut(change change, tx *bolt.Tx) (wrote bool, err error) {
	wrote = true
	defer recoverGarbled(&err)
	return change.write(tx)
}

// answer tells each request how it went. Where the commit failed, none is told what it found: that may rest on what
// another one wrote in vain.
func (c *committer) answer(requests []*request, err error) {
	for _, r := range requests {
		if err == nil && r.wrote {
			c.bells.ring(r.rings)
		}
		if err == nil {
			r.done <- r.err
		} else {
			r.done <- err
		}
	}
}
