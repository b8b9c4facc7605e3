package client

import (
	"context"
	"iter"
	"strconv"
	"time"

	"github.com/postern-auth/postern/httpapi/wire"
)

// What calls about events answer with.
type (
	Event        = wire.Event
	Notification = wire.Notification
)

// Events are what happened in a realm (Users API, "Events").
type Events struct{ c *Client }

// EventListOptions says which events to list. The zero value is all of the last 30 days. The latest come first.
type EventListOptions struct {
	Page
	Asc               bool      // the oldest first
	EventTypes        []string  // each whole or the beginning of one: "user.login"; empty = all
	CreatedAfter      time.Time // zero = 30 days ago
	WithNotifications bool      // with who was told

	UserID, OrgID, MembershipID, AppHookID, AuthProviderID, LoginPolicyID string // what they are about; "" = anything
}

// List returns a page of events.
func (s *Events) List(ctx context.Context, o EventListOptions) (*List[Event], error) {
	v := o.values()
	if o.Asc {
		v.Set("direction", "asc")
	}
	if len(o.EventTypes) > 0 {
		v["event_type"] = o.EventTypes
	}
	if !o.CreatedAfter.IsZero() {
		v.Set("created_at_after", strconv.FormatFloat(float64(o.CreatedAfter.UnixMilli())/1000, 'f', -1, 64))
	}
	if o.WithNotifications {
		v.Set("expand", "notifications")
	}
	for name, id := range map[string]string{"user_id": o.UserID, "org_id": o.OrgID, "membership_id": o.MembershipID, "app_hook_id": o.AppHookID,
		"auth_provider_id": o.AuthProviderID, "login_policy_id": o.LoginPolicyID} {
		put(v, name, id)
	}
	return do[List[Event]](ctx, s.c, to("GET", "/v1/events").asking(v), nil)
}

// All returns all events from a page on.
func (s *Events) All(ctx context.Context, o EventListOptions) iter.Seq2[*Event, error] {
	return all(ctx, o.Page, func(ctx context.Context, p Page) (*List[Event], error) {
		part := o // the iterator may be run twice, or by two at once
		part.Page = p
		return s.List(ctx, part)
	}, func(one *Event) string { return one.ID })
}

// Get returns an event with who was told of it. It fails with ErrNotFound.
func (s *Events) Get(ctx context.Context, event string, opts ...CallOption) (*Event, error) {
	return do[Event](ctx, s.c, to("GET", "/v1/events/{event}", event), opts)
}

// Redeliver tells a hook of an event once more: what was not delivered, or is wanted again. It fails with ErrNotFound, and with
// ErrConflict where the token in an e-mail is no longer kept.
func (s *Events) Redeliver(ctx context.Context, notification string, opts ...CallOption) (*Notification, error) {
	return do[Notification](ctx, s.c, to("POST", "/v1/notifications/{notification}/redeliver", notification), opts)
}
