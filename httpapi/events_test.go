package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// collection returns the named member of every item of a list.
func (a *answer) collection(member string) string {
	var all []string
	items, _ := a.json["collection"].([]any)
	for _, i := range items {
		item, _ := i.(map[string]any)
		all = append(all, fmt.Sprint(item[member]))
	}
	return strings.Join(all, " ")
}

// TestEventsOfNoRealm lists what concerns no realm: keys and hooks for all. It takes a key for all realms, which may manage.
func TestEventsOfNoRealm(t *testing.T) {
	each(t, func(w *world) {
		w.human("ann")
		everywhere := "X-Authrocket-Api-Key: " + w.key + "\nContent-Type: application/json"
		hook := w.want(w.do("POST /v1/app_hooks", everywhere, `{"app_hook":{"realm_id":null,"hook_type":"webhook","destination":"https://hooks.example.com/"}}`), 201, "")
		w.secret(hook.field("secret"))
		list := w.want(w.do("GET /v1/events?expand=notifications", everywhere, ""), 200, "app_hook.created")
		if got := list.collection("event_type"); got != "app_hook.created management_key.created" {
			t.Errorf("events of no realm = %q; want the hook and the first key", got)
		}
		list = w.do("GET /v1/events?event_type=app_hook", everywhere, "")
		w.want(w.do("GET /v1/events/"+list.collection("id"), everywhere, ""), 200, `"realm_id":null`)
		w.want(w.manage("GET /v1/events/"+list.collection("id"), ""), 404, "Event not found")
		if got := w.manage("GET /v1/events?event_type=app_hook", "").collection("event_type"); got != "" {
			t.Errorf("events of the realm = %q; want none of a hook for all", got)
		}
		read := w.want(w.do("POST /v1/management_keys", everywhere, `{"management_key":{"name":"reader","permissions":["read"]}}`), 201, "")
		w.secret(read.field("secret"))
		w.want(w.do("GET /v1/events", "X-Authrocket-Api-Key: "+read.field("secret"), ""), 422, "Realm is required")
	})
}

// TestLoginEvent asks for the sign-in that a session token came from, as clients before 2.0 do.
func TestLoginEvent(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		former := w.signIn("ann").Token
		token := w.want(w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`","request":{"ip":"192.0.2.7"}}`), 200, "").field("token")
		session := w.manage("GET /v1/sessions/"+token, "").field("id")
		told := w.want(w.manage("GET /v1/events/login/"+token, ""), 200, `"session_id":"`+session+`"`)
		user, _ := told.json["user"].(map[string]any)
		if told.field("event_type") != "user.login.succeeded" || told.field("object") != "event" || told.field("user_id") != string(ann.ID) ||
			user["id"] != string(ann.ID) || user["object"] != "user" {
			t.Errorf("the sign-in = %s; want that of ann, with ann", told.text)
		}
		if ip, client := told.json["ip"], told.json["request"]; ip != "192.0.2.7" || fmt.Sprint(client) != "map[ip:192.0.2.7]" {
			t.Errorf("the address of the sign-in = %v, its request %v; want it in both", ip, client)
		}
		w.want(w.manage("DELETE /v1/sessions/"+session, ""), 204, "")
		w.want(w.manage("GET /v1/events/login/"+token, ""), 404, "Event not found")
		w.want(w.manage("GET /v1/events/login/"+former, ""), 200, "")
		for _, name := range []string{"x", "x.y.z", session} {
			w.want(w.manage("GET /v1/events/login/"+name, ""), 404, "Event not found")
		}
		w.want(w.do("GET /v1/events/login/"+former, "", ""), 403, "management key")
	})
}

// TestEvents lists and gets events, as the Users API's clients ask for them.
func TestEvents(t *testing.T) {
	each(t, func(w *world) {
		ann := w.human("ann")
		w.want(w.manage("PUT /v1/users/ann", `{"user":{"first_name":"Ann"},"request":{"ip":"192.0.2.7","client":"browser"}}`), 200, "")
		for _, c := range []struct {
			query  string
			status int
			want   string
		}{
			{"?user_id=" + string(ann.ID), 200, "user.updated user.created"},
			{"?user_id=" + string(ann.ID) + "&event_type=user.c", 200, "user.created"},
			{"?user_id=" + string(ann.ID) + "&event_type[]=user.c&event_type[]=user.u&direction=asc", 200, "user.created user.updated"},
			{"?event_type=user.&max_results=1&sort=id", 200, "user.updated"},
			{"?event_type=user.login&user_id=" + string(ann.ID), 200, ""},
			{"?created_at_after=9999999999", 200, ""},
			{"?org_id=org_0000000000000000000000", 200, ""},
			{"?created_at_after=yesterday", 422, ""},
			{"?direction=up", 422, ""},
			{"?sort=name", 422, ""},
			{"?max_results=0", 422, ""},
			{"?max_results=1001", 422, ""},
			{"?after=x", 422, ""},
			{"?user_id=a&user_id=b", 422, ""},
			{"?expand=users", 200, "user.updated user.created apt_key.created realm.created"},
			{"?user_id=%zz", 422, ""},
			{"?event_type=%zz", 422, ""},
			{"?event_type=user.c;event_type=user.u", 422, ""},
			{"?user_id[]=" + string(ann.ID), 200, "user.updated user.created"},
			{"?user_id=", 422, ""},
			{"?org_id", 422, ""},
			{"?session_id=kss_0000000000000000000000", 422, ""},
			{"?direction=", 200, "user.updated user.created apt_key.created realm.created"},
		} {
			a := w.manage("GET /v1/events"+c.query, "")
			if got := a.collection("event_type"); a.StatusCode != c.status || got != c.want {
				t.Errorf("GET /v1/events%s = %d %q; want %d %q", c.query, a.StatusCode, got, c.status, c.want)
			}
		}
		page := w.manage("GET /v1/events?event_type=user.&max_results=1", "")
		id := page.collection("id")
		if page.json["more_results"] != true || w.manage("GET /v1/events?event_type=user.&after="+id, "").collection("event_type") != "user.created" {
			t.Errorf("the page after %s is not the other event", id)
		}
		one := w.want(w.manage("GET /v1/events/"+id, ""), 200, `"request":{"client":"browser","ip":"192.0.2.7"}`)
		if one.field("object") != "event" || one.field("user_id") != string(ann.ID) || one.field("realm_id") != string(w.realm.ID) {
			t.Errorf("GET /v1/events/%s = %s", id, one.text)
		}
		w.want(w.manage("GET /v1/events/ev_0000000000000000000000", ""), 404, "Event not found")
		reader := w.newKey(w.realm.ID, core.PermissionWrite)
		w.want(w.do("GET /v1/events", "X-Authrocket-Api-Key: "+reader, ""), 403, "")
	})
}

// TestAppHooks makes, lists, changes, tries out and removes hooks.
func TestAppHooks(t *testing.T) {
	each(t, func(w *world) {
		made := w.want(w.manage("POST /v1/app_hooks", `{"app_hook":{"hook_type":"webhook","event_type":["user.created","user.updated"],"delay":5,"destination":"https://u:p@example.com/h"}}`), 201, `"secret":"whsec_`)
		w.secret(made.field("secret"), "u:p@")
		hook := "/v1/app_hooks/" + made.field("id")
		got := w.want(w.manage("GET "+hook, ""), 200, `"event_type":["user.created","user.updated"],"delay":5,"destination":"https://u:p@example.com/h"`)
		if strings.Contains(got.text, "whsec_") || got.field("state") != "active" || got.field("realm_id") != string(w.realm.ID) {
			t.Errorf("GET %s = %s; want it active, in the realm, and without its secret", hook, got.text)
		}
		w.want(w.manage("PUT "+hook, `{"app_hook":{"state":"inactive","event_type":[],"hook_type":"webhook"}}`), 200, `"event_type":[]`)
		w.want(w.manage("POST "+hook+"/ping", ""), 409, "active webhook")
		w.want(w.manage("PUT "+hook, `{"app_hook":{"state":"active"}}`), 200, "")
		ping := w.want(w.manage("POST "+hook+"/ping", ""), 202, `"event_type":"ping"`)
		event := w.want(w.manage("GET /v1/events/"+ping.field("id"), ""), 200, `"state":"in_progress"`)
		var body struct{ Notifications []struct{ ID string } }
		w.must(json.Unmarshal([]byte(event.text), &body))
		w.want(w.manage("POST /v1/notifications/"+body.Notifications[0].ID+"/redeliver", ""), 202, `"state":"in_progress"`)
		w.want(w.manage("POST /v1/notifications/ent_x/redeliver", ""), 404, "Notification not found")
		w.want(w.manage("GET /v1/events?event_type=ping&expand=notifications", ""), 200, body.Notifications[0].ID)
		rotated := w.want(w.manage("POST "+hook+"/rotate_secret", ""), 200, `"secret":"whsec_`)
		if w.secret(rotated.field("secret")); rotated.field("secret") == made.field("secret") {
			t.Error("rotate_secret answers with the secret from before")
		}

		w.want(w.manage("POST /v1/app_hooks", `{"app_hook":{"hook_type":"webhook","destination":"gopher://x"}}`), 422, "Destination must be a URL")
		w.want(w.manage("POST /v1/app_hooks", `{"app_hook":{"hook_type":"sms","destination":"https://example.com/"}}`), 422, "Hook type must be")
		plain := w.want(w.manage("POST /v1/app_hooks", `{"app_hook":{"destination":"https://example.com/"}}`), 201, `"hook_type":"webhook"`)
		w.want(w.manage("DELETE /v1/app_hooks/"+plain.field("id"), ""), 204, "")
		w.want(w.manage("POST /v1/app_hooks", `{"app_hook":{"hook_type":"email","event_type":"org.created"}}`), 422, "Event type must be exactly one")
		w.want(w.manage("POST /v1/app_hooks", `{"app_hook":{"hook_type":"webhook","destination":"https://example.com","secrets":[]}}`), 422, "")
		global := w.want(w.manage("POST /v1/app_hooks", `{"app_hook":{"realm_id":null,"hook_type":"webhook","destination":"https://example.com/all"}}`), 201, `"realm_id":null`)
		w.secret(global.field("secret"))

		own := "X-Authrocket-Api-Key: " + w.newKey(w.realm.ID, core.PermissionManage) + "\nContent-Type: application/json"
		w.want(w.do("GET /v1/app_hooks/"+global.field("id"), own, ""), 404, "")
		w.want(w.do("DELETE /v1/app_hooks/"+global.field("id"), own, ""), 404, "")
		w.want(w.do("POST /v1/app_hooks", own, `{"app_hook":{"realm_id":null,"hook_type":"webhook","destination":"https://example.com/all"}}`), 403, "")
		if got := w.do("GET /v1/app_hooks", own, "").collection("id"); got != made.field("id") {
			t.Errorf("a key of the realm lists %q; want the realm's hook alone", got)
		}
		if got := w.manage("GET /v1/app_hooks", "").collection("id"); got != made.field("id")+" "+global.field("id") {
			t.Errorf("a key of all realms lists %q; want both hooks", got)
		}
		w.want(w.manage("DELETE "+hook, ""), 204, "")
		w.want(w.manage("GET "+hook, ""), 404, "App hook not found")
	})
}

// TestPreview shows what e-mails will look like.
func TestPreview(t *testing.T) {
	w := newWorld(t)
	ann := w.human("ann")
	_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", core.UserChange{FirstName: ptr("<b>Ann</b>")}, core.Request{})
	w.must(err)
	preview := func(hook, body string) *answer {
		t.Helper()
		made := w.want(w.manage("POST /v1/app_hooks", `{"app_hook":`+hook+`}`), 201, "")
		return w.want(w.manage("POST /v1/app_hooks/"+made.field("id")+"/preview", body), 200, `"object":"preview"`)
	}
	own := `{"app_hook":{"user_id":"` + string(ann.ID) + `"}}`
	a := preview(`{"hook_type":"email","event_type":"user.password_token.created","email_link":"https://app.example.com/reset?lang=en"}`, own)
	link := "https://app.example.com/reset?lang=en&token=kpw_PREVIEW"
	if a.field("to") != "ann@example.com" || a.field("subject") != "Set a new password for default" || !strings.Contains(a.field("text"), link) ||
		!strings.Contains(a.field("html"), `href="`+strings.ReplaceAll(link, "&", "&amp;")+`"`) || !strings.Contains(a.field("html"), "Hello &lt;b&gt;Ann&lt;/b&gt;") {
		t.Errorf("preview of the built-in letter = %s", a.text)
	}
	a = preview(`{"hook_type":"email","event_type":"user.email.verification_requested"}`, "")
	if strings.Contains(a.text, "Confirm the address") || !strings.Contains(a.field("text"), "kv_PREVIEW") || a.field("to") != "jane@example.com" {
		t.Errorf("preview without a link = %s; want the code alone", a.text)
	}
	a = preview(`{"hook_type":"email","event_type":"user.updated","email_subject":"Hi {{user.first_name}}","email_template":"<p>{{user.first_name}}</p><p>Bye</p>","email_renderer":"html+text"}`, own)
	if a.field("subject") != "Hi <b>Ann</b>" || a.field("html") != "<p>&lt;b&gt;Ann&lt;/b&gt;</p><p>Bye</p>" || a.field("text") != "<b>Ann</b>\n\nBye\n" {
		t.Errorf("preview of html+text = %s", a.text)
	}
	a = preview(`{"hook_type":"email","event_type":"user.updated","email_subject":"Hi","email_template":"{{user.first_name}}","email_renderer":"text"}`, own)
	if a.field("html") != "" || a.field("text") != "<b>Ann</b>" {
		t.Errorf("preview of text = %s", a.text)
	}
	webhook := w.manage("POST /v1/app_hooks", `{"app_hook":{"hook_type":"webhook","destination":"https://example.com"}}`)
	w.want(w.manage("POST /v1/app_hooks/"+webhook.field("id")+"/preview", ""), 409, "")
}
