package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// thing is a kind of thing that has an address.
type thing struct {
	path, create string // where it is made, and of what
	change       string // "" = it cannot be changed
	id           string // "" = POST names it
	remove       bool   // DELETE removes it
}

// things returns one of each kind.
func (w *world) things() []thing {
	ann, bob := string(w.human("ann").ID), string(w.human("bob").ID)
	bot, err := w.Users.Create(w.ctx, w.realm.ID, core.UserChange{Type: ptr(core.UserAPI)}, core.Request{})
	w.must(err)
	events, err := w.Events.List(w.ctx, w.realm.ID, core.ListEvents{Limit: 1})
	w.must(err)
	return []thing{
		{"/v1/users", `{"user":{"user_type":"human","username":"eve","email":"eve@example.com","password":"` + goodPassword + `"}}`, `{"user":{"first_name":"%s"}}`, "", true},
		{"/v1/credentials", `{"credential":{"user_id":"` + string(bot.ID) + `","credential_type":"api_key"}}`, `{"credential":{"name":"%s"}}`, "", true},
		{"/v1/credentials", `{"credential":{"user_id":"` + ann + `","credential_type":"totp","name":"phone"}}`, `{"credential":{"name":"%s"}}`, "", true},
		{"/v1/credentials", `{"credential":{"user_id":"` + bob + `","credential_type":"recovery_codes"}}`, "", "", true},
		{"/v1/sessions", `{"session":{"user_id":"` + ann + `"}}`, "", "", true},
		{"/v1/orgs", `{"org":{"name":"Acme"}}`, `{"org":{"name":"%s"}}`, "", true},
		{"/v1/memberships", `{"membership":{"user_id":"` + bob + `","permissions":["a"]}}`, `{"membership":{"permissions":["%s"]}}`, "", true},
		{"/v1/realms", `{"realm":{"name":"Shop"}}`, `{"realm":{"name":"%s"}}`, "", true},
		{"/v1/apt_keys", `{"apt_key":{"generate":"ES256"}}`, `{"apt_key":{"name":"%s"}}`, "", false},
		{"/v1/jwt_keys", `{"jwt_key":{}}`, "", "", false},
		{"/v1/auth_providers", `{"auth_provider":{"provider_type":"totp"}}`, `{"auth_provider":{"state":"%.0sinactive"}}`, "", true},
		{"/v1/login_policies", `{"login_policy":{"name":"staff"}}`, `{"login_policy":{"name":"%s"}}`, "", true},
		{"/v1/app_hooks", `{"app_hook":{"hook_type":"webhook","destination":"https://example.com"}}`, `{"app_hook":{"destination":"https://%s.example.com"}}`, "", true},
		{"/v1/management_keys", `{"management_key":{"name":"shop","permissions":["read"]}}`, `{"management_key":{"name":"%s"}}`, "", true},
		{"/v1/user_tokens", `{"user_token":{"username":"new","email":"new@example.com"}}`, "", "", false},
		{"/v1/events", "", "", string(events.Events[0].ID), false},
	}
}

// TestTags walks every kind of thing: what was answered when it was made or changed has the tag that GET gives, or none; with an
// old tag it is neither changed nor removed, with the new one it is.
func TestTags(t *testing.T) {
	each(t, func(w *world) {
		for _, th := range w.things() {
			id := th.id
			if id == "" {
				made := w.want(w.manage("POST "+th.path, th.create), 201, "")
				id = made.field("id")
				w.sameTag("POST "+th.path, made, th.path+"/"+id)
			}
			w.walkThing(th, th.path+"/"+id)
		}
	})
}

// walkThing changes and removes a thing.
func (w *world) walkThing(th thing, path string) {
	w.Helper()
	old := w.want(w.manage("GET "+path, ""), 200, "").Header.Get("ETag")
	if th.change != "" {
		w.sameTag("PUT "+path, w.want(w.manageIf("PUT "+path, "If-Match: "+old, fmt.Sprintf(th.change, "second")), 200, ""), path)
		w.want(w.manageIf("PUT "+path, "If-Match: "+old, fmt.Sprintf(th.change, "third")), 412, "not as If-Match")
		w.want(w.manageIf("PUT "+path, "If-Match: *", fmt.Sprintf(th.change, "second")), 200, "")
	} else {
		old = `"another"`
	}
	if !th.remove {
		return
	}
	w.want(w.manageIf("DELETE "+path, "If-Match: "+old, ""), 412, "not as If-Match")
	now := w.manage("GET "+path, "").Header.Get("ETag")
	if a := w.manageIf("DELETE "+path, "If-Match: "+now, ""); a.StatusCode != 204 && a.StatusCode != 202 {
		w.Errorf("DELETE %s with its tag = %d %s; want it gone", path, a.StatusCode, a.text)
	}
	w.want(w.manageIf("DELETE "+path, "If-Match: "+now, ""), 404, "")
}

// manageIf is manage with further headers.
func (w *world) manageIf(line, headers, body string) *answer {
	w.Helper()
	return w.do(line, w.asManager()+"\n"+headers, body)
}

// sameTag asserts that an answer about a thing has the tag that GET gives, or none because it shows what GET does not.
func (w *world) sameTag(call string, a *answer, path string) {
	w.Helper()
	got := w.want(w.manage("GET "+path, ""), 200, "")
	want, tag := got.Header.Get("ETag"), a.Header.Get("ETag")
	if want == "" || tag != want && (tag != "" || a.text == got.text) {
		w.Errorf("%s = %s, ETag %q; GET = %s, ETag %q", call, a.text, tag, got.text, want)
	}
}

// TestNotModified asks for what the caller has.
func TestNotModified(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	tag := w.manage("GET /v1/users/ann", "").Header.Get("ETag")
	for _, c := range []struct {
		none   string
		status int
	}{
		{tag, 304}, {"W/" + tag, 304}, {`"x" , ` + tag, 304}, {"*", 304}, {`"x"`, 200}, {strings.Trim(tag, `"`), 200}, {"", 200},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := w.manageIf(method+" /v1/users/ann", "If-None-Match: "+c.none, "")
			if a.StatusCode != c.status || a.Header.Get("ETag") != tag || c.status == 304 && (a.text != "" || a.Header.Get("Content-Type") != "") {
				t.Errorf("%s with If-None-Match %s = %d %q %v; want %d", method, c.none, a.StatusCode, a.text, a.Header, c.status)
			}
		}
	}
	expanded := w.manage("GET /v1/users/ann?expand=memberships", "").Header.Get("ETag")
	if expanded == tag {
		t.Errorf("the tag of a user with memberships is the one without: %s", tag)
	}
	w.want(w.manageIf("PUT /v1/users/ann", "If-Match: "+expanded, `{"user":{"first_name":"Ann"}}`), 412, "")
	w.want(w.manageIf("PUT /v1/users/ann?expand=memberships", "If-Match: "+expanded, `{"user":{"first_name":"Ann"}}`), 200, `"memberships":[]`)
}

// TestPreconditions sends conditions that cannot hold, and those of callers who may not know.
func TestPreconditions(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	tag := w.manage("GET /v1/users/ann", "").Header.Get("ETag")
	writer := w.newKey(w.realm.ID, core.PermissionWrite)
	body := `{"user":{"first_name":"Ann"}}`
	for _, c := range []struct {
		line, headers string
		status        int
	}{
		{"PUT /v1/users/ann", "If-Match: W/" + tag, 412},
		{"PUT /v1/users/ann", "If-Match: " + strings.Trim(tag, `"`), 412},
		{"PUT /v1/users/ann", "If-Match: " + tag + " x", 412},
		{"PUT /v1/users/ann", "If-Match: *, " + tag, 412},
		{"PUT /v1/users/ann", "If-Match: ", 412},
		{"PUT /v1/users/ann", "If-None-Match: *", 412},
		{"PUT /v1/users/ann", "If-None-Match: W/" + tag, 412},
		{"PUT /v1/users/nobody", "If-Match: *", 404},
		{"PUT /v1/users/ann/update_password", "If-Match: *", 412},
		{"DELETE /v1/users/me", "If-Match: *", 412},
		{"DELETE /v1/sessions?user_id=ann", "If-Match: *", 412},
		{"PUT /v1/users/ann", "If-Match: \"x\", " + tag, 200},
	} {
		w.want(w.manageIf(c.line, c.headers, body), c.status, "")
	}
	w.want(w.do("PUT /v1/users/ann", "Content-Type: application/json\nIf-Match: *\nX-Authrocket-Api-Key: "+writer, body), 403, "permission")
	w.want(w.do("PUT /v1/users/ann", "Content-Type: application/json\nIf-Match: *", body), 403, "management key")
}

// TestMatchIsForOne has many change the same user by the tag that they saw: one of them does.
func TestMatchIsForOne(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		tag := w.manage("GET /v1/users/ann", "").Header.Get("ETag")
		done, refused := 0, 0
		for _, a := range w.atOnce(20, func(i int) *answer {
			return w.manageIf("PUT /v1/users/ann", "If-Match: "+tag, fmt.Sprintf(`{"user":{"first_name":"A%d"}}`, i))
		}) {
			switch a.StatusCode {
			case http.StatusOK:
				done++
			case http.StatusPreconditionFailed:
				refused++
			default:
				w.Errorf("PUT = %d %s", a.StatusCode, a.text)
			}
		}
		if done != 1 || refused != 19 {
			w.Errorf("%d changed the user and %d were refused; want 1 and 19", done, refused)
		}
	})
}

// TestMatchedAndOvertaken changes a user after the tag was compared: at the first Apply of the conditional change.
func TestMatchedAndOvertaken(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		for name, overtake := range map[string]func() error{
			"the user": func() error {
				_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{LastName: ptr("Other")}, core.Request{})
				return err
			},
			"a membership": func() error {
				_, err := w.Memberships.Create(w.ctx, w.realm.ID, core.NewMembership{User: ann.ID}, core.Request{})
				return err
			},
		} {
			tag := w.manage("GET /v1/users/ann", "").Header.Get("ETag")
			w.store.beforeApply(overtake)
			w.want(w.manageIf("PUT /v1/users/ann", "If-Match: "+tag, `{"user":{"first_name":"Ann"}}`), 412, "has changed")
			if user, err := w.Users.Get(w.ctx, w.realm.ID, "ann"); err != nil || user.FirstName != "" {
				w.Errorf("overtaken by a change of %s: first name %q, %v; want none", name, user.FirstName, err)
			}
		}
	})
}

// TestMatchCannotKnow has the store fail when the tag is to be compared.
func TestMatchCannotKnow(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	w.store.breakWith(func() error { return errors.Join(core.ErrUnavailable) })
	w.want(w.manageIf("PUT /v1/users/ann", "If-Match: *", `{"user":{}}`), 503, "")
}

// TestTagOfUsedKeys changes keys after they were used: the time of that is in the tag.
func TestTagOfUsedKeys(t *testing.T) {
	w := newWorld(t)
	made := w.want(w.manage("POST /v1/management_keys", `{"management_key":{"name":"shop","permissions":["read"]}}`), 201, "")
	w.want(w.do("GET /v1/users/x", "X-Authrocket-Api-Key: "+made.field("secret")+"\nX-Authrocket-Realm: "+string(w.realm.ID), ""), 404, "")
	apt := w.want(w.manage("GET /v1/apt_keys", ""), 200, "").json["collection"].([]any)[0].(map[string]any)
	w.provided("ann")
	w.noteUses()
	for path, change := range map[string]string{
		"/v1/management_keys/" + made.field("id"): `{"management_key":{"name":"another"}}`,
		"/v1/apt_keys/" + apt["id"].(string):      `{"apt_key":{"name":"another"}}`,
	} {
		if got := w.manage("GET "+path, ""); strings.Contains(got.text, `"last_used_at":null`) {
			t.Fatalf("GET %s = %s; want it used", path, got.text)
		}
		w.sameTag("PUT "+path, w.want(w.manage("PUT "+path, change), 200, "another"), path)
	}
}

// noteUses has the uses of keys written, as when a process ends.
func (w *world) noteUses() {
	ended, cancel := context.WithCancel(w.ctx)
	cancel()
	w.Core.Run(ended)
}
