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

// assert returns the assertion about who it is. One serves all requests of a session until half of its life is over, so that an
// application far away has time to check it.
func (g *Guard) assert(ctx context.Context, s *standing) (string, error) {
	now := g.now()
	if s.by == g {
		if text := s.known.assertion(now); text != "" {
			return text, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	who := s.known.alone().identity()
	if s.issuer() != nil { // nobody signs for the issuer but itself; what we tell of its users is ours
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
	if s.by == g {
		g.cache.amend(s.known.withAssertion(text, now.Add(expires.Sub(now)/2)))
	}
	return text, nil
}
