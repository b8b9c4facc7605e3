package core

import (
	"context"
	"slices"
	"sync"
)

// withheld holds back the last change of a call, so that it can be carried out in one Transaction with the answer that
// tells of it: see Repeats. What the call reads meanwhile is as if the change had been carried out already; when the call
// goes on to change something else, or to read what cannot be told yet, the change is carried out first and is not the
// last any more. Safe for concurrent use.
type withheld struct {
	mu      sync.Mutex
	last    *change           // nil = nothing is held back
	stand   uint64            // the version that the records of last have meanwhile; no store gets that far
	became  map[uint64]uint64 // which versions such records have by now
	clashed bool              // something else came before a change that was held back
	over    bool              // the call is answered: nothing is held back any more
}

// withheldKey is where a context holds what is withheld.
type withheldKey struct{}

// withhold returns a context under which the last change is held back.
func withhold(ctx context.Context) (context.Context, *withheld) {
	w := &withheld{stand: 1 << 63, became: map[uint64]uint64{}}
	return context.WithValue(ctx, withheldKey{}, w), w
}

// withheldBy returns what holds changes back under a context, or nil.
func withheldBy(ctx context.Context) *withheld {
	w, _ := ctx.Value(withheldKey{}).(*withheld)
	return w
}

// errClashed ends a call that is to be carried out anew, as something else came before its change.
var errClashed = contention()

// hold takes a change in place of carrying it out. It fails as the store would if it were asked now.
func (w *withheld) hold(ctx context.Context, c *change) error {
	if err := w.carryOut(ctx); err != nil {
		return err
	}
	w.settle(&c.tx)
	if err := c.rehearse(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	if !w.over {
		w.last = c
		w.stand++
		w.mu.Unlock()
		return nil
	}
	w.mu.Unlock()
	_, err := c.carryOut(ctx)
	return err
}

// carryOut carries out what is held back, as something else comes after it.
func (w *withheld) carryOut(ctx context.Context) error {
	w.mu.Lock()
	c, stand := w.last, w.stand
	w.last = nil
	w.mu.Unlock()
	if c == nil {
		return nil
	}
	version, err := c.carryOut(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if isConflict(err) {
		w.clashed = true
		return errClashed
	}
	w.became[stand] = version
	return err
}

// settle puts the versions that records got in the place of those that they had while they were held back.
func (w *withheld) settle(tx *Transaction) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, r := range tx.Require {
		if version, known := w.became[r.Version]; known {
			tx.Require[i].Version = version
		}
	}
}

// end returns what is held back, and nil for nothing, and whether the call is to be carried out anew.
func (w *withheld) end() (last *change, clashed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, w.last, w.over = w.last, nil, true
	return last, w.clashed
}

// show makes records that were read what they will be.
func (w *withheld) show(keys []Key, recs []Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		return
	}
	tx := &w.last.tx
	for i, key := range keys {
		if key.Partition != tx.Partition {
			continue
		}
		for _, put := range tx.Put {
			if put.Name == key.Name {
				recs[i] = Record{Value: slices.Clone(put.Value), Schema: put.Schema, Version: w.stand, Expires: put.Expires}
			}
		}
		if slices.Contains(tx.Delete, key.Name) {
			recs[i] = Record{}
		}
	}
}

// moves reports whether what is held back changes an index.
func (w *withheld) moves(index Index) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last != nil && w.last.tx.Partition == index.Partition &&
		slices.ContainsFunc(w.last.tx.Index, func(c IndexChange) bool { return c.Index == index.Name })
}

// holds reports whether anything is held back.
func (w *withheld) holds() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last != nil
}
