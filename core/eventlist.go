package core

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Events finds what happened. Safe for concurrent use.
type Events struct {
	d      *deps
	outbox *Outbox
}

// ErrEventNotFound says that there is no such event, or none any more.
var ErrEventNotFound = &Error{Kind: KindNotFound, Code: "event_not_found", Detail: "event not found"}

// Get returns an event of a realm, or with "" of none, by its id, or ErrEventNotFound.
func (e *Events) Get(ctx context.Context, realm RealmID, id EventID) (*Event, error) {
	state, now, err := e.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	if !validID(prefixEvent, string(id)) {
		return nil, ErrEventNotFound
	}
	owner, _ := state.owner(string(id))
	for range 2 { // it may be in the log still
		for _, p := range []Partition{owner, {}} {
			event := &Event{}
			_, found, err := e.d.load(ctx, eventKey(p, id), event)
			if err != nil {
				return nil, fmt.Errorf("core: get event: %w", err)
			}
			if found && event.Realm == realm && event.At.After(now.Add(-state.Settings.EventRetention.Duration())) {
				return event, nil
			}
		}
		if err := e.catchUp(ctx, owner, Partition{}); err != nil {
			return nil, err
		}
	}
	return nil, ErrEventNotFound
}

// begin returns the realm and the time. What is of no realm, as of hooks and keys for all, is in the system's partition: "" stands for
// a realm that has no other.
func (e *Events) begin(ctx context.Context, realm RealmID) (*realmState, time.Time, error) {
	now, err := e.d.clock.now()
	if err != nil {
		return nil, now, err
	}
	if realm == "" {
		return &realmState{Realm: (&Realm{Partitions: 1}).withDefaults()}, now, nil
	}
	state, err := e.d.realms.state(ctx, realm)
	return state, now, err
}

// catchUp has the logs of partitions read, so that what a caller has just done is in the answer.
func (e *Events) catchUp(ctx context.Context, partitions ...Partition) error {
	for _, p := range partitions {
		if _, err := e.outbox.catchUp(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// ListEvents says which events to list and which page of them (Users API, "List events"). The zero ListEvents asks for
// the latest 100 of the last 30 days.
type ListEvents struct {
	User         UserID // about this one; "" = any. So are the next five
	Org          OrgID
	Membership   MembershipID
	AppHook      AppHookID
	AuthProvider AuthProviderID
	LoginPolicy  LoginPolicyID

	Types        []string  // of a type that begins with one of these: "user.login"; none = any
	CreatedAfter time.Time // default 30 days back
	After        EventID   // go on after this one, whether or not the filter holds for it; "" = from the start
	Limit        int       // events on the page, 1 to MaxRange; default 100
	Ascending    bool      // the oldest first
}

// EventPage is a page of a list of events.
type EventPage struct {
	Events []*Event
	More   bool // there are events after these
}

// eventsSince is how far back a list of events goes unless it is said.
const eventsSince = 30 * 24 * time.Hour

// validate fills the defaults and returns what is wrong, all of it, as KindInvalid; ErrUserNotFound of what cannot be a user's id.
func (in *ListEvents) validate(now time.Time) error {
	defaultTo(&in.Limit, defaultPage)
	if in.CreatedAfter.IsZero() {
		in.CreatedAfter = now.Add(-eventsSince)
	}
	var errs fieldErrors
	errs.check(in.Limit >= 1 && in.Limit <= MaxRange, "max_results", "Max results must be from 1 to 1000")
	errs.check(in.After == "" || validID(prefixEvent, string(in.After)), "after", "After must be the id of an event")
	errs.check(len(in.Types) <= len(eventTypes), "event_type", "Event type names too many types")
	for _, about := range []struct{ prefix, id, attribute, label, article string }{
		{prefixOrg, string(in.Org), "org_id", "Org", "an org"}, {prefixMembership, string(in.Membership), "membership_id", "Membership", "a membership"},
		{prefixAppHook, string(in.AppHook), "app_hook_id", "App hook", "an app hook"},
		{prefixAuthProvider, string(in.AuthProvider), "auth_provider_id", "Auth provider", "an auth provider"},
		{prefixLoginPolicy, string(in.LoginPolicy), "login_policy_id", "Login policy", "a login policy"},
	} {
		errs.check(about.id == "" || validID(about.prefix, about.id), about.attribute, about.label+" must be the id of "+about.article)
	}
	if len(errs) == 0 && in.User != "" && !validID(prefixUser, string(in.User)) {
		return ErrUserNotFound
	}
	return errs.err()
}

// types returns the types of events asked for.
func (in *ListEvents) types() []string {
	if len(in.Types) == 0 {
		return eventTypes
	}
	return slices.DeleteFunc(EventTypes(), func(kind string) bool {
		return !slices.ContainsFunc(in.Types, func(part string) bool { return strings.HasPrefix(kind, part) })
	})
}

// subject returns the id by which the fewest events have to be looked at; "" for none.
func (in *ListEvents) subject() string {
	return cmp.Or(string(in.Membership), string(in.AppHook), string(in.AuthProvider), string(in.LoginPolicy), string(in.User), string(in.Org))
}

// holds reports whether an event is one of those asked for. Its type was seen to by the index.
func (in *ListEvents) holds(e *Event) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	return !e.At.Before(in.CreatedAfter) && same(string(in.User), string(e.User)) && same(string(in.Org), string(e.Org)) &&
		same(string(in.Membership), string(e.Membership)) && same(string(in.AppHook), string(e.AppHook)) &&
		same(string(in.AuthProvider), string(e.AuthProvider)) && same(string(in.LoginPolicy), string(e.LoginPolicy))
}

// List returns a page of the events of a realm, or with "" of those of none, by id, which is the order they were made in. A page of any list with one
// filter besides types and time costs the same: a range of an index for each type asked for, all read at once, and one
// read of the records. A second such filter is held against the events that the first one finds.
//
// It fails with KindInvalid, ErrUserNotFound where User is no id, and ErrRealmNotFound.
func (e *Events) List(ctx context.Context, realm RealmID, in ListEvents) (EventPage, error) {
	state, now, err := e.begin(ctx, realm)
	if err != nil {
		return EventPage{}, err
	}
	if err := in.validate(now); err != nil {
		return EventPage{}, err
	}
	if oldest := now.Add(-state.Settings.EventRetention.Duration()); in.CreatedAfter.Before(oldest) {
		in.CreatedAfter = oldest
	}
	partitions := slices.Compact(append(state.partitions(), Partition{}))
	if err := e.catchUp(ctx, partitions...); err != nil {
		return EventPage{}, err
	}
	page, err := e.merge(realm, partitions, in).page(ctx)
	if err != nil {
		return EventPage{}, fmt.Errorf("core: list events: %w", err)
	}
	return page, nil
}

// eventMerge reads the indexes that hold the events asked for as one. It is for one goroutine.
type eventMerge struct {
	merge
	realm RealmID
	in    ListEvents
}

// merge returns the merge of all indexes that hold events asked for.
func (e *Events) merge(realm RealmID, partitions []Partition, in ListEvents) *eventMerge {
	m := &eventMerge{merge: merge{store: e.d.store, descending: !in.Ascending}, realm: realm, in: in}
	for _, kind := range in.types() {
		name, prefix := realmEventsIndex(realm, kind)
		if s := in.subject(); s != "" {
			name, prefix = subjectEventsIndex(s, kind)
		}
		r := Range{From: prefix + idFrom(in.CreatedAfter), To: prefix + "\xff", Descending: !in.Ascending}
		if in.After != "" {
			r.continueAfter(prefix + strings.TrimPrefix(string(in.After), prefixEvent))
		}
		for _, p := range partitions {
			r.Index = Index{p, name}
			m.add(prefix, r)
		}
	}
	return m
}

// continueAfter is goOn for a member that may be outside of the range.
func (r *Range) continueAfter(member string) {
	if r.Descending && member < r.To || !r.Descending && member >= r.From {
		r.goOn(member)
	}
}

// page reads the next page.
func (m *eventMerge) page(ctx context.Context) (EventPage, error) {
	var page EventPage
	for {
		entries, err := m.take(ctx, m.in.Limit-len(page.Events))
		if err != nil {
			return EventPage{}, err
		}
		events, err := m.read(ctx, entries)
		if err != nil {
			return EventPage{}, err
		}
		page.Events = append(page.Events, events...)
		if err := m.fill(ctx, 1); err != nil {
			return EventPage{}, err
		}
		page.More = m.first() != nil
		if !page.More || len(page.Events) == m.in.Limit {
			return page, nil
		}
	}
}

// read returns the events that entries are of, in their order, less those that were not asked for.
func (m *eventMerge) read(ctx context.Context, entries []listed) ([]*Event, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	keys := make([]Key, len(entries))
	for i, e := range entries {
		keys[i] = eventKey(e.lane.rest.Index.Partition, EventID(prefixEvent+e.member[len(e.lane.prefix):]))
	}
	recs, err := m.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	events := make([]*Event, 0, len(entries))
	for i := range recs {
		event := &Event{}
		found, err := decode(keys[i], recs[i], event)
		if err != nil {
			return nil, err
		}
		if found && event.Realm == m.realm && m.in.holds(event) {
			events = append(events, event)
		}
	}
	return events, nil
}
