package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ListSessions says whose sessions to list and which page of them, in the order in which they began.
type ListSessions struct {
	User       UserID
	After      SessionID // go on after this one's place; it need not be there any more. "" = from the start
	Limit      int       // sessions on the page, 1 to MaxRange; default 100
	Descending bool      // the latest first
}

// SessionPage is a page of a list of sessions.
type SessionPage struct {
	Sessions []*Session
	More     bool // there are sessions after these
}

// validate fills the defaults and returns what is wrong, all of it, as KindInvalid.
func (in *ListSessions) validate() error {
	defaultTo(&in.Limit, defaultPage)
	var errs fieldErrors
	errs.check(in.Limit >= 1 && in.Limit <= MaxRange, "max_results", "Max results must be from 1 to 1000")
	errs.check(in.After == "" || validID(prefixSession, string(in.After)), "after", "After must be the id of a session")
	return errs.err()
}

// List returns a page of the sessions of a user that are alive. It fails with KindInvalid, ErrUserNotFound where the id
// cannot be a user's, and ErrRealmNotFound.
func (s *Sessions) List(ctx context.Context, realm RealmID, in ListSessions) (SessionPage, error) {
	if err := in.validate(); err != nil {
		return SessionPage{}, err
	}
	state, now, err := (&Users{s.d}).begin(ctx, realm)
	if err != nil {
		return SessionPage{}, err
	}
	p, ok := state.owner(string(in.User))
	if !ok || !validID(prefixUser, string(in.User)) {
		return SessionPage{}, ErrUserNotFound
	}
	ids, err := s.placed(ctx, p, in, now)
	if err != nil {
		return SessionPage{}, err
	}
	var list []*Session
	for batch := range slices.Chunk(ids, in.Limit+1) { // mostly one: those that were ended have no place any more
		alive, err := s.readLive(ctx, state, p, in.User, batch, now)
		if err != nil {
			return SessionPage{}, err
		}
		if list = append(list, alive...); len(list) > in.Limit {
			break
		}
	}
	return SessionPage{Sessions: list[:min(len(list), in.Limit)], More: len(list) > in.Limit}, nil
}

// placed returns the ids of a user's sessions that have not expired and lie beyond in.After, in order. They are kept by
// expiry, so all are looked at; there are as many as the user signed in over the life of a session.
func (s *Sessions) placed(ctx context.Context, p Partition, in ListSessions, now time.Time) ([]SessionID, error) {
	var ids []SessionID
	from := hexMillis(now.UnixMilli())
	for {
		members, err := s.d.store.Range(ctx, Range{Index: userSessionsIndex(p, in.User), From: from, Limit: MaxRange})
		if err != nil {
			return nil, fmt.Errorf("core: list sessions: %w", err)
		}
		for _, m := range members {
			id := sessionOf(m)
			if in.After == "" || id != in.After && (id < in.After) == in.Descending {
				ids = append(ids, id)
			}
		}
		if len(members) < MaxRange {
			break
		}
		from = members[len(members)-1] + "\x00"
	}
	slices.SortFunc(ids, func(a, b SessionID) int {
		if in.Descending {
			a, b = b, a
		}
		return strings.Compare(string(a), string(b))
	})
	return slices.Compact(ids), nil // one that was renewed meanwhile has moved, and was seen twice
}

// readLive reads sessions of a user, and returns those that are alive.
func (s *Sessions) readLive(ctx context.Context, state *realmState, p Partition, owner UserID, ids []SessionID, now time.Time) ([]*Session, error) {
	keys := []Key{userKey(p, owner)}
	for _, id := range ids {
		keys = append(keys, sessionKey(p, id))
	}
	recs, err := s.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: list sessions: %w", err)
	}
	user := &User{}
	if found, err := decode(keys[0], recs[0], user); err != nil || !found || user.State != StateActive {
		return nil, err
	}
	var list []*Session
	for i := 1; i < len(keys); i++ {
		session := &Session{}
		found, err := decode(keys[i], recs[i], session)
		if err != nil {
			return nil, err
		}
		if found && state.goesOn(session, user, now) {
			list = append(list, session)
		}
	}
	return list, nil
}
