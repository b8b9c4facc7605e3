package guard

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/postern-auth/postern/core"
)

// home is the realm that a Guard serves, once it is found, and the watch over it. It listens to the feed.
type home struct {
	realm  core.RealmID
	watch  Watch
	cache  *cache
	visits *visits
}

var _ core.Listener = (*home)(nil)

// Forget drops what is known of users and sessions, and everything where the realm itself has changed.
func (h *home) Forget(subjects []string) {
	if slices.Contains(subjects, string(h.realm)) {
		h.ForgetAll()
		return
	}
	h.cache.forget(subjects)
	h.visits.review()
}

// steady reports whether the clock has run on since a time, in nanoseconds since the epoch. Without a home nobody says otherwise.
func (h *home) steady(since int64) bool { return h == nil || h.watch.Steady(time.Unix(0, since)) }

// ForgetAll drops everything.
func (h *home) ForgetAll() {
	h.cache.forgetAll()
	h.visits.review()
}

// atHome returns the realm. It is looked for when it is first needed, since the store may be away when a
// Guard is made, and again until it is found. Whoever needs it meanwhile shares one look.
func (g *Guard) atHome(ctx context.Context) (*home, error) {
	if h := g.home.Load(); h != nil {
		return h, nil
	}
	return g.looks.join(ctx, g.c.Realm, g.findHome)
}

// findHome finds the realm and follows its feed.
func (g *Guard) findHome(ctx context.Context) (*home, error) {
	if h := g.home.Load(); h != nil { // found by a look that ended just before this one began
		return h, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	realm, err := g.realms.Find(ctx, g.c.Realm)
	if err != nil {
		return nil, fmt.Errorf("guard: realm %q: %w", g.c.Realm, err)
	}
	h := &home{realm: realm.ID, cache: g.cache, visits: g.visits}
	if h.watch, err = g.feed.Follow(ctx, realm.ID, h); err != nil {
		return nil, fmt.Errorf("guard: follow realm %q: %w", g.c.Realm, err)
	}
	g.home.Store(h)
	g.watchVisits()
	return h, nil
}
