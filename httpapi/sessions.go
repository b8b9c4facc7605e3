package httpapi

import (
	"net/http"
	"strings"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// listSessions serves GET /v1/sessions?user_id=: those of a user that are alive, in the order in which they began.
func (a *API) listSessions(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionRead)
	if err != nil {
		return err
	}
	q := fields{}
	values := q.query(c.URL.RawQuery, "user_id")
	in := core.ListSessions{After: core.SessionID(values["after"]), Limit: q.limit(values), Descending: q.descending(values)}
	q.byID(values)
	switch {
	case len(q.errs) > 0:
		return &core.Error{Kind: core.KindInvalid, Code: "validation", Fields: q.errs}
	case values["user_id"] == "":
		return errNoOwner
	}
	user, err := a.core.Users.Get(c.Context(), realm, values["user_id"])
	if err != nil {
		return err
	}
	in.User = user.ID
	page, err := a.core.Sessions.List(c.Context(), realm, in)
	if err != nil {
		return err
	}
	list := wire.List[wire.Session]{MoreResults: page.More, Collection: make([]wire.Session, 0, len(page.Sessions))}
	for _, s := range page.Sessions {
		list.Collection = append(list.Collection, sessionBody(s, nil))
	}
	write(w, http.StatusOK, mediaJSON, list)
	return nil
}

// getSession serves GET /v1/sessions/{session}, by id or by a whole token, with the user.
func (a *API) getSession(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionRead)
	if err != nil {
		return err
	}
	session, user, err := a.session(c, realm)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, sessionBody(session, user))
	return nil
}

// session finds the session that the path names. A token that proves nothing names none.
func (a *API) session(c *call, realm core.RealmID) (*core.Session, *core.User, error) {
	name := c.segment("session")
	if !strings.Contains(name, ".") {
		return a.core.Sessions.Get(c.Context(), realm, core.SessionID(name))
	}
	session, user, err := a.core.Sessions.ByToken(c.Context(), realm, name)
	if core.IsRefusal(err) {
		err = core.ErrSessionNotFound
	}
	return session, user, err
}

// deleteSession serves DELETE /v1/sessions/{session}: its tokens are refused everywhere at once.
func (a *API) deleteSession(w http.ResponseWriter, c *call) error {
	from, realm, err := a.manageRequest(w, c, core.PermissionWrite, "session")
	if err != nil {
		return err
	}
	session, _, err := a.session(c, realm)
	if err != nil {
		return err
	}
	if err := a.core.Sessions.Delete(c.Context(), realm, session.ID, from); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// createSession serves POST /v1/sessions: a session of the user that user_id names, with its token.
func (a *API) createSession(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "session")
	if err != nil {
		return err
	}
	owner := orEmpty(b.either("user_id"))
	if err := b.end(); err != nil {
		return err
	}
	if owner == "" {
		return errNoOwner
	}
	in, err := a.core.Sessions.Create(c.Context(), realm, owner, b.request)
	if err != nil {
		return err
	}
	body := sessionBody(in.Session, in.User)
	body.Token, c.shownOnce = in.Token, true
	write(w, http.StatusCreated, mediaJSON, body)
	return nil
}

// deleteSessions serves DELETE /v1/sessions?user_id=[&except=]: all sessions of a user end at once, but for the one
// that is to be kept.
func (a *API) deleteSessions(w http.ResponseWriter, c *call) error {
	from, realm, err := a.manageRequest(w, c, core.PermissionWrite, "session")
	if err != nil {
		return err
	}
	owner, except, err := c.ending()
	if err != nil {
		return err
	}
	if err := a.core.Sessions.EndAll(c.Context(), realm, owner, except, from); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// errNoOwner says that a call about what is a user's names no user.
var errNoOwner = invalid("user_id", "User can't be blank")

// ending reads whose sessions to end, and which to keep.
func (c *call) ending() (owner string, except core.SessionID, err error) {
	values, err := c.parameters("user_id", "except", "request") // the last is what some clients write there, and decides nothing
	if err != nil {
		return "", "", err
	}
	if values.Get("user_id") == "" {
		return "", "", errNoOwner
	}
	if values.Has("except") && values.Get("except") == "" {
		return "", "", invalid("except", "Except must be the id of one session")
	}
	return values.Get("user_id"), core.SessionID(values.Get("except")), nil
}

// sessionBody returns a session, with its user where that is asked for.
func sessionBody(s *core.Session, user *core.User) wire.Session {
	body := wire.Session{
		ID: string(s.ID), UserID: string(s.User), CreatedAt: wire.Time{Time: s.CreatedAt.Time}, SeenAt: wire.Time{Time: s.SeenAt.Time},
		ExpiresAt: wire.Seconds(s.ExpiresAt().Unix()), IP: orNull(s.Request.IP), Client: orNull(s.Request.Client), Object: "session",
	}
	if s.Request != (core.Request{}) {
		body.Request = &wire.Request{IP: s.Request.IP, Client: s.Request.Client}
	}
	if user != nil {
		u := userBody(user)
		body.User = &u
	}
	return body
}
