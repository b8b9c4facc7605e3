package guard

import (
	"context"
	"time"

	"github.com/postern-auth/postern/core"
)

// Asserter signs what an application is told about a user (core.Realms.Assert). The text is good for at most a minute.
type Asserter interface {
	Assert(ctx context.Context, who core.Identity, audience string) (token string, expires time.Time, err error)
}

var _ Asserter = (*core.Realms)(nil)

// assertion is one that was signed.
type assertion struct {
	text  string
	until int64 // nanoseconds since the epoch: when the next one is due, well before it expires
}

// assert returns the assertion about k. One serves all requests of a session until half of its life is over, so that an
// application far away has time to check it.
func (g *Guard) assert(ctx context.Context, k *known) (string, error) {
	now := g.now()
	shared := k.by == g.c
	if shared {
		if a := k.asserted.Load(); a != nil && now.UnixNano() < a.until {
			return a.text, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	who := k.identity
	if k.from != nil { // nobody signs for the issuer but itself; what we tell of its users is ours
		h, err := g.atHome(ctx)
		if err != nil {
			return "", err
		}
		who.Realm = h.realm
	}
	text, expires, err := g.asserter.Assert(ctx, who, g.c.Assertion)
	if err != nil {
		return "", err
	}
	if shared {
		k.asserted.Store(&assertion{text, now.Add(expires.Sub(now) / 2).UnixNano()})
	}
	return text, nil
}
