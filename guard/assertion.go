package guard

import (
	"context"
	"net/http"
	"time"

	"github.com/postern-auth/postern/core"
)

// Asserter signs what an application is told about a user (core.Realms.Assert). The text is good for at most a minute. It fails with
// core.ErrTokenTooLong where there is more to tell of a user than it can hold.
type Asserter interface {
	Assert(ctx context.Context, who core.Identity, audience string) (token string, expires time.Time, err error)
}

var _ Asserter = (*core.Realms)(nil)

// refuseUntellable is for users of whom an assertion cannot tell all. One that told less would have the application judge by half of it; and no other
// try would help, as it would while the store is away.
var refuseUntellable = Refusal{Status: http.StatusForbidden, Reason: "assertion_too_long",
	Detail: "You belong to more organisations, or have more permissions in them, than this service can be told of. Ask whoever runs it."}

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
