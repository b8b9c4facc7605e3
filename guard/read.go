package guard

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
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

// question is a credential asked about while so much news had been heard. Who asks after newer news does not share
// the answer to an older question.
type question struct {
	token   string
	byKey   bool
	address netip.Addr // that an API key is shown from
	heard   uint64
}

// identify returns who a credential stands for at now: from memory while the feed confirms it, else from the store.
func (g *Guard) identify(ctx context.Context, q question, now time.Time) (*known, error) {
	if g.foreign != nil && !q.byKey {
		if k, is, err := g.identifyForeign(ctx, q, now); is {
			return k, err
		}
	}
	h, err := g.atHome(ctx)
	if err != nil {
		return nil, err
	}
	if g.c.Check == CheckAlways || !h.watch.Fresh(now) {
		return g.read(ctx, h, q)
	}
	g.confirmed(now)
	if k, old := g.cache.get(&q, now); k != nil {
		if old && due(&k.recheck, now) {
			g.recheck(h, k)
		}
		return k, nil
	}
	return g.share(ctx, h, q)
}

// share reads together with all who ask the same now.
func (g *Guard) share(ctx context.Context, h *home, q question) (*known, error) {
	q.heard = g.cache.heard()
	return g.reads.join(ctx, q, func(ctx context.Context) (*known, error) { return g.read(ctx, h, q) })
}

// read asks the store who a credential stands for, and remembers the answer unless it is a refusal.
func (g *Guard) read(ctx context.Context, h *home, q question) (*known, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return nil, errBusy
	}
	q.heard = g.cache.heard()
	now := g.now()
	who, err := g.ask(ctx, h.realm, &q)
	if err != nil {
		return nil, err
	}
	k := newKnown(&q, who, now, g)
	g.cache.put(k)
	return k, nil
}

// ask has core say who a credential stands for.
func (g *Guard) ask(ctx context.Context, realm core.RealmID, q *question) (core.Identity, error) {
	if q.byKey {
		return g.keys.Resolve(ctx, realm, q.token, q.address)
	}
	return g.resolver.Resolve(ctx, realm, q.token)
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
		_, err := calmly(ctx, func(ctx context.Context) (*known, error) { return g.read(ctx, h, k.question()) })
		switch {
		case isRefusal(err):
			g.cache.drop(k)
		case err != nil:
			again()
		}
	})
}

// readAgain reads again who k's credential stands for.
func (g *Guard) readAgain(ctx context.Context, k *known) (*known, error) {
	q := k.question()
	if k.from == nil {
		h, err := g.atHome(ctx)
		if err != nil {
			return nil, err
		}
		return g.read(ctx, h, q)
	}
	token, err := jose.ParseForeign(q.token)
	if err != nil {
		return nil, err
	}
	return g.verify(ctx, g.foreign[k.from.Issuer.Issuer], token, q)
}

// question returns what k answers.
func (k *known) question() question {
	return question{token: k.token, byKey: k.byKey, address: k.address}
}

// isRefusal reports whether err says something about the credential or its user, and not about us.
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
