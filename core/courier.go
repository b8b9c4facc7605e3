package core

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Courier carries notifications to where their hooks say. Core knows when and what; how is the courier's. Deliver is
// called by several goroutines at once, and gives up when ctx ends.
type Courier interface {
	Deliver(ctx context.Context, d *Delivery) Attempted

	// Mails reports whether there is a mail server that takes e-mails.
	Mails() bool

	// Sender returns the address that the e-mails of a hook come from: where the hook names none, the mail server's settings do. Without
	// either it is "".
	Sender(h *AppHook) string

	// Refuses says what is wrong with the URL of a webhook that is never going to be called, in words that go on after its name;
	// "" is nothing. It asks nobody.
	Refuses(destination string) string
}

// mailless reports whether the courier has no mail server.
func (d *deps) mailless() bool { return d.courier != nil && !d.courier.Mails() }

// Delivery is all that one try to deliver takes.
type Delivery struct {
	Notification *Notification
	Event        *Event
	Hook         *AppHook
	At           time.Time // of this try
	Secrets      [][]byte  // of a webhook, to sign with; the newest first

	From   string            // of a preview: the sender, as Courier.Sender has it
	To     string            // of an e-mail: the address
	Fields map[string]string // of an e-mail: what its merge fields stand for
}

// DeliveryResult is what a try came to.
type DeliveryResult int

// The results. The zero one is a failure that may pass.
const (
	NotDelivered DeliveryResult = iota // to be tried again
	Delivered
	Refused  // there is nobody to tell
	Rejected // the other side will never take it
)

// Attempted is what a Courier says of a try.
type Attempted struct {
	Result      DeliveryResult
	Destination string // scheme and host, or the mail server: what follows may be a secret
	Line        string // a line for people: "200 OK"
	Unserved    bool   // of an e-mail: the mail server takes none, whoever it is for
}

// trouble returns what keeps the mail server from taking e-mails; nil where nothing does.
func (a *Attempted) trouble() error {
	if !a.Unserved {
		return nil
	}
	return fmt.Errorf("%s: %s", a.Destination, a.Line)
}

// letterFields returns what the merge fields of an e-mail stand for.
func (d *deps) letterFields(e *Event, realm *Realm, u *User, h *AppHook, token string) map[string]string {
	return map[string]string{
		"user.id": string(u.ID), "user.username": u.Username, "user.email": u.Email, "user.name": u.Name(),
		"user.first_name": u.FirstName, "user.last_name": u.LastName, "user.reference": u.Reference,
		"realm.id": string(realm.ID), "realm.name": realm.Name,
		"event.id": string(e.ID), "event.type": e.Type, "event.at": e.At.UTC().Format(time.RFC3339),
		"request.ip": e.Request.IP, "request.client": e.Request.Client,
		"token": token, "token.until": e.tokenUntil(realm), "link": d.letterLink(e, h, token),
	}
}

// tokenUntil says, for people, until when the token is good that an event carries; "" where it carries none.
func (e *Event) tokenUntil(realm *Realm) string {
	lifetimes := map[string]Seconds{eventVerifyRequested: realm.Settings.EmailTokenLifetime, eventResetCreated: realm.Settings.PasswordTokenLifetime}
	lifetime, carries := lifetimes[e.Type]
	if !carries {
		return ""
	}
	return e.At.Add(lifetime.Duration()).UTC().Format("2 January 2006, 15:04 UTC")
}

// linkPaths are the pages below Options.LinkBase that links lead to, where a hook names none.
var linkPaths = map[string]string{eventVerifyRequested: "/verify-email", eventResetCreated: "/reset-password"}

// letterLink returns the address of the page where a token is spent, or for events without a token the page itself. It
// comes from configuration alone: one made of a request's Host would take the token to whoever sent the request.
func (d *deps) letterLink(e *Event, h *AppHook, token string) string {
	page := h.Letter.LinkURL
	if page == "" && d.linkBase != "" {
		page = strings.TrimSuffix(d.linkBase, "/") + linkPaths[e.Type]
	}
	if page == "" || token == "" {
		return page
	}
	u, err := url.Parse(page)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("token", token)
	u.RawQuery = q.Encode()
	return u.String()
}

// Preview returns what an e-mail hook would have to say about a user, with a token that is none.
func (a *AppHooks) Preview(ctx context.Context, hook *AppHook, realm RealmID, user UserID) (*Delivery, error) {
	if hook.Type != HookEmail {
		return nil, &Error{Kind: KindConflict, Code: "not_an_email_hook", Detail: "only an e-mail hook has something to preview"}
	}
	now, err := a.d.clock.now()
	if err != nil {
		return nil, err
	}
	r, err := a.d.realms.Get(ctx, realm)
	if err != nil {
		return nil, err
	}
	u := &User{ID: prefixUser + "0000000000000000000000", Realm: realm, Type: UserHuman, Username: "jane", Email: "jane@example.com", FirstName: "Jane", LastName: "Doe"}
	if user != "" {
		if u, _, err = (&Users{a.d}).byID(ctx, r, user); err != nil {
			return nil, err
		}
	}
	token := ""
	switch hook.EventTypes[0] {
	case eventVerifyRequested:
		token = prefixEmailToken + "PREVIEW"
	case eventResetCreated:
		token = prefixPasswordToken + "PREVIEW"
	}
	e := &Event{ID: prefixEvent + "0000000000000000000000", Realm: realm, Type: hook.EventTypes[0], At: Instant{now}, User: u.ID}
	to := u.Email
	if hook.Letter.To != "" {
		to = hook.Letter.To
	}
	return &Delivery{Event: e, Hook: hook, At: now, From: a.d.sender(hook), To: to, Fields: a.d.letterFields(e, r, u, hook, token)}, nil
}

// sender returns whom the e-mails of a hook come from, as far as that is known without a courier.
func (d *deps) sender(h *AppHook) string {
	if d.courier == nil {
		return h.Letter.From
	}
	return d.courier.Sender(h)
}
