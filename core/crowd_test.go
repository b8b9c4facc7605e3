package core_test

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// register is a store that notes the names of all that was ever put into it.
type register struct {
	core.Store
	mu      sync.Mutex
	records map[core.Key]bool
	indexes map[core.Index]bool
}

func (n *register) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	n.mu.Lock()
	for _, put := range tx.Put {
		n.records[core.Key{Partition: tx.Partition, Name: put.Name}] = true
	}
	for _, i := range tx.Index {
		n.indexes[core.Index{Partition: tx.Partition, Name: i.Index}] = true
	}
	n.mu.Unlock()
	return n.Store.Apply(ctx, tx)
}

// all returns the names.
func (n *register) all() (records []core.Key, indexes []core.Index) {
	for key := range n.records {
		records = append(records, key)
	}
	for index := range n.indexes {
		indexes = append(indexes, index)
	}
	return records, indexes
}

// shelf holds the last few texts of a kind that somebody was given, for whoever comes by to try. Safe for concurrent use.
type shelf struct {
	mu    sync.Mutex
	texts map[string][]string
}

func (s *shelf) put(kind, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts[kind] = append(s.texts[kind], text)
	if over := len(s.texts[kind]) - 6; over > 0 {
		s.texts[kind] = s.texts[kind][over:]
	}
}

func (s *shelf) any(kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.texts[kind]) == 0 {
		return "none"
	}
	return pick(s.texts[kind])
}

func pick[T any](from []T) T { return from[rand.IntN(len(from))] }

// somebody does things to a few users and orgs that others do things to as well.
type somebody struct {
	*world
	*shelf
	by    *core.Core
	realm core.RealmID
}

// deeds are the kinds of things that somebody does. A refusal is no fault.
var deeds = []func(s *somebody) error{
	func(s *somebody) error { // make somebody
		_, err := s.by.Users.Create(s.ctx, s.realm, core.UserChange{Type: ptr(core.UserHuman), Username: ptr(s.name()), Email: ptr(s.mail()), Password: ptr(s.secret())}, core.Request{})
		return err
	},
	func(s *somebody) error {
		_, err := s.by.Users.Create(s.ctx, s.realm, core.UserChange{Type: ptr(core.UserAPI), Username: ptr("robot"), APIKey: ptr("")}, core.Request{})
		return err
	},
	func(s *somebody) error { return s.by.Users.Delete(s.ctx, s.realm, s.anyName(), core.Request{}) },
	func(s *somebody) error {
		_, err := s.by.Users.Update(s.ctx, s.realm, s.name(), core.UserChange{Email: ptr(s.mail()), EmailVerification: ptr(core.EmailVerified)}, core.Request{})
		return err
	},
	func(s *somebody) error {
		_, err := s.by.Users.Update(s.ctx, s.realm, s.name(), core.UserChange{Username: ptr(s.name()), FirstName: ptr(s.name()), Reference: ptr(s.name())}, core.Request{})
		return err
	},
	func(s *somebody) error {
		_, err := s.by.Users.Update(s.ctx, s.realm, s.anyName(), core.UserChange{State: ptr(pick([]core.State{core.StateActive, core.StateActive, core.StateInactive}))}, core.Request{})
		return err
	},
	func(s *somebody) error {
		return s.by.Passwords.Change(s.ctx, s.realm, s.name(), core.PasswordChange{Current: s.secret(), Password: s.secret()}, core.Request{})
	},
	func(s *somebody) error { return s.signs() },
	func(s *somebody) error { return s.signs() },
	func(s *somebody) error {
		in, err := s.by.Sessions.Refresh(s.ctx, s.any("token"))
		if err == nil {
			s.put("token", in.Token)
		}
		return err
	},
	func(s *somebody) error {
		in, err := s.by.Sessions.Create(s.ctx, s.realm, s.name(), core.Request{})
		if err == nil {
			s.put("token", in.Token)
			s.put("session", string(in.Session.ID))
		}
		return err
	},
	func(s *somebody) error { return s.by.Sessions.EndAll(s.ctx, s.realm, s.name(), "", core.Request{}) },
	func(s *somebody) error {
		return s.by.Sessions.Delete(s.ctx, s.realm, core.SessionID(s.any("session")), core.Request{})
	},
	func(s *somebody) error { return s.by.Sessions.DeleteUser(s.ctx, s.any("token"), core.Request{}) },
	func(s *somebody) error {
		_, token, err := s.by.Passwords.NewToken(s.ctx, s.realm, s.name(), core.Request{})
		s.put("reset", token)
		return err
	},
	func(s *somebody) error {
		_, err := s.by.Passwords.Reset(s.ctx, s.realm, core.PasswordReset{Token: s.any("reset"), Password: s.secret()}, core.Request{})
		return err
	},
	func(s *somebody) error {
		_, token, err := s.by.Users.RequestVerification(s.ctx, s.realm, s.name(), core.Request{})
		s.put("verify", token)
		return err
	},
	func(s *somebody) error {
		_, err := s.by.Users.VerifyEmail(s.ctx, s.realm, "", s.any("verify"), core.Request{})
		return err
	},
	func(s *somebody) error {
		_, secret, err := s.by.Users.Park(s.ctx, s.realm, core.UserChange{Username: ptr(s.name()), Email: ptr(s.mail()), Password: ptr(s.secret())})
		s.put("signup", secret)
		return err
	},
	func(s *somebody) error {
		_, err := s.by.Users.CreateParked(s.ctx, s.realm, s.any("signup"), core.UserChange{Permissions: &[]string{"p"}}, core.Request{})
		return err
	},
	func(s *somebody) error { // another factor
		e, err := s.by.SecondFactors.Enrol(s.ctx, s.realm, s.name(), "phone", core.Request{})
		if err != nil {
			return err
		}
		s.put("credential", string(e.ID))
		_, err = s.by.SecondFactors.Verify(s.ctx, s.realm, e.ID, s.code(e, 0), core.Request{})
		return err
	},
	func(s *somebody) error {
		c, codes, err := s.by.SecondFactors.NewRecoveryCodes(s.ctx, s.realm, s.name(), core.Request{})
		if err == nil {
			s.put("credential", string(c.ID))
			s.put("code", codes[0])
		}
		return err
	},
	func(s *somebody) error {
		_, err := s.by.SecondFactors.Complete(s.ctx, s.realm, "", s.any("login"), s.any("code"), core.Request{})
		return err
	},
	func(s *somebody) error {
		return s.by.Credentials.Delete(s.ctx, s.realm, core.CredentialID(s.any("credential")), core.Request{})
	},
	func(s *somebody) error { // keys
		c, key, err := s.by.APIKeys.Create(s.ctx, s.realm, "robot", core.NewAPIKey{}, core.Request{})
		if err == nil {
			s.put("credential", string(c.ID))
			s.put("key", key)
		}
		return err
	},
	func(s *somebody) error {
		_, key, err := s.by.APIKeys.Update(s.ctx, s.realm, core.CredentialID(s.any("credential")), core.APIKeyChange{Key: ptr("")}, core.Request{})
		s.put("key", key)
		return err
	},
	func(s *somebody) error {
		_, err := s.by.APIKeys.Authenticate(s.ctx, s.realm, s.any("key"), netip.Addr{}, core.Request{})
		return err
	},
	func(s *somebody) error { // orgs
		org, err := s.by.Orgs.Create(s.ctx, s.realm, core.OrgChange{Name: ptr("org"), Reference: ptr(s.name())}, core.Request{})
		if err == nil {
			s.put("org", string(org.ID))
		}
		return err
	},
	func(s *somebody) error {
		return s.by.Orgs.Delete(s.ctx, s.realm, core.OrgID(s.any("org")), core.Request{})
	},
	func(s *somebody) error {
		_, err := s.by.Orgs.Update(s.ctx, s.realm, core.OrgID(s.any("org")), core.OrgChange{State: ptr(pick([]core.State{core.StateActive, core.StateInactive}))}, core.Request{})
		return err
	},
	func(s *somebody) error { return s.joinsOne() },
	func(s *somebody) error { return s.joinsOne() },
	func(s *somebody) error {
		return s.by.Memberships.Delete(s.ctx, s.realm, core.MembershipID(s.any("membership")), core.Request{})
	},
	func(s *somebody) error { // account providers
		in, err := s.by.APTs.Create(s.ctx, core.APTCall{Token: s.apt(s.name())})
		if err == nil {
			s.put("token", in.Token)
		}
		return err
	},
	func(s *somebody) error {
		in, err := s.by.APTs.Reissue(s.ctx, core.APTCall{Token: s.apt(s.name())})
		if err == nil {
			s.put("token", in.Token)
		}
		return err
	},
	func(s *somebody) error { return s.by.APTs.Delete(s.ctx, core.APTCall{Token: s.apt(s.name())}) },
	func(s *somebody) error { return s.restores() },
	func(s *somebody) error { return s.by.Realms.RotateKeys(s.ctx, s.realm, core.Request{}) },
	func(s *somebody) error {
		s.clock.Advance(pick([]time.Duration{0, time.Second, 5 * time.Minute}))
		return nil
	},
}

func (s *somebody) name() string    { return pick([]string{"ann", "bob", "cat"}) }
func (s *somebody) anyName() string { return pick([]string{"ann", "bob", "cat", "robot"}) }
func (s *somebody) mail() string    { return s.name() + "@example.com" }
func (s *somebody) secret() string  { return pick([]string{goodPassword, "another " + goodPassword}) }

// signs signs somebody in.
func (s *somebody) signs() error {
	in, err := s.by.Passwords.Authenticate(s.ctx, s.realm, s.name(), s.secret(), core.Request{})
	switch {
	case err != nil:
		return err
	case in.Session == nil:
		s.put("login", in.LoginToken)
		return nil
	}
	s.put("token", in.Token)
	s.put("session", string(in.Session.ID))
	return nil
}

// joinsOne makes somebody a member.
func (s *somebody) joinsOne() error {
	user, err := s.by.Users.Get(s.ctx, s.realm, s.anyName())
	if err != nil {
		return err
	}
	one, err := s.by.Memberships.Create(s.ctx, s.realm, core.NewMembership{User: user.ID, Org: core.OrgID(s.any("org"))}, core.Request{})
	if err == nil {
		s.put("membership", string(one.ID))
	}
	return err
}

// restores imports somebody as they are, whether or not they are there then.
func (s *somebody) restores() error {
	users, _, err := s.by.Users.Export(s.ctx, s.realm, "", 100, core.ExportParts{Passwords: true, Memberships: true, APIKeys: true, Authenticators: true, RecoveryCodes: true})
	if err != nil || len(users) == 0 {
		return err
	}
	u := pick(users)
	if rand.IntN(2) == 0 {
		_ = s.by.Users.Delete(s.ctx, s.realm, string(u.ID), core.Request{})
	}
	_, _, err = s.by.Users.Import(s.ctx, s.realm, core.UserImport{ID: u.ID, ArbitraryID: u.ArbitraryID, Password: u.Password, UserParts: u.UserParts, ChosenKeys: true,
		UserChange: core.UserChange{Type: &u.Type, Username: &u.Username, Email: &u.Email, Reference: &u.Reference}}, false, core.Request{})
	return err
}

// TestEverythingAtOnce has many do all that can be done to a few users and orgs at once, in two processes, and holds that records and indexes
// agree afterwards, and that nothing of a realm's users stays once they are deleted.
// POSTERN_TEST_CROWD says how many deeds each of them does.
func TestEverythingAtOnce(t *testing.T) {
	n, _ := strconv.Atoi(cmp.Or(os.Getenv("POSTERN_TEST_CROWD"), "25"))
	teststore.Each(t, func(t *testing.T, open teststore.Open) {
		book := &register{Store: open(t), records: map[core.Key]bool{}, indexes: map[core.Index]bool{}}
		w := newWorld(t, book)
		things := &shelf{texts: map[string][]string{}}
		processes := []*core.Core{w.Core, w.another(book)}
		var all sync.WaitGroup
		for i := range 24 {
			s := &somebody{world: w, shelf: things, by: processes[i%2], realm: w.realm.ID}
			all.Go(func() {
				for range n {
					s.does(max(0, rand.IntN(len(deeds)+8)-8)) // most often, make somebody
				}
			})
		}
		all.Wait()
		w.agrees("after the crowd", book)
		w.cleared()
		w.agrees("after all are deleted", book)
	})
}

// does fails for what is our own fault.
func (s *somebody) does(which int) {
	err := deeds[which](s)
	if e, ours := errors.AsType[*core.Error](err); err != nil && (!ours || e.Kind == core.KindInternal) {
		s.Errorf("deed %d = %v", which, err)
	}
}

// agrees holds that records and indexes do.
func (w *world) agrees(when string, book *register) {
	w.Helper()
	w.clock.Advance(time.Minute)
	w.must(w.RunJobs(w.ctx))
	w.must(w.RunJobs(w.ctx))
	records, indexes := book.all()
	faults := w.Disagreements(w.ctx, w.realm.ID, records, indexes)
	slices.Sort(faults)
	for _, f := range faults[:min(len(faults), 20)] {
		w.Errorf("%s: %s", when, f)
	}
}

// cleared deletes all users and orgs.
func (w *world) cleared() {
	w.Helper()
	users, err := w.Users.List(w.ctx, w.realm.ID, core.ListUsers{Limit: core.MaxRange})
	w.must(err)
	for _, u := range users.Users {
		w.must(w.Users.Delete(w.ctx, w.realm.ID, string(u.ID), core.Request{}))
	}
	orgs, err := w.Orgs.List(w.ctx, w.realm.ID, core.ListOrgs{Limit: core.MaxRange})
	w.must(err)
	for _, o := range orgs.Orgs {
		w.must(w.Orgs.Delete(w.ctx, w.realm.ID, o.ID, core.Request{}))
	}
}
