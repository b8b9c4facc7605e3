package caddymodule

import (
	"context"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// sharedGuard is a guard in the pool. It keeps its engine alive.
type sharedGuard struct {
	*guard.Guard
	key    string
	engine *engine
	realm  string
}

// Destruct ends the guard and gives back its engine.
func (g *sharedGuard) Destruct() error {
	g.Close()
	_, err := engines.Delete(g.engine.key)
	return err
}

// guard returns the guard for what h is configured with: the one that a former configuration used, with all that it
// remembers, if there was one alike. It is given back with guards.Delete.
func (a *App) guard(h *Auth) (*sharedGuard, error) {
	key := hash(a.engine.key, h.Realm, h.CopyHeaders, h.PassToken)
	g, _, err := guards.LoadOrNew(key, func() (caddy.Destructor, error) {
		own := source{a.engine}
		made, err := guard.New(guard.Options{Realm: h.Realm, Realms: own, Resolver: own, Feed: own,
			CopyHeaders: h.CopyHeaders, PassToken: h.PassToken, Names: &a.engine.names, Now: own.now, Logger: a.engine.log.Named("guard")})
		if err != nil {
			return nil, err
		}
		_, _, err = engines.LoadOrNew(a.engine.key, func() (caddy.Destructor, error) { return a.engine, nil })
		return &sharedGuard{Guard: made, key: key, engine: a.engine, realm: h.Realm}, err
	})
	if err != nil {
		return nil, err
	}
	return g.(*sharedGuard), nil
}

// source is where a guard looks things up. It opens the engine at the first look, so that a guard can be made, and its
// settings be found wrong, while the store is away.
type source struct{ engine *engine }

var (
	_ guard.Realms   = source{}
	_ guard.Resolver = source{}
	_ guard.Feed     = source{}
)

// Find finds a realm.
func (s source) Find(ctx context.Context, idOrName string) (*core.Realm, error) {
	parts, err := s.engine.open(ctx)
	if err != nil {
		return nil, err
	}
	return parts.Core.Realms.Find(ctx, idOrName)
}

// Resolve says who a session token stands for.
func (s source) Resolve(ctx context.Context, realm core.RealmID, token string) (core.Identity, error) {
	parts, err := s.engine.open(ctx)
	if err != nil {
		return core.Identity{}, err
	}
	return parts.Core.Sessions.Resolve(ctx, realm, token)
}

// Follow subscribes to the news of a realm.
func (s source) Follow(ctx context.Context, realm core.RealmID, l core.Listener) (guard.Watch, error) {
	parts, err := s.engine.open(ctx)
	if err != nil {
		return nil, err
	}
	return guard.FeedOf(parts.Core.Feed).Follow(ctx, realm, l)
}

// now is the clock of core, as soon as there is one.
func (s source) now() time.Time {
	if parts := s.engine.parts.Load(); parts != nil {
		return parts.Core.Now()
	}
	return time.Now()
}
