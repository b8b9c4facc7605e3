package httpapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has changed; run with -update if that is meant. Got:\n%s", path, got)
	}
}

// refusals are calls that are refused, one of each kind and each failure that belongs to HTTP. They are made in order.
func (w *world) refusals() []struct{ name, line, headers, body string } {
	key := w.asManager() + "\n"
	apt := "Content-Type: application/vnd.api+json\nAuthorization: Bearer "
	elsewhere := strings.Replace(w.document("new"), w.realm.EnvironmentGUID, "00000000-0000-4000-8000-000000000000", 1)
	return []struct{ name, line, headers, body string }{
		{"malformed", "PUT /v1/users/ann", key, `{`},
		{"invalid", "PUT /v1/users/ann", key, `{"user":{"username":"me","email":"x","first_name":"` + strings.Repeat("x", 256) + `"}}`},
		{"unknown_attributes", "PUT /v1/users/ann", key, `{"user":{"Password":"x","first_name":7},"org":{}}`},
		{"password_rules", "PUT /v1/users/ann", key, `{"user":{"password":"short"}}`},
		{"no_realm", "GET /v1/users/ann", "X-Authrocket-Api-Key: " + w.key, ""},
		{"no_credential", "GET /v1/users/ann", "", ""},
		{"permission", "GET /v1/users/ann", "X-Authrocket-Api-Key: " + w.newKey(w.realm.ID, core.PermissionWrite), ""},
		{"other_realm", "GET /v1/users/ann", "X-Authrocket-Realm: " + string(w.realm.ID) + "\nX-Authrocket-Api-Key: " + w.newKey("rl_0000000000000000000000", core.PermissionRead), ""},
		{"wrong_password", "POST /v1/users/ann/authenticate", key, `{"password":"wrong"}`},
		{"precondition", "PUT /v1/users/ann", key + "If-Match: \"x\"\n", `{}`},
		{"idempotency_key", "POST /v1/orgs", key + "Idempotency-Key: a b\n", `{}`},
		{"no_user", "GET /v1/users/nobody", key, ""},
		{"no_session", "GET /v1/sessions/kss_x", key, ""},
		{"no_route", "GET /v1/nothing", "", ""},
		{"no_method", "GET /v1/users/reauth", "", ""},
		{"media_type", "PUT /v1/users/ann", "Content-Type: text/plain\nX-Authrocket-Api-Key: " + w.key, "x"},
		{"too_large", "PUT /v1/users/ann", key, strings.Repeat(" ", 128<<10+1)},
		{"no_token", "GET /v1/users/me", "", ""},
		{"bad_token", "GET /v1/users/me", "Authorization: Bearer eyJ.eyJ.x", ""},
		{"bad_apt", "POST /v1/users/reauth", apt + w.apt("bob"), w.document("ann")},
		{"expired_apt", "POST /v1/users", apt + w.sign(map[string]any{"exp": 60, "iat": 0, "user": map[string]string{"environment_guid": w.realm.EnvironmentGUID}}), w.document("new")},
		{"unnamed_apt", "DELETE /v1/users/me", "Authorization: Bearer " + w.apt(""), ""},
		{"no_environment", "POST /v1/users", apt + w.apt(""), elsewhere},
		{"taken", "POST /v1/users", apt + w.apt(""), w.document("prov")},
		{"blank", "POST /v1/users", apt + w.apt(""), w.document("")},
		{"type", "POST /v1/users", apt + w.apt(""), `{"data":{"type":"robot"}}`},
		{"inactive", "POST /v1/users/reauth", apt + w.sdkAPT("gone"), w.document("gone")},
	}
}

// TestRefusals holds every refusal in all three forms against golden files.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	w.human("eve")
	w.provided("prov")
	gone := w.provided("gone").User.ID
	_, err := w.Users.Update(w.ctx, w.realm.ID, string(gone), core.UserChange{State: ptr(core.StateInactive)}, core.Request{})
	w.must(err)
	for range 10 {
		w.manage("POST /v1/users/eve/authenticate", `{"password":"wrong"}`)
	}
	for form, media := range map[string]string{"v1": "application/json", "jsonapi": "application/vnd.api+json", "problem": "application/problem+json"} {
		t.Run(form, func(t *testing.T) {
			told := map[string]any{}
			ask := func(name, line, headers, body string) {
				headers = regexp.MustCompile(`(?m)^Accept: .*\n`).ReplaceAllString(headers, "")
				told[name] = w.told(w.do(line, "Accept: "+media+"\n"+headers, body), media)
			}
			for _, r := range w.refusals() {
				ask(r.name, r.line, r.headers, r.body)
			}
			ask("throttled", "POST /v1/users/eve/authenticate", w.asManager(), `{"password":"wrong"}`)
			for name, fail := range map[string]error{"unavailable": core.ErrUnavailable, "outcome_unknown": core.ErrOutcomeUnknown, "internal": os.ErrInvalid} {
				w.store.breakWith(func() error { return fail })
				ask(name, "GET /v1/users/ann", w.asManager(), "")
			}
			w.store.breakWith(nil)
			golden(t, "refusals."+form+".json", indent(t, told))
		})
	}
}

// told is what an answer says: status, the headers that go with it, and the body.
func (w *world) told(a *answer, media string) any {
	w.Helper()
	if got := a.Header.Get("Content-Type"); got != media {
		w.Errorf("%s is in %q; want %q", a.text, got, media)
	}
	headers := map[string]string{}
	for _, name := range []string{"Allow", "Retry-After", "Www-Authenticate", "X-Ratelimit-Limit", "X-Ratelimit-Remaining"} {
		if v := a.Header.Get(name); v != "" {
			headers[name] = v
		}
	}
	return struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers,omitempty"`
		Body    json.RawMessage   `json:"body"`
	}{a.StatusCode, headers, json.RawMessage(a.text)}
}

// indent writes JSON for people.
func indent(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// volatile is what differs from run to run, with what stands for it.
var volatile = []struct {
	is  *regexp.Regexp
	say string
}{
	{tokenShape, "TOKEN"},
	{regexp.MustCompile(`jsk_\w{44}`), "jsk_SECRET"},
	{regexp.MustCompile(`-----BEGIN PUBLIC KEY-----[^"]*`), "PEM"},
	{regexp.MustCompile(`"kid":"[\w-]+"`), `"kid":"KID"`},
	{regexp.MustCompile(`\b(usr|kss|rl|crd|jky|ap|lpl)_\w{22}\b`), "${1}_ID"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`), "GUID"},
	{regexp.MustCompile(`\b\d{10}(\.\d+)?\b`), "1392447538.275"},
	{regexp.MustCompile(`user-[0-9a-z]{12}`), "GENERATED"},
}

// TestAnswers holds every kind of success against golden files.
func TestAnswers(t *testing.T) {
	w := newWorld(t)
	told := map[string]json.RawMessage{}
	note := func(name string, a *answer) *answer {
		t.Helper()
		if a.StatusCode >= 300 {
			t.Fatalf("%s = %d %s", name, a.StatusCode, a.text)
		}
		text := a.text
		for _, v := range volatile {
			text = v.is.ReplaceAllString(text, v.say)
		}
		told[name] = json.RawMessage(text)
		return a
	}
	w.secret(goodPassword, "ann@example.com")
	body := fmt.Sprintf(`{"user":{"user_type":"human","username":"Ann","email":"Ann@Example.com","password":%q,"first_name":"Ann","last_name":"Lee",`+
		`"reference":"r1","custom":{"b":[1,"x",null],"a":true}},"request":{"ip":"10.0.0.1","client":"app"}}`, goodPassword)
	note("create_human", w.manage("POST /v1/users", body))
	note("create_api", w.manage("POST /v1/users", `{"user":{"user_type":"api","name":"Robot"}}`))
	note("get", w.manage("GET /v1/users/ann", ""))
	in := note("authenticate", w.manage("POST /v1/users/ann/authenticate", `{"password":"`+goodPassword+`","request":{"ip":"10.0.0.1","client":"app"}}`))
	note("session", w.manage("GET /v1/sessions/"+in.field("token"), ""))
	note("sessions", w.manage("GET /v1/sessions?user_id=ann", ""))
	note("refresh_human", w.do("GET /v1/users/me", "Authorization: Bearer "+in.field("token"), ""))
	note("refresh_human_jsonapi", w.provide("GET /v1/users/me", in.field("token"), ""))
	note("realm", w.manage("GET /v1/realms/"+string(w.realm.ID), ""))
	provided := note("provide_jsonapi", w.provide("POST /v1/users", w.apt(""), w.document("user_xyz123")))
	note("reissue_jsonapi", w.provide("POST /v1/users/reauth", w.apt("user_xyz123"), w.document("user_xyz123")))
	note("refresh_jsonapi", w.provide("GET /v1/users/me", provided.attribute("token"), ""))
	note("provide_v1", w.do("POST /v1/users", "Authorization: Bearer "+w.apt("plain"), ""))
	golden(t, "answers.json", indent(t, told))
}
