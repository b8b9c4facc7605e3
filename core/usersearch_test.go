package core_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
)

// spellings are names and beginnings of names, with the form in which they are compared, written by hand.
var spellings = map[string]string{
	"": "", "Ann": "ann", "ＡＮＮ": "ann", "anna": "anna", "Ann B.": "ann b.", "  Ann": "ann", "An\u200dn ❤️": "ann ❤",
	"Émile": "émile", "E\u0301mile": "émile", "Strauß": "strauss", "STRAUSS": "strauss", "İpek": "i̇pek", "Lee": "lee",
}

var (
	drawSpelling  = rapid.SampledFrom(sortedKeys(spellings))
	searched      = map[string]string{"a": "a", "AN": "an", "ann": "ann", "Ａｎｎ": "ann", "ann ❤️": "ann ❤", "Ann b": "ann b", "É": "é", "e\u0301m": "ém", "ß": "ss", "STRAUß": "strauss", "İ": "i̇", "lee, a": "lee, a", "lee": "lee", "u1": "u1", "nobody": "nobody"}
	drawSearched  = rapid.SampledFrom(sortedKeys(searched))
	drawFirstPart = rapid.SampledFrom([]string{"ann", "lee", "u", "strauss"})
)

func sortedKeys(m map[string]string) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// searchHistory is what random calls made of the users of a realm, by id, in the order they were made.
type searchHistory struct {
	listHistory
}

// add makes a user of whom any name may begin as that of others.
func (h *searchHistory) add(t *rapid.T) {
	h.made++
	in := core.UserChange{Type: ptr(drawType.Draw(t, "type")), State: ptr(drawState.Draw(t, "state")), Reference: ptr(drawReference.Draw(t, "reference"))}
	in.Username = ptr(fmt.Sprint(drawFirstPart.Draw(t, "username"), h.made))
	if *in.Type == core.UserHuman || rapid.Bool().Draw(t, "an address") {
		in.Email = ptr(fmt.Sprint(drawFirstPart.Draw(t, "address"), h.made, "@example.com"))
	}
	in.Name = ptr(drawSpelling.Draw(t, "name"))
	if *in.Type == core.UserHuman {
		in.FirstName, in.LastName = ptr(drawSpelling.Draw(t, "first")), ptr(drawSpelling.Draw(t, "last"))
	}
	user, err := h.w.Users.Create(h.w.ctx, h.realm, in, core.Request{})
	if err != nil {
		t.Fatalf("Create(%+v) = %v", in, err)
	}
	h.users = append(h.users, user)
}

// change gives a user other names.
func (h *searchHistory) change(t *rapid.T) {
	i := h.some(t)
	in := core.UserChange{Name: ptr(drawSpelling.Draw(t, "name"))}
	if h.users[i].Type == core.UserHuman {
		in = core.UserChange{FirstName: ptr(drawSpelling.Draw(t, "first")), LastName: ptr(drawSpelling.Draw(t, "last"))}
	}
	user, err := h.w.Users.Update(h.w.ctx, h.realm, string(h.users[i].ID), in, core.Request{})
	if err != nil {
		t.Fatalf("Update = %v", err)
	}
	h.users[i] = user
}

// key is what a user is found by in the n-th order, and whether they are in it.
func (h *searchHistory) key(u *core.User, n int) (string, bool) {
	name := spellings[u.APIName]
	if u.Type == core.UserHuman || u.APIName == "" {
		name = strings.TrimSpace(spellings[u.FirstName] + " " + spellings[u.LastName])
	}
	if name == "" {
		name = u.Username
	}
	alt := name
	if u.Type == core.UserHuman && u.FirstName != "" && u.LastName != "" {
		alt = spellings[u.LastName] + ", " + spellings[u.FirstName]
	}
	return []string{u.Username, u.Email, alt, name}[n], n != 1 || u.Email != ""
}

// expect finds and orders in memory.
func (h *searchHistory) expect(in core.ListUsers) []string {
	var want []string
	for _, u := range h.users {
		if in.State != "" && u.State != in.State || in.Type != "" && u.Type != in.Type || in.Reference != nil && (*in.Reference == "" || *in.Reference != u.Reference) {
			continue
		}
		for n := range 4 {
			if key, there := h.key(u, n); there && strings.HasPrefix(key, searched[in.Prefix]) {
				want = append(want, fmt.Sprintf("%d %s\x00%s", n, key, u.ID))
				break
			}
		}
	}
	slices.Sort(want)
	if in.Descending {
		slices.Reverse(want)
	}
	for i, w := range want {
		want[i] = w[strings.IndexByte(w, 0)+1:]
	}
	return want
}

// pages reads a search to its end, with something in between each two pages, and goes on by turns as Next says and after the last user.
func (h *searchHistory) pages(t *rapid.T, in core.ListUsers, between func()) (got []string) {
	for range 200 {
		page, err := h.w.Users.List(h.w.ctx, h.realm, in)
		if err != nil {
			t.Fatalf("List(%+v) = %v", in, err)
		}
		for _, u := range page.Users {
			got = append(got, string(u.ID))
		}
		if !page.More {
			if page.Next != (core.UserPlace{}) || len(page.Users) > in.Limit {
				t.Fatalf("List(%+v) = %d users, next %+v; want at most the limit, and nothing next", in, len(page.Users), page.Next)
			}
			return got
		}
		if len(page.Users) != in.Limit {
			t.Fatalf("List(%+v) = %d users and more; want a whole page of so few", in, len(page.Users))
		}
		in.After, in.AfterBy = page.Next.ID, page.Next.By
		if rapid.Bool().Draw(t, "by id alone") {
			in.After, in.AfterBy = page.Users[len(page.Users)-1].ID, ""
		}
		between()
	}
	t.Fatalf("List(%+v) does not come to its end", in)
	return nil
}

// draw draws what to search.
func (h *searchHistory) draw(t *rapid.T) core.ListUsers {
	in := h.listHistory.draw(t)
	in.Sort, in.Prefix, in.Limit = "", drawSearched.Draw(t, "prefix"), rapid.IntRange(1, 5).Draw(t, "limit")
	return in
}

// whole searches while nothing changes.
func (h *searchHistory) whole(t *rapid.T) {
	in := h.draw(t)
	if got, want := h.pages(t, in, func() {}), h.expect(in); !slices.Equal(got, want) {
		t.Fatalf("all pages of List(%+v) = %q; want %q", in, got, want)
	}
}

// moving searches while users are made and deleted: whoever is there all the time is shown once, in order.
func (h *searchHistory) moving(t *rapid.T) {
	in := h.draw(t)
	before := h.expect(in)
	got := h.pages(t, in, func() {
		if rapid.Bool().Draw(t, "delete") && len(h.users) > 0 {
			h.delete(t)
		} else if len(h.users) < 40 {
			h.add(t)
		}
	})
	after := h.expect(in)
	var stayed, seen []string
	for _, id := range before {
		if slices.Contains(after, id) {
			stayed = append(stayed, id)
		}
	}
	for _, id := range got {
		if slices.Contains(stayed, id) {
			seen = append(seen, id)
		}
	}
	if sorted := slices.Sorted(slices.Values(got)); !slices.Equal(seen, stayed) || len(slices.Compact(sorted)) != len(got) {
		t.Fatalf("all pages of List(%+v) while users come and go = %q; want of those who stayed each once: %q", in, got, stayed)
	}
}

// TestSearchHistories changes users at random, and compares searches with the same in memory.
func TestSearchHistories(t *testing.T) {
	histories(t, func(t *rapid.T, w *world, realm core.RealmID) {
		h := &searchHistory{listHistory{T: t, w: w, realm: realm, former: map[core.UserID]*core.User{}}}
		for range 8 {
			h.add(t)
		}
		t.Repeat(map[string]func(*rapid.T){"add": h.add, "change": h.change, "delete": h.delete, "moving": h.moving, "": h.whole})
	})
}

// TestSearchAfter goes on from users who changed, left, or were never found.
func TestSearchAfter(t *testing.T) {
	each(t, func(w *world) {
		person := func(username, email, first, last string) core.UserID {
			u, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: &username, Email: &email, FirstName: &first, LastName: &last}, core.Request{})
			w.must(err)
			return u.ID
		}
		person("lee1", "x1@example.com", "Ann", "Ng")
		byName, zoe := person("x2", "x2@example.com", "Lee", "Ng"), person("zoe", "zoe@example.com", "", "")
		byEmail, byLast := person("x3", "lee@example.com", "Lee", "Lee"), person("x4", "x4@example.com", "Al", "Lee")
		search := func(after core.UserID, by core.UserOrder) string {
			page, err := w.Users.List(w.ctx, w.realm.ID, core.ListUsers{Prefix: "LEE", After: after, AfterBy: by})
			if err != nil {
				return attributes(err)
			}
			var all []string
			for _, u := range page.Users {
				all = append(all, u.Username)
			}
			return strings.Join(all, " ")
		}
		for _, c := range []struct {
			after core.UserID
			by    core.UserOrder
			want  string
		}{
			{"", "", "lee1 x3 x4 x2"},
			{byEmail, "", "x4 x2"},
			{byEmail, core.OrderEmail, "x4 x2"},
			{byEmail, core.OrderNameAlt, "x2"},
			{byEmail, core.OrderName, "x2"}, // "lee lee" comes before "lee ng"
			{byName, core.OrderName, ""},
			{zoe, "", "after"},
			{byLast, core.OrderEmail, "after"},
			{byLast, core.OrderID, "after"},
			{byLast, "size", "after"},
			{"", core.OrderEmail, "after"},
		} {
			if got := search(c.after, c.by); got != c.want {
				t.Errorf("search after %s by %q = %q; want %q", c.after, c.by, got, c.want)
			}
		}
		w.must(w.Users.Delete(w.ctx, w.realm.ID, string(byEmail), core.Request{}))
		if got := search(byEmail, ""); got != "x4 x2" {
			t.Errorf("search after who was deleted = %q; want who came after them", got)
		}
		w.clock.Advance(24 * time.Hour)
		if got := search(byEmail, ""); got != "after" {
			t.Errorf("search after who was deleted a day ago = %q; want a complaint about after", got)
		}
		_, err := w.Users.List(w.ctx, w.realm.ID, core.ListUsers{AfterBy: core.OrderEmail, After: byLast})
		if got := attributes(err); got != "after" {
			t.Errorf("a list that is no search, after a place in one: complaint about %q; want after", got)
		}
	})
}

// TestSearchPassesOver searches where all are found by their username and again by their name: one page reads no more for it than
// it may, and the pages together show everybody once.
func TestSearchPassesOver(t *testing.T) {
	each(t, func(w *world) {
		w.programs(1100, "crowd")
		last := w.human("zp").ID
		_, err := w.Users.Update(w.ctx, w.realm.ID, string(last), core.UserChange{FirstName: ptr("Pzz")}, core.Request{})
		w.must(err)
		store := &watched{Store: w.store, before: func() {}, after: func() {}}
		users, ctx := w.another(store).Users, context.WithValue(w.ctx, byTest{}, true)
		in, got, short := core.ListUsers{Prefix: "p", Limit: 300}, map[core.UserID]int{}, 0
		for pages := 0; ; pages++ {
			store.calls = nil
			page, err := users.List(ctx, w.realm.ID, in)
			w.must(err)
			if calls := len(store.calls); calls > 60 || pages > 10 {
				t.Fatalf("page %d asks the store %d times; want at most 60 times on 10 pages", pages, calls)
			}
			for _, u := range page.Users {
				got[u.ID]++
			}
			if !page.More {
				break
			}
			if len(page.Users) < in.Limit {
				short++
			}
			in.After, in.AfterBy = page.Next.ID, page.Next.By
		}
		if len(got) != 1101 || got[last] != 1 || short == 0 {
			t.Errorf("the pages show %d users, the last %d times, and %d pages were cut short; want 1101, once, and some", len(got), got[last], short)
		}
		for id, n := range got {
			if n != 1 {
				t.Errorf("the pages show %s %d times; want once", id, n)
			}
		}
	})
}
