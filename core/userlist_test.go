package core_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
)

// TestListHistories changes users at random and compares lists with the same users filtered and sorted in memory.
func TestListHistories(t *testing.T) {
	settle("rapid.checks", "12")
	settle("rapid.seed", "20260314")
	each(t, func(w *world) {
		rapid.Check(w.T, func(t *rapid.T) {
			realm, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "histories " + rand.Text()}, core.Request{})
			if err != nil {
				t.Fatal(err)
			}
			h := &listHistory{T: t, w: w, realm: realm.ID, former: map[core.UserID]*core.User{}}
			for range 8 {
				h.create(t)
			}
			t.Repeat(map[string]func(*rapid.T){
				"create": h.create, "update": h.update, "delete": h.delete, "sign in": h.signIn, "list": h.list, "": h.whole,
			})
		})
	})
}

// settle gives a flag a value that it was not given on the command line.
func settle(name, value string) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if !given {
		_ = flag.Set(name, value) // rapid has it
	}
}

// listHistory is what random calls made of the users of a realm.
type listHistory struct {
	*rapid.T
	w      *world
	realm  core.RealmID
	users  []*core.User
	former map[core.UserID]*core.User // deleted within 24 hours
	made   int
}

// Users are of few names, so that they meet and follow each other by id.
var (
	drawText      = rapid.SampledFrom([]string{"", "Ann", "ann", "ANNA", "An", "Émile", "émile", "zoë", "Bob B.", strings.Repeat("é", 230) + "x"})
	drawReference = rapid.SampledFrom([]string{"", "acct-1", "acct-1", "ACCT-1", "acct-7764", "acct-2014", strings.Repeat("r", 255)}) // those with four figures share an index with acct-1
	drawState     = rapid.SampledFrom([]core.State{core.StateActive, core.StateInactive})
	drawType      = rapid.SampledFrom([]core.UserType{core.UserHuman, core.UserAPI})
	drawOrder     = rapid.SampledFrom([]core.UserOrder{core.OrderID, core.OrderLastLogin, core.OrderName, core.OrderNameAlt, core.OrderUsername, core.OrderEmail})
	drawPrefix    = rapid.SampledFrom([]string{"u", "U1", "a", "AN", "é", "zoë", "bob b", "nobody", strings.Repeat("é", 200)})
)

// change draws what to set of a user.
func (h *listHistory) change(t *rapid.T) core.UserChange {
	in := core.UserChange{FirstName: ptr(drawText.Draw(t, "first")), Reference: ptr(drawReference.Draw(t, "reference")), State: ptr(drawState.Draw(t, "state"))}
	if rapid.Bool().Draw(t, "all names") {
		h.made++
		in.LastName, in.Name = ptr(drawText.Draw(t, "last")), ptr(drawText.Draw(t, "name"))
		in.Username = ptr(fmt.Sprintf("%c%d", "abc"[rapid.IntRange(0, 2).Draw(t, "letter")], h.made))
	}
	return in
}

func (h *listHistory) create(t *rapid.T) {
	in := h.change(t)
	h.made++
	in.Type, in.Username, in.Email = ptr(drawType.Draw(t, "type")), ptr(fmt.Sprint("u", h.made)), ptr(fmt.Sprint("u", h.made, "@example.com"))
	if *in.Type == core.UserAPI && rapid.Bool().Draw(t, "no address") {
		in.Email = nil
	}
	if rapid.Bool().Draw(t, "password") && *in.Type == core.UserHuman {
		in.Password = ptr(goodPassword)
	}
	user, err := h.w.Users.Create(h.w.ctx, h.realm, in, core.Request{})
	if err != nil {
		t.Fatalf("Create(%+v) = %v", in, err)
	}
	h.users = append(h.users, user)
}

// some draws a user's place in h.users.
func (h *listHistory) some(t *rapid.T) int {
	if len(h.users) == 0 {
		t.Skip("nobody is there")
	}
	return rapid.IntRange(0, len(h.users)-1).Draw(t, "user")
}

func (h *listHistory) update(t *rapid.T) {
	i := h.some(t)
	user, err := h.w.Users.Update(h.w.ctx, h.realm, string(h.users[i].ID), h.change(t), core.Request{})
	if err != nil {
		t.Fatalf("Update = %v", err)
	}
	h.users[i] = user
}

func (h *listHistory) delete(t *rapid.T) {
	i := h.some(t)
	if err := h.w.Users.Delete(h.w.ctx, h.realm, string(h.users[i].ID), core.Request{}); err != nil {
		t.Fatalf("Delete = %v", err)
	}
	h.former[h.users[i].ID] = h.users[i]
	h.users = slices.Delete(h.users, i, i+1)
}

func (h *listHistory) signIn(t *rapid.T) {
	i := h.some(t)
	if u := h.users[i]; len(u.Credentials) == 0 || u.State != core.StateActive {
		t.Skip("cannot sign in")
	}
	h.w.clock.Advance(time.Millisecond)
	in, err := h.w.Passwords.Authenticate(h.w.ctx, h.realm, string(h.users[i].Username), goodPassword, core.Request{})
	if err != nil {
		t.Fatalf("Authenticate = %v", err)
	}
	h.users[i] = in.User
}

// draw draws what to list, from the start.
func (h *listHistory) draw(t *rapid.T) core.ListUsers {
	in := core.ListUsers{Sort: drawOrder.Draw(t, "sort"), Descending: rapid.Bool().Draw(t, "descending"), Limit: rapid.IntRange(1, 12).Draw(t, "limit")}
	if rapid.Bool().Draw(t, "one state") {
		in.State = drawState.Draw(t, "state")
	}
	if rapid.Bool().Draw(t, "one type") {
		in.Type = drawType.Draw(t, "type")
	}
	if rapid.Bool().Draw(t, "one reference") {
		in.Reference = ptr(drawReference.Draw(t, "reference"))
	}
	if in.Sort != core.OrderID && in.Sort != core.OrderLastLogin && rapid.Bool().Draw(t, "a prefix") {
		in.Prefix = drawPrefix.Draw(t, "prefix")
	}
	return in
}

// list reads one page, after anybody who is or was there.
func (h *listHistory) list(t *rapid.T) {
	in := h.draw(t)
	known := slices.Clone(h.users)
	for _, u := range h.former {
		known = append(known, u)
	}
	slices.SortFunc(known, func(a, b *core.User) int { return strings.Compare(string(a.ID), string(b.ID)) })
	var after *core.User
	if len(known) > 0 && rapid.Bool().Draw(t, "go on") {
		after = rapid.SampledFrom(known).Draw(t, "after")
		in.After = after.ID
	}
	want := h.expect(in, after)
	more := len(want) > in.Limit
	want = want[:min(len(want), in.Limit)]
	page, err := h.w.Users.List(h.w.ctx, h.realm, in)
	if err != nil || page.More != more || !slices.EqualFunc(page.Users, want, sameUser) {
		t.Fatalf("List(%+v) = %s, more %v, %v; want %s, more %v", in, names(page.Users), page.More, err, names(want), more)
	}
}

// whole reads a list page by page to its end. It is what holds after every step.
func (h *listHistory) whole(t *rapid.T) {
	in := h.draw(t)
	want := h.expect(in, nil)
	var got []*core.User
	for {
		page, err := h.w.Users.List(h.w.ctx, h.realm, in)
		if err != nil {
			t.Fatalf("List(%+v) = %v", in, err)
		}
		if got = append(got, page.Users...); !page.More {
			break
		}
		in.After = page.Users[len(page.Users)-1].ID
	}
	if !slices.EqualFunc(got, want, sameUser) {
		t.Fatalf("all pages of List(%+v) = %s; want %s", in, names(got), names(want))
	}
}

// expect filters and sorts in memory.
func (h *listHistory) expect(in core.ListUsers, after *core.User) []*core.User {
	order := func(a, b *core.User) int {
		c := cmp.Or(strings.Compare(sortKey(in.Sort, a), sortKey(in.Sort, b)), strings.Compare(string(a.ID), string(b.ID)))
		if in.Descending {
			return -c
		}
		return c
	}
	var want []*core.User
	for _, u := range h.users {
		if (in.State == "" || u.State == in.State) && (in.Type == "" || u.Type == in.Type) &&
			(in.Reference == nil || *in.Reference != "" && u.Reference == *in.Reference) && (in.Sort != core.OrderEmail || u.Email != "") &&
			strings.HasPrefix(sortKey(in.Sort, u), strings.ToLower(in.Prefix)) && (after == nil || order(u, after) > 0) {
			want = append(want, u)
		}
	}
	slices.SortFunc(want, order)
	return want
}

// sortKey is the text that a user is ordered by.
func sortKey(order core.UserOrder, u *core.User) string {
	key := ""
	switch order {
	case core.OrderLastLogin:
		if !u.LastLoginAt.IsZero() {
			key = u.LastLoginAt.UTC().Format("2006-01-02T15:04:05.000")
		}
	case core.OrderNameAlt:
		key = u.Name()
		if u.Type == core.UserHuman && u.FirstName != "" && u.LastName != "" {
			key = u.LastName + ", " + u.FirstName
		}
	case core.OrderName:
		key = u.Name()
	case core.OrderUsername:
		key = u.Username
	case core.OrderEmail:
		key = u.Email
	}
	key = strings.ToLower(key)
	return key[:min(len(key), 400)]
}

func sameUser(a, b *core.User) bool {
	return a.ID == b.ID && a.Name() == b.Name() && a.Reference == b.Reference && a.State == b.State && a.LastLoginAt.UnixMilli() == b.LastLoginAt.UnixMilli()
}

// names tells users apart in a failure.
func names(users []*core.User) string {
	var all []string
	for _, u := range users {
		all = append(all, fmt.Sprintf("%s(%.8s %.6s %s)", u.Username, u.Name(), u.Reference, u.State[:1]))
	}
	return strings.Join(all, " ")
}

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

// TestListRoundTrips counts what a page asks the store.
func TestListRoundTrips(t *testing.T) {
	each(t, func(w *world) {
		ann, _, _ := w.human("ann"), w.human("bob"), w.human("cat")
		store := &watched{Store: w.store, before: func() {}, after: func() {}}
		w.Core = w.another(store)
		w.run(w.Core)
		ctx := context.WithValue(w.ctx, byTest{}, true)
		for store.calls = nil; len(store.calls) != 1; { // until the realm is remembered
			store.calls = nil
			_, err := w.Users.Get(ctx, w.realm.ID, string(ann.ID))
			w.must(err)
		}
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
			var begun atomic.Int64 // no range ends before all have begun
			all, ranges := make(chan struct{}), int64(strings.Count(c.want, "range"))
			store.before = func() {
				if begun.Add(1) == ranges {
					close(all)
				}
				<-all
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
