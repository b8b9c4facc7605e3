package core

import (
	"context"
	"errors"
	"sync"
)

// ErrChanged says that something is not as the caller has seen it, and that nothing was done.
var ErrChanged = &Error{Kind: KindPrecondition, Code: "precondition_failed", Detail: "this has changed since you read it; nothing was done, read it again"}

// Observation is which records were read under a context from Observe, and their versions. Safe for concurrent use.
type Observation struct {
	mu       sync.Mutex
	versions map[Key]uint64 // 0 = it was not there
}

// observerKey is where a context holds the Observation that reads are noted in, unchangedKey the one that changes are
// held to.
type (
	observerKey  struct{}
	unchangedKey struct{}
)

// Observe returns a context under which reads of the store are noted in an Observation.
func Observe(ctx context.Context) (context.Context, *Observation) {
	o := &Observation{versions: map[Key]uint64{}}
	return context.WithValue(ctx, observerKey{}, o), o
}

// Unchanged returns a context under which a change fails with ErrChanged, and does nothing, unless all that was observed in
// its partition is still as it was: so that whoever decides by what they read decides by what is there. What a change does
// itself is no obstacle to the next.
func (o *Observation) Unchanged(ctx context.Context) context.Context {
	return context.WithValue(ctx, unchangedKey{}, o)
}

// note remembers what was read. What was read twice must be as it was at first.
func (o *Observation) note(keys []Key, recs []Record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, key := range keys {
		if _, known := o.versions[key]; !known {
			o.versions[key] = recs[i].Version
		}
	}
}

// hold makes a Transaction require what was observed.
func (o *Observation) hold(tx *Transaction) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	required := map[string]bool{}
	for _, r := range tx.Require {
		if seen, known := o.versions[Key{tx.Partition, r.Name}]; known && seen != r.Version {
			return ErrChanged
		}
		required[r.Name] = true
	}
	for key, version := range o.versions {
		if key.Partition == tx.Partition && !required[key.Name] {
			tx.Require = append(tx.Require, Precondition{key.Name, version})
		}
	}
	return nil
}

// explain turns a conflict over what was observed into ErrChanged: to try anew would be to decide for the caller.
func (o *Observation) explain(err error) error {
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.versions[conflict.Key]; known {
		return ErrChanged
	}
	return err
}

// forget drops what a Transaction has changed itself.
func (o *Observation) forget(tx *Transaction) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, put := range tx.Put {
		delete(o.versions, Key{tx.Partition, put.Name})
	}
	for _, name := range tx.Delete {
		delete(o.versions, Key{tx.Partition, name})
	}
}

// apply hands a Transaction to the store, held to what ctx says was observed.
func (d *deps) apply(ctx context.Context, tx *Transaction) (Outcome, error) {
	o, _ := ctx.Value(unchangedKey{}).(*Observation)
	if o == nil {
		return d.store.Apply(ctx, tx)
	}
	if err := o.hold(tx); err != nil {
		return Outcome{}, err
	}
	out, err := d.store.Apply(ctx, tx)
	if err == nil {
		o.forget(tx)
	}
	return out, o.explain(err)
}
