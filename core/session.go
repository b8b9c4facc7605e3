package core

import (
	"context"
	"fmt"
	"time"
)

// Session is one sign-in of a user. It is over at its deadline, when it is deleted, and when the user's
// generation has moved on.
type Session struct {
	ID         SessionID `json:"id"`
	Realm      RealmID   `json:"realm"`
	User       UserID    `json:"user"`
	Generation int       `json:"gen"`
	CreatedAt  Instant   `json:"created"`
	SeenAt     Instant   `json:"seen"` // written at most every five minutes
	Idle       Seconds   `json:"idle"`
	Until      Instant   `json:"until"`             // at the latest
	Lifetime   Seconds   `json:"lifetime"`          // of the tokens it gives
	APTKey     APTKeyID  `json:"apt_key,omitempty"` // that vouched for it
	MFA        bool      `json:"mfa,omitempty"`     // a second factor was shown
	Request    Request   `json:"request,omitzero"`
}

func (s *Session) key(p Partition) Key { return sessionKey(p, s.ID) }

// deadline is when the session is over if nothing more is heard of it.
func (s *Session) deadline() time.Time {
	idle := s.SeenAt.Add(s.Idle.Duration())
	if s.Until.Before(idle) {
		return s.Until.Time
	}
	return idle
}

// ExpiresAt returns when the session is over if nothing more is heard of it.
func (s *Session) ExpiresAt() time.Time { return s.deadline() }

// seenEvery is how often "last seen" is written: every five minutes, or more often where a session that is not seen
// is soon over.
func (s *Session) seenEvery() time.Duration { return min(5*time.Minute, s.Idle.Duration()/4) }

// Failures of sessions.
var (
	ErrSessionNotFound = &Error{Kind: KindNotFound, Code: "session_not_found", Detail: "session not found"}

	// ErrInvalidToken says that a token proves nothing: malformed, forged, expired, or of a session that is over.
	ErrInvalidToken = &Error{Kind: KindUnauthenticated, Code: "invalid_token", Detail: "the token is not valid"}
)

// Sessions starts, resolves, refreshes, lists and ends sessions. Safe for concurrent use.
type Sessions struct{ d *deps }

// signIn is what a session begins with.
type signIn struct {
	user     *User
	version  uint64 // of the user's record; 0 = made in the same Transaction
	password bool   // by the password, which nobody has forgotten then
	now      time.Time
	lifetime Seconds
	aptKey   APTKeyID
	mfa      bool // a second factor was shown
	request  Request
	joined   *joined // nil = to be read where a token is to tell it
}

// open puts a new session into c, notes the sign-in in the user, and returns it with its token: a slim one where the
// request asks for that.
func (s *Sessions) open(ctx context.Context, c *change, state *realmState, in signIn) (*SignedIn, error) {
	if state.State == StateInactive {
		return nil, ErrRealmInactive
	}
	b, _ := bucketOf(string(in.user.ID))
	id, err := s.d.ids.id(prefixSession, b)
	if err != nil {
		return nil, err
	}
	session := &Session{
		ID: SessionID(id), Realm: state.ID, User: in.user.ID, Generation: in.user.Generation,
		CreatedAt: in.user.at(in.now), SeenAt: Instant{in.now}, Idle: state.Settings.SessionIdle,
		Until:    Instant{in.now.Add(state.Settings.sessionUntil(in.aptKey).Duration())},
		Lifetime: in.lifetime, APTKey: in.aptKey, MFA: in.mfa, Request: in.request.clean(),
	}
	token, err := s.d.mint(ctx, state, minting{user: in.user, session: session, now: in.now, joined: in.joined, slim: in.request.Slim})
	if err != nil {
		return nil, err
	}
	c.create(session, session.deadline())
	c.index(userSessionsIndex(c.tx.Partition, in.user.ID).Name, sessionMember(session))
	c.event(Event{Realm: state.ID, Type: eventLoginSucceeded, User: in.user.ID, Session: session.ID, APTKey: in.aptKey, Request: in.request.clean()})
	return &SignedIn{User: in.user, Session: session, Token: token}, nil
}

// sessionUntil returns how long a session lives at the longest, by the APT key that vouched for it.
func (s RealmSettings) sessionUntil(vouched APTKeyID) Seconds {
	if s.SessionFixed != 0 && vouched == "" {
		return s.SessionFixed
	}
	return s.SessionAbsolute
}

// start begins a session of a user who is there, in one Transaction with what add adds; nil adds nothing.
func (s *Sessions) start(ctx context.Context, state *realmState, in signIn, add func(*change)) (*SignedIn, error) {
	p, _ := state.owner(string(in.user.ID))
	c := s.d.change(p, in.now)
	c.loggedIn(&in)
	signedIn, err := s.open(ctx, c, state, in)
	if err != nil {
		return nil, err
	}
	if add != nil {
		add(c)
	}
	if err := s.sweep(ctx, c, in.user.ID); err != nil {
		return nil, err
	}
	if err := c.commit(ctx); err != nil {
		return nil, fmt.Errorf("core: start session: %w", err)
	}
	return signedIn, nil
}

// signingIn marks that a user signs in once more within a second. What it says never changes, but its version does with every
// such sign-in: whoever is about to delete the user hears of a session that was not there yet by that alone.
type signingIn struct {
	Realm RealmID `json:"realm"`
	User  UserID  `json:"user"`
}

func (s *signingIn) key(p Partition) Key { return signingInKey(p, s.User) }

// loggedIn notes the sign-in in the user's record, unless one was noted within the second: sign-ins at the same
// moment must not be in each other's way, and leave a mark that none of them is conditional on. Whoever knows the password needs no token to set another: those pending
// die (Users API, "Reset password with a token").
func (c *change) loggedIn(in *signIn) {
	remembered := in.password && in.user.hasTokens(prefixPasswordToken, in.now)
	if !remembered && in.now.Sub(in.user.LastLoginAt.Time) < time.Second {
		c.unchanged(in.user.key(c.tx.Partition), in.version)
		c.set(&signingIn{in.user.Realm, in.user.ID}, in.now.Add(time.Minute))
		return
	}
	after := *in.user
	if remembered {
		after.endTokens(prefixPasswordToken)
		c.tx.Durable = true
	}
	after.LastLoginAt = Instant{in.now}
	c.replace(&after, in.version, noExpiry)
	c.reindex(in.user, &after)
	in.user = &after
}

// sweptAtOnce is how many places of dead sessions each sign-in clears from its user's list.
const sweptAtOnce = 10

// sweep removes the first few dead from the list of a user's sessions. The store drops the sessions
// themselves.
func (s *Sessions) sweep(ctx context.Context, c *change, user UserID) error {
	index := userSessionsIndex(c.tx.Partition, user)
	dead, err := s.d.store.Range(ctx, Range{Index: index, To: hexMillis(c.tx.Now.UnixMilli()), Limit: sweptAtOnce})
	if err != nil {
		return fmt.Errorf("core: sweep sessions: %w", err)
	}
	for _, member := range dead {
		c.unindex(index.Name, member)
	}
	return nil
}

// live is a session and its user with their memberships, read together, found to be alive.
type live struct {
	session        *Session
	sessionVersion uint64
	user           *User
	userVersion    uint64
	joined         joined
}

// alive reads a session and its user in one go. It fails with ErrInvalidToken where the session is over, and
// with ErrUserInactive.
func (s *Sessions) alive(ctx context.Context, state *realmState, id SessionID, user UserID, now time.Time) (*live, error) {
	p, _ := state.owner(string(user))
	keys := append([]Key{sessionKey(p, id), userKey(p, user)}, joinedKeys(p, user)...)
	recs, err := s.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: read session: %w", err)
	}
	l := &live{session: &Session{}, user: &User{}, sessionVersion: recs[0].Version, userVersion: recs[1].Version}
	haveSession, err := decode(keys[0], recs[0], l.session)
	if err != nil {
		return nil, err
	}
	haveUser, err := decode(keys[1], recs[1], l.user)
	if err != nil {
		return nil, err
	}
	if err := l.joined.read(keys[2:], recs[2:]); err != nil {
		return nil, err
	}
	l.user.Memberships = len(l.joined.List)
	switch {
	case !haveSession || !haveUser:
		return nil, s.d.missed(ctx, p, ErrInvalidToken.with("its session is over"))
	case !state.goesOn(l.session, l.user, now):
		return nil, ErrInvalidToken.with("its session is over")
	case l.user.State != StateActive:
		return nil, ErrUserInactive
	}
	return l, nil
}

// goesOn reports whether a session is user's in the realm, and not over.
func (s *realmState) goesOn(session *Session, user *User, now time.Time) bool {
	return session.User == user.ID && session.Realm == s.ID && user.Realm == s.ID && user.theirs(session.CreatedAt) &&
		session.Generation == user.Generation && !s.apt.ended(session.APTKey) && now.Before(session.deadline())
}

// Get returns a session by its id, with its user, or ErrSessionNotFound where it is not there or over.
func (s *Sessions) Get(ctx context.Context, realm RealmID, id SessionID) (*Session, *User, error) {
	state, err := s.d.realms.state(ctx, realm)
	if err != nil {
		return nil, nil, err
	}
	now, err := s.d.clock.now()
	if err != nil {
		return nil, nil, err
	}
	p, ok := state.owner(string(id))
	if !ok || !validID(prefixSession, string(id)) {
		return nil, nil, ErrSessionNotFound
	}
	session := &Session{}
	_, found, err := s.d.load(ctx, sessionKey(p, id), session)
	if err != nil {
		return nil, nil, fmt.Errorf("core: get session: %w", err)
	}
	if !found {
		return nil, nil, ErrSessionNotFound
	}
	l, err := s.alive(ctx, state, id, session.User, now)
	if IsRefusal(err) {
		return nil, nil, ErrSessionNotFound
	}
	if err != nil {
		return nil, nil, err
	}
	return l.session, l.user, nil
}

// Delete ends a session. Its tokens are refused everywhere at once. It fails with ErrSessionNotFound.
func (s *Sessions) Delete(ctx context.Context, realm RealmID, id SessionID, req Request) error {
	return retry(func() error {
		state, err := s.d.realms.state(ctx, realm)
		if err != nil {
			return err
		}
		now, err := s.d.clock.now()
		if err != nil {
			return err
		}
		p, ok := state.owner(string(id))
		if !ok || !validID(prefixSession, string(id)) {
			return ErrSessionNotFound
		}
		session := &Session{}
		version, found, err := s.d.load(ctx, sessionKey(p, id), session)
		if err != nil {
			return fmt.Errorf("core: delete session: %w", err)
		}
		if !found || !now.Before(session.deadline()) {
			return ErrSessionNotFound
		}
		c := s.d.change(p, now)
		c.remove(session.key(p), version)
		c.unindex(userSessionsIndex(p, session.User).Name, sessionMember(session))
		c.event(Event{Realm: realm, Type: eventSessionDeleted, User: session.User, Session: id, Request: req.clean()})
		c.invalidate(string(id))
		return c.commit(ctx)
	})
}

// see notes that a session was seen now.
func (s *Sessions) see(ctx context.Context, t touch) error {
	state, now, err := (&Users{s.d}).begin(ctx, t.realm)
	if err != nil {
		return err
	}
	l, err := s.alive(ctx, state, t.session, t.user, now)
	if err != nil || now.Sub(l.session.SeenAt.Time) < l.session.seenEvery() {
		return err
	}
	_, err = s.renew(ctx, state, l, now)
	return err
}

// renew makes sure that a session and its user are still as they were read, and writes that the session was seen,
// unless that was written a moment ago: those who refresh at once must not be in each other's way. What was deleted
// meanwhile stays deleted.
func (s *Sessions) renew(ctx context.Context, state *realmState, l *live, now time.Time) (*Session, error) {
	p, _ := state.owner(string(l.user.ID))
	c := s.d.change(p, now)
	c.unchanged(userKey(p, l.user.ID), l.userVersion)
	if now.Sub(l.session.SeenAt.Time) < l.session.seenEvery() {
		c.unchanged(l.session.key(p), l.sessionVersion)
		return l.session, c.commit(ctx)
	}
	after := *l.session
	after.SeenAt = Instant{now}
	c.replace(&after, l.sessionVersion, after.deadline())
	index := userSessionsIndex(p, after.User).Name
	c.unindex(index, sessionMember(l.session))
	c.index(index, sessionMember(&after))
	return &after, c.commit(ctx)
}
