package core_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
)

// realmOf makes another realm.
func (w *world) realmOf(settings core.RealmSettings) *core.Realm {
	w.Helper()
	realm, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other", Settings: settings}, core.Request{})
	w.must(err)
	return realm
}

// people makes n users of a realm, with e-mail addresses and references, and an org; the first has a session, whose
// token is returned.
func (w *world) people(realm core.RealmID, n int) (token string) {
	w.Helper()
	for i := range n {
		name := fmt.Sprintf("user%03d@example.com", i)
		in := core.UserChange{Type: ptr(core.UserHuman), Username: &name, Email: ptr("to-" + name), Reference: ptr("r")}
		if i == 0 {
			in.Password = ptr(goodPassword)
		}
		_, err := w.Users.Create(w.ctx, realm, in, core.Request{})
		w.must(err)
	}
	_, err := w.Orgs.Create(w.ctx, realm, core.OrgChange{Name: ptr("staff"), Reference: ptr("o")}, core.Request{})
	w.must(err)
	in, err := w.Passwords.Authenticate(w.ctx, realm, "user000@example.com", goodPassword, core.Request{})
	w.must(err)
	return in.Token
}

// population returns how many users a realm has.
func (w *world) population(realm core.RealmID) int {
	w.Helper()
	page, err := w.Users.List(w.ctx, realm, core.ListUsers{Limit: core.MaxRange})
	w.must(err)
	return len(page.Users)
}

// TestRealmReset empties a realm, with the process that does it killed before and after each write. Another one
// finishes: nobody is left, all names are free, the realm has its keys.
func TestRealmReset(t *testing.T) {
	each(t, func(w *world) {
		realm := w.realmOf(core.RealmSettings{})
		for n := 1; ; n++ {
			for _, after := range []bool{false, true} {
				token := w.people(realm.ID, 45)
				mortal := w.another(&mortalStore{Store: w.store, left: n, after: after})
				_, done, err := mortal.Realms.Reset(w.ctx, realm.ID, core.Request{})
				begun := n > 1 || after || err == nil
				if begun && err != nil && !errors.Is(err, errKilled) {
					t.Fatalf("reset, killed at write %d = %v", n, err)
				}
				_, err = w.Sessions.Resolve(w.ctx, realm.ID, token)
				if begun {
					w.refused("a token after the reset began", err, core.ErrInvalidToken)
				}
				if begun && !done {
					if _, err := w.Users.Get(w.ctx, realm.ID, "user000@example.com"); n < 3 {
						w.refused("a user during the reset", err, core.ErrRealmResetting)
					}
				}
				_, done, err = w.Realms.Reset(w.ctx, realm.ID, core.Request{})
				if err != nil || !done {
					t.Fatalf("reset after a kill at write %d = %v, %v; want done", n, done, err)
				}
				w.must(w.RunJobs(w.ctx)) // a job that was finished by hand is forgotten
				orgs, err := w.Orgs.List(w.ctx, realm.ID, core.ListOrgs{})
				w.must(err)
				if len(orgs.Orgs) != 0 {
					t.Fatalf("%d orgs are left after a kill at write %d", len(orgs.Orgs), n)
				}
				if left := w.population(realm.ID); left != 0 {
					t.Fatalf("%d users are left after a kill at write %d", left, n)
				}
				if n > 12 {
					return
				}
			}
		}
	})
}

// TestRealmDelete deletes a realm, with the process that does it killed before and after each write. It is gone from
// the first write on, and in the end nothing of it is left.
func TestRealmDelete(t *testing.T) {
	each(t, func(w *world) {
		for n := 1; n < 12; n++ {
			for _, after := range []bool{false, true} {
				realm := w.realmOf(core.RealmSettings{PasswordMinLength: 8})
				token := w.people(realm.ID, 45)
				_, err := w.Sessions.Resolve(w.ctx, realm.ID, token)
				w.must(err)
				secret, err := w.ManagementKeys.NewSecret()
				w.must(err)
				_, err = w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "its own", Realm: realm.ID,
					Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
				w.must(err)

				mortal := w.another(&mortalStore{Store: w.store, left: n, after: after})
				if err := mortal.Realms.Delete(w.ctx, realm.ID, core.Request{}); err == nil {
					_ = mortal.RunJobs(w.ctx)
				} else if again := w.Realms.Delete(w.ctx, realm.ID, core.Request{}); after {
					w.refused("delete again", again, core.ErrRealmNotFound)
				} else {
					w.must(again)
				}
				_, err = w.Sessions.Resolve(w.ctx, realm.ID, token)
				w.refused("a token", err, core.ErrInvalidToken)
				_, err = w.Realms.Get(w.ctx, realm.ID)
				w.refused("the realm", err, core.ErrRealmNotFound)
				_, err = w.Realms.ByEnvironment(w.ctx, realm.EnvironmentGUID)
				w.refused("its environment", err, core.ErrEnvironmentNotFound)

				w.must(w.RunJobs(w.ctx))
				if _, err := w.ManagementKeys.Authenticate(w.ctx, secret); err == nil {
					t.Error("a management key of the realm works")
				}
				w.clock.Advance(3 * time.Minute)
				w.must(w.RunJobs(w.ctx))
				w.nothingOf(realm.ID)
			}
		}
		w.refused("delete the first realm", w.Realms.Delete(w.ctx, w.realm.ID, core.Request{}), &core.Error{Kind: core.KindConflict, Code: "first_realm"})
	})
}

// nothingOf looks into the store for what a realm leaves: only one last entry of each of its logs may be.
func (w *world) nothingOf(realm core.RealmID) {
	w.Helper()
	p := core.Partition{Realm: realm}
	for _, name := range []string{"u:id:ah", "u:username:ah", "u:name:ah", "u:name_alt:ah", "u:last_login:ah", "o:id:a", "o:name:a", "ms", "usage", "er:" + string(realm)} {
		members, err := w.store.Range(w.ctx, core.Range{Index: core.Index{Partition: p, Name: name}, Limit: 10})
		w.must(err)
		if len(members) > 0 {
			w.Errorf("index %s has %d members", name, len(members))
		}
	}
	for _, prefix := range []string{"r:", "k:", "a:"} {
		recs, err := w.store.Get(w.ctx, core.Key{Name: prefix + string(realm)})
		w.must(err)
		if recs[0].Version != 0 {
			w.Errorf("record %s%s is there", prefix, realm)
		}
	}
	feeds, err := w.store.Tail(w.ctx, []core.LogPosition{{Log: core.Log{Partition: p, Name: "ev"}}}, 0)
	w.must(err)
	if n := len(feeds[0].Entries); n > 1 {
		w.Errorf("its event log has %d entries", n)
	}
	members, err := w.store.Range(w.ctx, core.Range{Index: core.Index{Name: "jobs"}, Limit: 10})
	w.must(err)
	if len(members) > 0 {
		w.Errorf("%d jobs are queued", len(members))
	}
}

// TestRealmInactive holds that nobody signs in to an inactive realm or is let in, and that it is managed as before.
func TestRealmInactive(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		token := w.signIn("ann").Token
		w.human("tom")
		phone := w.authenticator("tom")
		half := w.signIn("tom").LoginToken
		_, key := w.apiKey(w.program("robot"), core.NewAPIKey{})
		_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{State: ptr(core.StateInactive)}, core.Request{})
		w.must(err)
		for range 11 {
			_, err = w.complete(half, "000000")
			w.refused("a wrong code", err, core.ErrRealmInactive)
		}
		for _, k := range []string{key, key[:len(key)-1] + "~", "ak_nothing"} {
			_, err = w.APIKeys.Authenticate(w.ctx, w.realm.ID, k, netip.Addr{}, core.Request{})
			w.refused("a sign-in by API key", err, core.ErrRealmInactive)
			_, err = w.APIKeys.Resolve(w.ctx, w.realm.ID, k, netip.Addr{})
			w.refused("an API key", err, core.ErrRealmInactive)
		}
		w.refused("a token", w.knows(token), core.ErrRealmInactive)
		_, err = w.Sessions.Resolve(w.ctx, w.realm.ID, token[:len(token)-4]+"AAAA")
		w.refused("a forged token", err, core.ErrInvalidToken)
		_, err = w.Sessions.Refresh(w.ctx, token)
		w.refused("a refresh", err, core.ErrRealmInactive)
		for _, name := range []string{"ann", "nobody"} {
			_, err = w.Passwords.Authenticate(w.ctx, w.realm.ID, name, goodPassword, core.Request{})
			w.refused("a sign-in of "+name, err, core.ErrRealmInactive)
		}
		_, err = w.APTs.Create(w.ctx, core.APTCall{Token: w.apt(""), ArbitraryID: ptr("new")})
		w.refused("a creation by an APT", err, core.ErrRealmInactive)
		w.human("bob")
		_, err = w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{State: ptr(core.StateActive)}, core.Request{})
		w.must(err)
		w.must(w.knows(token))
		_, err = w.complete(half, w.code(phone, 0))
		w.must(err) // what was tried meanwhile did not count
		_, err = w.APIKeys.Resolve(w.ctx, w.realm.ID, key, netip.Addr{})
		w.must(err)
	})
}

// TestSessionMinutes holds that a session of a realm of the Users API ends when it is said to, however often it is
// refreshed, and one that an APT vouched for does not.
func TestSessionMinutes(t *testing.T) {
	each(t, func(w *world) {
		_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { *s = core.RealmSettings{}.ForUsersAPI() }}, core.Request{})
		w.must(err)
		w.human("ann")
		in, provided := w.signIn("ann"), w.provided("acct")
		w.clock.Advance(359 * time.Minute)
		again := w.refresh(in.Token)
		w.clock.Advance(2 * time.Minute)
		for _, token := range []string{in.Token, again} {
			w.refused("a token after 361 minutes", w.knows(token), core.ErrInvalidToken)
		}
		w.must(w.knows(provided.Token))
	})
}

// TestChangeOfAlgorithm changes what signs a realm's tokens, through every algorithm: nobody is signed out, and each
// token is signed as the realm says ten minutes later.
func TestChangeOfAlgorithm(t *testing.T) {
	w := newWorldOnBolt(t)
	w.human("ann")
	tokens := []string{w.signIn("ann").Token}
	for _, alg := range []jose.Alg{jose.HS256, jose.ES256, jose.RS256, jose.EdDSA} {
		_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.TokenAlg = alg }}, core.Request{})
		w.must(err)
		newest, err := w.Realms.NewestJWTKey(w.ctx, w.realm.ID)
		w.must(err)
		if newest.Alg != alg {
			t.Errorf("the newest key is of %s; want %s", newest.Alg, alg)
		}
		w.clock.Advance(10 * time.Minute)
		token := w.signIn("ann").Token
		if w.kid(token) != newest.KeyID {
			t.Errorf("a token is signed with %s; want the %s key", w.kid(token), alg)
		}
		tokens = append(tokens, token)
		for _, former := range tokens {
			w.must(w.knows(former))
		}
	}
}

// TestRetireJWTKey retires the key that signs: its tokens are dead at once, and its successor signs.
func TestRetireJWTKey(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		old := w.signIn("ann").Token
		keys, err := w.Realms.JWTKeys(w.ctx, w.realm.ID)
		w.must(err)
		w.refused("retire the only key", w.Realms.RetireJWTKey(w.ctx, w.realm.ID, keys[0].ID, core.Request{}), &core.Error{Kind: core.KindConflict, Code: "last_key"})
		w.must(w.Realms.RotateKeys(w.ctx, w.realm.ID, core.Request{}))
		w.must(w.Realms.RetireJWTKey(w.ctx, w.realm.ID, keys[0].ID, core.Request{}))
		w.refused("a token of a retired key", w.knows(old), core.ErrInvalidToken)
		w.must(w.knows(w.signIn("ann").Token))
		w.refused("retire it again", w.Realms.RetireJWTKey(w.ctx, w.realm.ID, keys[0].ID, core.Request{}), core.ErrJWTKeyNotFound)
	})
}

// TestEmailUsernames holds that a realm may ask for e-mail addresses as usernames of people, and of no one else.
func TestEmailUsernames(t *testing.T) {
	w := newWorldOnBolt(t)
	w.human("ann")
	_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.EmailUsernames = true }}, core.Request{})
	w.must(err)
	create := func(kind core.UserType, name string) error {
		_, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: &kind, Username: &name, Email: ptr(name + "@example.org")}, core.Request{})
		return err
	}
	w.refused("a plain username", create(core.UserHuman, "bob"), &core.Error{Kind: core.KindInvalid, Code: "validation"})
	w.must(create(core.UserAPI, "robot"))
	bob := "bob@example.com"
	_, err = w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserHuman), Username: &bob, Email: &bob}, core.Request{})
	w.must(err)
	_, err = w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{FirstName: ptr("Ann")}, core.Request{})
	w.must(err)
	_, err = w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{Username: ptr("anne")}, core.Request{})
	w.refused("another plain username", err, &core.Error{Kind: core.KindInvalid, Code: "validation"})
	w.provided("acct")
}

// TestSharedEmails holds that whether addresses must be unique is settled before there are users.
func TestSharedEmails(t *testing.T) {
	w := newWorldOnBolt(t)
	share := func(s *core.RealmSettings) { s.SharedEmails = true }
	w.human("ann")
	_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: share}, core.Request{})
	w.refused("a change with users", err, &core.Error{Kind: core.KindInvalid, Code: "validation"})
	w.must(w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{}))
	_, err = w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: share}, core.Request{})
	w.must(err)
}

// TestSharedEmailsRace has the first users of a realm, all of one address, made while addresses become unique in it: then the change is
// refused, or one of them is made at the most.
func TestSharedEmailsRace(t *testing.T) {
	each(t, func(w *world) {
		for round := range 5 {
			realm, err := w.Realms.Create(w.ctx, core.NewRealm{Name: fmt.Sprint("realm ", round), Settings: core.RealmSettings{SharedEmails: true}}, core.Request{})
			w.must(err)
			var all sync.WaitGroup
			var made atomic.Int32
			for i := range 10 {
				all.Go(func() {
					user := core.UserChange{Type: ptr(core.UserHuman), Username: ptr(fmt.Sprint("user", i)), Email: ptr("one@example.com"), Password: ptr(goodPassword)}
					if _, err := w.Users.Create(w.ctx, realm.ID, user, core.Request{}); err == nil {
						made.Add(1)
					}
				})
			}
			_, refused := w.Realms.Update(w.ctx, realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.SharedEmails = false }}, core.Request{})
			all.Wait()
			if refused == nil && made.Load() > 1 {
				w.Errorf("addresses are unique, and %d users have one", made.Load())
			}
			if refused != nil {
				w.refused("a change with users", refused, &core.Error{Kind: core.KindInvalid, Code: "validation"})
				_, err := w.Users.Create(w.ctx, realm.ID, core.UserChange{Type: ptr(core.UserAPI), Email: ptr("one@example.com")}, core.Request{})
				w.must(err) // addresses may repeat as before
			}
		}
	})
}

// TestListRealmsReadsWhatItShows counts what pages of a list of realms ask of the store: by name, the same wherever they are.
func TestListRealmsReadsWhatItShows(t *testing.T) {
	each(t, func(w *world) {
		for i := range 25 {
			_, err := w.Realms.Create(w.ctx, core.NewRealm{Name: fmt.Sprint("realm ", i)}, core.Request{})
			w.must(err)
		}
		s := &countedStore{Store: w.store}
		w.Core = w.another(s)
		var seen []core.RealmID
		for _, descending := range []bool{false, true} {
			in := core.ListRealms{Limit: 10, Descending: descending}
			for _, want := range []string{"Range, Get of 11", "Get of 1, Range, Get of 11", "Get of 1, Range, Get of 6"} {
				var more bool
				got := w.work(s, func() {
					page, next, err := w.Realms.List(w.ctx, in)
					w.must(err)
					for _, r := range page {
						seen = append(seen, r.ID)
						in.After = r.ID
					}
					more = next
				})
				if got != "0 hashes; "+want {
					t.Errorf("a page of ten realms, descending = %v, asks for %s; want %s", descending, got, want)
				}
				if last := len(seen)%26 == 0; more == last {
					t.Errorf("more = %v after %d realms of 26", more, len(seen)%26)
				}
			}
		}
		slices.Reverse(seen[26:])
		if len(seen) != 52 || !slices.Equal(seen[:26], seen[26:]) {
			t.Errorf("pages in both directions are %v", seen)
		}
	})
}
