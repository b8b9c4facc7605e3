package guard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
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
	// Fresh reports whether the listener has been told all news that matters at now. It must not block.
	Fresh(now time.Time) bool
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

// Options configures a Guard. Realms, Resolver and Feed are required.
type Options struct {
	Realms   Realms
	Resolver Resolver
	Feed     Feed

	Realm string // id or name of the realm whose users may enter; default "default"

	// CopyHeaders says what the application is told: names of request headers, and for each the field it
	// carries, one of id, username, email, name, arbitrary_id, user_type, realm and session. Names have 1 to 64
	// letters, digits and hyphens. An empty map tells nothing. The default is X-Postern-User-Id id,
	// X-Postern-Username username, X-Postern-Email email, X-Postern-Arbitrary-Id arbitrary_id.
	CopyHeaders map[string]string

	// Names are shared by all guards in front of the same applications; default this guard's alone.
	Names *Names

	PassToken bool // let the bearer token of an allowed request reach the application

	// CacheSize is how many verdicts are remembered; 1 to 10,000,000, default 131,072. One takes about 350 bytes, its
	// token and the user's texts: 1.2 KB with a token of 760 bytes, and hardly more than 9 KB with the longest.
	CacheSize int

	Logger *zap.Logger // default none

	// Now is the clock that expiry and the feed's freshness are judged by; default time.Now. With core's feed it
	// should be core.Core.Now, which goes by the store's clock.
	Now func() time.Time
}

// DefaultCacheSize is how many verdicts a Guard remembers unless told otherwise.
const DefaultCacheSize = 1 << 17

const maxCacheSize = 10_000_000

// validate fills the defaults and returns all complaints at once.
func (o *Options) validate() (identityHeaders, error) {
	var errs []error
	if o.Realms == nil || o.Resolver == nil || o.Feed == nil {
		errs = append(errs, errors.New("Realms, Resolver and Feed are required"))
	}
	if o.Names == nil {
		o.Names = &Names{}
	}
	if o.Realm == "" {
		o.Realm = "default"
	}
	if o.CopyHeaders == nil {
		o.CopyHeaders = map[string]string{
			"X-Postern-User-Id": "id", "X-Postern-Username": "username",
			"X-Postern-Email": "email", "X-Postern-Arbitrary-Id": "arbitrary_id",
		}
	}
	headers, err := newIdentityHeaders(o.CopyHeaders)
	errs = append(errs, err)
	if o.CacheSize == 0 {
		o.CacheSize = DefaultCacheSize
	}
	if o.CacheSize < 1 || o.CacheSize > maxCacheSize {
		errs = append(errs, fmt.Errorf("CacheSize is %d; it must be from 1 to %d", o.CacheSize, maxCacheSize))
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return headers, errors.Join(errs...)
}
