package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// listEvents serves GET /v1/events (Users API, "List events").
func (a *API) listEvents(w http.ResponseWriter, c *call) error {
	realm, err := a.eventsOf(c)
	if err != nil {
		return err
	}
	in, expand, err := eventQuery(c.URL.RawQuery)
	if err != nil {
		return err
	}
	if realm != "" {
		if in.User, err = a.owner(c, realm, string(in.User)); err != nil {
			return err
		}
	}
	page, err := a.core.Events.List(c.Context(), realm, in)
	if err != nil {
		return err
	}
	var notifications map[core.EventID][]*core.Notification
	if expand {
		if notifications, err = a.core.Events.Notifications(c.Context(), realm, page.Events...); err != nil {
			return err
		}
	}
	list := wire.List[wire.Event]{MoreResults: page.More, Collection: make([]wire.Event, 0, len(page.Events))}
	for _, e := range page.Events {
		body := EventBody(e)
		if expand {
			body.Notifications = notificationBodies(notifications[e.ID])
		}
		list.Collection = append(list.Collection, body)
	}
	write(w, http.StatusOK, mediaJSON, list)
	return nil
}

// eventsOf returns the realm whose events a call is about: the one that it names or that its key is for. With a key for all realms,
// which may manage, a call that names none is about the events of no realm: of keys and hooks for all.
func (a *API) eventsOf(c *call) (core.RealmID, error) {
	key, err := a.permitted(c, core.PermissionRead)
	if err != nil {
		return "", err
	}
	if named, err := c.namedRealm(); err == nil && named == "" && key.Realm == "" && key.Allows(core.PermissionManage) {
		return "", nil
	}
	return a.realm(c, key)
}

// eventFilters are the things that events are about.
var eventFilters = []string{"user_id", "org_id", "membership_id", "app_hook_id", "auth_provider_id", "login_policy_id"}

// eventQuery reads which events to list, and whether with their notifications. It fails with KindInvalid.
func eventQuery(query string) (in core.ListEvents, expand bool, err error) {
	if _, err := url.ParseQuery(query); err != nil { // a type that cannot be read must not be passed over
		return in, false, invalid("base", "The query cannot be read")
	}
	q := fields{}
	values := q.query(query, append(eventFilters, "created_at_after", "event_type[]")...)
	q.filled(values, eventFilters...)
	in = core.ListEvents{
		User: core.UserID(values["user_id"]), Org: core.OrgID(values["org_id"]), Membership: core.MembershipID(values["membership_id"]),
		AppHook: core.AppHookID(values["app_hook_id"]), AuthProvider: core.AuthProviderID(values["auth_provider_id"]),
		LoginPolicy: core.LoginPolicyID(values["login_policy_id"]), After: core.EventID(values["after"]),
		Types: several(query, "event_type"), CreatedAfter: q.since(values), Limit: q.limit(values),
		Ascending: values["direction"] == "asc",
	}
	q.descending(values) // complains of what is no direction
	q.byID(values)
	return in, slices.Contains(expanded(query), "notifications"), q.wrong()
}

// since reads from when on events are listed, in seconds since 1970. The zero time, where nothing is said, stands for the default; an empty
// parameter asks for all that are kept, as the Users API has it ("List events").
func (f *fields) since(values map[string]string) time.Time {
	text, there := values["created_at_after"]
	switch {
	case !there:
		return time.Time{}
	case text == "":
		return time.Unix(0, 0)
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds < 0 || !(seconds < 1e11) {
		f.complain("created_at_after", "must be a number of seconds since 1970")
		return time.Time{}
	}
	return time.UnixMilli(int64(seconds * 1000))
}

// getEvent serves GET /v1/events/{event}.
func (a *API) getEvent(w http.ResponseWriter, c *call) error {
	realm, err := a.eventsOf(c)
	if err != nil {
		return err
	}
	event, err := a.core.Events.Get(c.Context(), realm, core.EventID(c.segment("event")))
	if err != nil {
		return err
	}
	body := EventBody(event)
	notifications, err := a.core.Events.Notifications(c.Context(), realm, event)
	if err != nil {
		return err
	}
	body.Notifications = notificationBodies(notifications[event.ID])
	write(w, http.StatusOK, mediaJSON, body)
	return nil
}

// redeliver serves POST /v1/notifications/{notification}/redeliver: what was not delivered, or is wanted again, is tried
// anew.
func (a *API) redeliver(w http.ResponseWriter, c *call) error {
	_, realm, err := a.manageRequest(w, c, core.PermissionWrite, "notification")
	if err != nil {
		return err
	}
	n, err := a.core.Events.Redeliver(c.Context(), realm, core.NotificationID(c.segment("notification")))
	if err != nil {
		return err
	}
	write(w, http.StatusAccepted, mediaJSON, notificationBody(n))
	return nil
}

// EventBody returns an event as it is answered, and as webhooks are sent it; notifications are to be added.
func EventBody(e *core.Event) wire.Event {
	body := wire.Event{
		ID: string(e.ID), RealmID: orNull(string(e.Realm)), EventType: e.Type, EventAt: wire.Time{Time: e.At.Time}, UserID: string(e.User),
		OrgID: string(e.Org), MembershipID: string(e.Membership), AppHookID: string(e.AppHook), AuthProviderID: string(e.AuthProvider),
		LoginPolicyID: string(e.LoginPolicy), CredentialID: string(e.Credential), SessionID: string(e.Session), APTKeyID: string(e.APTKey), Object: "event",
	}
	if e.Request != (core.Request{}) {
		body.Request = &wire.Request{Client: e.Request.Client, IP: e.Request.IP}
		body.IP = orNull(e.Request.IP)
	}
	return body
}

// notificationBodies returns notifications as they are answered.
func notificationBodies(list []*core.Notification) *[]wire.Notification {
	all := []wire.Notification{}
	for _, n := range list {
		all = append(all, notificationBody(n))
	}
	return &all
}

// notificationBody returns a notification as it is answered.
func notificationBody(n *core.Notification) wire.Notification {
	body := wire.Notification{
		ID: string(n.ID), EventID: string(n.Event), AppHookID: string(n.Hook), HookType: string(n.HookType), State: string(n.State),
		Attempts: n.Attempts, NextAttemptAt: wire.Time{Time: n.DueAt.Time}, Log: []wire.Attempt{}, Object: "notification",
	}
	for _, try := range n.Log {
		body.Log = append(body.Log, wire.Attempt{At: wire.Time{Time: try.At.Time}, Destination: try.Destination, Result: try.Result})
		body.LastAttemptAt, body.LastDestination, body.LastResult = wire.Time{Time: try.At.Time}, orNull(try.Destination), orNull(try.Result)
	}
	return body
}
