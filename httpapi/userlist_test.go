package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// crowd makes the users that lists are about, dave the last.
func (w *world) crowd() {
	w.Helper()
	w.human("dave")
	custom := core.Custom{"plan": []byte(`"gold"`)}
	for _, in := range []core.UserChange{
		{Username: ptr("anna"), FirstName: ptr("Anna"), LastName: ptr("Young"), Type: ptr(core.UserHuman), Email: ptr("anna@example.com"), Reference: ptr("a;b & c"), Custom: &custom},
		{Username: ptr("bert"), FirstName: ptr("Bert"), LastName: ptr("Abel"), Type: ptr(core.UserHuman), Email: ptr("bert@example.com"), State: ptr(core.StateInactive)},
		{Username: ptr("cron"), Name: ptr("Nightly"), Type: ptr(core.UserAPI), Reference: ptr("a;b & c")},
	} {
		_, err := w.Users.Create(w.ctx, w.realm.ID, in, core.Request{})
		w.must(err)
	}
	w.secret("gold", "anna@example.com", "bert@example.com")
}

// usernames returns who is in a list.
func (a *answer) usernames() string {
	collection, _ := a.json["collection"].([]any)
	var all []string
	for _, c := range collection {
		user, _ := c.(map[string]any)
		all = append(all, fmt.Sprint(user["username"]))
	}
	return strings.Join(all, " ")
}

func TestListUsers(t *testing.T) {
	each(t, func(w *world) {
		w.want(w.ruby("GET /v1/users", ""), http.StatusOK, `{"more_results":false,"collection":[]}`)
		w.crowd()
		anna, err := w.Users.Get(w.ctx, w.realm.ID, "anna")
		w.must(err)
		for _, c := range []struct {
			query, want string
			more        bool
		}{
			{"", "anna bert cron dave", false},
			{"?direction=desc", "dave cron bert anna", false},
			{"?direction=asc&max_results=3", "anna bert cron", true},
			{"?max_results=4", "anna bert cron dave", false},
			{"?after=" + string(anna.ID), "bert cron dave", false},
			{"?after=" + string(anna.ID) + "&max_results=1", "bert", true},
			{"?sort=name_alt&after=" + string(anna.ID), "", false},
			{"?sort=id", "dave anna bert cron", false},
			{"?sort=name", "anna bert dave cron", false},
			{"?sort=name_alt", "bert dave cron anna", false},
			{"?sort=last_login", "dave anna bert cron", false},
			{"?sort=email&direction=desc", "dave bert anna", false},
			{"?prefix=AN&sort=username", "anna", false},
			{"?prefix=AN", "anna", false},
			{"?prefix=young", "anna", false},
			{"?prefix=%EF%BC%A2%65rt", "bert", false},
			{"?prefix=nightly", "cron", false},
			{"?prefix=a", "anna bert", false},
			{"?prefix=a&direction=desc", "bert anna", false},
			{"?prefix=a&max_results=1", "anna", true},
			{"?prefix=a&after=" + string(anna.ID), "bert", false},
			{"?prefix=a&after=username." + string(anna.ID), "bert", false},
			{"?prefix=a&state=inactive", "bert", false},
			{"?prefix=a&user_type=api", "", false},
			{"?prefix=a&reference=a;b+%26+c", "anna", false},
			{"?prefix=dave%40&sort=email", "dave", false},
			{"?prefix=b&sort=name&state=active", "", false},
			{"?prefix=ab&sort=name_alt", "bert", false},
			{"?prefix=zz", "", false},
			{"?state=inactive", "bert", false},
			{"?state=active&user_type=human", "anna dave", false},
			{"?user_type=api", "cron", false},
			{"?user_type=all", "anna bert cron dave", false},
			{"?reference=a%3Bb+%26%20c", "anna cron", false},
			{"?reference=a;b+%26+c&user_type=api", "cron", false},
			{"?reference=A%3Bb+%26+c", "", false},
			{"?reference=", "", false},
			{"?reference", "", false},
			{"?state=&user_type=&after=&max_results=&sort=&direction=&expand=", "anna bert cron dave", false},
			{"?request=%7B%22ip%22%3D%3E%221.2.3.4%22%7D&state=inactive", "bert", false},
			{"?request=%zz;&state=inactive&realm_id=default&expand=nothing", "bert", false},
			{"?state=inactive&state=inactive", "bert", false},
			{"?state[]=inactive", "bert", false},
			{"?state%5B0%5D=active&user_type[]=human", "anna dave", false},
			{"?realm_id=" + string(w.realm.ID), "anna bert cron dave", false},
		} {
			a := w.want(w.php("GET /v1/users"+c.query, ""), http.StatusOK, `{"more_results":`+fmt.Sprint(c.more))
			if got := a.usernames(); got != c.want {
				t.Errorf("GET /v1/users%s = %q; want %q", c.query, got, c.want)
			}
		}
	})
}

// TestSearchUsers goes through a search page by page, as next says and by the id of the last.
func TestSearchUsers(t *testing.T) {
	each(t, func(w *world) {
		w.crowd()
		dave, err := w.Users.Get(w.ctx, w.realm.ID, "dave")
		w.must(err)
		query := "GET /v1/users?prefix=a&max_results=1"
		first := w.want(w.manage(query, ""), http.StatusOK, `"username":"anna"`)
		next, _ := first.json["next"].(string)
		by, id, _ := strings.Cut(next, ".")
		if by != "username" || id == "" {
			t.Fatalf("%s has next %q; want the place of anna among usernames", query, next)
		}
		for _, after := range []string{next, id} {
			last := w.want(w.manage(query+"&after="+after, ""), http.StatusOK, `{"more_results":false,"collection":[{`)
			if last.usernames() != "bert" || last.json["next"] != nil {
				t.Errorf("%s&after=%s = %s; want bert, whose last name it is, and nothing next", query, after, last.text)
			}
		}
		if list := w.want(w.manage("GET /v1/users?max_results=1", ""), http.StatusOK, `"more_results":true`); list.json["next"] != nil {
			t.Errorf("a list that is no search = %s; want no next", list.text)
		}
		for _, bad := range []string{"prefix=a&after=name_alt." + id, "prefix=a&after=id." + id, "prefix=a&after=" + string(dave.ID), "after=" + next,
			"prefix=a&after=.", "prefix=a&after=username.", "prefix=a&sort=name&after=" + next} {
			w.want(w.manage("GET /v1/users?"+bad, ""), http.StatusUnprocessableEntity, `{"errors":{"after":["After must be`)
		}
	})
}

// TestListUsersFields asserts what an entry of a list has: the names that the Users API shows, and no others.
func TestListUsersFields(t *testing.T) {
	w := newWorld(t)
	w.crowd()
	want := strings.Fields("created_at email email_verification first_name id last_login_at last_name name object realm_id reference state user_type username")
	for _, c := range []struct{ query, custom string }{
		{"", ""},
		{"&expand=", ""},
		{"&expand=custom", "custom"},
		{"&expand[]=custom", "custom"},
		{"&expand%5B0%5D=custom", "custom"},
		{"&expand[]=custom&expand[]=custom", "custom"},
		{"&expand[]=memberships&expand[]=custom", "custom"},
		{"&expand=memberships", ""},
	} {
		a := w.want(w.manage("GET /v1/users?max_results=1"+c.query, ""), http.StatusOK, `"username":"anna"`)
		collection, _ := a.json["collection"].([]any)
		user, _ := collection[0].(map[string]any)
		names := slices.Sorted(maps.Keys(user))
		if got := slices.DeleteFunc(names, func(n string) bool { return n == c.custom }); !slices.Equal(got, want) {
			t.Errorf("GET /v1/users?%s has %q beside %q; want %q", c.query, got, c.custom, want)
		}
		if custom := strings.Contains(a.text, `"custom":{"plan":"gold"}`); custom != (c.custom != "") {
			t.Errorf("GET /v1/users?%s = %s; custom attributes are there: %t", c.query, a.text, custom)
		}
	}
	w.want(w.manage("GET /v1/users?expand=custom&user_type=api", ""), http.StatusOK, `"custom":{}`)
}

func TestListUsersRefused(t *testing.T) {
	w := newWorld(t)
	w.crowd()
	for query, names := range map[string]string{
		"state=retired":                    "state",
		"user_type=robot":                  "user_type",
		"after=anna":                       "after",
		"after=usr_0000000000000000000000": "after",
		"max_results=0":                    "max_results",
		"max_results=1001":                 "max_results",
		"max_results=ten":                  "max_results",
		"sort=size":                        "sort",
		"prefix=a&sort=id":                 "prefix",
		"direction=up":                     "direction",
		"state=%zz":                        "state",
		"reference=%ff":                    "reference",
		"state=active&state=inactive":      "state",
		"state[]=active&state[]=inactive":  "state",
		"direction=up&max_results=1e3":     "direction max_results",
		"email=anna@example.com":           "email",
		"username=":                        "username",
		"org_id=org_1&user_type=human":     "org_id",
	} {
		a := w.want(w.manage("GET /v1/users?"+query, ""), http.StatusUnprocessableEntity, `{"errors":`)
		errs, _ := a.json["errors"].(map[string]any)
		if got := strings.Join(slices.Sorted(maps.Keys(errs)), " "); got != names {
			t.Errorf("GET /v1/users?%s complains about %q; want %q", query, got, names)
		}
	}
}

func TestListUsersPermission(t *testing.T) {
	w := newWorld(t)
	other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
	w.must(err)
	for key, want := range map[string]int{
		w.newKey(w.realm.ID, core.PermissionRead):  http.StatusOK,
		w.newKey(w.realm.ID, core.PermissionWrite): http.StatusForbidden,
		w.newKey(other.ID, core.PermissionRead):    http.StatusForbidden,
		"":                                         http.StatusForbidden,
	} {
		w.want(w.do("GET /v1/users?realm_id="+string(w.realm.ID), "X-Authrocket-Api-Key: "+key, ""), want, "")
	}
	w.want(w.do("HEAD /v1/users", w.asManager(), ""), http.StatusOK, "")
}

// TestFiltersOfWholeLists refuses what a list that is always shown as a whole could be taken to be narrowed by.
func TestFiltersOfWholeLists(t *testing.T) {
	each(t, func(w *world) {
		everywhere := "X-Authrocket-Api-Key: " + w.key
		for _, list := range []string{"app_hooks", "auth_providers", "login_policies", "apt_keys", "jwt_keys"} {
			for _, filter := range []string{"state=active", "name=x", "hook_type=email", "provider_type[]=totp", "stat=active", "%zz=1"} {
				w.want(w.manage("GET /v1/"+list+"?"+filter, ""), 422, "can't narrow this list")
				w.want(w.manage("GET /v1/"+list+"?max_results=1&sort=id&request=%zz", ""), 200, "collection")
			}
		}
		w.want(w.do("GET /v1/management_keys?name=x", everywhere, ""), 422, "can't narrow this list")
		for _, list := range []string{"app_hooks", "management_keys"} {
			w.want(w.do("GET /v1/"+list+"?max_results=1001", w.asManager(), ""), 422, "Max results must be from 1 to 1000")
			w.want(w.do("GET /v1/"+list+"?max_results[]=1", w.asManager(), ""), 200, "collection")
		}
	})
}
