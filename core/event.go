package core

import (
	"net/netip"
	"slices"
	"strings"
)

// Event is a change or an attempt that was made, kept in the log of its partition by the same
// Transaction that made it.
type Event struct {
	ID      EventID   `json:"id"`
	Realm   RealmID   `json:"realm"`
	Type    string    `json:"type"` // Users API, "Events": "user.created"
	At      Instant   `json:"at"`
	User    UserID    `json:"user,omitempty"`
	Session SessionID `json:"session,omitempty"`
	APTKey  APTKeyID  `json:"apt_key,omitempty"` // that vouched for it
	Request Request   `json:"request,omitzero"`

	// What it is about, besides a user or a session.
	Org          OrgID          `json:"org,omitempty"`
	Membership   MembershipID   `json:"membership,omitempty"`
	Credential   CredentialID   `json:"credential,omitempty"`
	AppHook      AppHookID      `json:"app_hook,omitempty"`
	AuthProvider AuthProviderID `json:"auth_provider,omitempty"`
	LoginPolicy  LoginPolicyID  `json:"login_policy,omitempty"`

	// Secret is a token that an e-mail about the event is to carry, and nothing else ever shows. It is kept as Sealed,
	// which opens under the master key alone, until the e-mail is sent.
	Secret string `json:"-"`
	Sealed string `json:"sealed,omitempty"`

	// Notifications are the deliveries that were made out when the event was read from the log.
	Notifications []NotificationID `json:"notifications,omitempty"`

	// Its place in its chain and its seal, given when it is read from the log: see eventChain. 0 and "" say that it was read by
	// a version that sealed none.
	Number uint64 `json:"n,omitempty"`     // from 1
	After  string `json:"after,omitempty"` // the Link of the event before
	Link   string `json:"link,omitempty"`  // seals the rest of the record, of which it is the last field
}

// key says where an event is kept once it was read from the log.
func (e *Event) key(p Partition) Key { return eventKey(p, e.ID) }

// subjects returns the ids of what an event is about and can be looked for by; "" for what it is not about.
func (e *Event) subjects() [6]string {
	return [...]string{string(e.User), string(e.Org), string(e.Membership), string(e.AppHook), string(e.AuthProvider), string(e.LoginPolicy)}
}

// keeper returns the realm among whose events it is kept; "" for none.
func (e *Event) keeper() RealmID {
	if e.Type == eventRealmDeleted { // there is no realm to keep it
		return ""
	}
	return e.Realm
}

// members returns an event's place in every index.
func (e *Event) members() []IndexChange {
	id := strings.TrimPrefix(string(e.ID), prefixEvent)
	name, prefix := realmEventsIndex(e.keeper(), e.Type)
	all := append(make([]IndexChange, 0, 2), IndexChange{Index: name, Member: prefix + id}) // most are about one thing
	for _, subject := range e.subjects() {
		if subject == "" {
			continue
		}
		name, prefix := subjectEventsIndex(subject, e.Type)
		all = append(all, IndexChange{Index: name, Member: prefix + id})
	}
	return all
}

// sealedPlace is where an event's secret is sealed for, so that it opens as that of no other.
func (e *Event) sealedPlace() string { return "event:" + string(e.ID) }

// Request is what a caller says of the request that it acts for (Users API, "Request attributes").
// What is kept of it is a claim, for people to read, and decides nothing.
type Request struct {
	IP     string `json:"ip,omitempty"`     // at most 64 bytes are kept
	Client string `json:"client,omitempty"` // at most 256 bytes are kept

	// Device is the SignedIn.Device of an earlier sign-in, which the person's device has kept. It is not kept here.
	Device string `json:"-"`

	// Address is the person's own address, where whoever asks has seen it and was not only told of it: tries from there are
	// counted, whatever the account. The zero Addr is not known. It is not kept.
	Address netip.Addr `json:"-"`

	// Slim asks for a session token that fits into a cookie: it says who it is, and nothing that the realm's TokenFields
	// ask for. It is not kept.
	Slim bool `json:"-"`
}

// clean cuts what is longer than is kept.
func (r Request) clean() Request {
	return Request{IP: cut(r.IP, 64), Client: cut(r.Client, 256)}
}

// cut returns the first n bytes of s, less a character that n cuts in two.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// The types of events (Users API, "Events and hooks"; session.* are ours).
const (
	eventRealmCreated    = "realm.created"
	eventRealmUpdated    = "realm.updated"
	eventUserCreated     = "user.created"
	eventUserUpdated     = "user.updated"
	eventUserDeleted     = "user.deleted"
	eventLoginSucceeded  = "user.login.succeeded"
	eventLoginFailed     = "user.login.failed"
	eventVerifyRequested = "user.email.verification_requested"
	eventVerified        = "user.email.verified"
	eventSessionDeleted  = "session.deleted"
	eventRealmDeleted    = "realm.deleted"
	eventRealmReset      = "realm.reset"
	eventKeysRotated     = "realm.keys_rotated"
	eventKeyRetired      = "realm.key_retired"
	eventLoginInitiated  = "user.login.initiated" // the password was right, a second factor is asked for
	eventResetCreated    = "user.password_token.created"
	eventResetConsumed   = "user.password_token.consumed"
	eventResetFailed     = "user.password_token.failed"
	eventOrgCreated      = "org.created"
	eventOrgUpdated      = "org.updated"
	eventOrgDeleted      = "org.deleted"
	eventMemberCreated   = "membership.created"
	eventMemberUpdated   = "membership.updated"
	eventMemberDeleted   = "membership.deleted"
	eventHookCreated     = "app_hook.created"
	eventHookUpdated     = "app_hook.updated"
	eventHookDeleted     = "app_hook.deleted"
	eventProviderCreated = "auth_provider.created"
	eventProviderUpdated = "auth_provider.updated"
	eventProviderDeleted = "auth_provider.deleted"
	eventPolicyCreated   = "login_policy.created"
	eventPolicyUpdated   = "login_policy.updated"
	eventPolicyDeleted   = "login_policy.deleted"
	eventAPTKeyCreated   = "apt_key.created"
	eventAPTKeyUpdated   = "apt_key.updated"
	eventAPTKeyDeleted   = "apt_key.deleted"
	eventMKeyCreated     = "management_key.created"
	eventMKeyUpdated     = "management_key.updated"
	eventMKeyDeleted     = "management_key.deleted"
)

// EventPing is the type of the event that tries out a hook, which alone hears of it.
const EventPing = "ping"

// eventTypes are all types of events that are made: each has a place of its own in the indexes, and one that is missing
// here is found in no list.
var eventTypes = []string{
	eventRealmCreated, eventRealmUpdated, eventUserCreated, eventUserUpdated,
	eventUserDeleted, eventLoginSucceeded, eventLoginFailed, eventVerifyRequested,
	eventVerified, eventSessionDeleted, eventRealmDeleted, eventKeysRotated,
	eventLoginInitiated, eventResetCreated, eventResetConsumed, eventResetFailed,
	eventOrgCreated, eventOrgUpdated, eventOrgDeleted, eventMemberCreated,
	eventMemberUpdated, eventMemberDeleted, eventHookCreated, eventHookUpdated,
	eventHookDeleted, eventProviderCreated, eventProviderUpdated, eventProviderDeleted,
	eventPolicyCreated, eventPolicyUpdated, eventPolicyDeleted, eventAPTKeyCreated,
	eventAPTKeyUpdated, eventAPTKeyDeleted, eventMKeyCreated, eventMKeyUpdated,
	eventMKeyDeleted, eventRealmReset, eventKeyRetired,
	EventPing,
}

// EventTypes returns the types of events that there are, in no order.
func EventTypes() []string { return slices.Clone(eventTypes) }
