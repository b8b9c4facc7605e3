package core_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// courier is a Courier that notes what it is given, and does as it is told.
type courier struct {
	mu   sync.Mutex
	got  []*core.Delivery
	does func(d *core.Delivery) core.Attempted // default: it is delivered

	mailless bool
	refuses  string // a destination
}

// Refuses refuses one destination.
func (c *courier) Refuses(destination string) string {
	return map[bool]string{true: "must be another"}[destination == c.refuses]
}

// Mails reports whether there is a mail server.
func (c *courier) Mails() bool { return !c.mailless }

// Sender returns what the hook says.
func (c *courier) Sender(h *core.AppHook) string { return h.Letter.From }

func (c *courier) Deliver(_ context.Context, d *core.Delivery) core.Attempted {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, d)
	if c.does != nil {
		return c.does(d)
	}
	return core.Attempted{Result: core.Delivered, Destination: "there", Line: "200 OK"}
}

// told returns the events delivered, "type:notification state", and forgets them.
func (c *courier) told() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, d := range c.got {
		all = append(all, d.Event.Type)
	}
	c.got = nil
	return strings.Join(all, " ")
}

// withCourier makes the world's core one that delivers.
func (w *world) withCourier() *courier {
	w.Helper()
	c := &courier{}
	w.Core = w.delivering(w.store, c)
	return c
}

// delivering returns a core over a store that has a courier.
func (w *world) delivering(store core.Store, c core.Courier) *core.Core {
	w.Helper()
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	w.must(err)
	made, err := core.New(core.Options{Store: store, MasterKey: master, Now: w.clock.Now, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1},
		Courier: c, LinkBase: "https://app.example.com/auth"})
	w.must(err)
	return made
}

// webhook makes a webhook for types of events.
func (w *world) webhook(types ...string) *core.AppHook {
	w.Helper()
	h, _, err := w.AppHooks.Create(w.ctx, w.realm.ID, core.HookWebhook, core.AppHookChange{
		Destination: ptr("https://ann:secret@app.example.com/hook"), EventTypes: &types}, core.Request{})
	w.must(err)
	return h
}

// letterHook makes an e-mail hook with the built-in letter.
func (w *world) letterHook(kind string) *core.AppHook {
	w.Helper()
	h, _, err := w.AppHooks.Create(w.ctx, w.realm.ID, core.HookEmail, core.AppHookChange{EventTypes: &[]string{kind}}, core.Request{})
	w.must(err)
	return h
}

// notification returns the only notification of the user's latest event of a type.
func (w *world) notification(kind string) *core.Notification {
	w.Helper()
	event := w.events(core.ListEvents{Types: []string{kind}, Limit: 1}).Events[0]
	all, err := w.Events.Notifications(w.ctx, w.realm.ID, event)
	w.must(err)
	if len(all[event.ID]) != 1 {
		w.Fatalf("%s has %d notifications; want 1", kind, len(all[event.ID]))
	}
	return all[event.ID][0]
}

// TestDelivery delivers to those who want to hear, once each.
func TestDelivery(t *testing.T) {
	each(t, func(w *world) {
		c := w.withCourier()
		w.human("before")
		w.must(w.DeliverNow(w.ctx))
		all, some := w.webhook(), w.webhook("user.created", "user.deleted")
		_, _, err := w.AppHooks.Create(w.ctx, w.realm.ID, core.HookWebhook, core.AppHookChange{State: ptr(core.StateInactive), Destination: ptr("https://example.com/")}, core.Request{})
		w.must(err)
		other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
		w.must(err)
		_, _, err = w.AppHooks.Create(w.ctx, other.ID, core.HookWebhook, core.AppHookChange{Destination: ptr("https://example.com/")}, core.Request{})
		w.must(err)
		w.must(w.DeliverNow(w.ctx))
		c.told()

		w.human("ann")
		w.must(w.DeliverNow(w.ctx))
		hooks := map[core.AppHookID]int{}
		for _, d := range c.got {
			hooks[d.Hook.ID]++
			if len(d.Secrets) != 1 || len(d.Secrets[0]) != 32 || d.Hook.Destination != "https://ann:secret@app.example.com/hook" {
				t.Errorf("delivery has %d secrets and destination %q", len(d.Secrets), d.Hook.Destination)
			}
		}
		if got := c.told(); got != "user.created user.created" || hooks[all.ID] != 1 || hooks[some.ID] != 1 {
			t.Errorf("delivered %q to %v; want user.created to both, once", got, hooks)
		}
		w.signIn("ann")
		w.must(w.DeliverNow(w.ctx))
		w.must(w.DeliverNow(w.ctx))
		if got := c.told(); got != "user.login.succeeded" {
			t.Errorf("delivered %q; want the sign-in to the one hook for all, once", got)
		}
		n := w.notification("user.login")
		if n.State != core.NotificationCompleted || n.Attempts != 1 || n.Log[0].Result != "200 OK" || n.Log[0].Destination != "there" || !n.DueAt.IsZero() {
			t.Errorf("notification = %+v; want it completed", n)
		}
	})
}

// TestPresetHook makes a realm with the hook that clients of the Users API count on. It writes where there is a mail server and
// to people alone; where there is none it keeps silent, until somebody says that it is meant.
func TestPresetHook(t *testing.T) {
	each(t, func(w *world) {
		c := w.withCourier()
		realm, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "shop", Mail: true}, core.Request{})
		w.must(err)
		w.realm = realm
		hooks, err := w.AppHooks.List(w.ctx, realm.ID)
		w.must(err)
		if len(hooks) != 1 || hooks[0].Type != core.HookEmail || hooks[0].State != core.StateActive || strings.Join(hooks[0].EventTypes, " ") != "user.password_token.created" {
			t.Fatalf("hooks of the realm = %+v; want one that writes to whoever forgot their password", hooks)
		}
		ann := w.human("ann")
		_, token, err := w.Passwords.NewToken(w.ctx, realm.ID, "ann", core.Request{})
		w.must(err)
		w.must(w.DeliverNow(w.ctx))
		if len(c.got) != 1 || c.got[0].To != ann.Email || c.got[0].Fields["link"] != "https://app.example.com/auth/reset-password?token="+token {
			t.Errorf("delivered %+v; want the link, to ann", c.got)
		}

		silent := &courier{mailless: true}
		w.Core = w.delivering(w.store, silent)
		w.clock.Advance(time.Second)
		_, _, err = w.Passwords.NewToken(w.ctx, realm.ID, "ann", core.Request{})
		w.must(err)
		w.must(w.DeliverNow(w.ctx))
		event := w.events(core.ListEvents{Types: []string{"user.password_token.created"}, Limit: 1}).Events[0]
		if all, err := w.Events.Notifications(w.ctx, realm.ID, event); err != nil || len(all[event.ID]) != 0 || len(silent.got) != 0 {
			t.Errorf("without a mail server there are notifications %+v, %v; want none", all, err)
		}
		_, err = w.AppHooks.Update(w.ctx, hooks[0].ID, core.AppHookChange{State: ptr(core.StateActive)}, core.Request{})
		w.must(err)
		_, _, err = w.Passwords.NewToken(w.ctx, realm.ID, "ann", core.Request{})
		w.must(err)
		w.must(w.DeliverNow(w.ctx))
		if got := silent.told(); got != "user.password_token.created" {
			t.Errorf("delivered %q; want what was asked for, which then fails aloud", got)
		}
	})
}

// TestPresetHookLosesItsServer notes an e-mail while there is a mail server and comes to it when there is none: it is canceled.
func TestPresetHookLosesItsServer(t *testing.T) {
	w := newWorldOnBolt(t)
	realm, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "shop", Mail: true}, core.Request{})
	w.must(err)
	w.realm = realm
	w.human("ann")
	_, _, err = w.Passwords.NewToken(w.ctx, realm.ID, "ann", core.Request{})
	w.must(err)
	w.events(core.ListEvents{}) // by a process that carries nothing
	w.Core = w.delivering(w.store, &courier{mailless: true})
	w.must(w.DeliverNow(w.ctx))
	if n := w.notification("user.password_token.created"); n.State != core.NotificationCanceled || n.Sealed != "" || !strings.Contains(n.Log[0].Result, "no mail server") {
		t.Errorf("notification = %+v; want it canceled, and the token gone", n)
	}
}

// TestRetries fails for two days, is given up, and delivered anew.
func TestRetries(t *testing.T) {
	each(t, func(w *world) {
		c := w.withCourier()
		c.does = func(*core.Delivery) core.Attempted { return core.Attempted{Line: "503 Service Unavailable"} }
		w.webhook("user.created")
		begun := w.clock.Now()
		w.human("ann")
		var id core.NotificationID
		for tries := 1; ; tries++ {
			w.must(w.DeliverNow(w.ctx))
			n := w.notification("user.created")
			if id = n.ID; n.Attempts != tries || len(n.Log) != tries {
				t.Fatalf("after try %d there are %d attempts, %d in the log", tries, n.Attempts, len(n.Log))
			}
			if n.State == core.NotificationFailed {
				break
			}
			w.clock.Advance(n.DueAt.Sub(w.clock.Now()) - time.Millisecond)
			w.must(w.DeliverNow(w.ctx))
			if got := len(c.got); got != tries {
				t.Fatalf("a try was made too early: %d, want %d", got, tries)
			}
			w.clock.Advance(time.Millisecond)
		}
		if took := w.clock.Now().Sub(begun); took < 46*time.Hour || took > 50*time.Hour || len(c.got) != 11 {
			t.Errorf("given up after %s and %d tries; want about two days and 11", took, len(c.got))
		}
		for _, d := range c.got {
			if d.Notification.ID != id {
				t.Errorf("a try was made under %s; want %s each time", d.Notification.ID, id)
			}
		}
		c.told()
		c.does = nil
		n, err := w.Events.Redeliver(w.ctx, w.realm.ID, id)
		if err != nil || n.State != core.NotificationInProgress {
			t.Fatalf("Redeliver = %+v, %v; want it in progress", n, err)
		}
		w.must(w.DeliverNow(w.ctx))
		if n = w.notification("user.created"); c.told() != "user.created" || n.State != core.NotificationCompleted || n.Attempts != 12 {
			t.Errorf("after redelivery the notification is %+v; want it completed", n)
		}
		_, err = w.Events.Redeliver(w.ctx, w.realm.ID, "ent_0000000000000000000000")
		w.refused("Redeliver of nothing", err, core.ErrNotificationNotFound)
	})
}

// TestDeliveryInterrupted dies after each step on the way, and holds that another process still delivers.
func TestDeliveryInterrupted(t *testing.T) {
	for _, step := range []string{"read", "claim", "conclude"} {
		t.Run(step, func(t *testing.T) {
			each(t, func(w *world) {
				w.webhook("user.created")
				w.marked() // which takes writes of its own
				c := &courier{}
				store := &mortal{Store: w.store}
				w.must(w.delivering(store, c).DeliverNow(w.ctx))
				w.human("ann")
				store.left = map[string]int{"read": 0, "claim": 1, "conclude": 2}[step]
				store.mortal = true
				_ = w.delivering(store, c).DeliverNow(w.ctx) // fails
				tried := len(c.got)
				w.Core = w.delivering(w.store, c)
				w.clock.Advance(core.ClaimTime)
				w.must(w.DeliverNow(w.ctx))
				n := w.notification("user.created")
				if len(c.got) != tried+1 || n.State != core.NotificationCompleted {
					t.Errorf("tries before and after the crash: %d, %d; %+v; want one more, and it completed", tried, len(c.got), n)
				}
				if want := map[string]int{"read": 0, "claim": 0, "conclude": 1}[step]; tried != want {
					t.Errorf("tries before the crash: %d; want %d", tried, want)
				}
				for _, d := range c.got {
					if d.Notification.ID != n.ID {
						t.Errorf("told as %s; want %s each time", d.Notification.ID, n.ID)
					}
				}
				w.must(w.DeliverNow(w.ctx))
				if len(c.got) != tried+1 {
					t.Error("told again after it was completed")
				}
			})
		})
	}
}

// TestSlowDelivery takes longer over a delivery than a claim lasts: nobody else makes it meanwhile, since the claim is renewed.
func TestSlowDelivery(t *testing.T) {
	each(t, func(w *world) {
		w.webhook("user.created")
		slow, other := &courier{}, &courier{}
		calls, answers := make(chan struct{}), make(chan struct{})
		slow.does = func(*core.Delivery) core.Attempted {
			close(calls)
			<-answers
			return core.Attempted{Result: core.Delivered}
		}
		at := w.delivering(w.store, slow)
		at.RenewClaims(time.Millisecond)
		w.Core = w.delivering(w.store, other)
		w.human("ann")
		delivered := make(chan error, 1)
		go func() { delivered <- at.DeliverNow(w.ctx) }()
		select {
		case <-calls:
		case err := <-delivered:
			w.Fatalf("DeliverNow = %v, and nothing was delivered", err)
		}
		for range 5 {
			w.clock.Advance(core.ClaimTime / 2)
			w.becomes("the claim is renewed", func() bool {
				return w.notification("user.created").DueAt.Sub(w.clock.Now()) > core.ClaimTime/2
			})
			w.must(w.DeliverNow(w.ctx))
		}
		close(answers)
		w.must(<-delivered)
		w.must(w.DeliverNow(w.ctx))
		if n := w.notification("user.created"); len(other.got) != 0 || n.State != core.NotificationCompleted || n.Attempts != 1 || !n.DueAt.IsZero() {
			w.Errorf("another process delivered %d times, and the notification is %+v; want it delivered once, by who began", len(other.got), n)
		}
	})
}

// mortal is a store that dies after a number of writes.
type mortal struct {
	core.Store
	mu     sync.Mutex
	mortal bool
	left   int
}

func (s *mortal) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mortal {
		if s.left == 0 {
			return core.Outcome{}, core.ErrUnavailable
		}
		s.left--
	}
	return s.Store.Apply(ctx, tx)
}

// TestDeliveryCanceled has nobody left to tell.
func TestDeliveryCanceled(t *testing.T) {
	each(t, func(w *world) {
		c := w.withCourier()
		gone := w.webhook("user.created")
		w.human("ann")
		w.events(core.ListEvents{}) // read, and made out
		w.must(w.AppHooks.Delete(w.ctx, gone.ID, core.Request{}))
		w.must(w.DeliverNow(w.ctx))
		if n := w.notification("user.created"); n.State != core.NotificationCanceled || n.Log[0].Result != "the hook was deleted" || len(c.got) != 0 {
			t.Errorf("notification of a deleted hook = %+v, %d tries; want it canceled", n, len(c.got))
		}
		slow, _, err := w.AppHooks.Create(w.ctx, w.realm.ID, core.HookWebhook, core.AppHookChange{Destination: ptr("https://example.com/"),
			EventTypes: &[]string{"user.login.succeeded"}, Delay: ptr(core.Seconds(60))}, core.Request{})
		w.must(err)
		w.signIn("ann")
		w.must(w.DeliverNow(w.ctx))
		if len(c.got) != 0 {
			t.Error("told before the hook's delay was over")
		}
		w.clock.Advance(time.Minute)
		w.must(w.DeliverNow(w.ctx))
		if len(c.got) != 1 || c.got[0].Hook.ID != slow.ID {
			t.Errorf("told %d after the delay; want 1", len(c.got))
		}
	})
}

// TestRunDelivers holds that a running core delivers by itself what happens in another process.
func TestRunDelivers(t *testing.T) {
	each(t, func(w *world) {
		heard := make(chan string, 10)
		c := &courier{does: func(d *core.Delivery) core.Attempted {
			heard <- d.Event.Type
			return core.Attempted{Result: core.Delivered}
		}}
		w.webhook("user.created")
		w.run(w.delivering(w.store, c))
		w.run(w.delivering(w.store, c))
		w.human("ann")
		w.becomes("something is delivered", func() bool { return len(heard) > 0 })
		if got := <-heard; got != "user.created" {
			t.Errorf("heard %q; want user.created", got)
		}
		w.becomes("completed", func() bool { return w.notification("user.created").State == core.NotificationCompleted })
	})
}

// TestTrimAfterMany reads a log of which so many events were read that to trim it fills a transaction.
func TestTrimAfterMany(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		w.must(w.DeliverNow(w.ctx))
		w.must(w.LeaveUntrimmed(w.ctx, core.Partition{Realm: w.realm.ID}, 100_000))
		w.human("bob")
		w.must(w.DeliverNow(w.ctx))
	})
}
