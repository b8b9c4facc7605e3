package httpapi

import (
	"net/http"
	"time"

	"github.com/postern-auth/postern/core"
)

// loginEvent serves GET /v1/events/login/{token}, by which clients of the years before sessions had resources check a session
// token: the event of the sign-in that it came from, with the user. A token that proves nothing any more names no event.
func (a *API) loginEvent(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionRead)
	if err != nil {
		return err
	}
	session, user, err := a.core.Sessions.ByToken(c.Context(), realm, c.segment("token"))
	if core.IsRefusal(err) {
		return core.ErrEventNotFound
	} else if err != nil {
		return err
	}
	event, err := a.signInOf(c, session)
	if err != nil {
		return err
	}
	body := EventBody(event)
	shown := userBody(user)
	body.User = &shown
	write(w, http.StatusOK, mediaJSON, body)
	return nil
}

// signInOf returns the event of the sign-in that began a session, or ErrEventNotFound where the realm has not kept it.
func (a *API) signInOf(c *call, session *core.Session) (*core.Event, error) {
	in := core.ListEvents{User: session.User, Types: []string{"user.login.succeeded"}, CreatedAfter: session.CreatedAt.Add(-time.Second), Ascending: true}
	for {
		page, err := a.core.Events.List(c.Context(), session.Realm, in)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			if e.Session == session.ID {
				return e, nil
			}
			in.After = e.ID
		}
		if !page.More || in.After == "" || page.Events[len(page.Events)-1].At.After(session.CreatedAt.Add(time.Minute)) {
			return nil, core.ErrEventNotFound
		}
	}
}
