package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// statuses imports lines, and returns what became of each.
func (w *world) statuses(query, lines string) (all []string) {
	w.Helper()
	_, said := w.bulk("POST", query, w.realm.ID, strings.NewReader(lines))
	for _, line := range said[:len(said)-1] {
		var got wire.ImportLine
		w.must(json.Unmarshal([]byte(line), &got))
		all = append(all, strings.TrimSpace(got.Status+" "+strings.Join(got.Errors, "; ")))
	}
	return all
}

// membershipsOf returns those of a user.
func (w *world) membershipsOf(name string) []*core.Membership {
	w.Helper()
	user, err := w.Users.Get(w.ctx, w.realm.ID, name)
	w.must(err)
	page, err := w.Memberships.List(w.ctx, w.realm.ID, core.ListMemberships{User: user.ID, Limit: core.MaxRange})
	w.must(err)
	return page.Memberships
}

// TestImportOfAFileOfOnesOwn imports what docs/import.md shows, dry, once and again: the user is in the org, and at large, once each.
func TestImportOfAFileOfOnesOwn(t *testing.T) {
	text, err := os.ReadFile("../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "### A file of your own\n")
	section, _, _ = strings.Cut(section, "\n## ")
	lines := strings.Join(regexp.MustCompile(`(?m)^    \{.*\n`).FindAllString(section, -1), "")
	each(t, func(w *world) {
		for _, try := range []struct{ query, want string }{{"?dry_run=true", "created"}, {"", "created"}, {"", "exists"}, {"?dry_run=true", "exists"}} {
			if got := w.statuses(try.query, lines); !slices.Equal(got, []string{try.want, try.want}) {
				w.Errorf("import%s = %q; want an org and a user %s", try.query, got, try.want)
			}
		}
		got := w.membershipsOf("kim")
		if len(got) != 2 {
			w.Fatalf("kim has %d memberships; want two", len(got))
		}
		org, err := w.Orgs.Get(w.ctx, w.realm.ID, core.OrgFromSource("legacy:acme"))
		w.must(err)
		made := time.Unix(1602590411, 0)
		for _, m := range got {
			if !m.CreatedAt.Equal(made) {
				w.Errorf("membership %+v; want one as old as the user", m)
			}
		}
		in := got[slices.IndexFunc(got, func(m *core.Membership) bool { return m.Org == org.ID })]
		if org.Name != "Acme" || !slices.Equal(in.Permissions, []string{"invoices:read"}) || in.ExpiresAt.Unix() != 2082758400 {
			w.Errorf("org %+v, membership %+v; want them as the page has them", org, in)
		}
		if one, err := w.Memberships.Get(w.ctx, w.realm.ID, in.ID); err != nil || one.User != got[0].User {
			w.Errorf("Get = %+v, %v; want kim's", one, err)
		}
	})
}

// TestImportOfMembershipsWithoutIDs imports users with a source, with an id, and with neither, who are members: each comes with all that is theirs, and
// a repetition makes nothing more.
func TestImportOfMembershipsWithoutIDs(t *testing.T) {
	each(t, func(w *world) {
		staff := w.want(w.manage("POST /v1/orgs", `{"org":{"name":"staff"}}`), 201, "").field("id")
		member := `"memberships":[{"org_id":"` + staff + `","permissions":["read"]},{"permissions":["support"]}]`
		const digest = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
		lines := `{"source":"a:1","username":"ann",` + member + `}
{"source":"a:2","arbitrary_id":"acct-2","username":"bob",` + member + `}
{"id":"usr_0000000000000000000007","username":"cid",` + member + `}
{"username":"dan",` + member + `}
{"source":"a:5","username":"robot","user_type":"api","api_keys":[{"digest":"` + digest + `"}],` + member + `}
`
		const taken = "failed Username has already been taken"
		for _, want := range [][]string{{"created", "created", "created", "created", "created"}, {"exists", "exists", "exists", taken, "exists"}} {
			if got := w.statuses("", lines); !slices.Equal(got, want) {
				w.Errorf("import = %q; want %q", got, want)
			}
		}
		seen := map[core.MembershipID]bool{}
		for _, name := range []string{"ann", "bob", "cid", "dan", "robot"} {
			got := w.membershipsOf(name)
			for _, m := range got {
				seen[m.ID] = true
			}
			if len(got) != 2 {
				w.Errorf("%s has %d memberships; want two", name, len(got))
			}
		}
		if len(seen) != 10 {
			w.Errorf("%d ids of memberships; want ten", len(seen))
		}
		_, exported := w.bulk("GET", everything, w.realm.ID, nil)
		if len(exported) != 6 || strings.Count(strings.Join(exported, ""), digest) != 1 {
			w.Errorf("export has %d lines; want an org and five users, one of them with a key", len(exported))
		}
	})
}

// TestImportOfMembershipsSaysWhatIsWrong goes through members of orgs that are not there, or are named in two ways.
func TestImportOfMembershipsSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	if got := w.statuses("", `{"object":"org","source":"acme","name":"Acme"}`); !slices.Equal(got, []string{"created"}) {
		t.Fatalf("import of an org = %q", got)
	}
	for _, tt := range []struct{ line, want string }{
		{`{"username":"kim","memberships":[{"org_source":"other"}]}`, "failed Org does not exist"},
		{`{"username":"kim","memberships":[{"org_source":"acme","org_id":"org_0000000000000000000000"}]}`, "failed Org source must stand in the place of an id, and not beside it"},
		{`{"username":"kim","memberships":[{"org_source":"acme"},{"org_source":"acme"}]}`, "failed User is already a member of this org"},
		{`{"username":"kim","memberships":[{},{}]}`, "failed User already has a membership without an org"},
		{`{"object":"org","source":"acme","id":"org_0000000000000000000000","name":"x"}`, "failed Source must stand in the place of an id, and not beside it"},
		{`{"object":"org","name":"x"}`, "failed Id must be org_ and 22 letters and digits"},
		{`{"username":"kim","user_type":"api","api_keys":[{"name":"x"}]}`, "failed API keys must have the digest that an export has"},
	} {
		for _, query := range []string{"?dry_run=true", ""} {
			if got := w.statuses(query, tt.line); !slices.Equal(got, []string{tt.want}) {
				t.Errorf("import%s %s = %q; want %q", query, tt.line, got, tt.want)
			}
		}
	}
}

// TestImportMeetsAnOutage has the store fail in the middle of an import: the answer says so in its last line and is cut short, and the same sent
// again makes those who are missing.
func TestImportMeetsAnOutage(t *testing.T) {
	each(t, func(w *world) {
		const many = 100
		var lines strings.Builder
		for i := range many {
			fmt.Fprintf(&lines, `{"source":"x:%d","username":"user-%d"}`+"\n", i, i)
		}
		w.store.crash(many/2, false)
		r, err := http.NewRequestWithContext(w.ctx, "POST", w.server.URL+"/v1/bulk/users", strings.NewReader(lines.String()))
		w.must(err)
		r.Header = http.Header{"X-Authrocket-Api-Key": {w.key}, "X-Authrocket-Realm": {string(w.realm.ID)}}
		res, err := http.DefaultClient.Do(r)
		w.must(err)
		text, err := io.ReadAll(res.Body)
		w.must(res.Body.Close())
		said := strings.Split(strings.TrimSpace(string(text)), "\n")
		const want = `{"error":"The data store cannot be reached; nothing was decided, try again shortly","code":"unavailable","object":"error"}`
		if last := said[len(said)-1]; err == nil || last != want {
			w.Errorf("import = %q, %v; want it cut short behind %s", last, err, want)
		}
		if !w.store.restart() {
			w.Fatal("the store did not fail")
		}
		all := w.statuses("", lines.String())
		made := many - len(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "created" }))
		if there := many - made; made == 0 || there < many/2-1 || len(all) != many || slices.ContainsFunc(all, func(s string) bool { return s != "created" && s != "exists" }) {
			w.Errorf("import again makes %d of %d; want those who were missing", made, many)
		}
	})
}
