package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/httpapi/openapi/conform"
)

// junk is what nothing has unless somebody could set it to that.
const junk = "junk-that-was-assigned"

// named are members of a body that say what a call is about, and set nothing.
var named = []string{"realm_id", "request", "expand"}

// everyName returns the names of all members of all answers, and of some things that are kept and never told: what somebody may hope to set along
// with the rest.
func everyName() []string {
	all := map[string]bool{"version": true, "gen": true, "digest": true, "hash": true, "secret": true, "sealed": true, "failures": true, "is_admin": true}
	for _, value := range documented {
		for name := range jsonMembers(reflect.TypeOf(value)) {
			all[name] = true
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(name string) bool { return slices.Contains(named, name) })
}

// TestNothingElseIsSet makes and changes one of each kind of thing with every attribute of every kind that the document does not have for the call, and with
// those it has in other letters: each is refused as unknown or, as clients send back what they got, passed over. What is passed over sets nothing.
func TestNothingElseIsSet(t *testing.T) {
	w := newWorld(t)
	tried := 0
	for _, th := range w.things() {
		id := th.id
		if id == "" {
			root, base := parted(th.create)
			ignored := w.passedOver("POST "+th.path, root, base, &tried)
			for _, name := range ignored {
				base[name] = junk
			}
			made := w.want(w.manage("POST "+th.path, under(root, base)), http.StatusCreated, "")
			if strings.Contains(made.text, junk) {
				t.Errorf("POST %s with %q sets one of them: %s", th.path, ignored, made.text)
			}
			id = made.field("id")
		}
		if th.change == "" {
			continue
		}
		line, path := "PUT "+th.path+"/"+id, "GET "+th.path+"/"+id
		root, base := parted(fmt.Sprintf(th.change, "x"))
		before := w.want(w.manage(path, ""), http.StatusOK, "")
		ignored := w.passedOver(line, root, base, &tried)
		for _, name := range ignored {
			for _, value := range []any{junk, 7654321, true, nil, []string{junk}, map[string]string{junk: junk}} {
				w.manage(line, under(root, map[string]any{name: value}))
			}
		}
		after := w.want(w.manage(path, ""), http.StatusOK, "")
		for _, a := range []*answer{before, after} {
			delete(a.json, "updated_at")
		}
		if !reflect.DeepEqual(before.json, after.json) {
			t.Errorf("%s with %q made of\n%s\nthis:\n%s", line, ignored, before.text, after.text)
		}
	}
	if tried < 2000 {
		t.Errorf("%d attributes were tried; want every one at each call", tried)
	}
}

// TestProviderSetsNothingElse has an account provider make a user with every attribute that the document does not have for it.
func TestProviderSetsNothingElse(t *testing.T) {
	w := newWorld(t)
	o := document().Find(http.MethodPost, "/v1/users")
	allowed := within(o, "application/vnd.api+json", "data", "attributes")
	if len(allowed) < 2 {
		t.Fatalf("the document has %v for a user by APT", allowed)
	}
	for i, name := range everyName() {
		if allowed[name] != nil {
			continue
		}
		arbitraryID := fmt.Sprintf("mass-%d", i)
		body := strings.Replace(w.document(arbitraryID), `"arbitrary_id"`, fmt.Sprintf(`%q:%q,"arbitrary_id"`, name, junk), 1)
		a := w.provide("POST /v1/users", w.apt(""), body)
		if a.StatusCode == http.StatusUnprocessableEntity && strings.Contains(a.text, unknown) {
			continue
		}
		w.want(a, http.StatusCreated, "")
		data, _ := a.json["data"].(map[string]any)
		if got := w.want(w.manage("GET /v1/users/"+fmt.Sprint(data["id"]), ""), http.StatusOK, ""); a.attribute("arbitrary_id") != arbitraryID || strings.Contains(a.text+got.text, junk) {
			t.Errorf("an account provider sets %s: %s, and then %s", name, a.text, got.text)
		}
	}
}

// passedOver returns the attributes that a call, which would do with base, neither has in the document nor refuses as unknown. Of those that it has, it knows
// the names in no other letters.
func (w *world) passedOver(line, root string, base map[string]any, tried *int) (names []string) {
	w.Helper()
	method, path, _ := strings.Cut(line, " ")
	known := within(document().Find(method, path), "application/json", root)
	others := everyName()
	for name := range known {
		others = append(others, strings.ToUpper(name[:1])+name[1:])
	}
	others = slices.DeleteFunc(others, func(name string) bool { return known[name] != nil })
	*tried += len(others)
	for some := range slices.Chunk(others, 15) { // an answer complains of 20 at most
		names = append(names, w.notUnknown(line, root, base, some)...)
	}
	for _, name := range names {
		if strings.ToLower(name) != name {
			w.Errorf("%s takes %s", line, name)
		}
	}
	return names
}

// notUnknown returns which attributes a call does not refuse as unknown. It does nothing, as there is one that it does not know.
func (w *world) notUnknown(line, root string, base map[string]any, names []string) []string {
	w.Helper()
	sent := maps.Clone(base)
	for _, name := range append(slices.Clone(names), "no_such_thing") {
		sent[name] = junk
	}
	a := w.want(w.manage(line, under(root, sent)), http.StatusUnprocessableEntity, unknown)
	told, _ := a.json["errors"].(map[string]any)
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return strings.Contains(fmt.Sprint(told[name]), unknown) })
}

// within returns the members of an object in a call's body that is found by its names.
func within(o *conform.Operation, media string, way ...string) map[string]any {
	members, _ := document().Members(document().BodySchema(o, media))
	for _, name := range way {
		members, _ = document().Members(members[name])
	}
	return members
}

// parted returns the name of a body's one object, and the object.
func parted(body string) (string, map[string]any) {
	var parts map[string]map[string]any
	if err := json.Unmarshal([]byte(body), &parts); err != nil || len(parts) != 1 {
		panic(fmt.Sprint("no body of one object: ", body, err))
	}
	for root, object := range parts {
		return root, object
	}
	return "", nil
}

// under is parted, the other way.
func under(root string, object map[string]any) string {
	text, err := json.Marshal(map[string]any{root: object})
	if err != nil {
		panic(err)
	}
	return string(text)
}
