package guard

import (
	"context"
	"errors"
	"net/http"
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
	home    uint32     // as cache.expect found it
	address netip.Addr // that an API key is shown from
	heard   uint64
}

// identify returns who the credential of r stands for at now: from memory while the feed confirms it, else from the store.
func (g *Guard) identify(r *http.Request, q *question, now time.Time) (known, error) {
	ctx := r.Context()
	if g.foreign != nil && !q.byKey {
		if k, is, err := g.identifyForeign(ctx, q, now); is {
			return k, err
		}
	}
	h, err := g.atHome(ctx)
	if err != nil {
		return "", err
	}
	if g.c.Check == CheckAlways || !h.watch.Fresh(now) {
		if g.stale(r, q, now) != "" && g.lull.holds(now) {
			return "", core.ErrUnavailable
		}
		return g.read(ctx, h, *q)
	}
	if k, old := g.cache.get(q, now); k != "" {
		if old && g.cache.admitsFrom(k, q.address) && g.cache.claimRecheck(k, now) {
			g.recheck(h, k, *q)
		}
		return k, nil
	}
	return g.share(ctx, h, *q)
}

// share reads together with all who ask the same now.
func (g *Guard) share(ctx context.Context, h *home, q question) (known, error) {
	q.heard = g.cache.heard()
	return g.reads.join(ctx, q, func(ctx context.Context) (known, error) { return g.read(ctx, h, q) })
}

// read asks the store who a credential stands for, and remembers the answer unless it is a refusal.
func (g *Guard) read(ctx context.Context, h *home, q question) (known, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return "", errBusy
	}
	q.heard = g.cache.heard()
	now := g.now()
	who, err := g.ask(ctx, h.realm, &q)
	g.lull.heard(err, g.now())
	if err != nil {
		return "", err
	}
	return g.remember(&q, &reading{who: who, at: now, stamps: g.cache.stampsOf(&who)}), nil
}

// ask has core say who a credential stands for.
func (g *Guard) ask(ctx context.Context, realm core.RealmID, q *question) (core.Identity, error) {
	if q.byKey {
		return g.keys.Resolve(ctx, realm, q.token, q.address)
	}
	return g.resolver.Resolve(ctx, realm, q.token)
}

// remember returns what was read in answer to q, and remembers it unless news overtook it.
func (g *Guard) remember(q *question, r *reading) known {
	r.tag, r.heard = g.cache.tagger.tag(q), q.heard
	k := r.known(g.c.headers)
	g.cache.put(k)
	return k
}

// recheck asks q again in the background, which renews what is known, and lets core know that its session is in use.
// Where too many do so already, it is left to a later request.
func (g *Guard) recheck(h *home, k known, q question) {
	select {
	case g.rechecks <- struct{}{}:
	default:
		return
	}
	k = k.alone() // it may take a while
	g.crew.start(func(ctx context.Context) {
		defer func() { <-g.rechecks }()
		if _, err := calmly(ctx, func(ctx context.Context) (known, error) { return g.read(ctx, h, q) }); core.IsRefusal(err) || errors.Is(err, core.ErrEmptied) {
			g.cache.drop(k)
		}
	})
}

// readAgain asks again what led to s, which another guard may have asked.
func (g *Guard) readAgain(ctx context.Context, s *standing) (known, error) {
	g.cache.expect(&s.asked)
	from := s.issuer()
	if from == nil {
		h, err := g.atHome(ctx)
		if err != nil {
			return "", err
		}
		return g.read(ctx, h, s.asked)
	}
	token, err := jose.ParseForeign(s.asked.token)
	if err != nil {
		return "", err
	}
	return g.verify(ctx, g.foreign[from.Issuer.Issuer], token, s.asked)
}

// coreError returns the core.Error in err. Anything else is our own fault.
func coreError(err error) *core.Error {
	if e, ok := errors.AsType[*core.Error](err); ok {
		return e
	}
	return core.ErrInternal
}
