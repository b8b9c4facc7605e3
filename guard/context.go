package guard

import (
	"context"

	"github.com/postern-auth/postern/core"
)

// contextKey is where Prepare leaves who a request comes from.
type contextKey struct{}

// FromContext returns who a request comes from, in a handler behind a Guard. It reports false where the
// request passed without identity.
func FromContext(ctx context.Context) (core.Identity, bool) {
	k, ok := ctx.Value(contextKey{}).(*known)
	if !ok {
		return core.Identity{}, false
	}
	return k.identity, true
}
