package client_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/client"
)

// notSent is what the OpenAPI document knows and the client never sends, anywhere or to one route, and why.
var notSent = map[string]string{
	"expand":                "WithMemberships is the same in the query, and what comes with notifications has a name of its own",
	"realm_id":              "a header names the realm",
	"password_confirmation": "it is for forms",
	"environment_guid":      "the APT names it",
	"auth_provider_id":      "of a kind there is one",
	"jwt_key":               "it is read, and not set",
	"jwt_secret":            "it is read, and not set",

	"GET /v1/events in the query sort":                   "it is id",
	"GET /v1/sessions in the query sort":                 "it is id",
	"GET /v1/memberships in the query sort":              "it is id",
	"GET /v1/app_hooks in the query sort":                "it is id",
	"GET /v1/app_hooks in the query direction":           "there are few",
	"GET /v1/login_policies in the query sort":           "it is id",
	"GET /v1/login_policies in the query direction":      "there are few",
	"GET /v1/login_policies in the query after":          "all fit on one page",
	"GET /v1/login_policies in the query max_results":    "all fit on one page",
	"POST /v1/jwt_keys of the object algo":               "it is the realm's",
	"POST /v1/jwt_keys of the object use":                "it is sign",
	"POST /v1/user_tokens of the object credential_type": "it is password",
}

// TestAttributes calls each method with all that it takes, and holds what is sent against the OpenAPI document, both ways: no attribute
// and no parameter goes by another name, and none is missing.
func TestAttributes(t *testing.T) {
	w := newWorld(t, boltStore(t))
	routes := table(t)
	sent := &names{}
	c, _ := faulty(t, client.Options{Tries: 1}, func(rw http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if i := slices.IndexFunc(routes, func(route string) bool {
			method, path, _ := strings.Cut(route, " ")
			return method == r.Method && matches(path, r.URL.EscapedPath())
		}); i >= 0 {
			sent.note(routes[i], r, text)
		}
		refuse(http.StatusNotFound, `{"code":"c","detail":"d"}`)(rw, r)
	})
	account := c.Account(signer(t), "u-1")
	_, _ = account.Create(t.Context(), client.From(client.Origin{IP: "192.0.2.1"}))
	_, _ = account.Token(t.Context(), client.From(client.Origin{IP: "192.0.2.1"}))
	for service := range services(c) {
		for i := range service.NumMethod() {
			_ = invoke(service.Method(i), fill)
			_ = invoke(service.Method(i), func(in reflect.Type) reflect.Value {
				if in.Kind() == reflect.String {
					return reflect.Zero(in)
				}
				return fill(in)
			})
		}
	}
	d := w.document()
	for _, route := range routes {
		if strings.HasPrefix(route, "POST /v1/bulk") || noMethod[route] != "" {
			continue
		}
		documented := d.attributes(route)
		for name := range sent.all[route] {
			if !slices.Contains(documented, name) {
				t.Errorf("%s is sent %s, which the document does not know", route, name)
			}
		}
		for _, name := range documented {
			anywhere, here := notSent[name[strings.LastIndexByte(name, ' ')+1:]], notSent[route+" "+name]
			if !sent.all[route][name] && anywhere+here == "" {
				t.Errorf("%s is never sent %s", route, name)
			}
		}
	}
}

// names are what was sent, by route: "in the query x", "in the body x", and of the object that is the body's, "of the object x".
type names struct{ all map[string]map[string]bool }

// roots are what objects are called in bodies.
var roots = []string{"user", "user_token", "credential", "session", "org", "membership", "realm", "apt_key", "jwt_key", "auth_provider", "login_policy", "app_hook", "management_key"}

// note adds what a request says.
func (n *names) note(route string, r *http.Request, body []byte) {
	if n.all == nil {
		n.all = map[string]map[string]bool{}
	}
	if n.all[route] == nil {
		n.all[route] = map[string]bool{}
	}
	for name := range r.URL.Query() {
		n.all[route]["in the query "+name] = true
	}
	var top map[string]json.RawMessage
	_ = json.Unmarshal(body, &top) // there may be none
	for name, value := range top {
		if !slices.Contains(roots, name) {
			n.all[route]["in the body "+name] = true
			continue
		}
		var object map[string]json.RawMessage
		_ = json.Unmarshal(value, &object)
		for name := range object {
			n.all[route]["of the object "+name] = true
		}
	}
}

// fill returns a value with something in all of it.
func fill(of reflect.Type) reflect.Value {
	v := reflect.New(of).Elem()
	switch {
	case of == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Now()))
	case of == reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(`{}`))
	case of.Kind() == reflect.String:
		v.SetString("text")
	case of.Kind() == reflect.Bool:
		v.SetBool(true)
	case of.Kind() == reflect.Int || of.Kind() == reflect.Int64:
		v.SetInt(1)
	case of.Kind() == reflect.Pointer:
		v.Set(reflect.New(of.Elem()))
		v.Elem().Set(fill(of.Elem()))
	case of.Kind() == reflect.Slice:
		v.Set(reflect.Append(v, fill(of.Elem())))
	case of.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(of))
	case of.Kind() == reflect.Struct:
		for i := range of.NumField() {
			v.Field(i).Set(fill(of.Field(i).Type))
		}
	}
	return v
}

// document is the OpenAPI document.
type document map[string]any

// document returns the one that the server serves.
func (w *world) document() document {
	w.Helper()
	response, err := http.Get(w.server.URL + "/v1/openapi.json")
	w.must(err)
	defer response.Body.Close()
	var d document
	w.must(json.NewDecoder(response.Body).Decode(&d))
	return d
}

// at returns what is at a path in a tree, behind all references.
func (d document) at(tree any, path ...string) any {
	for {
		node, _ := tree.(map[string]any)
		if reference, ok := node["$ref"].(string); ok {
			tree = d.at(map[string]any(d), strings.Split(strings.TrimPrefix(reference, "#/"), "/")...)
			continue
		}
		if len(path) == 0 {
			return tree
		}
		tree, path = node[path[0]], path[1:]
	}
}

// properties returns those of a schema and of what it is made of.
func (d document) properties(schema any) map[string]any {
	node, _ := d.at(schema).(map[string]any)
	found := map[string]any{}
	own, _ := node["properties"].(map[string]any)
	maps.Copy(found, own)
	for _, of := range []string{"allOf", "oneOf", "anyOf"} {
		parts, _ := node[of].([]any)
		for _, part := range parts {
			maps.Copy(found, d.properties(part))
		}
	}
	return found
}

// attributes returns what may be sent to a route, as names has it.
func (d document) attributes(route string) (all []string) {
	method, path, _ := strings.Cut(route, " ")
	operation := d.at(map[string]any(d), "paths", path, strings.ToLower(method))
	for _, of := range []any{operation, d.at(map[string]any(d), "paths", path)} {
		parameters, _ := d.at(of, "parameters").([]any)
		for _, p := range parameters {
			if d.at(p, "in") == "query" {
				name, _ := d.at(p, "name").(string)
				all = append(all, "in the query "+strings.TrimSuffix(name, "[]"))
			}
		}
	}
	for name, schema := range d.properties(d.at(operation, "requestBody", "content", "application/json", "schema")) {
		if !slices.Contains(roots, name) {
			all = append(all, "in the body "+name)
			continue
		}
		for name := range d.properties(schema) {
			all = append(all, "of the object "+name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
