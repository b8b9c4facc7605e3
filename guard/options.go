package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/failure"
)

// Realms finds the realm that a Guard serves. It fails with core.ErrRealmNotFound.
type Realms interface {
	Find(ctx context.Context, idOrName string) (*core.Realm, error)
}

// Resolver says who a session token stands for. An *core.Error of KindUnauthenticated or KindForbidden is a
// refusal; with any other failure the verdict is CannotKnow.
type Resolver interface {
	Resolve(ctx context.Context, realm core.RealmID, token string) (core.Identity, error)
}

// Feed passes on news of what is no longer true in a realm.
type Feed interface {
	Follow(ctx context.Context, realm core.RealmID, l core.Listener) (Watch, error)
}

// Watch is a subscription to a Feed.
type Watch interface {
	// Fresh reports whether the listener has been told all news that matters at now; for a time that is past, whether it had been then, as far as that
	// is known from when it was told last. It must not block.
	Fresh(now time.Time) bool
	// Steady reports whether the clock has run on since a time that Options.Now returned. One that was set back stands still meanwhile, and
	// nobody can say by it how long ago that was.
	Steady(since time.Time) bool
	// Stop ends the subscription.
	Stop()
}

var (
	_ Realms   = (*core.Realms)(nil)
	_ Resolver = (*core.Sessions)(nil)
)

// FeedOf returns core's feed as a Feed.
func FeedOf(f *core.InvalidationFeed) Feed { return coreFeed{f} }

type coreFeed struct{ feed *core.InvalidationFeed }

func (f coreFeed) Follow(ctx context.Context, realm core.RealmID, l core.Listener) (Watch, error) {
	w, err := f.feed.Follow(ctx, realm, l)
	if err != nil {
		return nil, err // and not a Watch that holds a nil pointer
	}
	return w, nil
}

// KeyResolver says who an API key stands for, shown from an address (core.APIKeys). Its failures mean what those of a Resolver
// do.
type KeyResolver interface {
	Resolve(ctx context.Context, realm core.RealmID, key string, from netip.Addr) (core.Identity, error)
}

// Renewer gives a session a new token that fits into a cookie, and leaves the one shown alive (core.Sessions.RefreshSlim).
type Renewer interface {
	RefreshSlim(ctx context.Context, token string) (*core.SignedIn, error)
}

var (
	_ KeyResolver = (*core.APIKeys)(nil)
	_ Renewer     = (*core.Sessions)(nil)
)

// Options configures a Guard. Realms, Resolver and Feed are required; Keys where a source is api_key, Asserter where
// there is an assertion.
type Options struct {
	Settings

	Realms   Realms
	Resolver Resolver
	Feed     Feed
	Keys     KeyResolver
	Asserter Asserter
	Renewer  Renewer // renews cookies past half their life; default nobody does

	// Names are shared by all guards in front of the same applications; default this guard's alone.
	Names *Names

	// IssuerKeys are the keys of Settings.Issuers, shared with other guards; default this guard's alone.
	IssuerKeys *IssuerKeys

	// CacheSize is how many verdicts are remembered; 1 to 10,000,000, default 131,072. One takes about 250 bytes, and once or twice
	// what is known of the user as text: 400 bytes all in all without permissions and custom attributes, however long the token is. Where that is more
	// than 2 KiB on the average, fewer are remembered.
	CacheSize int

	// Address returns the address that a request comes from, the zero Addr where that is not known; default that of the
	// connection. A host behind a proxy must know which proxies to believe.
	Address func(*http.Request) netip.Addr

	// Secure reports whether the browser speaks TLS; default that of the connection. See Settings.Origins, too.
	Secure func(*http.Request) bool

	// Host returns the host that the browser asked for, and its port, as it stands in Host; default that of the request. A host behind a
	// proxy that puts another there must know which proxies to believe.
	Host func(*http.Request) string

	// RequestID returns the id by which the host's log knows a request: whoever is refused is told it. Default a new one for each refusal, which
	// the guard's own log has where it notes refusals.
	RequestID func(*http.Request) string

	// Observe is told of each verdict, for metrics. It must not block.
	Observe func(Verdict)

	Logger *zap.Logger // default none

	// Now is the clock that expiry and the feed's freshness are judged by; default time.Now. With core's feed it
	// should be core.Core.Now, which goes by the store's clock.
	Now func() time.Time
}

// DefaultCacheSize is how many verdicts a Guard remembers unless told otherwise.
const DefaultCacheSize = 1 << 17

const maxCacheSize = 10_000_000

// validate fills the defaults and returns all complaints at once.
func (o *Options) validate() (*compiled, error) {
	o.fill()
	c, err := o.Settings.compile()
	errs := []error{err}
	complain := func(bad bool, text string) {
		if bad {
			errs = append(errs, errors.New(text))
		}
	}
	complain(o.Realms == nil || o.Resolver == nil || o.Feed == nil, "Realms, Resolver and Feed are required")
	complain(c.sources.key && o.Keys == nil, "from api_key needs Keys")
	complain(c.Assertion != "" && o.Asserter == nil, "assertion needs an Asserter")
	if o.CacheSize < 1 || o.CacheSize > maxCacheSize {
		errs = append(errs, fmt.Errorf("CacheSize is %d; it must be from 1 to %d", o.CacheSize, maxCacheSize))
	}
	c.secure, c.host = o.Secure, o.Host
	return c, errors.Join(errs...)
}

// fill fills the defaults, but for those of Settings.
func (o *Options) fill() {
	if o.Names == nil {
		o.Names = &Names{}
	}
	if o.CacheSize == 0 {
		o.CacheSize = DefaultCacheSize
	}
	if o.Address == nil {
		o.Address = connectionAddress
	}
	if o.Secure == nil {
		o.Secure = func(r *http.Request) bool { return r.TLS != nil }
	}
	if o.Host == nil {
		o.Host = func(r *http.Request) string { return r.Host }
	}
	if o.RequestID == nil {
		o.RequestID = failure.IDOf
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// connectionAddress returns the address at the other end of r's connection.
func connectionAddress(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}
