package core

import (
	"fmt"
	"time"
)

// Notification is the delivery of one event to one hook (Users API, "Events", notifications), whatever tries it takes.
type Notification struct {
	ID        NotificationID    `json:"id"` // of the message, at every try the same
	Realm     RealmID           `json:"realm,omitempty"`
	Event     EventID           `json:"event"`
	Hook      AppHookID         `json:"hook"`
	HookType  HookType          `json:"hook_type"`
	State     NotificationState `json:"state"`
	Attempts  int               `json:"attempts,omitempty"` // in all
	Tries     int               `json:"tries,omitempty"`    // since it was last begun anew
	DueAt     Instant           `json:"due,omitzero"`       // its next try; zero = none
	CreatedAt Instant           `json:"created"`
	Log       []Attempt         `json:"log,omitempty"` // the latest, at most maxAttemptsKept

	Sealed string `json:"sealed,omitempty"` // the event's secret, until it is delivered or given up
}

func (n *Notification) key(p Partition) Key { return notificationKey(p, n.ID) }

// NotificationState is how far a notification has come.
type NotificationState string

// The states (Users API, "Events", notifications).
const (
	NotificationInProgress NotificationState = "in_progress"
	NotificationCompleted  NotificationState = "completed"
	NotificationFailed     NotificationState = "failed"   // given up after the last try
	NotificationCanceled   NotificationState = "canceled" // there is nobody to tell any more
)

// Attempt is one try to deliver.
type Attempt struct {
	At          Instant `json:"at"`
	Destination string  `json:"to,omitempty"` // without what may be secret; see Attempted
	Result      string  `json:"result"`       // a line for people: "200 OK"
}

// Bounds of what is kept of a notification.
const (
	maxAttemptsKept = 20
	maxResultKept   = 200 // bytes
)

// schedule is how long after each try that failed comes the next one: the last is two days after the first.
var schedule = []time.Duration{
	30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
	2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour, 20 * time.Hour,
}

// claimTime is for how long a try is its maker's, who renews that all the while. Where nothing was heard of it by then, as when its process
// was killed, it is made again: by whoever has the lease, which rests for as long. Shorter, and a store that is slow for a moment would
// have hooks told twice.
const claimTime = leaseTime

// dueMember is a notification's place among those that are due.
func (n *Notification) dueMember() string {
	return hexMillis(n.DueAt.UnixMilli()) + string(n.ID) + string(n.Hook)
}

// parseDue returns what a place among those that are due says.
func parseDue(member string) (at time.Time, id NotificationID, hook AppHookID, err error) {
	var ms int64
	const millis, idEnd = 12, 12 + len(prefixNotification) + idLength
	if len(member) != idEnd+len(prefixAppHook)+idLength {
		return at, "", "", fmt.Errorf("core: place of a notification has %d bytes", len(member))
	}
	if _, err := fmt.Sscanf(member[:millis], "%x", &ms); err != nil {
		return at, "", "", fmt.Errorf("core: place of a notification: %w", err)
	}
	return time.UnixMilli(ms), NotificationID(member[millis:idEnd]), AppHookID(member[idEnd:]), nil
}

// due moves a notification to another time, or with the zero time out of those that are due.
func (c *change) due(n *Notification, at time.Time) {
	if !n.DueAt.IsZero() {
		c.unindex(indexDue, n.dueMember())
	}
	if n.DueAt = (Instant{}); !at.IsZero() {
		n.DueAt = Instant{at}
		c.index(indexDue, n.dueMember())
	}
}

// notify makes out an event to the hooks that want to hear of it. sealed is its secret, for e-mails.
func (c *change) notify(e *Event, sealed string, hooks []*AppHook) {
	b, _ := bucketOf(string(e.ID))
	for _, h := range hooks {
		if !h.wants(e) || h.Preset && c.d.mailless() {
			continue
		}
		id, err := c.d.ids.id(prefixNotification, b)
		if err != nil {
			c.err = err
			return
		}
		n := &Notification{ID: NotificationID(id), Realm: e.Realm, Event: e.ID, Hook: h.ID, HookType: h.Type,
			State: NotificationInProgress, CreatedAt: Instant{c.tx.Now}}
		if h.Type == HookEmail {
			n.Sealed = sealed
		}
		c.due(n, e.At.Add(h.Delay.Duration()))
		c.set(n, noExpiry)
		e.Notifications = append(e.Notifications, n.ID)
	}
}

// tried notes how a try went and what comes next.
func (c *change) tried(n *Notification, try Attempt, out DeliveryResult) {
	try.At, try.Result = Instant{c.tx.Now}, cut(try.Result, maxResultKept)
	n.Log = append(n.Log, try)
	n.Log = n.Log[max(0, len(n.Log)-maxAttemptsKept):]
	switch {
	case out == Delivered:
		n.State = NotificationCompleted
	case out == Refused:
		n.State = NotificationCanceled
	case out == Rejected || n.Tries > len(schedule):
		n.State = NotificationFailed
	default:
		c.due(n, c.tx.Now.Add(schedule[n.Tries-1]))
		return
	}
	n.Sealed = ""
	c.due(n, time.Time{})
}
