package caddymodule

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/namedfile"
)

// sharedGuard is a guard in the pool. It keeps its engine alive.
type sharedGuard struct {
	*guard.Guard
	key    string
	engine *engine
}

// Destruct ends the guard and gives back its engine, once those have left who were let in: streams outlive a reload, and are to end when their
// user may no longer enter. A Caddy that exits waits for nobody here.
func (g *sharedGuard) Destruct() error {
	if caddy.Exiting() {
		g.Close()
		return g.release()
	}
	g.Retire(func() {
		if err := g.release(); err != nil {
			g.engine.log.Error("what a former guard used could not be ended", zap.Error(err))
		}
	})
	return nil
}

// release gives back the engine.
func (g *sharedGuard) release() error {
	_, err := engines.Delete(g.engine.key)
	return err
}

// guard returns the guard for settings: the one that a former configuration used, with all that it
// remembers, if there was one alike. It is given back with guards.Delete.
func (a *App) guard(settings guard.Settings) (*sharedGuard, error) {
	key := guardKey(a.engine.key, settings)
	g, _, err := guards.LoadOrNew(key, func() (caddy.Destructor, error) {
		own := source{a.engine}
		made, err := guard.New(guard.Options{Settings: settings, Realms: own, Resolver: own, Renewer: own, Keys: keySource{a.engine}, Asserter: own, Feed: own,
			Names: &a.engine.names, Address: clientAddress, Secure: speaksTLS, RequestID: requestID, Now: own.now, Logger: a.engine.log.Named("guard"), IssuerKeys: meters.IssuerKeys,
			Observe: meters.Judged(cmp.Or(settings.Realm, core.DefaultRealm))})
		if err != nil {
			return nil, err
		}
		_, _, err = engines.LoadOrNew(a.engine.key, func() (caddy.Destructor, error) { return a.engine, nil })
		return &sharedGuard{Guard: made, key: key, engine: a.engine}, err
	})
	if err != nil {
		return nil, err
	}
	return g.(*sharedGuard), nil
}

// guardKey identifies a guard: two over one engine that are configured alike are one. A file counts by what it holds, so that a
// reload takes up a new one. One that cannot be read is for the guard to complain of.
func guardKey(engine string, settings guard.Settings) string {
	files := make([][]byte, len(settings.Issuers))
	for i, issuer := range settings.Issuers {
		if issuer.CAFile != "" {
			files[i], _ = namedfile.Read(issuer.CAFile)
		}
	}
	return hash(engine, settings, files)
}

// clientAddress returns the address that Caddy takes a request to come from, which is the client's own where the server's
// trusted_proxies say so.
func clientAddress(r *http.Request) netip.Addr {
	text, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

// speaksTLS reports whether the browser speaks TLS: to Caddy, or to a proxy in front that says so, and that the server's trusted_proxies name.
func speaksTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	return fromTrusted(r) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// source is where a guard looks things up. It opens the engine at the first look, so that a guard can be made, and its
// settings be found wrong, while the store is away.
type source struct{ engine *engine }

var (
	_ guard.Realms   = source{}
	_ guard.Resolver = source{}
	_ guard.Renewer  = source{}
	_ guard.Asserter = source{}
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

// keySource is where a guard looks API keys up, likewise.
type keySource struct{ engine *engine }

var _ guard.KeyResolver = keySource{}

// Resolve says who an API key stands for.
func (s keySource) Resolve(ctx context.Context, realm core.RealmID, key string, from netip.Addr) (core.Identity, error) {
	parts, err := s.engine.open(ctx)
	if err != nil {
		return core.Identity{}, err
	}
	return parts.Core.APIKeys.Resolve(ctx, realm, key, from)
}

// RefreshSlim gives a session a new token for its cookie.
func (s source) RefreshSlim(ctx context.Context, token string) (*core.SignedIn, error) {
	parts, err := s.engine.open(ctx)
	if err != nil {
		return nil, err
	}
	return parts.Core.Sessions.RefreshSlim(ctx, token)
}

// Assert signs what an application is told about a user.
func (s source) Assert(ctx context.Context, who core.Identity, audience string) (string, time.Time, error) {
	parts, err := s.engine.open(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	return parts.Core.Realms.Assert(ctx, who, audience)
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
