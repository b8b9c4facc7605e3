package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
)

// Users are of few names, so that they meet and follow each other by id.
var (
	drawText      = rapid.SampledFrom([]string{"", "Ann", "ann", "ANNA", "An", "Émile", "émile", "zoë", "Bob B.", strings.Repeat("é", 230) + "x"})
	drawReference = rapid.SampledFrom([]string{"", "acct-1", "acct-1", "ACCT-1", "acct-7764", "acct-2014", strings.Repeat("r", 255)}) // those with four figures share an index with acct-1
	drawState     = rapid.SampledFrom([]core.State{core.StateActive, core.StateInactive})
	drawType      = rapid.SampledFrom([]core.UserType{core.UserHuman, core.UserAPI})
	drawOrder     = rapid.SampledFrom([]core.UserOrder{core.OrderID, core.OrderLastLogin, core.OrderName, core.OrderNameAlt, core.OrderUsername, core.OrderEmail})
	drawPrefix    = rapid.SampledFrom([]string{"u", "U1", "a", "AN", "é", "zoë", "bob b", "nobody", strings.Repeat("é", 200)})
)

// programs makes n api users, many at a time, all with one reference.
func (w *world) programs(n int, reference string) {
	w.Helper()
	var all sync.WaitGroup
	for writer := range 20 {
		all.Go(func() {
			for i := writer; i < n; i += 20 {
				if _, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: ptr(fmt.Sprintf("p%04d-%s", i, reference)),
					Reference: &reference}, core.Request{}); err != nil {
					w.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// TestListLargestPage reads pages as large as one range.
func TestListLargestPage(t *testing.T) {
	each(t, func(w *world) {
		w.programs(core.MaxRange, "crowd")
		for _, in := range []core.ListUsers{{Type: core.UserAPI}, {Reference: ptr("crowd")}} {
			in.Limit = core.MaxRange
			page, err := w.Users.List(w.ctx, w.realm.ID, in)
			if err != nil || len(page.Users) != core.MaxRange || page.More {
				t.Errorf("List of all 1000 = %d users, more %v, %v; want 1000 and no more", len(page.Users), page.More, err)
			}
		}
		w.human("zoe")
		page, err := w.Users.List(w.ctx, w.realm.ID, core.ListUsers{Limit: core.MaxRange})
		if err != nil || len(page.Users) != core.MaxRange || !page.More || page.Users[999].Username != "p0999-crowd" {
			t.Errorf("List of 1000 of 1001 = %d users, more %v, %v; want 1000 and more", len(page.Users), page.More, err)
		}
		page, err = w.Users.List(w.ctx, w.realm.ID, core.ListUsers{})
		if err != nil || len(page.Users) != 100 || !page.More || page.Users[99].Username != "p0099-crowd" {
			t.Errorf("List = %d users, more %v, %v; want the first 100 by username and more", len(page.Users), page.More, err)
		}
	})
}

// TestListSharedIndex lists by references that share an index: none may show, or tell of, the users of another.
func TestListSharedIndex(t *testing.T) {
	each(t, func(w *world) {
		for _, reference := range []string{"acct-7764", "acct-1", "acct-2014"} { // in the order of the index
			w.programs(2, reference)
			for _, descending := range []bool{false, true} {
				page, err := w.Users.List(w.ctx, w.realm.ID, core.ListUsers{Reference: &reference, Descending: descending, Limit: 2})
				if err != nil || len(page.Users) != 2 || page.More {
					t.Errorf("List by %s = %s, more %v, %v; want both of its users and no more", reference, names(page.Users), page.More, err)
				}
			}
		}
	})
}

// TestListLongNames lists users whose names begin with the same 400 bytes: they follow each other by id.
func TestListLongNames(t *testing.T) {
	each(t, func(w *world) {
		long := strings.Repeat("é", 255)
		for i, last := range []string{"z", "a", long} {
			name := fmt.Sprint("user-", i)
			_, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: &name,
				Email: ptr(name + "@example.com"), FirstName: &long, LastName: &last}, core.Request{})
			w.must(err)
		}
		page, err := w.Users.List(w.ctx, w.realm.ID, core.ListUsers{Sort: core.OrderName})
		if err != nil || len(page.Users) != 3 || page.Users[0].LastName != "z" || page.Users[1].LastName != "a" {
			t.Errorf("List by name = %s, %v; want the users in the order they were made", names(page.Users), err)
		}
	})
}

func TestListRefusals(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
		w.must(err)
		for _, c := range []struct {
			in   core.ListUsers
			want string
		}{
			{core.ListUsers{State: core.StateRetired}, "state"},
			{core.ListUsers{Type: "all"}, "user_type"},
			{core.ListUsers{Limit: -1}, "max_results"},
			{core.ListUsers{Limit: core.MaxRange + 1}, "max_results"},
			{core.ListUsers{Sort: "size"}, "sort"},
			{core.ListUsers{Prefix: "a", Sort: core.OrderID}, "prefix"},
			{core.ListUsers{Prefix: strings.Repeat("é", 201)}, "prefix"},
			{core.ListUsers{Prefix: "\xff"}, "prefix"},
			{core.ListUsers{After: "ann"}, "after"},
			{core.ListUsers{After: ann.ID}, "after"}, // of another realm
			{core.ListUsers{After: "usr_0000000000000000000000"}, "after"},
			{core.ListUsers{Sort: "size", State: "x"}, "state sort"},
		} {
			page, err := w.Users.List(w.ctx, other.ID, c.in)
			if got := attributes(err); got != c.want || page.Users != nil {
				t.Errorf("List(%+v) complains about %q (%v); want %q", c.in, got, err, c.want)
			}
		}
		_, err = w.Users.List(w.ctx, "rl_0000000000000000000000", core.ListUsers{})
		w.refused("List of no realm", err, core.ErrRealmNotFound)
	})
}

// attributes names what a KindInvalid error is about.
func attributes(err error) string {
	e, ok := errors.AsType[*core.Error](err)
	if !ok || e.Kind != core.KindInvalid {
		return fmt.Sprint(err)
	}
	var all []string
	for _, f := range e.Fields {
		all = append(all, f.Attribute)
	}
	return strings.Join(all, " ")
}

// TestListAfterFormerUser goes on after a user who is gone, for 24 hours.
func TestListAfterFormerUser(t *testing.T) {
	each(t, func(w *world) {
		ann, bob, _ := w.human("ann"), w.human("bob"), w.human("cat")
		w.must(w.Users.Delete(w.ctx, w.realm.ID, "bob", core.Request{}))
		for _, order := range []core.UserOrder{core.OrderID, core.OrderName, core.OrderNameAlt, core.OrderUsername, core.OrderLastLogin} {
			page, err := w.Users.List(w.ctx, w.realm.ID, core.ListUsers{After: bob.ID, Sort: order})
			if err != nil || names(page.Users) != "cat(cat  a)" {
				t.Errorf("List after a deleted user by %s = %s, %v; want cat", order, names(page.Users), err)
			}
		}
		w.clock.Advance(24*time.Hour - time.Second)
		page, err := w.Users.List(w.ctx, w.realm.ID, core.ListUsers{After: bob.ID, Descending: true})
		if err != nil || len(page.Users) != 1 || page.Users[0].ID != ann.ID {
			t.Errorf("List after a deleted user, the last first = %s, %v; want ann", names(page.Users), err)
		}
		w.clock.Advance(time.Second)
		if _, err := w.Users.List(w.ctx, w.realm.ID, core.ListUsers{After: bob.ID}); attributes(err) != "after" {
			t.Errorf("List after a user deleted 24 h ago = %v; want a complaint about after", err)
		}
	})
}

// watched is a store that tells of ranges of users.
type watched struct {
	core.Store
	mu     sync.Mutex
	calls  []string // "get", "range"
	before func()   // each range, in its goroutine
	after  func()   // the first range
}

func (s *watched) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	s.note(ctx, "get")
	return s.Store.Get(ctx, keys...)
}

func (s *watched) Range(ctx context.Context, r core.Range) ([]string, error) {
	if !s.note(ctx, "range") {
		return s.Store.Range(ctx, r)
	}
	s.before()
	members, err := s.Store.Range(ctx, r)
	s.mu.Lock()
	after := s.after
	s.after = func() {}
	s.mu.Unlock()
	after()
	return members, err
}

// byTest marks the context of calls that the test makes, among those of the work in the background.
type byTest struct{}

// note notes a call that the test makes, and reports whether it is one.
func (s *watched) note(ctx context.Context, call string) bool {
	if ctx.Value(byTest{}) == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
	return true
}

// TestListRoundTrips counts what a page asks the store: a server about all ranges at once, and a store in this process by itself.
func TestListRoundTrips(t *testing.T) {
	each(t, func(w *world) {
		ann, _, _ := w.human("ann"), w.human("bob"), w.human("cat")
		store := &watched{Store: w.store, before: func() {}, after: func() {}}
		w.Core = w.another(store)
		w.run(w.Core)
		ctx := context.WithValue(w.ctx, byTest{}, true)
		w.becomes("the realm is remembered", func() bool {
			store.calls = nil
			_, err := w.Users.Get(ctx, w.realm.ID, string(ann.ID))
			w.must(err)
			return len(store.calls) == 1
		})
		for _, c := range []struct {
			in   core.ListUsers
			want string
		}{
			{core.ListUsers{State: core.StateActive, Type: core.UserHuman}, "range get"},
			{core.ListUsers{Limit: 1}, "range range range range get"},
			{core.ListUsers{After: ann.ID, Reference: ptr("x")}, "get range range range range"},
			{core.ListUsers{After: ann.ID, State: core.StateActive, Limit: 1}, "get range range get"},
			{core.ListUsers{Reference: ptr("")}, ""},
		} {
			store.calls = nil
			var begun atomic.Int64 // of a server, no range ends before all have begun
			all, ranges := make(chan struct{}), int64(strings.Count(c.want, "range"))
			store.before = func() {
				if store.Local() {
					if !bytes.Contains(debug.Stack(), []byte("(*Users).List(")) {
						t.Errorf("List(%+v) reads in another goroutine", c.in)
					}
					return
				}
				if begun.Add(1) == ranges {
					close(all)
				}
				select {
				case <-all:
				case <-time.After(time.Minute):
					t.Errorf("List(%+v) has begun %d ranges; want %d at once", c.in, begun.Load(), ranges)
				}
			}
			_, err := w.Users.List(ctx, w.realm.ID, c.in)
			if got := strings.Join(store.calls, " "); err != nil || got != c.want {
				t.Errorf("List(%+v) asks %q, %v; want %q", c.in, got, err, c.want)
			}
		}
	})
}

// TestListWhileChanging moves and deletes users between the reading of the index and of the records.
func TestListWhileChanging(t *testing.T) {
	each(t, func(w *world) {
		var ids []core.UserID
		for _, name := range []string{"ann", "bob", "cat", "dan", "eve", "fay"} {
			ids = append(ids, w.human(name).ID)
		}
		store := &watched{Store: w.store, before: func() {}}
		store.after = func() {
			w.must(w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{}))
			_, err := w.Users.Update(w.ctx, w.realm.ID, string(ids[1]), core.UserChange{Username: ptr("zbob")}, core.Request{})
			w.must(err)
			_, err = w.Users.Update(w.ctx, w.realm.ID, string(ids[2]), core.UserChange{State: ptr(core.StateInactive)}, core.Request{})
			w.must(err)
		}
		page, err := w.another(store).Users.List(context.WithValue(w.ctx, byTest{}, true), w.realm.ID, core.ListUsers{Limit: 3, State: core.StateActive, Type: core.UserHuman})
		if err != nil || names(page.Users) != "dan(dan  a) eve(eve  a) fay(fay  a)" || !page.More {
			t.Errorf("List while users change = %s, more %v, %v; want dan, eve, fay and more", names(page.Users), page.More, err)
		}
	})
}
