package core_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// kinds returns the types of a page's events.
func kinds(page core.EventPage) string {
	var all []string
	for _, e := range page.Events {
		all = append(all, e.Type)
	}
	return strings.Join(all, " ")
}

// events lists events of the default realm.
func (w *world) events(in core.ListEvents) core.EventPage {
	w.Helper()
	page, err := w.Events.List(w.ctx, w.realm.ID, in)
	w.must(err)
	return page
}

// TestEventFilters lists events by all that they can be looked for.
func TestEventFilters(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		bob := w.human("bob")
		w.clock.Advance(time.Hour)
		w.signIn("ann")
		_, err := w.Users.Update(w.ctx, w.realm.ID, "bob", core.UserChange{FirstName: ptr("Bob")}, core.Request{IP: "192.0.2.1", Client: "test"})
		w.must(err)
		newest := w.events(core.ListEvents{Limit: 1}).Events[0]
		for _, c := range []struct {
			in   core.ListEvents
			want string
		}{
			{core.ListEvents{User: ann.ID}, "user.login.succeeded user.created"},
			{core.ListEvents{User: ann.ID, Ascending: true}, "user.created user.login.succeeded"},
			{core.ListEvents{User: bob.ID, Types: []string{"user.login"}}, ""},
			{core.ListEvents{User: bob.ID, Types: []string{"user.u", "user.login"}}, "user.updated"},
			{core.ListEvents{Types: []string{"user."}}, "user.updated user.login.succeeded user.created user.created"},
			{core.ListEvents{Types: []string{"user."}, CreatedAfter: w.clock.Now().Add(-time.Minute)}, "user.updated user.login.succeeded"},
			{core.ListEvents{Types: []string{"realm", "apt_key"}, Ascending: true}, "realm.created apt_key.created"},
			{core.ListEvents{After: newest.ID, Limit: 2}, "user.login.succeeded user.created"},
			{core.ListEvents{After: newest.ID, Ascending: true}, ""},
			{core.ListEvents{Types: []string{"ser."}}, ""},
			{core.ListEvents{User: ann.ID, Org: "org_0000000000000000000000"}, ""},
		} {
			if got := kinds(w.events(c.in)); got != c.want {
				t.Errorf("List(%+v) = %q; want %q", c.in, got, c.want)
			}
		}
		if newest.Type != "user.updated" || newest.User != bob.ID || newest.Request != (core.Request{IP: "192.0.2.1", Client: "test"}) {
			t.Errorf("the newest event is %+v; want bob's update with its request", newest)
		}
		got, err := w.Events.Get(w.ctx, w.realm.ID, newest.ID)
		if err != nil || got.Type != "user.updated" {
			t.Errorf("Get(%s) = %+v, %v; want it", newest.ID, got, err)
		}
		other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
		w.must(err)
		_, err = w.Events.Get(w.ctx, other.ID, newest.ID)
		w.refused("Get from another realm", err, core.ErrEventNotFound)
		if page, err := w.Events.List(w.ctx, other.ID, core.ListEvents{}); kinds(page) != "realm.created" || err != nil {
			t.Errorf("List of another realm = %q, %v; want its own creation", kinds(page), err)
		}
	})
}

// TestEventPages walks through many events by pages, both ways.
func TestEventPages(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		for i := range 40 {
			w.clock.Advance(time.Second)
			_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{FirstName: ptr("A" + strconv.Itoa(i))}, core.Request{})
			w.must(err)
		}
		for _, ascending := range []bool{false, true} {
			var ids []core.EventID
			in := core.ListEvents{Types: []string{"user."}, Limit: 7, Ascending: ascending}
			for {
				page := w.events(in)
				for _, e := range page.Events {
					ids = append(ids, e.ID)
				}
				if !page.More {
					break
				}
				in.After = ids[len(ids)-1]
			}
			if !ascending {
				slices.Reverse(ids)
			}
			if len(ids) != 41 || !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != 41 {
				t.Errorf("pages (ascending %v) have %d events, in order %v; want 41 in order", ascending, len(ids), slices.IsSorted(ids))
			}
		}
	})
}

// TestEventsEnd holds that events go when their realm keeps them no longer, and that nothing of them stays.
func TestEventsEnd(t *testing.T) {
	each(t, func(w *world) {
		_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.EventRetention = 10 * 24 * 60 * 60 }}, core.Request{})
		w.must(err)
		ann := w.human("ann")
		old := w.events(core.ListEvents{User: ann.ID}).Events[0]
		w.clock.Advance(9 * 24 * time.Hour)
		w.signIn("ann")
		w.clock.Advance(25 * time.Hour)
		if got := kinds(w.events(core.ListEvents{User: ann.ID})); got != "user.login.succeeded" {
			t.Errorf("events after 10 days = %q; want the sign-in of yesterday", got)
		}
		_, err = w.Events.Get(w.ctx, w.realm.ID, old.ID)
		w.refused("Get of an event that is over", err, core.ErrEventNotFound)
		if done, err := w.SweepEvents(w.ctx); !done || err != nil {
			t.Fatalf("sweep = %v, %v; want it done", done, err)
		}
		p := core.Partition{Realm: w.realm.ID}
		if recs, err := w.store.Get(w.ctx, core.Key{Partition: p, Name: "e:" + string(old.ID)}); err != nil || recs[0].Version != 0 {
			t.Errorf("the record of an event that is over is at version %d, %v; want it gone", recs[0].Version, err)
		}
		members, err := w.store.Range(w.ctx, core.Range{Index: core.Index{Partition: p, Name: "er:" + string(w.realm.ID)}, Limit: 10})
		if err != nil || len(members) != 1 {
			t.Errorf("the index of events has %q, %v; want one member", members, err)
		}
		if got := kinds(w.events(core.ListEvents{User: ann.ID})); got != "user.login.succeeded" {
			t.Errorf("events after the sweep = %q; want the sign-in", got)
		}
	})
}

// forgetful is a store that says once that a log has lost what was to be read.
type forgetful struct {
	core.Store
	log core.Log
}

func (s *forgetful) Tail(ctx context.Context, logs []core.LogPosition, wait time.Duration) ([]core.Feed, error) {
	if len(logs) != 1 || logs[0].Log != s.log {
		return s.Store.Tail(ctx, logs, wait)
	}
	feeds, err := s.Store.Tail(ctx, []core.LogPosition{{Log: s.log, After: core.End}}, 0)
	if err == nil {
		feeds[0].Gap, s.log = true, core.Log{}
	}
	return feeds, err
}

// TestEventGap holds that events which were lost are reported once, and that what follows is kept.
func TestEventGap(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.events(core.ListEvents{})
		w.human("bob")
		var told []error
		master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
		w.must(err)
		w.Core, err = core.New(core.Options{Store: &forgetful{w.store, core.Log{Partition: core.Partition{Realm: w.realm.ID}, Name: "ev"}}, MasterKey: master,
			Now: w.clock.Now, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1}, Trouble: func(_ string, err error) { told = append(told, err) }})
		w.must(err)
		w.events(core.ListEvents{})
		w.clock.Advance(time.Second)
		w.signIn("ann")
		if got := kinds(w.events(core.ListEvents{Types: []string{"user."}})); got != "user.login.succeeded user.created" {
			t.Errorf("events around a gap = %q; want those that were not lost", got)
		}
		gap, ok := errors.AsType[*core.EventGapError](errors.Join(told...))
		if len(told) != 1 || !ok || gap.Partition.Realm != w.realm.ID || gap.After.Sequence == 0 {
			t.Errorf("told %v; want the gap, once", told)
		}
	})
}

// TestHappened holds that one of two processes is told each event once, and nothing secret of it.
func TestHappened(t *testing.T) {
	each(t, func(w *world) {
		master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
		w.must(err)
		told := map[core.EventID]int{}
		both := make([]*core.Core, 2)
		for i := range both {
			both[i], err = core.New(core.Options{Store: w.store, MasterKey: master, Now: w.clock.Now, Happened: func(e *core.Event) {
				if told[e.ID]++; e.Secret != "" || e.Sealed != "" {
					t.Errorf("told of %s with its secret", e.Type)
				}
			}})
			w.must(err)
		}
		w.human("ann")
		_, _, err = w.Users.RequestVerification(w.ctx, w.realm.ID, "ann", core.Request{})
		w.must(err)
		var page core.EventPage
		for range 2 {
			for _, c := range both {
				page, err = c.Events.List(w.ctx, w.realm.ID, core.ListEvents{})
				w.must(err)
			}
		}
		if got := kinds(page); !strings.HasPrefix(got, "user.email.verification_requested user.created ") {
			t.Fatalf("events = %q", got)
		}
		for _, e := range page.Events {
			if told[e.ID] != 1 {
				t.Errorf("told of %s %d times; want once", e.Type, told[e.ID])
			}
		}
	})
}

// TestEventTypes holds that every type of event there is can be listed.
func TestEventTypes(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			value, ok := spec.Values[0].(*ast.BasicLit)
			if !ok || value.Kind != token.STRING || !strings.HasPrefix(strings.ToLower(spec.Names[0].Name), "event") {
				return true
			}
			kind, err := strconv.Unquote(value.Value)
			if err == nil && !slices.Contains(core.EventTypes(), kind) {
				t.Errorf("%s is not among EventTypes", spec.Names[0].Name)
			}
			found++
			return true
		})
	}
	if found < 30 {
		t.Errorf("found %d types of events in the source; want more", found)
	}
}
