package core_test

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// TestDeletedInTheMomentOfSomethingElse deletes a user while something else is about to be theirs: nothing of it stays, and
// whoever is imported under the same id later has none of it.
func TestDeletedInTheMomentOfSomethingElse(t *testing.T) {
	for _, story := range []struct {
		name string
		does func(w *world, in *core.SignedIn) (token string)
	}{
		{"signs in again", func(w *world, _ *core.SignedIn) string { return w.signIn("ann").Token }},
		{"refreshes", func(w *world, in *core.SignedIn) string {
			w.clock.Advance(10 * time.Minute) // so that it is noted that the session was seen
			again, err := w.Sessions.Refresh(w.ctx, in.Token)
			w.must(err)
			return again.Token
		}},
		{"becomes a member", func(w *world, in *core.SignedIn) string {
			_, err := w.Memberships.Create(w.ctx, w.realm.ID, core.NewMembership{User: in.User.ID, MembershipChange: core.MembershipChange{Permissions: &[]string{"admin"}}}, core.Request{})
			w.must(err)
			return in.Token
		}},
	} {
		t.Run(story.name, func(t *testing.T) {
			teststore.Each(t, func(t *testing.T, open teststore.Open) {
				book := &ledger{Store: open(t), held: map[entry][]byte{}}
				w := newWorld(t, book)
				ann := w.human("ann")
				in, token := w.signIn("ann"), ""
				meddled := w.another(&before{Store: book, happens: func() { token = story.does(w, in) }})
				w.must(meddled.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{}))
				w.keepsNothingOf(book, ann.ID)

				_, _, err := w.Users.Import(w.ctx, w.realm.ID, core.UserImport{ID: ann.ID, UserChange: core.UserChange{Username: ptr("ann")}}, false, core.Request{})
				w.must(err)
				w.refused("the token from before", w.knows(token), core.ErrInvalidToken)
				if again, err := w.Users.Get(w.ctx, w.realm.ID, "ann"); err != nil || again.Memberships != 0 {
					w.Errorf("Get after the import = %+v, %v; want somebody who is no member", again, err)
				}
			})
		})
	}
}

// keepsNothingOf holds that nothing of a user is kept for good.
func (w *world) keepsNothingOf(book *ledger, id core.UserID) {
	w.Helper()
	body := strings.TrimPrefix(string(id), "usr_")
	for _, e := range book.entries() {
		if strings.Contains(e.name+e.member, body) && !e.expires {
			w.Errorf("%s %s %q of a deleted user is left", e.kind, e.name, e.member)
		}
	}
}

// TestSessionsOfAFormerLife puts back a session of a user who was deleted, as a replica does that had not heard of the deletion, and imports
// somebody under the same id: it is none of theirs, and is not listed as one.
func TestSessionsOfAFormerLife(t *testing.T) {
	each(t, func(w *world) {
		ann, in := w.human("ann"), w.signIn("ann")
		at := core.Partition{Realm: w.realm.ID}
		session := core.Key{Partition: at, Name: "s:" + string(in.Session.ID)}
		places := core.Index{Partition: at, Name: "us:" + string(ann.ID)}
		recs, err := w.store.Get(w.ctx, session)
		w.must(err)
		members, err := w.store.Range(w.ctx, core.Range{Index: places, Limit: 1})
		w.must(err)
		w.must(w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{}))
		w.clock.Advance(time.Minute)
		_, _, err = w.Users.Import(w.ctx, w.realm.ID, core.UserImport{ID: ann.ID, UserChange: core.UserChange{Username: ptr("ann")}}, false, core.Request{})
		w.must(err)
		_, err = w.store.Apply(w.ctx, &core.Transaction{ID: "back", Now: w.clock.Now(), Partition: at,
			Put:   []core.Put{{Name: session.Name, Value: recs[0].Value, Schema: recs[0].Schema}},
			Index: []core.IndexChange{{Index: places.Name, Member: members[0]}}})
		w.must(err)
		w.refused("the token from before", w.knows(in.Token), core.ErrInvalidToken)
		page, err := w.Sessions.List(w.ctx, w.realm.ID, core.ListSessions{User: ann.ID})
		if err != nil || len(page.Sessions) != 0 {
			t.Errorf("List = %d sessions, %v; want none", len(page.Sessions), err)
		}
	})
}

// TestTokensOfAFormerLife deletes a user and imports them again under the same id: what was sent to them before opens nothing, whatever
// is sent to them now.
func TestTokensOfAFormerLife(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		killed := w.resetToken("ann")
		w.signIn("ann") // and with it, the token
		w.authenticator("ann")
		login := w.signIn("ann").LoginToken
		w.must(w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{}))
		w.clock.Advance(time.Minute)
		_, _, err := w.Users.Import(w.ctx, w.realm.ID, core.UserImport{ID: ann.ID, UserChange: core.UserChange{Username: ptr("ann"), Email: ptr("ann@example.com")}}, false, core.Request{})
		w.must(err)

		e := w.authenticator("ann")
		_, err = w.complete(login, w.code(e, 1))
		w.refused("a sign-in that was waiting before", err, core.ErrLoginToken)
		w.resetToken("ann")
		w.refused("a token that was dead before", w.reset("", killed, goodPassword), core.ErrTokenNotFound)
	})
}
