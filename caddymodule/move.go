package caddymodule

import (
	"context"
	"errors"
	"fmt"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
)

// moveIn opens an engine that is to take the place of one at work. Where that fails a reload changes nothing, rather than have all guarded sites
// answer 503 for a mistyped folder or the wrong master key. At Caddy's start nothing is waited for: there is nothing to lose.
func (e *engine) moveIn(ctx context.Context) error {
	replaces, overSameStore := e.replaces()
	if !replaces {
		return nil
	}
	a := e.start()
	if a == nil {
		return nil // it has ended
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case a.err == nil:
		return nil
	case errors.Is(a.err, boltstore.ErrInUse): // by the one before, perhaps: the folder goes by another name
		return nil
	case overSameStore && errors.Is(a.err, core.ErrUnavailable): // so it is for the one before
		return nil
	}
	return fmt.Errorf("the store cannot be opened, so what was configured before goes on: %w", a.err)
}

// replaces reports whether this engine is closed and others are at work, and whether one of them is over the same store.
func (e *engine) replaces() (replaces, overSameStore bool) {
	if e.parts.Load() != nil {
		return false, false
	}
	engines.Range(func(_, value any) bool {
		if o := value.(*engine); o.parts.Load() != nil {
			replaces = true
			overSameStore = overSameStore || o.settings.storeKey() == e.settings.storeKey()
		}
		return true
	})
	return replaces, overSameStore
}
