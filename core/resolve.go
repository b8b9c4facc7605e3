package core

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// Identity is who a request comes from, as far as it was checked just now.
type Identity struct {
	Realm       RealmID
	User        UserID
	Session     SessionID    // "" where an API key was shown
	Credential  CredentialID // the API key that was shown; "" = none
	Type        UserType
	Username    string
	Email       string // "" = none
	Name        string
	FirstName   string // "" = none, as all that follow
	LastName    string
	ArbitraryID string
	Reference   string

	EmailVerified bool        // the e-mail address is proven to be theirs
	MFA           bool        // a second factor was shown at this sign-in
	Custom        Custom      // not to be altered
	Orgs          []OrgAccess // what they may do where; not to be altered

	// Only, unless it is nil, narrows what the user may do to these permissions: those of the API key that was shown.
	Only []string

	// From, unless it is nil, are the addresses that the API key may be shown from. Whoever remembers an Identity asks
	// AdmitsFrom each time.
	From []netip.Prefix

	SignedInAt time.Time // zero where an API key was shown
	ExpiresAt  time.Time // until when this may be remembered, while the feed says nothing else
	RecheckAt  time.Time // from when on a request should be reported again, so that the session counts as seen
	RenewAt    time.Time // from when on a cookie that holds the token should get a new one; zero where that would gain nothing
}

// OrgAccess is what one membership permits, while it has not expired and its org is active.
type OrgAccess struct {
	Org         OrgID // "" = in no org
	Permissions []string
}

// AdmitsFrom reports whether a request with this Identity may come from an address. An address that is not known, the
// zero Addr, is none of those that a key is bound to.
func (i *Identity) AdmitsFrom(a netip.Addr) bool {
	return i.From == nil || slices.ContainsFunc(i.From, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// Resolve says who a session token, or one that stands for an API key, stands for. It reads the store. It fails with ErrInvalidToken,
// ErrUserInactive, and ErrUnavailable where it cannot know.
func (s *Sessions) Resolve(ctx context.Context, realm RealmID, text string) (Identity, error) {
	now, err := s.d.clock.now()
	if err != nil {
		return Identity{}, err
	}
	if isKeyToken(text) {
		return (&APIKeys{s.d, &Users{s.d}}).resolveToken(ctx, realm, text, now)
	}
	p, l, err := s.resolve(ctx, realm, text, now)
	if err != nil {
		return Identity{}, err
	}
	if now.Sub(l.session.SeenAt.Time) >= l.session.seenEvery() {
		s.d.saw(touch{realm: p.realm.ID, user: l.user.ID, session: l.session.ID})
	}
	expires := p.expires
	if d := l.session.deadline(); d.Before(expires) {
		expires = d
	}
	orgs, expires := l.joined.access(now, expires)
	return Identity{
		Realm: p.realm.ID, User: l.user.ID, Session: l.session.ID, Type: l.user.Type, Username: l.user.Username,
		Email: l.user.Email, Name: l.user.Name(), FirstName: l.user.FirstName, LastName: l.user.LastName, ArbitraryID: l.user.ArbitraryID, Reference: l.user.Reference,
		EmailVerified: l.user.provenEmail(), MFA: l.session.MFA, Custom: l.user.Custom, Orgs: orgs,
		SignedInAt: l.session.CreatedAt.Time, ExpiresAt: expires, RecheckAt: now.Add(l.session.seenEvery()), RenewAt: p.renewAt(l.session),
	}, nil
}

// renewAt returns when half of a token's life is over, or zero where its session ends before a new one could live longer.
func (p *proven) renewAt(s *Session) time.Time {
	if !p.expires.Before(s.Until.Truncate(time.Second)) {
		return time.Time{}
	}
	return p.issued.Add(p.expires.Sub(p.issued) / 2)
}

// resolve checks a token and reads its session.
func (s *Sessions) resolve(ctx context.Context, realm RealmID, text string, now time.Time) (*proven, *live, error) {
	p, err := s.d.prove(ctx, realm, text, now)
	if err != nil {
		return nil, nil, err
	}
	if err := s.d.feed.confirm(ctx, p.realm.Realm, now); err != nil {
		return nil, nil, err
	}
	l, err := s.alive(ctx, p.realm, p.session, p.user, now)
	if err != nil {
		return nil, nil, err
	}
	if p.gen > l.session.Generation { // a lower one is from before the others of the user were ended
		return nil, nil, ErrInvalidToken.with("its session is over")
	}
	return p, l, nil
}

// ByToken returns the session of a token, with its user. It fails like Resolve.
func (s *Sessions) ByToken(ctx context.Context, realm RealmID, text string) (*Session, *User, error) {
	now, err := s.d.clock.now()
	if err != nil {
		return nil, nil, err
	}
	_, l, err := s.resolve(ctx, realm, text, now)
	if err != nil {
		return nil, nil, err
	}
	return l.session, l.user, nil
}

// Refresh gives a session a new token; the one shown stays good until it expires. It is conditional on
// the session: racing a sign-out, it either comes first and is ended with the rest, or fails. It fails like
// Resolve, and with ErrTokenTooLong.
func (s *Sessions) Refresh(ctx context.Context, text string) (*SignedIn, error) {
	return s.refresh(ctx, text, false)
}

// RefreshSlim is Refresh for a token that lies in a cookie: the new one is slim (Request.Slim).
func (s *Sessions) RefreshSlim(ctx context.Context, text string) (*SignedIn, error) {
	return s.refresh(ctx, text, true)
}

func (s *Sessions) refresh(ctx context.Context, text string, slim bool) (*SignedIn, error) {
	var in *SignedIn
	err := retry(func() error {
		now, err := s.d.clock.now()
		if err != nil {
			return err
		}
		p, l, err := s.resolve(ctx, "", text, now)
		if err != nil {
			return err
		}
		session, err := s.renew(ctx, p.realm, l, now)
		if err != nil {
			return err
		}
		token, err := s.d.mint(ctx, p.realm, minting{user: l.user, session: session, now: now, joined: &l.joined, slim: slim})
		if err != nil {
			return err
		}
		s.d.meter.count(p.realm.ID, session.APTKey, now, Usage{Refreshed: 1, ActiveUsers: firstOn(now, l.session.SeenAt, l.user.LastLoginAt)})
		in = &SignedIn{User: l.user, Session: session, Token: token}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}

// DeleteUser removes the user that a token stands for (Work-API, "delete_user"). It fails like Resolve.
func (s *Sessions) DeleteUser(ctx context.Context, text string, req Request) error {
	return retry(func() error {
		now, err := s.d.clock.now()
		if err != nil {
			return err
		}
		p, l, err := s.resolve(ctx, "", text, now)
		if err != nil {
			return err
		}
		users := &Users{s.d}
		c, err := users.deletion(ctx, p.realm.Realm, l.user, l.userVersion, now, req)
		if err != nil {
			return err
		}
		return c.commit(ctx)
	})
}
