package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// list is a list of the API as its tests walk it.
type list struct {
	path     string // with what it cannot do without
	after    string // an id of this kind that is there
	ordered  bool   // it can be listed in both directions
	shelf    bool   // it is short, and always shown as a whole
	narrowed string // a filter that it has
}

// lists makes one of each, and returns all lists that there are.
func (w *world) lists() []list {
	w.Helper()
	ann := w.human("ann")
	id := func(route, body string) string { return w.want(w.manage(route, body), 201, `"id":"`).field("id") }
	org := id("POST /v1/orgs", `{"org":{"name":"Acme"}}`)
	member := id("POST /v1/memberships", `{"membership":{"user_id":"`+string(ann.ID)+`","org_id":"`+org+`"}}`)
	session := id("POST /v1/sessions", `{"session":{"user_id":"ann"}}`)
	hook := id("POST /v1/app_hooks", `{"app_hook":{"hook_type":"webhook","destination":"https://example.com/"}}`)
	keys, _, err := w.ManagementKeys.List(w.ctx, "", 1)
	w.must(err)
	events, err := w.Events.List(w.ctx, w.realm.ID, core.ListEvents{})
	w.must(err)
	return []list{
		{"/v1/users?", string(ann.ID), true, false, "state=active"},
		{"/v1/orgs?", org, true, false, "state=active"},
		{"/v1/realms?", string(w.realm.ID), true, false, "state=active"},
		{"/v1/memberships?", member, true, false, "user_id=ann"},
		{"/v1/sessions?user_id=ann&", session, true, false, ""},
		{"/v1/events?", string(events.Events[0].ID), true, false, "user_id=ann"},
		{"/v1/app_hooks?", hook, true, false, ""},
		{"/v1/management_keys?", string(keys[0].ID), false, false, ""},
		{"/v1/apt_keys?", "", true, true, ""},
		{"/v1/jwt_keys?", "", true, true, ""},
		{"/v1/auth_providers?", "", true, true, ""},
		{"/v1/login_policies?", "lpl_0000000000000000000000", true, false, ""},
	}
}

// TestListsWalked asks every list for what all have, in all ways, and holds that what is wrong is refused by its name.
func TestListsWalked(t *testing.T) {
	each(t, func(w *world) {
		everywhere := "X-Authrocket-Api-Key: " + w.key
		for _, l := range w.lists() {
			get := func(query string, status int, part string) *answer {
				w.Helper()
				headers := w.asManager()
				if strings.HasPrefix(l.path, "/v1/management_keys") {
					headers = everywhere
				}
				a := w.do("GET "+l.path+query, headers, "")
				if a.StatusCode != status || !strings.Contains(a.text, part) {
					w.Errorf("GET %s%s = %d %s; want %d %q", l.path, query, a.StatusCode, a.text, status, part)
				}
				return a
			}
			for _, query := range []string{"", "after=", "max_results=1", "max_results=1000", "direction=asc", "sort=id", "request=%7B%22ip%22%3D%3E1%7D&expand[]=custom&", "max_results[]=5", l.narrowed} {
				get(query, http.StatusOK, `"collection":[`)
			}
			for query, names := range map[string]string{
				"max_results=0": "max_results", "max_results=-1": "max_results", "max_results=1001": "max_results", "max_results=abc": "max_results", "max_results=1e2": "max_results",
				"max_results=1&max_results=2": "max_results", "direction=up": "direction", "hook_type=email": "hook_type", "after=%ff": "after", "session_id=x": "session_id",
				"stat=inactive": "stat", "State=inactive": "State", "page=2": "page",
			} {
				get(query, http.StatusUnprocessableEntity, `{"errors":{"`+names+`":`)
			}
			if !l.ordered {
				get("direction=desc", http.StatusUnprocessableEntity, `"direction":["Direction must be asc"]`)
			}
			if l.shelf {
				continue
			}
			get("sort=luck", http.StatusUnprocessableEntity, `"sort":["Sort must be `)
			get("after="+url.QueryEscape(l.after), http.StatusOK, `"collection":[`)
			for _, after := range []string{"anna", l.after + "0", "ent_0000000000000000000000", "../" + l.after} {
				get("after="+url.QueryEscape(after), http.StatusUnprocessableEntity, `"after":["After must be the id of a`)
			}
			w.want(w.do("GET "+strings.Replace(l.path, "?", "/?", 1), everywhere, ""), http.StatusNotFound, `{"errors":`)
		}
	})
}

// TestListsByUser narrows every list that can be by one user, named in each way, and by nobody.
func TestListsByUser(t *testing.T) {
	each(t, func(w *world) {
		lists := w.lists()
		ann, err := w.Users.Get(w.ctx, w.realm.ID, "ann")
		w.must(err)
		narrowed := 0
		for _, l := range lists {
			path, _, _ := strings.Cut(l.path, "?")
			if a := w.manage("GET "+path+"?user_id=ann", ""); a.StatusCode == http.StatusUnprocessableEntity && strings.Contains(a.text, "can't narrow this list") || strings.HasSuffix(path, "management_keys") {
				continue
			}
			narrowed++
			byID := w.want(w.manage("GET "+path+"?user_id="+string(ann.ID), ""), http.StatusOK, `"collection":[{`)
			for _, name := range []string{"ann", "ANN", "ann@example.com"} {
				if a := w.want(w.manage("GET "+path+"?user_id="+name, ""), http.StatusOK, ""); a.text != byID.text {
					w.Errorf("GET %s?user_id=%s = %s; want what the id gives: %s", path, name, a.text, byID.text)
				}
			}
			for _, name := range []string{"nobody", "nobody@example.com", "usr_1", "usr_", "org_0000000000000000000000"} {
				w.want(w.manage("GET "+path+"?user_id="+name, ""), http.StatusNotFound, "User not found")
			}
			w.want(w.manage("GET "+path+"?user_id=", ""), http.StatusUnprocessableEntity, `"user_id":["User`)
		}
		if narrowed != 3 {
			w.Errorf("%d lists are narrowed by user_id; want those of memberships, sessions and events", narrowed)
		}
		w.must(w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{}))
		w.want(w.manage("GET /v1/events?user_id="+string(ann.ID), ""), http.StatusOK, `"event_type":"user.deleted"`)
		w.want(w.manage("GET /v1/events?user_id=ann", ""), http.StatusNotFound, "User not found")
		w.want(w.do("GET /v1/events?user_id=ann", "X-Authrocket-Api-Key: "+w.key, ""), http.StatusNotFound, "User not found") // events of no realm
	})
}
