package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestOrgs sends what the Users API's clients send about orgs and memberships (Users API, "Requests as sent").
func TestOrgs(t *testing.T) {
	w := newWorld(t)
	acme := w.manage("POST /v1/orgs", `{"org":{"name":"Acme","reference":"c-1","custom":{"plan":"gold"}},"request":{"ip":"10.0.0.1"}}`)
	w.says(acme, 201, `"object":"org"`, `"state":"active"`, `"custom":{"plan":"gold"}`, `"reference":"c-1"`)
	id := acme.field("id")
	w.says(w.manage("GET /v1/orgs/"+id, ""), 200, `"name":"Acme"`)
	w.says(w.manage("PUT /v1/orgs/"+id, `{"org":{"name":"Acme Inc"}}`), 200, `"name":"Acme Inc"`, `"reference":"c-1"`)
	w.says(w.manage("POST /v1/orgs", `{"org":{}}`), 422, `{"errors":{"name":["Name can't be blank"]}}`)
	w.says(w.manage("GET /v1/orgs?reference=c-1&expand=custom&sort=name&direction=asc&max_results=2&realm_id="+string(w.realm.ID), ""), 200,
		`"more_results":false`, `"plan":"gold"`)
	if list := w.manage("GET /v1/orgs", ""); strings.Contains(list.text, "custom") {
		t.Errorf("GET /v1/orgs = %s; want no custom attributes unasked", list.text)
	}
	w.says(w.manage("GET /v1/orgs?sort=size", ""), 422, "Sort must be id or name")

	person := func(name, more string) string {
		return fmt.Sprintf(`{"user_type":"human","username":"%s","email":"%s@example.com","password":"four words make it long"%s}`, name, name, more)
	}
	ann := w.manage("POST /v1/users", `{"user":`+person("ann", `,"org_ids":["`+id+`"],"permissions":["p1"]`)+`}`)
	w.says(ann, 201, `"membership_count":1`)
	w.says(w.manage("POST /v1/users", `{"user":`+person("bob", `,"org":{"name":"N"},"permissions":"boss"`)+`}`), 201, `"membership_count":1`)
	w.says(w.manage("POST /v1/users", `{"user":`+person("cat", "")+`,"org_ids":"`+id+`","permissions":["out"]}`), 201, `"membership_count":1`)
	w.says(w.manage("POST /v1/users", `{"user":`+person("dan", `,"permissions":["loose"]`)+`}`), 201, `"membership_count":1`)
	w.says(w.manage("POST /v1/users", `{"user":`+person("eve", `,"org":{"title":"N"}`)+`}`), 422, "is not an attribute")

	for _, query := range []string{"expand=memberships", "expand[]=memberships", "expand%5B0%5D=memberships"} {
		w.says(w.manage("GET /v1/users/"+ann.field("id")+"?"+query, ""), 200, `"memberships":[{"id":"mb_`, `"permissions":["p1"]`, `"name":"Acme Inc"`)
	}
	for _, body := range []string{`{"expand":"memberships","password":"four words make it long"}`, `{"expand":["memberships"],"password":"four words make it long"}`} {
		w.says(w.manage("POST /v1/users/ann/authenticate", body), 200, `"memberships":[{"id":"mb_`, `"token":`)
	}
	if text := w.manage("GET /v1/users/ann", "").text; strings.Contains(text, `"memberships"`) {
		t.Errorf("GET of a user = %s; want no memberships unasked", text)
	}

	made := w.manage("POST /v1/memberships", `{"membership":{"user_id":"`+ann.field("id")+`","permissions":["a:b","*"],"expires_at":4102444800,"custom":{"n":1}}}`)
	w.says(made, 201, `"org_id":null`, `"permissions":["a:b","*"]`, `"expires_at":4102444800`, `"custom":{"n":1}`, `"object":"membership"`)
	mb := "/v1/memberships/" + made.field("id")
	w.says(w.manage("POST /v1/memberships", `{"membership":{"user_id":"`+ann.field("id")+`"}}`), 422, "User already has a membership without an org")
	w.says(w.manage("PUT "+mb, `{"membership":{"permissions":"one","expires_at":null}}`), 200, `"permissions":["one"]`, `"expires_at":null`)
	w.says(w.manage("PUT "+mb, `{"membership":{"org_id":"`+id+`"}}`), 422, "Org id can't be changed")
	w.says(w.manage("GET "+mb, ""), 200, `"permissions":["one"]`)
	w.says(w.manage("GET /v1/memberships?user_id="+ann.field("id"), ""), 200, `"org":{"id":"`+id, `"org_id":null`)
	w.says(w.manage("GET /v1/memberships?org_id="+id+"&max_results=1", ""), 200, `"more_results":true`, `"user":{"id":"`+ann.field("id"))
	both := w.manage("GET /v1/memberships?org_id="+id+"&user_id="+ann.field("id"), "")
	w.says(both, 200, `"permissions":["p1"]`)
	if strings.Contains(both.text, `"user":`) || strings.Contains(both.text, `"org":`) {
		t.Errorf("memberships by user and org = %s; want neither in them", both.text)
	}
	w.says(w.manage("GET /v1/memberships?org_id=", ""), 422, "Org id can't be blank")
	w.says(w.manage("DELETE "+mb, ""), 204)
	w.says(w.manage("GET "+mb, ""), 404)
	w.says(w.manage("DELETE /v1/orgs/"+id, ""), 204)
	w.says(w.manage("GET /v1/orgs/"+id, ""), 404)
	w.says(w.manage("GET /v1/users/ann", ""), 200, `"membership_count":0`)
}

// says asserts the status of an answer, and all parts of its text.
func (w *world) says(a *answer, status int, parts ...string) {
	w.Helper()
	for _, part := range append(parts, "") {
		w.want(a, status, part)
	}
}
