package client_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/client"
)

// TestUsers walks through a user's life.
func TestUsers(t *testing.T) {
	each(t, func(w *world) {
		users := w.c.Users
		made, err := users.Create(w.ctx, client.UserCreate{UserType: "human", Username: "ann", Email: "ann@example.com", Password: goodPassword,
			FirstName: "Ann", Reference: "c-1", Custom: map[string]any{"plan": "pro", "seats": 3}}, client.From(client.Origin{IP: "192.0.2.1"}))
		w.must(err)
		if made.Username != "ann" || *made.FirstName != "Ann" || string(made.Custom["seats"]) != "3" || made.CreatedAt.IsZero() {
			w.Errorf("Create = %+v; want ann as sent", made)
		}
		_, err = users.Create(w.ctx, client.UserCreate{UserType: "human", Username: "ann", Email: "other@example.com"})
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Kind != client.KindInvalid || e.Field("username") == "" {
			w.Errorf("Create of a taken username = %v; want ErrInvalid about username", err)
		}
		got, err := users.Get(w.ctx, "ann@example.com")
		w.must(err)
		if got.ID != made.ID {
			w.Errorf("Get by e-mail address = %s; want %s", got.ID, made.ID)
		}
		w.must(users.Delete(w.ctx, made.ID))
		if _, err := users.Get(w.ctx, made.ID); !errors.Is(err, client.ErrNotFound) {
			w.Errorf("Get of a deleted user = %v; want ErrNotFound", err)
		}
		if err := users.Delete(w.ctx, made.ID); !errors.Is(err, client.ErrNotFound) {
			w.Errorf("Delete of a deleted user = %v; want ErrNotFound", err)
		}
	})
}

// TestUserUpdate tells what is unset from what is set and what is cleared.
func TestUserUpdate(t *testing.T) {
	w := newWorld(t, boltStore(t))
	made, err := w.c.Users.Create(w.ctx, client.UserCreate{UserType: "human", Username: "ann", Email: "ann@example.com",
		FirstName: "Ann", LastName: "Lee", Reference: "c-1", Custom: map[string]any{"plan": "pro", "tags": []string{"a"}}})
	w.must(err)
	update := func(in client.UserUpdate) *client.User {
		w.Helper()
		u, err := w.c.Users.Update(w.ctx, made.ID, in)
		w.must(err)
		return u
	}
	if u := update(client.UserUpdate{}); *u.FirstName != "Ann" || *u.Reference != "c-1" || len(u.Custom) != 2 {
		t.Errorf("Update of nothing = %+v; want all as it was", u)
	}
	if u := update(client.UserUpdate{FirstName: new("Anna"), Reference: new("")}); *u.FirstName != "Anna" || u.Reference != nil || *u.LastName != "Lee" {
		t.Errorf("Update = %+v; want Anna Lee without a reference", u)
	}
	u := update(client.UserUpdate{Custom: map[string]any{"plan": nil, "seats": 2}})
	if seats, there := u.Custom["tags"]; there || string(u.Custom["seats"]) != "2" || string(u.Custom["plan"]) != "null" {
		t.Errorf("Update of custom = %s, %v; want it replaced", u.Custom, seats)
	}
	if u := update(client.UserUpdate{Custom: map[string]any{}}); len(u.Custom) != 0 {
		t.Errorf("Update with empty custom = %v; want none", u.Custom)
	}
	if _, err := w.c.Users.Update(w.ctx, made.ID, client.UserUpdate{Email: new("")}); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("Update without e-mail address = %v; want ErrInvalid", err)
	}
}

// TestUserNames finds users by names with whatever a path can be broken by.
func TestUserNames(t *testing.T) {
	w := newWorld(t, boltStore(t))
	made, err := w.c.Users.Create(w.ctx, client.UserCreate{UserType: "human", Username: "ann", Email: "ann+tag@example.com"})
	w.must(err)
	if u, err := w.c.Users.Get(w.ctx, *made.Email); err != nil || u.ID != made.ID {
		t.Errorf("Get(%q) = %v, %v; want ann", *made.Email, u, err)
	}
	for _, name := range []string{"", ".", ".."} {
		if _, err := w.c.Users.Get(w.ctx, name); !errors.Is(err, client.ErrMalformed) {
			t.Errorf("Get(%q) = %v; want ErrMalformed", name, err)
		}
	}
	for _, name := range []string{"?", "#", "a?b=c", "me", "../users", "%2e%2e", "--", "a b"} {
		if _, err := w.c.Users.Get(w.ctx, name); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("Get(%q) = %v; want ErrNotFound", name, err)
		}
	}
}

// TestUserList walks a list in pages and whole, in either direction, and from the middle.
func TestUserList(t *testing.T) {
	each(t, func(w *world) {
		for _, name := range []string{"ann", "ben", "cat", "dan", "eve"} {
			_, err := w.c.Users.Create(w.ctx, client.UserCreate{UserType: "human", Username: name, Email: name + "@example.com", Custom: map[string]any{"n": name}})
			w.must(err)
		}
		names := func(o client.UserListOptions) (names []string) {
			w.Helper()
			for u, err := range w.c.Users.All(w.ctx, o) {
				w.must(err)
				names = append(names, u.Username)
			}
			return names
		}
		all := []string{"ann", "ben", "cat", "dan", "eve"}
		if got := names(client.UserListOptions{Page: client.Page{Max: 2}}); !slices.Equal(got, all) {
			w.Errorf("All in pages of 2 = %v; want %v", got, all)
		}
		slices.Reverse(all)
		if got := names(client.UserListOptions{Page: client.Page{Max: 2}, Desc: true}); !slices.Equal(got, all) {
			w.Errorf("All, the last first = %v; want %v", got, all)
		}
		page, err := w.c.Users.List(w.ctx, client.UserListOptions{Page: client.Page{Max: 3}, Custom: true})
		w.must(err)
		if len(page.Collection) != 3 || !page.MoreResults || string(page.Collection[0].Custom["n"]) != `"ann"` {
			w.Errorf("List = %+v; want three with custom, and more", page)
		}
		if got := names(client.UserListOptions{Page: client.Page{After: page.Collection[2].ID}}); !slices.Equal(got, []string{"dan", "eve"}) {
			w.Errorf("All after cat = %v; want dan, eve", got)
		}
		if got := names(client.UserListOptions{Prefix: "b", State: "active", UserType: "human"}); !slices.Equal(got, []string{"ben"}) {
			w.Errorf("All that begin with b = %v; want ben", got)
		}
		_, err = w.c.Users.Update(w.ctx, "ann", client.UserUpdate{FirstName: new("Benedict"), LastName: new("Bell")})
		w.must(err)
		if got := names(client.UserListOptions{Page: client.Page{Max: 1}, Prefix: "BE"}); !slices.Equal(got, []string{"ben", "ann"}) {
			w.Errorf("All of whom a name begins with be = %v; want ben, and ann by her last name, each once", got)
		}
		if got := names(client.UserListOptions{Reference: new("")}); got != nil {
			w.Errorf("All of an empty reference = %v; want none", got)
		}
		for _, err := range w.c.Users.All(w.ctx, client.UserListOptions{Sort: "luck"}) {
			if !errors.Is(err, client.ErrInvalid) {
				w.Errorf("All by luck = %v; want ErrInvalid", err)
			}
		}
	})
}

// TestPasswords signs in, changes a password and sets a forgotten one anew.
func TestPasswords(t *testing.T) {
	each(t, func(w *world) {
		users := w.c.Users
		w.human("ann")
		in, err := users.Authenticate(w.ctx, "ann", goodPassword, client.From(client.Origin{IP: "192.0.2.1", Device: new("")}))
		w.must(err)
		if in.Token == "" || in.LoginToken != "" || in.Device == "" || in.User.Username != "ann" || in.User.Token != "" {
			w.Errorf("Authenticate = %+v; want a token and a device", in)
		}
		for name, want := range map[string]error{"ann": client.ErrUnauthenticated, "nobody": client.ErrNotFound} {
			if _, err := users.Authenticate(w.ctx, name, "wrong"); !errors.Is(err, want) {
				w.Errorf("Authenticate(%s) with a wrong password = %v; want %v", name, err, want)
			}
		}
		w.must(users.UpdatePassword(w.ctx, "ann", client.PasswordUpdate{CurrentPassword: goodPassword, Password: "another four words here"}))
		err = users.UpdatePassword(w.ctx, "ann", client.PasswordUpdate{CurrentPassword: goodPassword, Password: "another four words here"})
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Kind != client.KindInvalid || e.Fields[0].Message != "Current password does not match" {
			w.Errorf("UpdatePassword with a wrong one = %v; want ErrInvalid", err)
		}
		token, err := users.GeneratePasswordToken(w.ctx, "ann")
		w.must(err)
		if _, err := users.ResetPassword(w.ctx, "", token.Token, "short"); !errors.Is(err, client.ErrInvalid) {
			w.Errorf("ResetPassword to a short one = %v; want ErrInvalid", err)
		}
		_, err = users.ResetPassword(w.ctx, "", token.Token, goodPassword)
		w.must(err)
		_, err = users.ResetPassword(w.ctx, "ann", token.Token, goodPassword)
		if !errors.Is(err, &client.Error{Kind: client.KindNotFound, Code: "token_used"}) || errors.Is(err, &client.Error{Kind: client.KindNotFound, Code: "user_not_found"}) {
			w.Errorf("ResetPassword again = %v; want token_used", err)
		}
		if _, err := users.Authenticate(w.ctx, "ann", goodPassword); err != nil {
			w.Errorf("Authenticate with the new password = %v", err)
		}
	})
}

// TestNotLetIn holds what the comments of sign-ins say of users and realms that let nobody in.
func TestNotLetIn(t *testing.T) {
	w := newWorld(t, boltStore(t))
	w.human("ann")
	signIn := func(want, begun error) {
		t.Helper()
		if _, err := w.c.Sessions.Create(w.ctx, "ann"); !errors.Is(err, begun) {
			t.Errorf("Sessions.Create = %v; want %v", err, begun)
		}
		if _, err := w.c.Users.Authenticate(w.ctx, "ann", goodPassword); !errors.Is(err, want) {
			t.Errorf("Authenticate = %v; want %v", err, want)
		}
	}
	_, err := w.c.Users.Update(w.ctx, "ann", client.UserUpdate{State: new("inactive")})
	w.must(err)
	signIn(client.ErrUnauthenticated, client.ErrInvalid)
	_, err = w.c.Users.Update(w.ctx, "ann", client.UserUpdate{State: new("active")})
	w.must(err)
	_, err = w.c.Realms.Update(w.ctx, w.realm, client.RealmChange{State: new("inactive")})
	w.must(err)
	signIn(client.ErrForbidden, client.ErrForbidden)
	if _, err := w.c.Memberships.Create(w.ctx, client.MembershipCreate{UserID: "usr_0000000000000000000000"}); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("a membership of nobody = %v; want ErrInvalid", err)
	}
}

// TestEmails proves an e-mail address.
func TestEmails(t *testing.T) {
	w := newWorld(t, boltStore(t))
	w.human("ann")
	token, err := w.c.Users.RequestEmailVerification(w.ctx, "ann", client.From(client.Origin{IP: "192.0.2.1"}))
	w.must(err)
	if token.Email != "ann@example.com" {
		t.Errorf("RequestEmailVerification = %+v; want it for ann@example.com", token)
	}
	if _, err := w.c.Users.VerifyEmail(w.ctx, "ann", "kv_none"); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("VerifyEmail of a made-up token = %v; want ErrInvalid", err)
	}
	u, err := w.c.Users.VerifyEmail(w.ctx, "", token.Token)
	w.must(err)
	if u.EmailVerification != "verified" {
		t.Errorf("VerifyEmail = %s; want verified", u.EmailVerification)
	}
}

// TestAPIUsers signs in with an API key.
func TestAPIUsers(t *testing.T) {
	w := newWorld(t, boltStore(t))
	made, err := w.c.Users.Create(w.ctx, client.UserCreate{UserType: "api", Name: "robot", APIKey: "generate"})
	w.must(err)
	u, err := w.c.Users.AuthenticateKey(w.ctx, made.APIKey)
	w.must(err)
	if u.ID != made.ID || u.APIKey != "" {
		t.Errorf("AuthenticateKey = %+v; want the robot, and its key no more", u)
	}
	if _, err := w.c.Users.AuthenticateKey(w.ctx, "nobody's"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("AuthenticateKey of nobody's = %v; want ErrNotFound", err)
	}
	plain, err := w.c.Users.Create(w.ctx, client.UserCreate{UserType: "api", Permissions: []string{"read"}}, client.WithMemberships())
	w.must(err)
	if plain.APIKey != "" || len(plain.Credentials) != 0 || len(plain.Memberships) != 1 || plain.Memberships[0].OrgID != nil {
		t.Errorf("Create without key and org = %+v; want no key, and a membership in no org", plain)
	}
}

// TestRealms shows that a key for all realms must name one, and that a Client can be had for another.
func TestRealms(t *testing.T) {
	w := newWorld(t, boltStore(t))
	if _, err := w.client(client.Options{Key: w.key}).Users.Get(w.ctx, "ann"); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("Get without a realm = %v; want ErrInvalid", err)
	}
	if _, err := w.c.InRealm("elsewhere").Users.Get(w.ctx, "ann"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("Get in a realm that is none = %v; want ErrNotFound", err)
	}
	if _, err := w.client(client.Options{Key: "ko_wrong", Realm: w.realm}).Users.Get(w.ctx, "ann"); !errors.Is(err, client.ErrForbidden) {
		t.Errorf("Get with a wrong key = %v; want ErrForbidden", err)
	}
	text, err := json.Marshal(client.UserUpdate{})
	if err != nil || string(text) != "{}" {
		t.Errorf("an update of nothing is sent as %s, %v; want {}", text, err)
	}
}

// TestSearchPages goes on behind a page that is empty, where it says how, and not for ever.
func TestSearchPages(t *testing.T) {
	for next, want := range map[string]string{"email.usr_2": "ann ben", "email.usr_1": "ann error", "": "ann error"} {
		c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, map[string]string{
				"":            `{"more_results":true,"collection":[{"id":"usr_1","username":"ann"}],"next":"email.usr_1"}`,
				"email.usr_1": `{"more_results":true,"collection":[],"next":"` + next + `"}`,
				"email.usr_2": `{"more_results":false,"collection":[{"id":"usr_3","username":"ben"}]}`,
			}[r.URL.Query().Get("after")])
		})
		var got []string
		for u, err := range c.Users.All(t.Context(), client.UserListOptions{Prefix: "ann"}) {
			if err != nil {
				got = append(got, "error")
				break
			}
			got = append(got, u.Username)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("All, where an empty page has next %q, = %q; want %s", next, got, want)
		}
	}
}
