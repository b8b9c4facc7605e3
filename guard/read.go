package guard

import (
	"context"
	"errors"
	"time"

	"github.com/postern-auth/postern/core"
)

const (
	readTimeout  = 5 * time.Second // for one answer of the store
	maxReads     = 256             // under way at once; more wait
	maxRechecks  = 8               // of them in the background
	recheckAgain = 10 * time.Second
)

// errClosed says that the Guard was closed.
var errClosed = &core.Error{Kind: core.KindUnavailable, Code: "unavailable", Detail: "the server is shutting down"}

// errBusy says that too many reads were under way for too long.
var errBusy = &core.Error{Kind: core.KindUnavailable, Code: "unavailable", Detail: "too many requests wait for the data store"}

// question is a token asked about while so much news had been heard. Who asks after newer news does not share
// the answer to an older question.
type question struct {
	token string
	heard uint64
}

// identify returns who a token stands for: from memory while the feed confirms it, else from the store.
func (g *Guard) identify(ctx context.Context, token string) (*known, error) {
	h, err := g.atHome(ctx)
	if err != nil {
		return nil, err
	}
	now := g.now()
	if !h.watch.Fresh(now) {
		return g.read(ctx, h, token)
	}
	if k := g.cache.get(token, now); k != nil {
		if k.due(now) {
			g.recheck(h, k)
		}
		return k, nil
	}
	return g.reads.join(ctx, question{token, g.cache.heard()}, func(ctx context.Context) (*known, error) {
		return g.read(ctx, h, token)
	})
}

// read asks the store who a token stands for, and remembers the answer unless it is a refusal.
func (g *Guard) read(ctx context.Context, h *home, token string) (*known, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return nil, errBusy
	}
	heard := g.cache.heard()
	who, err := g.resolver.Resolve(ctx, h.realm, token)
	if err != nil {
		return nil, err
	}
	k := newKnown(token, who, heard)
	g.cache.put(k)
	return k, nil
}

// recheck reads k again in the background, which renews it, and lets core know that its session is in use.
// Where too many do so already, it is left to a later request.
func (g *Guard) recheck(h *home, k *known) {
	again := func() { k.recheck.Store(g.now().Add(recheckAgain).UnixNano()) }
	select {
	case g.rechecks <- struct{}{}:
	default:
		again()
		return
	}
	g.crew.start(func(ctx context.Context) {
		defer func() { <-g.rechecks }()
		_, err := calmly(ctx, func(ctx context.Context) (*known, error) { return g.read(ctx, h, k.token) })
		switch {
		case isRefusal(err):
			g.cache.drop(k)
		case err != nil:
			again()
		}
	})
}

// isRefusal reports whether err says something about the token or its user, and not about us.
func isRefusal(err error) bool {
	kind := coreError(err).Kind
	return kind == core.KindUnauthenticated || kind == core.KindForbidden
}

// coreError returns the core.Error in err. Anything else is our own fault.
func coreError(err error) *core.Error {
	if e, ok := errors.AsType[*core.Error](err); ok {
		return e
	}
	return core.ErrInternal
}
