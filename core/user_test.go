package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

func TestUserLife(t *testing.T) {
	each(t, func(w *world) {
		u, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: ptr(" Johnny "),
			Email: ptr("Johnny@Example.com"), FirstName: ptr("Johnny"), LastName: ptr("Doe"), Reference: ptr("acct-7"),
			Custom: &core.Custom{"plan": json.RawMessage(`"gold"`)}}, core.Request{})
		w.must(err)
		if u.Username != "johnny" || u.Email != "johnny@example.com" || u.Name() != "Johnny Doe" {
			t.Errorf("Create = %q, %q, %q; want johnny, johnny@example.com, Johnny Doe", u.Username, u.Email, u.Name())
		}
		for _, name := range []string{string(u.ID), "johnny", "JOHNNY", "johnny@EXAMPLE.com"} {
			if got, err := w.Users.Get(w.ctx, w.realm.ID, name); err != nil || got.ID != u.ID {
				t.Errorf("Get(%q) = %v, %v; want the user", name, got, err)
			}
		}
		changed, err := w.Users.Update(w.ctx, w.realm.ID, "johnny", core.UserChange{Username: ptr("dave"), FirstName: ptr("")}, core.Request{})
		w.must(err)
		if changed.Username != "dave" || changed.Name() != "Doe" || string(changed.Custom["plan"]) != `"gold"` {
			t.Errorf("Update = %+v; want username dave, name Doe, plan gold", changed)
		}
		_, err = w.Users.Get(w.ctx, w.realm.ID, "johnny")
		w.refused("Get by the former name", err, core.ErrUserNotFound)
		_, err = w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: ptr("johnny")}, core.Request{})
		w.must(err) // the name is free again
		w.must(w.Users.Delete(w.ctx, w.realm.ID, "dave", core.Request{}))
		_, err = w.Users.Get(w.ctx, w.realm.ID, string(u.ID))
		w.refused("Get after Delete", err, core.ErrUserNotFound)
		w.refused("Delete twice", w.Users.Delete(w.ctx, w.realm.ID, string(u.ID), core.Request{}), core.ErrUserNotFound)
	})
}

func TestUserRefusals(t *testing.T) {
	human := core.UserHuman
	base := func(change func(*core.UserChange)) core.UserChange {
		in := core.UserChange{Type: &human, Username: ptr("somebody"), Email: ptr("somebody@example.com")}
		change(&in)
		return in
	}
	tests := []struct {
		name string
		in   core.UserChange
		want string
	}{
		{"no type", base(func(c *core.UserChange) { c.Type = nil }), "User type must be human or api"},
		{"no username", base(func(c *core.UserChange) { c.Username = nil }), "Username can't be blank"},
		{"blank username", base(func(c *core.UserChange) { c.Username = ptr("  ") }), "Username can't be blank"},
		{"no email", base(func(c *core.UserChange) { c.Email = nil }), "Email can't be blank"},
		{"route as username", base(func(c *core.UserChange) { c.Username = ptr("ME") }), "Username is reserved"},
		{"id as username", base(func(c *core.UserChange) { c.Username = ptr("usr_x") }), "Username is reserved"},
		{"slash", base(func(c *core.UserChange) { c.Username = ptr("a/b") }), "Username contains characters that are not allowed"},
		{"invisible", base(func(c *core.UserChange) { c.Username = ptr("a\u200bb") }), "Username contains characters that are not allowed"},
		{"not UTF-8", base(func(c *core.UserChange) { c.Username = ptr("a\xff") }), "Username contains characters that are not allowed"},
		{"no address", base(func(c *core.UserChange) { c.Email = ptr("somebody") }), "Email is not a valid address"},
		{"state", base(func(c *core.UserChange) { c.State = ptr(core.State("asleep")) }), "State must be active or inactive"},
		{"custom key", base(func(c *core.UserChange) { c.Custom = &core.Custom{"a-b": json.RawMessage(`1`)} }), "Custom keys must have 1 to 64 letters, digits and underscores"},
		{"custom value", base(func(c *core.UserChange) { c.Custom = &core.Custom{"a": json.RawMessage(`{}`)} }), "Custom values must be strings, numbers, booleans, null or arrays of those"},
		{"short password", base(func(c *core.UserChange) { c.Password = ptr("short") }), "Password is too short (minimum is 15 characters)"},
		{"long password", base(func(c *core.UserChange) { c.Password = ptr(strings.Repeat("x", 1025)) }), "Password is too long (maximum is 1024 bytes)"},
		{"confirmation", base(func(c *core.UserChange) { c.Password, c.PasswordConfirmation = ptr(goodPassword), ptr("other") }), "Password confirmation does not match"},
	}
	w := newWorld(t, teststoreBolt(t))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.Users.Create(w.ctx, w.realm.ID, tt.in, core.Request{})
			e, ok := errors.AsType[*core.Error](err)
			if !ok || e.Kind != core.KindInvalid || e.Error() != tt.want {
				t.Errorf("Create = %v; want %q", err, tt.want)
			}
		})
	}
	if _, err := w.Users.Get(w.ctx, w.realm.ID, "somebody"); !errors.Is(err, core.ErrUserNotFound) {
		t.Errorf("Get after refusals = %v; want nobody", err)
	}
}

// TestAllThatIsWrong leaves a form empty, which people do who press the button too soon: they are told all of it at once.
func TestAllThatIsWrong(t *testing.T) {
	w := newWorld(t, teststoreBolt(t))
	human, blank := core.UserHuman, ""
	for name, in := range map[string]core.UserChange{
		"nothing":       {Type: &human},
		"empty":         {Type: &human, Username: &blank, Email: &blank},
		"spaces":        {Type: &human, Username: ptr("  "), Email: ptr("  ")},
		"half of it":    {Type: &human, Username: ptr(" ")},
		"the other one": {Type: &human, Email: &blank},
	} {
		_, err := w.Users.Create(w.ctx, w.realm.ID, in, core.Request{})
		_, _, parked := w.Users.Park(w.ctx, w.realm.ID, in)
		for call, err := range map[string]error{"Create": err, "Park": parked} {
			e, ok := errors.AsType[*core.Error](err)
			want := []core.FieldError{{Attribute: "username", Message: "Username can't be blank"}, {Attribute: "email", Message: "Email can't be blank"}}
			if !ok || !slices.Equal(e.Fields, want) {
				t.Errorf("%s of %s = %v; want that username and email are blank", call, name, err)
			}
		}
	}
	_, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{}, core.Request{})
	e, ok := errors.AsType[*core.Error](err)
	want := []core.FieldError{{Attribute: "user_type", Message: "User type must be human or api"}, {Attribute: "username", Message: "Username can't be blank"},
		{Attribute: "email", Message: "Email can't be blank"}}
	if !ok || !slices.Equal(e.Fields, want) {
		t.Errorf("Create of nothing, not even a type = %v; want %v", err, want)
	}
}

// TestImportAgain imports what another system does not date: it is found again however late.
func TestImportAgain(t *testing.T) {
	each(t, func(w *world) {
		in := core.UserImport{Source: "legacy:1", UserChange: core.UserChange{Username: ptr("kim")}}
		first, made, err := w.Users.Import(w.ctx, w.realm.ID, in, false, core.Request{})
		w.must(err)
		w.clock.Advance(time.Hour)
		again, remade, err := w.Users.Import(w.ctx, w.realm.ID, in, false, core.Request{})
		if err != nil || !made || remade || again != first {
			t.Errorf("Import again = %s, %t, %v; want %s, who is there", again, remade, err, first)
		}
	})
}

// TestNamesOfBlanks has nobody called by blanks: there is always a name to show (Users API, "Fields").
func TestNamesOfBlanks(t *testing.T) {
	each(t, func(w *world) {
		robot, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: ptr("robot"), Name: ptr(" \t ")}, core.Request{})
		w.must(err)
		person, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: ptr("ann"), Email: ptr("ann@example.com"),
			FirstName: ptr(" Ann"), LastName: ptr("Lee")}, core.Request{})
		w.must(err)
		if robot.Name() != "robot" || person.FirstName != " Ann" {
			t.Errorf("Create = %q and first name %q; want robot, and the other as sent", robot.Name(), person.FirstName)
		}
		person, err = w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{FirstName: ptr("  "), LastName: ptr("\u00a0")}, core.Request{})
		w.must(err)
		if person.FirstName != "" || person.LastName != "" || person.Name() != "ann" {
			t.Errorf("Update = %q %q, called %q; want no names, called ann", person.FirstName, person.LastName, person.Name())
		}
	})
}

// TestNamesAreUnique lets fifty create users at once under spellings of one name: as usernames, as e-mail addresses, and as both, which
// are one namespace. Exactly one may win, and the others hear what of theirs is taken.
func TestNamesAreUnique(t *testing.T) {
	addresses := []string{"one@example.com", "ONE@example.COM", "Oｎe@example.com", " one@example.com "}
	username := func(i int) core.UserChange {
		return core.UserChange{Type: ptr(core.UserAPI), Username: &[]string{"one", "ONE", "Oｎe", " one "}[i%4]}
	}
	email := func(i int) core.UserChange {
		return core.UserChange{Type: ptr(core.UserHuman), Username: ptr(fmt.Sprint("user", i)), Email: &addresses[i%4]}
	}
	either := func(i int) core.UserChange {
		if i%2 == 0 {
			return email(i / 2)
		}
		return core.UserChange{Type: ptr(core.UserAPI), Username: &addresses[i/2%4]}
	}
	each(t, func(w *world) {
		w.oneWins("usernames", username, "Username has already been taken")
		w.oneWins("addresses", email, "Email has already been taken")
		w.must(w.Users.Delete(w.ctx, w.realm.ID, addresses[0], core.Request{}))
		w.oneWins("usernames and addresses", either, "Username has already been taken", "Email has already been taken")
	})
}

// oneWins creates fifty users at once, of whom all but one are to be refused with one of some messages.
func (w *world) oneWins(what string, user func(i int) core.UserChange, messages ...string) {
	w.Helper()
	var all sync.WaitGroup
	told := make([]string, 50)
	for i := range told {
		all.Go(func() {
			if _, err := w.Users.Create(w.ctx, w.realm.ID, user(i), core.Request{}); err != nil {
				told[i] = err.Error()
			}
		})
	}
	all.Wait()
	wins := 0
	for i, text := range told {
		switch {
		case text == "":
			wins++
		case !slices.Contains(messages, text):
			w.Errorf("%s: Create %d = %s; want a user, or %q", what, i, text, messages)
		}
	}
	if wins != 1 {
		w.Errorf("%s: %d of 50 won; want 1", what, wins)
	}
}

// TestUpdatesTakeTurns changes one user fifty times at once. Nobody said that it should be as they read it, so all are served, and
// none undoes what another changed.
func TestUpdatesTakeTurns(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				text := strconv.Itoa(i)
				in := []core.UserChange{{FirstName: &text}, {LastName: &text}, {Reference: &text}}[i%3]
				if _, err := w.Users.Update(w.ctx, w.realm.ID, string(ann.ID), in, core.Request{}); err != nil {
					w.Errorf("Update %d of 50 at once = %v; want it served", i, err)
				}
			})
		}
		all.Wait()
		got, err := w.Users.Get(w.ctx, w.realm.ID, string(ann.ID))
		w.must(err)
		if got.FirstName == "" || got.LastName == "" || got.Reference == "" {
			w.Errorf("after changes of three attributes at once they are %q, %q and %q; want none of them empty", got.FirstName, got.LastName, got.Reference)
		}
	})
}

// TestOneNamespace holds usernames and e-mail addresses, which both sign in, to one namespace.
func TestOneNamespace(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		_, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: ptr("ANN@example.com")}, core.Request{})
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Error() != "Username has already been taken" {
			w.Errorf("Create with another's address as username = %v; want a name that is taken", err)
		}
	})
}

func TestRealmsAreApart(t *testing.T) {
	each(t, func(w *world) {
		u := w.human("ann")
		in := w.signIn("ann")
		other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
		w.must(err)
		_, err = w.Users.Get(w.ctx, other.ID, string(u.ID))
		w.refused("Get by id from another realm", err, core.ErrUserNotFound)
		_, err = w.Users.Get(w.ctx, other.ID, "ann")
		w.refused("Get by name from another realm", err, core.ErrUserNotFound)
		_, err = w.Sessions.Resolve(w.ctx, other.ID, in.Token)
		w.refused("Resolve in another realm", err, core.ErrInvalidToken)
		w.refused("Delete a session from another realm", w.Sessions.Delete(w.ctx, other.ID, in.Session.ID, core.Request{}), core.ErrSessionNotFound)
		found, err := w.Realms.Find(w.ctx, "other")
		if err != nil || found.ID != other.ID {
			w.Errorf("Find(other) = %v, %v; want the realm", found, err)
		}
	})
}
