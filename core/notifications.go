package core

import (
	"context"
	"fmt"
	"slices"
)

// Failures of notifications.
var (
	ErrNotificationNotFound = &Error{Kind: KindNotFound, Code: "notification_not_found", Detail: "notification not found"}
	ErrTokenGone            = &Error{Kind: KindConflict, Code: "token_gone", Detail: "the token of this e-mail is no longer kept; have a new one made"}
)

// Notifications returns the notifications of events of a realm, by event, the oldest first.
func (e *Events) Notifications(ctx context.Context, realm RealmID, events ...*Event) (map[EventID][]*Notification, error) {
	state, _, err := e.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	var keys []Key
	for _, event := range events {
		for _, id := range event.Notifications {
			owner, _ := state.owner(string(id))
			keys = append(keys, notificationKey(owner, id))
			if owner != (Partition{}) {
				keys = append(keys, notificationKey(Partition{}, id))
			}
		}
	}
	all := map[EventID][]*Notification{}
	for batch := range slices.Chunk(keys, MaxRange) {
		recs, err := e.d.store.Get(ctx, batch...)
		if err != nil {
			return nil, fmt.Errorf("core: get notifications: %w", err)
		}
		for i := range recs {
			n := &Notification{}
			found, err := decode(batch[i], recs[i], n)
			if err != nil {
				return nil, err
			}
			if found && n.Realm == realm {
				all[n.Event] = append(all[n.Event], n)
			}
		}
	}
	return all, nil
}

// Redeliver begins a notification anew, whatever became of it: at once, and with as many tries as a new one. It fails with
// ErrNotificationNotFound, and ErrTokenGone for an e-mail that would have to carry a token.
func (e *Events) Redeliver(ctx context.Context, realm RealmID, id NotificationID) (*Notification, error) {
	var n *Notification
	err := retry(func() (err error) {
		n, err = e.redeliver(ctx, realm, id)
		return err
	})
	return n, err
}

// redeliver tries once.
func (e *Events) redeliver(ctx context.Context, realm RealmID, id NotificationID) (*Notification, error) {
	state, now, err := e.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	n, p, version, err := e.notification(ctx, state.Realm, id)
	if err != nil {
		return nil, err
	}
	event := &Event{}
	found, err := false, error(nil)
	if _, found, err = e.d.load(ctx, eventKey(p, n.Event), event); err != nil {
		return nil, fmt.Errorf("core: redeliver: %w", err)
	}
	if !found {
		return nil, ErrEventNotFound
	}
	if n.HookType == HookEmail && n.Sealed == "" && slices.Contains(tokenEvents, event.Type) {
		return nil, ErrTokenGone
	}
	n.State, n.Tries = NotificationInProgress, 0
	c := e.d.change(p, now)
	c.due(n, now)
	c.replace(n, version, noExpiry)
	return n, c.commit(ctx)
}

// notification reads a notification of a realm.
func (e *Events) notification(ctx context.Context, realm *Realm, id NotificationID) (*Notification, Partition, uint64, error) {
	if !validID(prefixNotification, string(id)) {
		return nil, Partition{}, 0, ErrNotificationNotFound
	}
	owner, _ := realm.owner(string(id))
	for _, p := range []Partition{owner, {}} {
		n := &Notification{}
		version, found, err := e.d.load(ctx, notificationKey(p, id), n)
		if err != nil {
			return nil, p, 0, fmt.Errorf("core: get notification: %w", err)
		}
		if found && n.Realm == realm.ID {
			return n, p, version, nil
		}
	}
	return nil, Partition{}, 0, ErrNotificationNotFound
}

// Ping makes an event that only this hook hears of, to try it out. It fails with ErrAppHookNotFound, and KindConflict for
// a hook that is not an active webhook.
func (e *Events) Ping(ctx context.Context, id AppHookID, req Request) (*Event, error) {
	now, err := e.d.clock.now()
	if err != nil {
		return nil, err
	}
	h, err := e.outbox.hooks.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if h.Type != HookWebhook || h.State != StateActive {
		return nil, &Error{Kind: KindConflict, Code: "cannot_ping", Detail: "only an active webhook can be pinged; an e-mail hook can be previewed"}
	}
	c := e.d.change(Partition{}, now)
	ping := &Event{Realm: h.Realm, Type: EventPing, AppHook: id, Request: req.clean(), At: Instant{now}}
	ping.ID = c.event(*ping)
	if err := c.commit(ctx); err != nil {
		return nil, fmt.Errorf("core: ping: %w", err)
	}
	return ping, nil
}
