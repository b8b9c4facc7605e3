package client

import (
	"context"
	"iter"
	"net/url"

	"github.com/postern-auth/postern/httpapi/wire"
)

// Session is what calls about sessions answer with.
type Session = wire.Session

// Sessions are the sessions of users (Users API, "Sessions").
type Sessions struct{ c *Client }

// SessionListOptions says whose sessions to list.
type SessionListOptions struct {
	Page          // in the order in which they began
	Desc   bool   // the last first
	UserID string // whose
}

// List returns a page of a user's sessions that are alive.
func (s *Sessions) List(ctx context.Context, o SessionListOptions) (*List[Session], error) {
	v := o.values()
	order(v, "", o.Desc)
	put(v, "user_id", o.UserID)
	return do[List[Session]](ctx, s.c, to("GET", "/v1/sessions").asking(v), nil)
}

// All returns all of a user's sessions from a page on.
func (s *Sessions) All(ctx context.Context, o SessionListOptions) iter.Seq2[*Session, error] {
	return all(ctx, o.Page, func(ctx context.Context, p Page) (*List[Session], error) {
		part := o // the iterator may be run twice, or by two at once
		part.Page = p
		return s.List(ctx, part)
	}, func(one *Session) string { return one.ID })
}

// Create starts a session of a user, without asking who they are. The answer has its token. It fails with ErrNotFound,
// with ErrInvalid where the user is not human or not active, and with ErrForbidden where the realm is inactive.
func (s *Sessions) Create(ctx context.Context, user string, opts ...CallOption) (*Session, error) {
	return do[Session](ctx, s.c, to("POST", "/v1/sessions").about("session", map[string]string{"user_id": user}), opts)
}

// Get returns a session with its user, by id or by its token. It fails with ErrNotFound, also where the token proves nothing any
// more.
func (s *Sessions) Get(ctx context.Context, session string, opts ...CallOption) (*Session, error) {
	return do[Session](ctx, s.c, to("GET", "/v1/sessions/{session}", session), opts)
}

// Delete ends a session, by id or by its token: its tokens are refused everywhere at once. It fails with ErrNotFound.
func (s *Sessions) Delete(ctx context.Context, session string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/sessions/{session}", session), nil, opts)
}

// DeleteAll ends all sessions of a user, but for the one with the id except, unless that is "". It fails with ErrNotFound.
func (s *Sessions) DeleteAll(ctx context.Context, user, except string, opts ...CallOption) error {
	v := url.Values{"user_id": {user}}
	put(v, "except", except)
	return s.c.send(ctx, to("DELETE", "/v1/sessions").asking(v), nil, opts)
}
