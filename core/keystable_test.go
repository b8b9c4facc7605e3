package core_test

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
)

// ledger is a store that notes what is in it, by name: all that there is went through Apply and Hit.
type ledger struct {
	core.Store
	mu   sync.Mutex
	held map[entry][]byte // the value, of a record
}

// entry is something that a store keeps. Kind is "" for a record, or index, log, bucket as in the table.
type entry struct {
	kind string
	core.Partition
	name, member string // a member of an index only
	expires      bool   // a record only
}

func (l *ledger) Apply(ctx context.Context, tx *core.Transaction) (core.Outcome, error) {
	out, err := l.Store.Apply(ctx, tx)
	if err != nil || out.Repeated {
		return out, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, put := range tx.Put {
		l.drop(tx.Partition, put.Name)
		l.held[entry{Partition: tx.Partition, name: put.Name, expires: !put.Expires.IsZero()}] = put.Value
	}
	for _, name := range tx.Delete {
		l.drop(tx.Partition, name)
	}
	for _, i := range tx.Index {
		at := entry{kind: "index", Partition: tx.Partition, name: i.Index, member: i.Member}
		if i.Remove {
			delete(l.held, at)
		} else {
			l.held[at] = []byte(i.Member)
		}
	}
	for _, a := range tx.Append {
		l.held[entry{kind: "log", Partition: tx.Partition, name: a.Log}] = nil
	}
	return out, nil
}

func (l *ledger) drop(p core.Partition, name string) {
	delete(l.held, entry{Partition: p, name: name})
	delete(l.held, entry{Partition: p, name: name, expires: true})
}

func (l *ledger) Hit(ctx context.Context, b core.Bucket, rate core.Rate, now time.Time) (core.Allowance, error) {
	l.mu.Lock()
	l.held[entry{kind: "bucket", Partition: b.Partition, name: b.Name, expires: true}] = nil
	l.mu.Unlock()
	return l.Store.Hit(ctx, b, rate, now)
}

// entries returns what there is, in order.
func (l *ledger) entries() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.SortedFunc(maps.Keys(l.held), func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Partition.String(), b.Partition.String()), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), cmp.Compare(a.member, b.member))
	})
}

// tells reports whether an entry's value mentions something.
func (l *ledger) tells(e entry, of string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.held[e], []byte(of))
}

// tableRow is a line of the table in keys.go: "index om:<org>   memberships in an org".
var tableRow = regexp.MustCompile(`^//\t  (?:(index|bucket|log) )?((?:<[^>]*>|[^<> ])+) `)

// keyTable returns the table in keys.go: what a kind of thing's names look like, by the line's kind and pattern.
func keyTable(t *testing.T) map[[2]string]*regexp.Regexp {
	source, err := os.ReadFile("keys.go")
	if err != nil {
		t.Fatal(err)
	}
	table := map[[2]string]*regexp.Regexp{}
	placeholder := regexp.MustCompile(`<[^>]*>`)
	for line := range strings.Lines(string(source)) {
		if m := tableRow.FindStringSubmatch(line); m != nil {
			pattern := placeholder.ReplaceAllString(regexp.QuoteMeta(m[2]), `[^:]*`)
			table[[2]string{m[1], m[2]}] = regexp.MustCompile("^" + pattern + "$")
		}
	}
	if len(table) < 40 {
		t.Fatalf("the table in keys.go has %d lines that can be read; want all", len(table))
	}
	return table
}

// TestNothingIsForgotten makes one of every kind of thing that the table in keys.go names, holds that each name that is used
// is in the table, and deletes the realm: then nothing is left of it but what expires, and one last entry in each log.
// A new kind of key belongs into the table, into this story, and into what deletes a realm.
func TestNothingIsForgotten(t *testing.T) {
	book := &ledger{Store: teststore.Bolt(t), held: map[entry][]byte{}}
	w := newWorld(t, book)
	realm := w.livedIn()
	table := keyTable(t)
	var seen []entry
	w.clock.Advance(time.Second)
	w.must(w.Realms.Delete(w.ctx, realm.ID, core.Request{}))
	seen = book.entries()
	for line, names := range table {
		if !slices.ContainsFunc(seen, func(e entry) bool { return e.kind == line[0] && names.MatchString(e.name) }) {
			t.Errorf("the table's %s %s is nowhere in this story", line[0], line[1])
		}
	}
	for _, e := range seen {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(table)), func(line [2]string) bool { return e.kind == line[0] && table[line].MatchString(e.name) }) {
			t.Errorf("%s %s is not in the table", e.kind, e.name)
		}
	}

	w.must(w.RunJobs(w.ctx))
	w.clock.Advance(3 * time.Minute)
	w.must(w.RunJobs(w.ctx))
	_, err := w.Events.List(w.ctx, w.first(), core.ListEvents{}) // reads the system's log to its end
	w.must(err)
	for _, e := range book.entries() {
		if e.Realm == realm.ID && e.kind != "log" && !e.expires {
			t.Errorf("%s %s %q of the realm is left", e.kind, e.name, e.member)
		}
		about := book.tells(e, string(realm.ID)) || strings.Contains(e.name, string(realm.ID))
		if e.Realm == "" && about && !e.expires && !book.tells(e, `"realm.deleted"`) {
			t.Errorf("%s %s %q is left in the system's partition", e.kind, e.name, e.member)
		}
	}
}

// first returns the id of the realm that the store was set up with.
func (w *world) first() core.RealmID {
	w.Helper()
	realm, err := w.Realms.Find(w.ctx, "default")
	w.must(err)
	return realm.ID
}

// move makes a realm with an account provider, in which the story goes on.
func (w *world) move(name string) {
	w.Helper()
	realm, err := w.Realms.Create(w.ctx, core.NewRealm{Name: name}, core.Request{})
	w.must(err)
	w.realm = realm
	_, public, err := providerKey()
	w.must(err)
	_, err = w.APTKeys.Add(w.ctx, w.realm.ID, "provider", public, "", core.Request{})
	w.must(err)
}

// marked has the partitions of all realms marked: in one round they get their marks, in the next it is noted that these are there.
func (w *world) marked() {
	w.Helper()
	w.must(w.DeliverNow(w.ctx))
	w.must(w.DeliverNow(w.ctx))
}

// livedIn makes a realm that has one of everything, and makes it the world's.
func (w *world) livedIn() *core.Realm {
	w.Helper()
	w.move("other")
	w.marked()
	w.webhook("user.created", "realm.updated")
	_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.EventRetention = 24 * 60 * 60 }}, core.Request{})
	w.must(err)
	for _, shared := range []bool{true, false} {
		_, err = w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.SharedEmails = shared }}, core.Request{})
		w.must(err)
	}
	w.human("early")
	w.events(core.ListEvents{})
	w.clock.Advance(25 * time.Hour)
	_, err = w.SweepEvents(w.ctx)
	w.must(err)
	_, err = w.LoginPolicies.Create(w.ctx, w.realm.ID, core.LoginPolicyChange{Name: ptr("pages")}, core.Request{})
	w.must(err)
	secret, err := w.ManagementKeys.NewSecret()
	w.must(err)
	_, err = w.ManagementKeys.Create(w.ctx, core.NewManagementKey{Name: "its own", Realm: w.realm.ID, Permissions: []core.Permission{core.PermissionRead}}, secret, core.Request{})
	w.must(err)
	_, err = w.ManagementKeys.Authenticate(w.ctx, secret)
	w.must(err)
	_, err = w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Reference: ptr("r")}, core.Request{})
	w.must(err)

	w.usersOfAllKinds()
	w.orgsOfAllKinds()
	_, _, err = w.Repeats.Once(w.ctx, core.Repeatable{Key: w.caller(""), Name: "a call"}, func(ctx context.Context) ([]byte, bool) {
		_, err := w.Orgs.Create(ctx, w.realm.ID, core.OrgChange{Name: ptr("made once")}, core.Request{})
		return []byte("made"), err == nil
	})
	w.must(err)
	_, err = w.Events.List(w.ctx, w.realm.ID, core.ListEvents{})
	w.must(err)
	_, err = w.Hold(w.ctx, "work")
	w.must(err)
	w.ended(w.Core) // writes what was counted
	return w.realm
}

// usersOfAllKinds makes users with all that users have.
func (w *world) usersOfAllKinds() {
	w.Helper()
	w.human("ann")
	_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{Reference: ptr("r")}, core.Request{})
	w.must(err)
	device := w.signIn("ann").Device
	for _, request := range []core.Request{{}, {Device: device}, {Address: netip.MustParseAddr("192.0.2.1")}} {
		_, err = w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", "wrong", request)
		w.refused("a wrong password", err, core.ErrWrongPassword)
	}
	_, err = w.Passwords.Authenticate(w.ctx, w.realm.ID, "nobody", "wrong", core.Request{})
	w.refused("nobody's password", err, core.ErrUserNotFound)
	w.signIn("ann") // within the second
	w.emailToken("ann")
	w.apiKey(w.program("robot"), core.NewAPIKey{})
	phone := w.authenticator("ann")
	for _, request := range []core.Request{{}, {Device: device}} {
		in, err := w.Passwords.Authenticate(w.ctx, w.realm.ID, "ann", goodPassword, request)
		w.must(err)
		_, err = w.complete(in.LoginToken, w.code(phone, 10))
		w.refused("a code of another time", err, core.ErrWrongCode)
	}
	w.clock.Advance(time.Minute)
	_, err = w.APTs.Create(w.ctx, core.APTCall{Token: w.apt("acct")})
	w.must(err)
	_, err = w.APTs.Reissue(w.ctx, core.APTCall{Token: w.apt("acct")})
	w.must(err)
	w.park("cat")
	w.human("gone")
	w.must(w.Users.Delete(w.ctx, w.realm.ID, "gone", core.Request{}))
}

// orgsOfAllKinds makes an org that was, and one that is being made inactive, whose members do not all know yet.
func (w *world) orgsOfAllKinds() {
	w.Helper()
	w.must(w.Orgs.Delete(w.ctx, w.realm.ID, w.org("gone").ID, core.Request{}))
	staff := w.org("staff")
	_, err := w.Orgs.Update(w.ctx, w.realm.ID, staff.ID, core.OrgChange{Reference: ptr("o")}, core.Request{})
	w.must(err)
	for i := range 60 {
		w.joins(w.robot(i), staff.ID, "read")
	}
	_, err = w.Orgs.Update(w.ctx, w.realm.ID, staff.ID, core.OrgChange{State: ptr(core.StateInactive)}, core.Request{})
	w.must(err)
}
