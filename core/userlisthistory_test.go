package core_test

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/draws"
)

func init() { draws.Usual("12", "30", "20260314") }

// TestListHistories changes users at random and compares lists with the same users filtered and sorted in memory.
func TestListHistories(t *testing.T) {
	histories(t, func(t *rapid.T, w *world, realm core.RealmID) {
		h := &listHistory{T: t, w: w, realm: realm, former: map[core.UserID]*core.User{}}
		for range 8 {
			h.create(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"create": h.create, "update": h.update, "delete": h.delete, "sign in": h.signIn, "list": h.list, "": h.whole,
		})
	})
}

// histories draws histories, on every store, each in a realm of its own.
func histories(t *testing.T, history func(t *rapid.T, w *world, realm core.RealmID)) {
	each(t, func(w *world) {
		rapid.Check(w.T, func(t *rapid.T) {
			realm, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "history " + rand.Text()}, core.Request{})
			if err != nil {
				t.Fatal(err)
			}
			history(t, w, realm.ID)
		})
	})
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

// change draws what to set of a user of a type.
func (h *listHistory) change(t *rapid.T, of core.UserType) core.UserChange {
	in := core.UserChange{Reference: ptr(drawReference.Draw(t, "reference")), State: ptr(drawState.Draw(t, "state"))}
	if of == core.UserHuman {
		in.FirstName = ptr(drawText.Draw(t, "first"))
	}
	if rapid.Bool().Draw(t, "all names") {
		h.made++
		if of == core.UserHuman {
			in.LastName = ptr(drawText.Draw(t, "last"))
		}
		in.Name = ptr(drawText.Draw(t, "name"))
		in.Username = ptr(fmt.Sprintf("%c%d", "abc"[rapid.IntRange(0, 2).Draw(t, "letter")], h.made))
	}
	return in
}

func (h *listHistory) create(t *rapid.T) {
	kind := drawType.Draw(t, "type")
	in := h.change(t, kind)
	h.made++
	in.Type, in.Username, in.Email = &kind, ptr(fmt.Sprint("u", h.made)), ptr(fmt.Sprint("u", h.made, "@example.com"))
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
	user, err := h.w.Users.Update(h.w.ctx, h.realm, string(h.users[i].ID), h.change(t, h.users[i].Type), core.Request{})
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
