package core_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/postern-auth/postern/core"
)

// copyOf returns what an import takes of a user who is there, parts and all, and deletes the user.
func (w *world) copyOf(id core.UserID) core.UserImport {
	w.Helper()
	users, _, err := w.Users.Export(w.ctx, w.realm.ID, "", 100, core.ExportParts{Memberships: true, APIKeys: true, Authenticators: true})
	w.must(err)
	for _, u := range users {
		if u.ID == id {
			w.must(w.Users.Delete(w.ctx, w.realm.ID, string(id), core.Request{}))
			return core.UserImport{ID: id, UserChange: core.UserChange{Type: &u.Type, Username: &u.Username, Email: &u.Email}, UserParts: u.UserParts}
		}
	}
	w.Fatalf("Export has no %s", id)
	return core.UserImport{}
}

// TestImportedAtOnce imports users with all that is theirs twice at once: one import makes them, and the other finds them there.
func TestImportedAtOnce(t *testing.T) {
	each(t, func(w *world) {
		robot, ann := w.program("robot"), w.human("ann")
		w.apiKey(robot, core.NewAPIKey{})
		_, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", "phone", core.Request{})
		w.must(err)
		for _, id := range []core.UserID{robot.ID, ann.ID} {
			in := w.copyOf(id)
			const together = 2
			at := w.another(&meeting{Store: w.store, awaited: together, all: make(chan struct{})})
			var made [together]bool
			var errs [together]error
			var all sync.WaitGroup
			for i := range together {
				all.Go(func() { _, made[i], errs[i] = at.Users.Import(w.ctx, w.realm.ID, in, false, core.Request{}) })
			}
			all.Wait()
			if made[0] == made[1] || errors.Join(errs[:]...) != nil {
				w.Errorf("two imports of %s at once made them: %v, %v; want that one did", id, made, errs)
			}
		}
	})
}

// before is a store in which something happens just before the next write.
type before struct {
	core.Store
	happens func()
}

func (b *before) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	if f := b.happens; f != nil {
		b.happens = nil
		f()
	}
	return b.Store.Apply(ctx, tx)
}

// TestImportMeetsChangedOrg imports a member of an org that is changed in the same moment: the membership is as the org is now.
func TestImportMeetsChangedOrg(t *testing.T) {
	each(t, func(w *world) {
		org, err := w.Orgs.Create(w.ctx, w.realm.ID, core.OrgChange{Name: ptr("staff")}, core.Request{})
		w.must(err)
		ann := w.human("ann")
		_, err = w.Memberships.Create(w.ctx, w.realm.ID, core.NewMembership{User: ann.ID, Org: org.ID}, core.Request{})
		w.must(err)
		in := w.copyOf(ann.ID)
		at := w.another(&before{Store: w.store, happens: func() {
			_, err := w.Orgs.Update(w.ctx, w.realm.ID, org.ID, core.OrgChange{State: ptr(core.StateInactive)}, core.Request{})
			w.must(err)
		}})
		if _, made, err := at.Users.Import(w.ctx, w.realm.ID, in, false, core.Request{}); !made || err != nil {
			w.Errorf("Import = %t, %v; want the user made", made, err)
		}
		for _, fault := range w.MembershipFaults(w.ctx, w.realm.ID) {
			w.Error(fault)
		}
	})
}

// TestImportedPartsTaken imports what is somebody else's, or twice in one user: the line says so, and nobody is made.
func TestImportedPartsTaken(t *testing.T) {
	each(t, func(w *world) {
		robot := w.program("robot")
		w.apiKey(robot, core.NewAPIKey{})
		in := w.copyOf(robot.ID)
		_, _, err := w.Users.Import(w.ctx, w.realm.ID, in, false, core.Request{})
		w.must(err)
		key := in.APIKeys[0]
		body, bucket := string(robot.ID[4:24]), string(robot.ID[24:])
		other := core.UserID("usr_" + strings.Repeat("1", len(body)) + bucket)
		otherID := core.CredentialID("crd_" + strings.Repeat("2", len(body)) + bucket)
		elsewhere, again := *key.Credential, *key.Credential
		elsewhere.ID = otherID
		again.APIKey = &core.APIKey{Digest: strings.Repeat("A", len(key.APIKey.Digest))}
		again.ID = core.CredentialID("crd_" + strings.Repeat("3", len(body)) + bucket)
		twice := again
		twice.ID = otherID
		taken := again
		taken.ID = key.ID
		another := again
		another.ID = core.CredentialID("crd_" + string(other[4:]))
		for name, c := range map[string]struct {
			keys []core.APIKeyCopy
			want string
		}{
			"another's id":        {copies(&taken), "api_keys"},
			"another's key":       {copies(&elsewhere), "api_keys"},
			"one id for two keys": {copies(&again, &again), "id"},
			"one key twice":       {copies(&again, &twice), "api_keys"},
			"a password's id":     {copies(&another), "id"},
		} {
			in := core.UserImport{ID: other, UserChange: core.UserChange{Type: ptr(core.UserAPI), Username: ptr("other")}, UserParts: core.UserParts{APIKeys: c.keys}}
			for _, dry := range []bool{true, false} {
				if _, made, err := w.Users.Import(w.ctx, w.realm.ID, in, dry, core.Request{}); made || attributes(err) != c.want {
					w.Errorf("%s, dry %t: Import = %t, %v; want a complaint about %s", name, dry, made, err, c.want)
				}
			}
		}
		many := make([]*core.Membership, core.MaxMemberships+1)
		for i := range many {
			many[i] = &core.Membership{Org: core.OrgID("org_" + string(other[4:]))} // which is not there
		}
		_, _, err = w.Users.Import(w.ctx, w.realm.ID, core.UserImport{ID: other, UserChange: core.UserChange{Username: ptr("other")},
			UserParts: core.UserParts{Memberships: many}}, false, core.Request{})
		if attributes(err) != "user_id" {
			w.Errorf("Import with %d memberships = %v; want a complaint about user_id", len(many), err)
		}
		if _, err := w.Users.Get(w.ctx, w.realm.ID, "other"); !errors.Is(err, core.ErrUserNotFound) {
			w.Errorf("Get = %v; want nobody", err)
		}
	})
}

// copies returns API keys as an import takes them, by their digests alone.
func copies(keys ...*core.Credential) (all []core.APIKeyCopy) {
	for _, k := range keys {
		all = append(all, core.APIKeyCopy{Credential: k})
	}
	return all
}

// beforeRange is a store in which something happens just before an index is read next.
type beforeRange struct {
	core.Store
	happens func()
}

func (b *beforeRange) Range(ctx context.Context, r core.Range) ([]string, error) {
	if f := b.happens; f != nil {
		b.happens = nil
		f()
	}
	return b.Store.Range(ctx, r)
}

// TestImportedMembershipTaken imports memberships with an id that somebody else's has, or another of the same user: the line says so. The
// very user's own, which another import of the same has made in this moment, stands in nobody's way.
func TestImportedMembershipTaken(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		one, err := w.Memberships.Create(w.ctx, w.realm.ID, core.NewMembership{User: ann.ID}, core.Request{})
		w.must(err)
		org := w.org("staff")
		body, bucket := string(ann.ID[4:24]), string(ann.ID[24:])
		in := core.UserImport{ID: core.UserID("usr_" + strings.Repeat("1", len(body)) + bucket), UserChange: core.UserChange{Username: ptr("other")}}
		free := core.MembershipID("mb_" + strings.Repeat("2", len(body)) + bucket)
		for name, list := range map[string][]*core.Membership{
			"another's id":     {{ID: one.ID}},
			"one id for two":   {{ID: free}, {ID: free, Org: org.ID}},
			"one of them free": {{ID: free}, {ID: one.ID, Org: org.ID}},
		} {
			in.Memberships = list
			for _, dry := range []bool{true, false} {
				if _, made, err := w.Users.Import(w.ctx, w.realm.ID, in, dry, core.Request{}); made || attributes(err) != "memberships" {
					w.Errorf("%s, dry %t: Import = %t, %v; want a complaint about memberships", name, dry, made, err)
				}
			}
		}
		in.Memberships = []*core.Membership{{ID: free}}
		at := w.another(&beforeRange{Store: w.store, happens: func() {
			_, _, err := w.Users.Import(w.ctx, w.realm.ID, in, false, core.Request{})
			w.must(err)
		}})
		if _, made, err := at.Users.Import(w.ctx, w.realm.ID, in, false, core.Request{}); made || err != nil {
			w.Errorf("Import of whom another import makes = %t, %v; want that they are there", made, err)
		}
		user, err := w.Users.Get(w.ctx, w.realm.ID, "other")
		w.must(err)
		if got, err := w.Memberships.Get(w.ctx, w.realm.ID, free); err != nil || got.User != user.ID || got.CreatedAt != user.CreatedAt {
			w.Errorf("membership = %+v, %v; want it other's, and as old as they are", got, err)
		}
		for _, fault := range w.MembershipFaults(w.ctx, w.realm.ID) {
			w.Error(fault)
		}
	})
}

// TestImportedAfterADeletion brings a user and an org back from an export, and deletes them once more.
func TestImportedAfterADeletion(t *testing.T) {
	each(t, func(w *world) {
		org, ann := w.org("staff"), w.human("ann")
		token := w.signIn("ann").Token
		copied := core.UserImport{ID: ann.ID, UserChange: core.UserChange{Username: ptr("ann"), Email: ptr("ann@example.com")}}
		for range 2 {
			w.must(w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{}))
			w.must(w.Orgs.Delete(w.ctx, w.realm.ID, org.ID, core.Request{}))
			_, err := w.Orgs.Import(w.ctx, w.realm.ID, core.OrgImport{ID: org.ID, OrgChange: core.OrgChange{Name: ptr("staff")}}, false, core.Request{})
			w.must(err)
			_, made, err := w.Users.Import(w.ctx, w.realm.ID, copied, false, core.Request{})
			if err != nil || !made {
				w.Errorf("Import after a deletion = %v, %v; want ann made", made, err)
			}
			w.refused("a session of before", w.knows(token), core.ErrInvalidToken)
		}
	})
}

// TestImportMeetsDeletedOrg imports an org again while its memberships are still being removed: it has to wait, or what is joined to it
// would go with them.
func TestImportMeetsDeletedOrg(t *testing.T) {
	each(t, func(w *world) {
		for i := range 60 {
			w.robot(i)
		}
		org, ann := w.org("staff"), w.human("ann")
		w.fill(org.ID, 60)
		w.must(w.Orgs.Delete(w.ctx, w.realm.ID, org.ID, core.Request{}))
		in := core.OrgImport{ID: org.ID, OrgChange: core.OrgChange{Name: ptr("staff")}}
		_, err := w.Orgs.Import(w.ctx, w.realm.ID, in, false, core.Request{})
		w.refused("Import at once", err, &core.Error{Kind: core.KindUnavailable, Code: "contention"})

		w.must(w.RunJobs(w.ctx))
		_, err = w.Orgs.Import(w.ctx, w.realm.ID, in, false, core.Request{})
		w.must(err)
		w.joins(ann.ID, org.ID, "read")
		w.must(w.RunJobs(w.ctx))
		if ann, err = w.Users.Get(w.ctx, w.realm.ID, "ann"); err != nil || ann.Memberships != 1 {
			w.Errorf("ann = %+v, %v; want a member of the org", ann, err)
		}
		w.consistent("after the import")
	})
}
