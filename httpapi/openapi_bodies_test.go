package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/httpapi/openapi/conform"
)

// bases are what a body must say besides, so that an attribute is known: one of them will do.
var bases = map[string][]string{
	"createCredential":   {`{"user_id":"ann","credential_type":"password"}`, `{"user_id":"bot","credential_type":"api_key"}`, `{"user_id":"ann","credential_type":"totp"}`},
	"createAuthProvider": {`{"provider_type":"password"}`},
	"createAppHook":      {`{"hook_type":"webhook"}`},
	"authenticateCode":   {`{}`, `{"code":true}`}, // a number is a code
	"authenticateToken":  {`{}`, `{"code":true}`},
}

// unasked are attributes that are known only to callers without a management key.
var unasked = map[string][]string{"createUser": {"arbitrary_id", "environment_guid"}}

// unknown is how an attribute that nobody asks for is refused.
const unknown = "is not an attribute that can be set here"

// TestDocumentedBodies sends each attribute that the document has for the body of a call, with a value that is mostly wrong: it may be refused
// for that, but not as unknown. One that the document does not have is.
func TestDocumentedBodies(t *testing.T) {
	w := newWorld(t)
	w.want(w.manage("POST /v1/users", `{"user":{"user_type":"api","username":"bot"}}`), 201, "")
	targets := map[string][]string{}
	for _, th := range w.things() {
		id := th.id
		if id == "" {
			id = w.want(w.manage("POST "+th.path, th.create), 201, "").field("id")
		}
		targets[th.path] = append(targets[th.path], id)
	}
	ann, err := w.Users.Get(w.ctx, w.realm.ID, "ann")
	w.must(err)
	for _, credential := range ann.Credentials { // her password among them
		targets["/v1/credentials"] = append(targets["/v1/credentials"], string(credential.ID))
	}
	sent := 0
	for _, o := range document().Operations() {
		schema := document().BodySchema(o, "application/json")
		if schema == nil || o.Permission == "none" || o.Method == "DELETE" {
			continue
		}
		lines := []string{o.Method + " " + o.Path}
		if folder, rest, below := strings.Cut(o.Path, "/{"); below {
			_, rest, _ = strings.Cut(rest, "}")
			lines = nil
			for _, id := range targets[folder] {
				lines = append(lines, o.Method+" "+folder+"/"+id+rest)
			}
		}
		for _, name := range attributes(o, schema) {
			sent++
			invented := append(slices.Clone(name[:len(name)-1]), "no_such_thing")
			if slices.ContainsFunc(lines, func(line string) bool { return w.knowsAttribute(o, line, invented) }) {
				t.Errorf("%s takes %s", o.ID, strings.Join(invented, "."))
			}
			if !slices.ContainsFunc(lines, func(line string) bool { return w.knowsAttribute(o, line, name) }) {
				t.Errorf("%s: the document has %s, which is unknown", o.ID, strings.Join(name, "."))
			}
		}
	}
	if sent < 150 {
		t.Errorf("%d attributes were sent; want those of all bodies", sent)
	}
}

// TestNothingMore sends calls that have nothing to say but on whose behalf they are made, deletions among them, with something more: they are
// refused, and nothing is gone. What the document has for their bodies is not refused.
func TestNothingMore(t *testing.T) {
	w := newWorld(t)
	lines := map[string]any{} // to the schemas of their bodies
	for _, o := range document().Operations() {
		schema := document().BodySchema(o, "application/json")
		if members, _ := document().Members(schema); members["request"] == nil || len(members) > 2 || len(members) == 2 && members["realm_id"] == nil {
			continue
		}
		lines[o.Method+" "+o.Path] = schema
	}
	if len(lines) < 20 {
		t.Errorf("%d calls have nothing to say; want all deletions, and some others", len(lines))
	}
	for _, th := range w.things() {
		id := th.id
		if id == "" {
			id = w.want(w.manage("POST "+th.path, th.create), 201, "").field("id")
		}
		for _, line := range slices.Backward(slices.Sorted(maps.Keys(lines))) { // DELETE comes last
			if method, path, _ := strings.Cut(line, " "); strings.HasPrefix(path, th.path+"/{") {
				_, rest, _ := strings.Cut(path, "}")
				w.saysNothing(method+" "+th.path+"/"+id+rest, lines[line])
			}
		}
	}
	for _, line := range []string{"DELETE /v1/sessions?user_id=ann", "POST /v1/notifications/ent_0000000000000000000000/redeliver"} {
		route, _, _ := strings.Cut(strings.Replace(line, "ent_0000000000000000000000", "{notification}", 1), "?")
		w.saysNothing(line, lines[route])
	}
}

// saysNothing sends a call with more in its body than it has to say, and then with all that it may.
func (w *world) saysNothing(line string, schema any) {
	w.Helper()
	w.want(w.manage(line, `{"no_such_thing":1}`), 422, `"no_such_thing":["No such thing `+unknown)
	body := `{"request":{"ip":"10.0.0.1"}}`
	if members, _ := document().Members(schema); members["realm_id"] != nil {
		body = `{"request":{"ip":"10.0.0.1"},"realm_id":"` + string(w.realm.ID) + `"}`
	}
	if a := w.manage(line, body); strings.Contains(a.text, unknown) {
		w.Errorf("%s with %s = %d %s; the document has that", line, body, a.StatusCode, a.text)
	}
}

// attributes are the ways to all attributes of a body: name, or the name of the object and name.
func attributes(o *conform.Operation, schema any) (all [][]string) {
	top, _ := document().Members(schema)
	for _, name := range slices.Sorted(maps.Keys(top)) {
		if name == "request" || name == "realm_id" || name == "expand" { // what all bodies may say
			continue
		}
		inner, _ := document().Members(top[name])
		if len(inner) == 0 {
			all = append(all, []string{name})
		}
		for _, attribute := range slices.Sorted(maps.Keys(inner)) {
			if !slices.Contains(unasked[o.ID], attribute) {
				all = append(all, []string{name, attribute})
			}
		}
	}
	return all
}

// knowsAttribute reports whether a call takes an attribute, whatever it says of its value. Who is told that something else is missing learns nothing.
func (w *world) knowsAttribute(o *conform.Operation, line string, name []string) bool {
	w.Helper()
	among := bases[o.ID]
	if among == nil {
		among = []string{`{}`}
	}
	for _, base := range among {
		var object map[string]any
		w.must(json.Unmarshal([]byte(base), &object))
		if _, there := object[name[len(name)-1]]; !there {
			object[name[len(name)-1]] = 7
		}
		body := any(object)
		if len(name) > 1 {
			body = map[string]any{name[0]: object}
		}
		text, err := json.Marshal(body)
		w.must(err)
		var told struct{ Errors map[string][]string }
		a := w.manage(line, string(text))
		_ = json.Unmarshal([]byte(a.text), &told)
		if a.StatusCode != http.StatusNotFound && !strings.Contains(strings.Join(told.Errors[name[len(name)-1]], " "), unknown) {
			return true
		}
	}
	return false
}

// TestDocumentedParameters asks for each list with each word that the document has for a parameter, and with the least and the most of a
// number: it is taken. Another word, less and more are not. Words of expand that name nothing ask for nothing.
func TestDocumentedParameters(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	asked := 0
	for _, o := range document().Operations() {
		if o.Method != "GET" || strings.Contains(o.Path, "{") || o.Permission == "none" {
			continue
		}
		required := ""
		for _, p := range o.Parameters {
			if p["in"] == "query" && p["required"] == true {
				required += "&" + p["name"].(string) + "=" + p["example"].(string)
			}
		}
		for _, p := range o.Parameters {
			if p["in"] != "query" {
				continue
			}
			line := o.Path + "?" + p["name"].(string) + "="
			good, bad := words(p["schema"].(map[string]any))
			for _, word := range good {
				asked++
				if status := w.list(line + word + required); status != http.StatusOK {
					t.Errorf("GET %s%s = %d; the document has that", line, word, status)
				}
			}
			for _, word := range bad {
				if status := w.list(line + word + required); (status != http.StatusUnprocessableEntity) != (p["name"] == "expand") {
					t.Errorf("GET %s%s = %d; the document has no such thing", line, word, status)
				}
			}
		}
	}
	if asked < 60 {
		t.Errorf("%d parameters were asked for; want those of all lists", asked)
	}
}

// words returns what a parameter may be, and what not; nothing where it may be anything.
func words(schema map[string]any) (good, bad []string) {
	if enum, there := schema["enum"].([]any); there {
		for _, word := range enum {
			good = append(good, word.(string))
		}
		bad = []string{"no_such_thing"}
	}
	least, most := schema["minimum"], schema["maximum"]
	if schema["type"] == "integer" && least != nil && most != nil {
		good = append(good, fmt.Sprint(least), fmt.Sprint(most))
		bad = append(bad, "0", "1001", "-1", "1.5", "x")
	}
	return good, bad
}

// list asks for a list, and returns the status.
func (w *world) list(path string) int {
	w.Helper()
	r, err := http.NewRequestWithContext(w.ctx, "GET", w.server.URL+path, nil)
	w.must(err)
	r.Header = http.Header{"X-Authrocket-Api-Key": {w.key}, "X-Authrocket-Realm": {string(w.realm.ID)}}
	res, err := http.DefaultClient.Do(r)
	w.must(err)
	w.must(res.Body.Close())
	return res.StatusCode
}
