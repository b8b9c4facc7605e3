package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// TestLetters holds what e-mails are told: the token to its own user, and to nobody afterwards.
func TestLetters(t *testing.T) {
	each(t, func(w *world) {
		c := w.withCourier()
		w.letterHook("user.email.verification_requested")
		w.webhook("user.email.verification_requested")
		u := w.human("ann")
		w.must(w.AppendEvent(w.ctx, w.realm, core.Event{Realm: w.realm.ID, Type: "user.email.verification_requested", User: u.ID, Secret: "kv_token"}))
		c.does = func(d *core.Delivery) core.Attempted {
			if d.Hook.Type == core.HookWebhook {
				if d.Event.Sealed != "" || d.Event.Secret != "" || d.Fields != nil {
					t.Errorf("a webhook is given a secret: %+v", d.Event)
				}
				return core.Attempted{Result: core.Delivered}
			}
			if d.To != "ann@example.com" || d.Fields["token"] != "kv_token" || d.Fields["link"] != "https://app.example.com/auth/verify-email?token=kv_token" {
				t.Errorf("the letter is to %q, with %v", d.To, d.Fields)
			}
			return core.Attempted{Result: core.Delivered}
		}
		w.must(w.DeliverNow(w.ctx))
		if got := c.told(); got != "user.email.verification_requested user.email.verification_requested" {
			t.Errorf("told %q; want both hooks", got)
		}
		event := w.events(core.ListEvents{Types: []string{"user.email"}}).Events[0]
		all, err := w.Events.Notifications(w.ctx, w.realm.ID, event)
		w.must(err)
		for _, n := range all[event.ID] {
			if n.Sealed != "" {
				t.Errorf("the notification still holds the token: %+v", n)
			}
			if _, err := w.Events.Redeliver(w.ctx, w.realm.ID, n.ID); n.HookType == core.HookEmail {
				w.refused("Redeliver of an e-mail whose token is gone", err, core.ErrTokenGone)
			} else {
				w.must(err)
			}
		}
	})
}

// TestLettersSayUntilWhen holds that an e-mail says of its token what its realm says, however long it was on its way.
func TestLettersSayUntilWhen(t *testing.T) {
	w := newWorldOnBolt(t)
	c := w.withCourier()
	w.letterHook("user.password_token.created")
	w.letterHook("user.email.verification_requested")
	w.letterHook("user.created")
	_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) {
		s.PasswordTokenLifetime, s.EmailTokenLifetime = 60*60, 2*60*60
	}}, core.Request{})
	w.must(err)
	ann := w.human("ann")
	_, _, err = w.Passwords.NewToken(w.ctx, w.realm.ID, "ann", core.Request{})
	w.must(err)
	_, _, err = w.Users.RequestVerification(w.ctx, w.realm.ID, "ann", core.Request{})
	w.must(err)
	made := w.clock.Now()
	w.clock.Advance(10 * time.Minute)
	w.must(w.DeliverNow(w.ctx))
	after := func(d time.Duration) string { return made.Add(d).UTC().Format("2 January 2006, 15:04 UTC") }
	want := map[string]string{"user.password_token.created": after(time.Hour), "user.email.verification_requested": after(2 * time.Hour), "user.created": ""}
	for _, d := range c.got {
		if got := d.Fields["token.until"]; got != want[d.Event.Type] || d.To != ann.Email {
			t.Errorf("the letter of %s says %q; want %q", d.Event.Type, got, want[d.Event.Type])
		}
	}
	if len(c.got) != len(want) {
		t.Errorf("%d letters were sent; want %d", len(c.got), len(want))
	}
}

// TestVerificationLetters holds that whoever is asked to prove an address is given what proves it, whichever call asks. The state alone,
// said anew, asks for nothing.
func TestVerificationLetters(t *testing.T) {
	each(t, func(w *world) {
		c := w.withCourier()
		w.letterHook("user.email.verification_requested")
		proves := func(what, address string) {
			w.Helper()
			w.must(w.DeliverNow(w.ctx))
			if len(c.got) != 1 || c.got[0].To != address {
				w.Fatalf("%s sent %d letters; want one to %s", what, len(c.got), address)
			}
			if err := w.verify("ann", c.got[0].Fields["token"]); err != nil {
				w.Errorf("VerifyEmail by the token that %s sent = %v; want it verified", what, err)
			}
			c.told()
		}
		update := func(in core.UserChange) error {
			_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", in, core.Request{})
			return err
		}
		requested := ptr(core.EmailRequested)
		_, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: ptr("ann"), Email: ptr("ann@example.com"),
			EmailVerification: requested}, core.Request{})
		w.must(err)
		proves("a new user", "ann@example.com")
		w.must(update(core.UserChange{EmailVerification: requested}))
		proves("another state", "ann@example.com")
		w.must(update(core.UserChange{EmailVerification: requested, Email: ptr("new@example.com")}))
		proves("another address", "new@example.com")

		w.must(update(core.UserChange{EmailVerification: requested}))
		w.must(update(core.UserChange{EmailVerification: requested, Email: ptr("old@example.com")}))
		w.must(w.DeliverNow(w.ctx))
		if got := c.told(); got != "user.email.verification_requested user.email.verification_requested" {
			t.Errorf("told %q; want a letter each, to the former address and to that in its place", got)
		}
		w.must(update(core.UserChange{EmailVerification: requested, FirstName: ptr("Ann")}))
		w.must(update(core.UserChange{Email: ptr("ann@example.com")}))
		w.must(w.DeliverNow(w.ctx))
		if got := c.told(); got != "" {
			t.Errorf("told %q of a state that was said anew, and of an address that nobody wants proved; want no letter", got)
		}
		w.must(update(core.UserChange{EmailVerification: requested, Email: ptr("fifth@example.com")}))
		err = update(core.UserChange{EmailVerification: requested, Email: ptr("sixth@example.com")})
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindThrottled {
			t.Errorf("a sixth letter = %v; want throttled", err)
		}
	})
}

// TestMailServerThatTakesNothing holds that it is told once that the mail server takes no e-mails, and once that it does again; what it refuses
// of one letter is not about it.
func TestMailServerThatTakesNothing(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	carrier := &courier{}
	var told []string
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	w.must(err)
	w.Core, err = core.New(core.Options{Store: w.store, MasterKey: master, Now: w.clock.Now, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1}, Courier: carrier,
		Trouble: func(work string, err error) { told = append(told, fmt.Sprint(work, ": ", err)) }})
	w.must(err)
	w.letterHook("user.created")
	for _, step := range []struct {
		name string
		does core.Attempted
		want []string
	}{
		{"ann", core.Attempted{Result: core.Rejected, Line: "550"}, nil},
		{"bob", core.Attempted{Destination: "mail server here", Line: "it did not let us in: 535", Unserved: true}, []string{"mail server: mail server here: it did not let us in: 535"}},
		{"cat", core.Attempted{Line: "it could not be reached", Unserved: true}, nil},
		{"dan", core.Attempted{Line: "450"}, []string{"mail server: <nil>"}},
		{"eve", core.Attempted{Result: core.Delivered}, nil},
	} {
		told, carrier.does = nil, func(*core.Delivery) core.Attempted { return step.does }
		w.human(step.name)
		w.must(w.DeliverNow(w.ctx))
		if !slices.Equal(told, step.want) {
			t.Errorf("after %+v, told %q; want %q", step.does, told, step.want)
		}
	}
}

// TestMailServerIsAnothers holds that a process which e-mails failed for no longer says so once another sends them.
func TestMailServerIsAnothers(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	carrier := &courier{does: func(*core.Delivery) core.Attempted {
		return core.Attempted{Line: "it could not be reached", Unserved: true}
	}}
	looking, end := context.WithTimeout(w.ctx, time.Minute)
	defer end()
	var told []bool
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	w.must(err)
	w.Core, err = core.New(core.Options{Store: w.store, MasterKey: master, Now: w.clock.Now, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1}, Courier: carrier,
		Trouble: func(_ string, err error) {
			if told = append(told, err != nil); err == nil {
				end()
			}
		}})
	w.must(err)
	w.letterHook("user.created")
	w.human("ann")
	w.must(w.DeliverNow(w.ctx))
	if held, err := w.another(w.store).Hold(w.ctx, "events"); !held || err != nil {
		t.Fatalf("Hold by another = %v, %v", held, err)
	}
	w.WhileLeased(looking, "events", time.Microsecond, func(context.Context) error { return nil })
	if !slices.Equal(told, []bool{true, false}) {
		t.Errorf("told %v; want once that it fails, and once that it does not", told)
	}
}
