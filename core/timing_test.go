package core_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// countedStore counts what is asked of a store.
type countedStore struct {
	core.Store
	mu    sync.Mutex
	calls []string
}

func (s *countedStore) note(call string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
}

func (s *countedStore) Get(ctx context.Context, keys ...core.Key) ([]core.Record, error) {
	s.note(fmt.Sprintf("Get of %d", len(keys)))
	return s.Store.Get(ctx, keys...)
}

func (s *countedStore) Hit(ctx context.Context, b core.Bucket, r core.Rate, now time.Time) (core.Allowance, error) {
	s.note("Hit")
	return s.Store.Hit(ctx, b, r, now)
}

func (s *countedStore) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	s.note(fmt.Sprintf("Apply of %d appends", len(tx.Append)))
	return s.Store.Apply(ctx, tx)
}

func (s *countedStore) Range(ctx context.Context, r core.Range) ([]string, error) {
	s.note("Range")
	return s.Store.Range(ctx, r)
}

// work returns what f asks of the store and of the hasher.
func (w *world) work(s *countedStore, f func()) string {
	s.mu.Lock()
	s.calls = nil
	s.mu.Unlock()
	before := w.HashWork()
	f()
	after := w.HashWork()
	s.mu.Lock()
	defer s.mu.Unlock()
	// An imported hash that was made to take as long stands for one of our own.
	hashes := after.Own - before.Own + after.Levelled - before.Levelled
	return fmt.Sprintf("%d hashes; %s", hashes, strings.Join(s.calls, ", "))
}

// TestRefusalsCostAlike counts the work of each kind of refused sign-in: whoever is asked for, it is the same, by name
// and by id.
func TestRefusalsCostAlike(t *testing.T) {
	each(t, func(w *world) {
		s := &countedStore{Store: w.store}
		w.Core = w.another(s)
		known := w.human("ann")
		_, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: ptr("nopass"), Email: ptr("n@example.com")}, core.Request{})
		w.must(err)
		inactive := w.human("gone")
		_, err = w.Users.Update(w.ctx, w.realm.ID, "gone", core.UserChange{State: ptr(core.StateInactive)}, core.Request{})
		w.must(err)
		imported, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: ptr("moved"), Email: ptr("m@example.com"),
			PasswordHash: ptr("{SSHA}W+phg1hgkxq85xigUytntGtSLGwspRSC")}, core.Request{})
		w.must(err)
		robot, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: ptr("robot")}, core.Request{})
		w.must(err)
		refused := func(who, password string) string {
			return w.work(s, func() {
				if in, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, who, password, core.Request{}); err == nil {
					t.Errorf("Authenticate(%s, %q) = %v; want a refusal", who, password, in)
				}
			})
		}
		w.signIn("ann") // what is remembered of the realm is
		const wrong = "not the password of anybody"
		byName, byID := refused("ann", wrong), refused(string(known.ID), wrong)
		for _, who := range []string{"ann@example.com", "nopass", "gone", "moved", "robot", "nobody", "nobody@example.com"} {
			if got := refused(who, wrong); got != byName {
				t.Errorf("a refusal of %q takes %s; of a known user %s", who, got, byName)
			}
		}
		for _, who := range []core.UserID{inactive.ID, imported.ID, robot.ID, "usr_0000000000000000000000"} {
			if got := refused(string(who), wrong); got != byID {
				t.Errorf("a refusal of the id %q takes %s; of a known user %s", who, got, byID)
			}
		}
		// The right password of somebody who may not sign in costs what a wrong one does.
		if got := refused("gone", goodPassword); got != byName {
			t.Errorf("a refusal of an inactive user with the right password takes %s; of a known user %s", got, byName)
		}
		for _, password := range []string{"", strings.Repeat("x", 1025), "tab\t"} {
			for _, who := range []string{"ann", "nobody", "moved"} {
				if got := refused(who, password); got != "0 hashes; " {
					t.Errorf("a refusal of %q with %.10q takes %s; want nothing", who, password, got)
				}
			}
		}
	})
}

// TestRefusedChangesCostAlike counts the same of changes from a wrong password.
func TestRefusedChangesCostAlike(t *testing.T) {
	each(t, func(w *world) {
		s := &countedStore{Store: w.store}
		w.Core = w.another(s)
		known := w.human("ann")
		w.signIn("ann") // what is remembered of the realm is
		changed := func(who string) string {
			return w.work(s, func() {
				in := core.PasswordChange{Current: "not the password of anybody", Password: newPassword}
				if err := w.Passwords.Change(w.ctx, w.realm.ID, who, in, core.Request{}); err == nil {
					t.Errorf("Change of %s from a wrong password = nil; want a refusal", who)
				}
			})
		}
		for _, c := range []struct{ known, nobody string }{{"ann", "nobody"}, {"ann@example.com", "nobody@example.com"}, {string(known.ID), "usr_0000000000000000000000"}} {
			if got, want := changed(c.nobody), changed(c.known); got != want {
				t.Errorf("a refused change of %q takes %s; of a known user %s", c.nobody, got, want)
			}
		}
	})
}

// TestImportedPassword signs in with a hash from elsewhere: once by the bytes as they were typed, then by ours.
func TestImportedPassword(t *testing.T) {
	each(t, func(w *world) {
		_, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: ptr("moved"), Email: ptr("m@example.com"),
			PasswordHash: ptr("$2b$05$JOky943UXvel3n.l3tPPderGr87NvtmaGniwAXZ651Q.3prYCMXIK")}, core.Request{})
		w.must(err)
		signIn := func(password string) (core.HashWork, error) {
			before := w.HashWork()
			_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "moved", password, core.Request{})
			after := w.HashWork()
			return core.HashWork{Own: after.Own - before.Own, Imported: after.Imported - before.Imported}, err
		}
		const composed, decomposed = "Z\u00fcrich-2024 tram", "Zu\u0308rich-2024 tram"
		w.signInNeeded(signIn)
		_, err = signIn(decomposed) // the same text, other bytes
		w.refused("Authenticate with other bytes than were hashed", err, core.ErrWrongPassword)
		if work, err := signIn(composed); err != nil || work.Imported != 1 || work.Own != 1 {
			t.Errorf("the first sign-in = %v, with %+v; want none, one hash of theirs and one of ours", err, work)
		}
		for _, password := range []string{composed, decomposed} {
			if work, err := signIn(password); err != nil || work.Imported != 0 || work.Own != 1 {
				t.Errorf("a later sign-in with %q = %v, with %+v; want none, one hash of ours", password, err, work)
			}
		}
		for _, bad := range []core.UserChange{
			{PasswordHash: ptr("$2b$31$JOky943UXvel3n.l3tPPderGr87NvtmaGniwAXZ651Q.3prYCMXIK")},
			{PasswordHash: ptr("{SHA}BpocEQeS+WdRKWtKps1ibailw+Y="), Password: ptr(goodPassword)},
		} {
			if _, err := w.Users.Update(w.ctx, w.realm.ID, "moved", bad, core.Request{}); err == nil {
				t.Errorf("Update(%v) = nil error; want a refusal", bad)
			}
		}
	})
}

// TestImportedPasswordThatIsLong signs in with more than bcrypt looks at. Whoever has the first 72 bytes is let in, as they were before;
// what they typed after those must not become the password in the place of what the owner has.
func TestImportedPasswordThatIsLong(t *testing.T) {
	each(t, func(w *world) {
		password := strings.Repeat("seventy-two bytes and more ", 4)
		u, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: ptr("long"), Email: ptr("long@example.com"),
			PasswordHash: ptr("$2y$04$0oJZY9AqaiJ79l5qX/T1DeUbh.5ZWGdINppre1kdnQs5XEDcxnw16")}, core.Request{})
		w.must(err)
		signIn := func(text string) error {
			_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, string(u.ID), text, core.Request{})
			return err
		}
		w.must(signIn(password[:72]))
		w.must(signIn(password + "and a slip"))
		w.must(signIn(password))
		w.refused("Authenticate with 71 bytes", signIn(password[:71]), core.ErrWrongPassword)
	})
}

// TestHashIsRenewedMeanwhile has somebody whose hash came from elsewhere come in between the moment in which the same password, of theirs from another
// place, was found to be right and the one in which something comes of it: the hash is another by then, the password is not.
func TestHashIsRenewedMeanwhile(t *testing.T) {
	each(t, func(w *world) {
		moved := func(name string) (signIn func(*core.Core) error, renewing *core.Core) {
			_, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: &name, Email: ptr(name + "@example.com"),
				PasswordHash: ptr("{SHA}BpocEQeS+WdRKWtKps1ibailw+Y=")}, core.Request{})
			w.must(err)
			signIn = func(c *core.Core) error {
				_, err := c.Passwords.Authenticate(w.ctx, w.realm.ID, name, "Z\u00fcrich-2024 tram", core.Request{})
				return err
			}
			return signIn, w.another(&before{Store: w.store, happens: func() { w.must(signIn(w.Core)) }})
		}
		signIn, renewing := moved("moved")
		w.must(signIn(renewing))
		w.must(signIn(w.Core))
		signIn, renewing = moved("changing")
		w.must(renewing.Passwords.Change(w.ctx, w.realm.ID, "changing", core.PasswordChange{Current: "Z\u00fcrich-2024 tram", Password: newPassword}, core.Request{}))
		w.refused("Authenticate with the former password", signIn(w.Core), core.ErrWrongPassword)
	})
}

// signInNeeded computes a hash of ours first: until there is one, nobody knows how long they take, and an imported one
// is followed by one of ours.
func (w *world) signInNeeded(signIn func(string) (core.HashWork, error)) {
	w.Helper()
	if work, err := signIn("wrong to begin with"); err == nil || work.Own != 1 || work.Imported != 1 {
		w.Errorf("the very first refusal = %v, with %+v; want one hash of each kind", err, work)
	}
}

// TestNobodyIsReadLikeSomebody compares what is allocated to refuse a user, and nobody, who have no attempts left: no hash hides there what it
// takes to read a user.
func TestNobodyIsReadLikeSomebody(t *testing.T) {
	w := newWorldOnBolt(t)
	w.human("ann")
	refusal := func(who string) float64 {
		try := func() error {
			_, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, who, "wrong", core.Request{})
			return err
		}
		for range 10 {
			_ = try()
		}
		return testing.AllocsPerRun(200, func() { w.refused("Authenticate "+who, try(), core.ErrThrottled) })
	}
	known, nobody := refusal("ann"), refusal("bob")
	if math.Abs(known-nobody) > 8 { // a user alone is some twenty
		t.Errorf("a refusal of a user allocates %v times, of nobody %v times; want as often", known, nobody)
	}
}
