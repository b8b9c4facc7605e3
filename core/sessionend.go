package core

import (
	"context"
	"fmt"
)

// endAll ends all sessions of a user, but for one that may be kept: those of another generation are over, however many
// they are and whatever is signing in at this moment. The caller puts the user and tells those who remember. It fails
// with ErrSessionNotFound where the one to keep is over or somebody else's.
func (s *Sessions) endAll(ctx context.Context, c *change, user *User, keep SessionID) error {
	user.Generation++
	if keep == "" {
		return nil
	}
	if !validID(prefixSession, string(keep)) {
		return ErrSessionNotFound
	}
	key := sessionKey(c.tx.Partition, keep)
	session := &Session{}
	version, found, err := s.d.load(ctx, key, session)
	if err != nil {
		return fmt.Errorf("core: keep session: %w", err)
	}
	if !found || session.User != user.ID || session.Generation != user.Generation-1 || !c.tx.Now.Before(session.deadline()) {
		return ErrSessionNotFound
	}
	session.Generation = user.Generation
	c.replace(session, version, session.deadline())
	return nil
}

// EndAll ends all sessions of a user, but for one that may be kept, "" for none: their tokens are refused everywhere at
// once, however many they are. It fails with ErrUserNotFound, and ErrSessionNotFound where the one to keep is over or
// somebody else's.
func (s *Sessions) EndAll(ctx context.Context, realm RealmID, idOrName string, keep SessionID, req Request) error {
	users := &Users{s.d}
	return retry(func() error {
		state, now, err := users.begin(ctx, realm)
		if err != nil {
			return err
		}
		user, version, err := users.find(ctx, state.Realm, idOrName)
		if err != nil {
			return err
		}
		p, _ := state.owner(string(user.ID))
		c := s.d.change(p, now)
		after := *user
		if err := s.endAll(ctx, c, &after, keep); err != nil {
			return err
		}
		c.replace(&after, version, noExpiry)
		c.event(Event{Realm: realm, Type: eventSessionDeleted, User: user.ID, Request: req.clean()})
		c.invalidate(string(user.ID))
		return c.commit(ctx)
	})
}

// Create starts a session of an active human user on the word of whoever calls (Users API, "Sessions"). It fails with
// ErrUserNotFound, KindInvalid where the user is not human or not active, and ErrRealmInactive.
func (s *Sessions) Create(ctx context.Context, realm RealmID, idOrName string, req Request) (*SignedIn, error) {
	users := &Users{s.d}
	var in *SignedIn
	err := retry(func() error {
		state, now, err := users.begin(ctx, realm)
		if err != nil {
			return err
		}
		if state.State == StateInactive {
			return ErrRealmInactive
		}
		user, version, err := users.find(ctx, state.Realm, idOrName)
		if err != nil {
			return err
		}
		if err := user.activeHuman(); err != nil {
			return err
		}
		in, err = s.start(ctx, state, signIn{user: user, version: version, now: now, lifetime: state.Settings.TokenLifetime, request: req}, nil)
		return err
	})
	return in, err
}
