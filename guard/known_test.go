package guard

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
)

// identities are all that core could say of somebody, and more.
var identities = rapid.Custom(func(t *rapid.T) core.Identity {
	text := func(name string) string {
		return rapid.OneOf(rapid.Just(""), rapid.StringN(0, 12, 20), rapid.Just("\xff\x00"), rapid.Just(strings.Repeat("long", 1000))).Draw(t, name)
	}
	texts := func(name string) []string {
		return rapid.OneOf(rapid.Just[[]string](nil), rapid.Just([]string{}), rapid.SliceOfN(rapid.StringN(0, 5, 9), 1, 4)).Draw(t, name)
	}
	when := func(name string) time.Time {
		return rapid.OneOf(rapid.Just(time.Time{}), rapid.Map(rapid.Int64Range(-1<<40, 1<<62), func(n int64) time.Time { return time.Unix(0, n).UTC() })).Draw(t, name)
	}
	who := core.Identity{
		Realm: core.RealmID(text("realm")), User: core.UserID(text("user")), Session: core.SessionID(text("session")), Credential: core.CredentialID(text("credential")),
		Type: core.UserType(text("type")), Username: text("username"), Email: text("email"), Name: text("name"), ArbitraryID: text("arbitrary id"),
		FirstName: text("first name"), LastName: text("last name"), Reference: text("reference"),
		EmailVerified: rapid.Bool().Draw(t, "verified"), MFA: rapid.Bool().Draw(t, "mfa"), Only: texts("only"),
		SignedInAt: when("signed in"), RecheckAt: when("recheck"), RenewAt: when("renew"), ExpiresAt: time.Unix(0, rapid.Int64Range(-1<<40, 1<<62).Draw(t, "expires")).UTC(),
	}
	for _, name := range rapid.SliceOfNDistinct(rapid.StringN(1, 3, 3), 0, 3, rapid.ID).Draw(t, "custom") {
		if who.Custom == nil {
			who.Custom = core.Custom{}
		}
		who.Custom[name] = json.RawMessage(text("attribute"))
	}
	for range rapid.IntRange(0, 3).Draw(t, "orgs") {
		who.Orgs = append(who.Orgs, core.OrgAccess{Org: core.OrgID(text("org")), Permissions: texts("permissions")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "from") {
		who.From = append(who.From, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), rapid.IntRange(0, 32).Draw(t, "bits")))
	}
	if rapid.Bool().Draw(t, "empty") {
		who.Orgs, who.From, who.Custom = []core.OrgAccess{}, []netip.Prefix{}, core.Custom{}
	}
	return who
})

// TestKnownKeepsAll has somebody remembered, and compares who that is with who it was, nil and empty told apart: a key that may do
// nothing, or be shown from nowhere, must not become one without bounds.
func TestKnownKeepsAll(t *testing.T) {
	headers, err := newIdentityHeaders(map[string]string{"Id": "id", "Name": "name", "Mfa": "mfa", "May": "permissions", "In": "orgs", "Since": "signed_in_at", "X": "custom.x", "Ref": "reference"})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := reading{
			who: identities.Draw(t, "who"), tag: tag{rapid.Uint64().Draw(t, "low"), rapid.Uint64().Draw(t, "high"), rapid.Uint32().Draw(t, "home")}, heard: rapid.Uint64().Draw(t, "heard"),
			at: time.Unix(0, 1_800_000_000_000_000_001).UTC(), stamps: [3]uint16{1, 2, 65535}, from: rapid.IntRange(0, maxIssuers).Draw(t, "from"),
		}
		k := r.known(headers)
		signed := k.withAssertion("first", time.Unix(100, 0)).withAssertion("assertion", time.Unix(200, 0))
		for _, k := range []known{k, k.alone(), signed, (k + signed).first()} {
			if got := k.identity(); !reflect.DeepEqual(got, r.who) {
				t.Fatalf("identity = %+v,\nwant %+v", got, r.who)
			}
			if got, want := k.told(len(headers), make([]string, 1)), headers.told(&r.who); !slices.Equal(got, want) {
				t.Fatalf("told = %q, want %q", got, want)
			}
			got := reading{who: r.who, tag: k.tag(), heard: k.number(atHeard), at: k.time(atRead), stamps: k.stamps(), from: int(k[atFrom])}
			if !reflect.DeepEqual(got, r) || !k.sameRead(signed) {
				t.Fatalf("read back as %+v, want %+v", got, r)
			}
		}
		if got := k.assertion(time.Unix(0, 0)); got != "" {
			t.Fatalf("assertion = %q; none was signed", got)
		}
		if got := signed.assertion(time.Unix(199, 0)); got != "assertion" {
			t.Fatalf("assertion = %q, want the last that was signed", got)
		}
		if got := signed.assertion(time.Unix(200, 0)); got != "" {
			t.Fatalf("assertion = %q when another is due", got)
		}
	})
}

// TestFactsAreUsedAgain reads one identity after another in the same room, each of which must be as if it were alone.
func TestFactsAreUsedAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var room facts
		for _, who := range rapid.SliceOfN(identities, 1, 5).Draw(t, "who") {
			r := reading{who: who, at: time.Unix(0, 0)}
			room.read(r.known(nil))
			who.FirstName, who.LastName, who.Reference, who.Custom = "", "", "", nil // no policy asks about these
			if !reflect.DeepEqual(room.who, who) {
				t.Fatalf("read %+v,\nwant %+v", room.who, who)
			}
		}
	})
}

// TestShelf holds a shard to a map, with texts of all lengths that come, go and are replaced; and bounds its memory.
func TestShelf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, model := &newCache(64).shards[0], map[tag]known{}
		lengths := rapid.OneOf(rapid.IntRange(0, 600), rapid.IntRange(longText-200, longText+50), rapid.IntRange(0, 5*bookSize))
		for i := range rapid.IntRange(1, 600).Draw(t, "steps") {
			n := rapid.Uint64Range(0, 80).Draw(t, "tag")
			g := tag{n, 0, uint32(n) * maxShards}
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				if k, is := model[g]; is {
					s.drop(k)
					delete(model, g)
				}
			case 1:
				if k, is := model[g]; is {
					model[g] = k.withAssertion("signed", time.Unix(int64(i), 0))
					s.amend(model[g])
				}
			default:
				r := reading{tag: g, at: time.Unix(0, int64(i)), who: core.Identity{Name: strings.Repeat("x", lengths.Draw(t, "length"))}}
				model[g] = r.known(nil)
				s.put(model[g])
			}
			for g := range model {
				if s.byTag.get(g) == nil { // it made way
					delete(model, g)
				}
			}
			checkShard(t, s, model)
		}
	})
}

// checkShard fails the test unless s holds what model does, in at most twice the memory.
func checkShard(t *rapid.T, s *shard, model map[tag]known) {
	wanted, held := 0, 0
	for g, k := range model {
		wanted += len(k)
		if found := s.byTag.get(g); found == nil || s.known(found) != k {
			t.Fatalf("%x is not as it was put", g)
		}
	}
	for _, b := range s.shelf.books {
		held += len(b.text)
	}
	if s.byTag.count != len(model) || held > 2*wanted+2*bookSize {
		t.Fatalf("%d entries in %d bytes, want %d in at most twice %d and two books", s.byTag.count, held, len(model), wanted)
	}
}
