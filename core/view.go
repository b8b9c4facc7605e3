package core

import (
	"context"
	"time"
)

// view is the Store that a Core was given, as calls see it: with what a call has held back, and noting what it reads
// where it asked for that.
type view struct{ Store }

// Get shows what is held back.
func (v view) Get(ctx context.Context, keys ...Key) ([]Record, error) {
	recs, err := v.Store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	if w := withheldBy(ctx); w != nil {
		w.show(keys, recs)
	}
	if o, _ := ctx.Value(observerKey{}).(*Observation); o != nil {
		o.note(keys, recs)
	}
	return recs, nil
}

// Range carries out first what is held back and moves members of the index.
func (v view) Range(ctx context.Context, r Range) ([]string, error) {
	if w := withheldBy(ctx); w != nil && w.moves(r.Index) {
		if err := w.carryOut(ctx); err != nil {
			return nil, err
		}
	}
	return v.Store.Range(ctx, r)
}

// Tail carries out first what is held back.
func (v view) Tail(ctx context.Context, logs []LogPosition, wait time.Duration) ([]Feed, error) {
	if w := withheldBy(ctx); w != nil {
		if err := w.carryOut(ctx); err != nil {
			return nil, err
		}
	}
	return v.Store.Tail(ctx, logs, wait)
}

// asksStore reports whether a call must not be answered from memory, nor anything be remembered of what it reads: it
// notes what it reads, or has held back what nobody else can see yet.
func asksStore(ctx context.Context) bool {
	w := withheldBy(ctx)
	return ctx.Value(observerKey{}) != nil || w != nil && w.holds()
}
