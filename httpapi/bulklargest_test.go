package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestBulkOfTheLargest takes users to another realm who have as much as a user can have: each is one line, and one Transaction.
func TestBulkOfTheLargest(t *testing.T) {
	each(t, func(w *world) {
		permissions, addresses := make([]string, 20), make([]string, 50)
		for i := range permissions {
			permissions[i] = fmt.Sprintf("%02d", i) + strings.Repeat("p", 60)
		}
		for i := range addresses {
			addresses[i] = fmt.Sprintf("2001:db8:aaaa:bbbb:cccc:dddd:eeee:%x/128", 0xf000+i)
		}
		html := core.Custom{"html": []byte(`"` + strings.Repeat("<", 16<<10-6) + `"`)}
		robot, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI), Username: ptr("robot"), Email: ptr("robot@example.com"),
			Reference: ptr("r"), Custom: &html}, core.Request{})
		w.must(err)
		w.members(w.human("ann").ID, robot.ID)
		copied := w.realmNamed("copy")
		for _, realm := range []core.RealmID{w.realm.ID, copied} {
			w.want(w.inRealm(string(realm), "PUT /v1/realms/"+string(realm), `{"realm":{"api_key_policy":"encrypt"}}`), 200, `"encrypt"`)
		}
		for i := range 20 {
			chosen := fmt.Sprintf("%02d-Zk3vQ9xLpT2mWc8RbYh5Nd", i) + strings.Repeat("x", 230)
			_, key, err := w.APIKeys.Create(w.ctx, w.realm.ID, "robot", core.NewAPIKey{Key: chosen, Name: fmt.Sprint("key ", i), Permissions: permissions, Addresses: addresses}, core.Request{})
			w.must(err)
			w.secret(key)
		}
		for range 5 {
			_, err := w.SecondFactors.Enrol(w.ctx, w.realm.ID, "ann", strings.Repeat("x", 100), core.Request{})
			w.must(err)
		}
		_, codes, err := w.SecondFactors.NewRecoveryCodes(w.ctx, w.realm.ID, "ann", core.Request{})
		w.must(err)
		w.secret(codes...)

		_, exported := w.bulk("GET", everything, w.realm.ID, nil)
		_, said := w.bulk("POST", "", copied, strings.NewReader(strings.Join(exported, "")))
		if sum := said[len(said)-1]; !strings.Contains(sum, `"created":102,"updated":0,"exists":0,"failed":0`) {
			w.Errorf("the import says %.300s %s; want all 102 created", said[len(said)-3:], sum)
		}
		_, again := w.bulk("GET", everything, copied, nil)
		bare := func(lines []string) string { return sealedSecret.ReplaceAllString(strings.Join(lines, ""), "") }
		if bare(again) != bare(exported) {
			w.Error("the copy is not what was exported")
		}
		longest := 0
		for _, line := range exported {
			longest = max(longest, len(line))
		}
		if strings.Count(strings.Join(again, ""), `"sealed"`) != 26 {
			w.Error("some secret does not go along")
		}
		if longest < 256<<10 {
			w.Errorf("the longest line has %d bytes; want one that is about as long as can be", longest)
		}
	})
}

// members makes users members of as many orgs as they can be, with as much to each membership as there is room for.
func (w *world) members(users ...core.UserID) {
	w.Helper()
	much := core.Custom{"much": []byte(`"` + strings.Repeat("<", 150) + `"`)}
	for i := range core.MaxMemberships {
		org, err := w.Orgs.Create(w.ctx, w.realm.ID, core.OrgChange{Name: ptr(fmt.Sprint("org ", i))}, core.Request{})
		w.must(err)
		for _, user := range users {
			_, err = w.Memberships.Create(w.ctx, w.realm.ID, core.NewMembership{User: user, Org: org.ID,
				MembershipChange: core.MembershipChange{Permissions: &[]string{"read"}, Custom: &much}}, core.Request{})
			w.must(err)
		}
	}
}
