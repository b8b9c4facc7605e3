package core

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Failures of API keys.
var (
	// ErrInvalidAPIKey says that an API key proves nothing: nobody's, expired, or replaced.
	ErrInvalidAPIKey = &Error{Kind: KindUnauthenticated, Code: "invalid_api_key", Detail: "the API key is not valid"}

	// ErrAPIKeyAddress says that an API key was shown from where it must not be.
	ErrAPIKeyAddress = &Error{Kind: KindForbidden, Code: "api_key_address", Detail: "the API key may not be used from this address"}
)

// usedEvery is how often "last used" of an API key is written.
const usedEvery = 5 * time.Minute

// apiKeyRemembered is for how long an Identity from an API key may be remembered while the feed says nothing else.
const apiKeyRemembered = 24 * time.Hour

// Resolve says who an API key stands for, shown from an address; the zero Addr stands for one that is not known. Garbage
// costs no look in the store. It fails with ErrRealmInactive, ErrInvalidAPIKey, ErrAPIKeyAddress, ErrUserInactive, and
// ErrUnavailable where it cannot know. Whatever it depends on is told of, when it changes, under the user's or the credential's id.
func (k *APIKeys) Resolve(ctx context.Context, realm RealmID, key string, from netip.Addr) (Identity, error) {
	h, now, err := k.resolve(ctx, realm, key, from)
	if err != nil {
		return Identity{}, err
	}
	if h.due(now) {
		k.d.saw(touch{realm: realm, user: h.user.ID, credential: h.ID})
	}
	return h.identity(now), nil
}

// Authenticate returns the user of an API key (Users API, "Authenticate using an API key"). The first time on a day (UTC) it
// counts as a sign-in, with an event. Where the realm says so, there is a token that stands for the key; there is no session. It
// fails like Resolve, and with ErrTokenTooLong.
func (k *APIKeys) Authenticate(ctx context.Context, realm RealmID, key string, from netip.Addr, req Request) (*SignedIn, error) {
	var in *SignedIn
	err := retry(func() error {
		h, now, err := k.resolve(ctx, realm, key, from)
		if err != nil {
			return err
		}
		state, err := k.d.realms.state(ctx, realm)
		if err != nil {
			return err
		}
		in = &SignedIn{User: h.user}
		if in.Token, err = k.token(ctx, state, h, now); err != nil {
			return err
		}
		switch {
		case firstOn(now, h.user.LastLoginAt) == 1:
			in.User, err = k.used(ctx, h, now, req)
		case h.due(now):
			k.d.saw(touch{realm: realm, user: h.user.ID, credential: h.ID})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// resolve reads the credential that a key is, and its user, and checks all but what the user may do.
func (k *APIKeys) resolve(ctx context.Context, realm RealmID, key string, from netip.Addr) (*held, time.Time, error) {
	state, now, err := k.users.begin(ctx, realm)
	if err != nil {
		return nil, now, err
	}
	if state.State == StateInactive {
		return nil, now, ErrRealmInactive // whatever the key, so it says nothing of it
	}
	if !state.plausible(key) {
		return nil, now, ErrInvalidAPIKey
	}
	if err := k.d.feed.confirm(ctx, state.Realm, now); err != nil {
		return nil, now, err
	}
	claim := &apiKeyClaim{}
	_, found, err := k.d.load(ctx, apiKeyKey(state.holder(key), digest(key)), claim)
	if err != nil {
		return nil, now, fmt.Errorf("core: find API key: %w", err)
	}
	if !found {
		return nil, now, k.d.missed(ctx, state.holder(key), ErrInvalidAPIKey)
	}
	if claim.Realm != realm {
		return nil, now, ErrInvalidAPIKey
	}
	h, err := k.d.heldBy(ctx, state.Realm, claim.User, claim.Credential)
	if err == ErrCredentialNotFound {
		return nil, now, ErrInvalidAPIKey
	} else if err != nil {
		return nil, now, err
	}
	return h, now, h.admits(claim.Digest, from, now)
}

// admits refuses an API key that is no longer this one, has expired, or is shown where it must not be.
func (h *held) admits(sum string, from netip.Addr, now time.Time) error {
	switch {
	case h.APIKey == nil || h.APIKey.Digest != sum || h.user.Type != UserAPI:
		return ErrInvalidAPIKey
	case !h.APIKey.ExpiresAt.IsZero() && !now.Before(h.APIKey.ExpiresAt.Time):
		return ErrInvalidAPIKey.with("it has expired")
	case h.user.State != StateActive:
		return ErrUserInactive
	}
	if who := h.identity(now); !who.AdmitsFrom(from) {
		return ErrAPIKeyAddress
	}
	return nil
}

// identity is who shows an API key.
func (h *held) identity(now time.Time) Identity {
	expires := now.Add(apiKeyRemembered)
	if at := h.APIKey.ExpiresAt; !at.IsZero() && at.Before(expires) {
		expires = at.Time
	}
	orgs, expires := h.joined.access(now, expires)
	return Identity{
		Realm: h.Realm, User: h.User, Credential: h.ID, Type: h.user.Type, Username: h.user.Username, Email: h.user.Email,
		Name: h.user.Name(), FirstName: h.user.FirstName, LastName: h.user.LastName, ArbitraryID: h.user.ArbitraryID, Reference: h.user.Reference, EmailVerified: h.user.provenEmail(),
		Custom: h.user.Custom, Orgs: orgs, Only: slices.Clone(h.APIKey.Permissions),
		From: slices.Clone(h.APIKey.Addresses), ExpiresAt: expires, RecheckAt: now.Add(usedEvery),
	}
}

// due reports whether it should be written that an API key was used.
func (h *held) due(now time.Time) bool {
	return now.Sub(h.LastUsedAt.Time) >= usedEvery || firstOn(now, h.user.LastLoginAt) == 1
}

// see notes that an API key was used now.
func (k *APIKeys) see(ctx context.Context, t touch) error {
	state, now, err := k.users.begin(ctx, t.realm)
	if err != nil {
		return err
	}
	h, err := k.d.heldBy(ctx, state.Realm, t.user, t.credential)
	if err != nil || h.APIKey == nil || !h.due(now) {
		return err
	}
	_, err = k.used(ctx, h, now, Request{})
	return err
}

// used writes that an API key was used and, the first time on a day, that its user signed in. It returns the user as it
// is then.
func (k *APIKeys) used(ctx context.Context, h *held, now time.Time, req Request) (*User, error) {
	state, err := k.d.realms.state(ctx, h.Realm)
	if err != nil {
		return nil, err
	}
	c := k.d.change(h.at, now)
	credential := *h.Credential
	credential.LastUsedAt = Instant{now}
	limits := *h.APIKey
	limits.forget(state.Realm)
	credential.APIKey = &limits
	c.replace(&credential, h.version, noExpiry)
	if firstOn(now, h.user.LastLoginAt) == 0 {
		return h.user, c.commit(ctx)
	}
	after := *h.user
	after.LastLoginAt = Instant{now}
	c.replace(&after, h.userVersion, noExpiry)
	c.reindex(h.user, &after)
	c.event(Event{Realm: h.Realm, Type: eventLoginSucceeded, User: h.User, Credential: h.ID, Request: req.clean()})
	return &after, c.commit(ctx)
}
