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
