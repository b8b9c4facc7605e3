package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
	"github.com/postern-auth/postern/httpapi/openapi"
	"github.com/postern-auth/postern/httpapi/openapi/conform"
)

// document is the OpenAPI document, to hold answers against.
var document = sync.OnceValue(func() *conform.Document {
	d, err := conform.Read(openapi.JSON())
	if err != nil {
		panic(err)
	}
	return d
})

// undocumented are routes that the document does not have yet. It only shrinks.
var undocumented = []string{
	"/v1/bulk/", "/v1/user_tokens", "/v1/realms", "/.well-known/", "/v1/apt_keys", "/v1/jwt_keys", "/v1/auth_providers",
	"/v1/login_policies", "/v1/events", "/v1/notifications", "/v1/app_hooks", "/v1/management_keys",
}

// isUndocumented reports whether the document does not have a path yet.
func isUndocumented(path string) bool {
	return slices.ContainsFunc(undocumented, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// conforms holds an answer against the document, by the line of its request. Every answer of every test goes through it.
func (w *world) conforms(line string, a *answer) {
	w.Helper()
	method, target, _ := strings.Cut(strings.TrimSuffix(line, " HTTP/1.1"), " ")
	path, _, _ := strings.Cut(target, "?")
	operation := document().Find(method, path)
	switch {
	case isUndocumented(path):
		return
	case operation == nil && a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusMethodNotAllowed:
		w.Errorf("%s = %d, and is not in the document", line, a.StatusCode)
	case operation == nil:
		return
	}
	for _, wrong := range document().Answer(operation, method, a.StatusCode, a.Header, []byte(a.text)) {
		w.Errorf("%s: %s: %s", line, wrong, a.text)
	}
}

// TestDocumentHasEveryRoute holds the document against the table of routes, both ways.
func TestDocumentHasEveryRoute(t *testing.T) {
	served := map[string]bool{}
	for _, r := range httpapi.Routes() {
		line := r[0] + " " + r[1]
		served[line] = true
		o := document().Find(r[0], r[1])
		if (o == nil || o.Path != r[1]) != isUndocumented(r[1]) {
			t.Errorf("%s is served; the document has it: %v", line, o != nil)
		}
	}
	ids := map[string]bool{}
	for _, o := range document().Operations() {
		line := o.Method + " " + o.Path
		if !served[line] {
			t.Errorf("%s is in the document, and not served", line)
		}
		if o.ID == "" || ids[o.ID] {
			t.Errorf("%s: operationId %q is missing or there twice", line, o.ID)
		}
		ids[o.ID] = true
		if got, want := o.PathParameters(), braces(o.Path); !slices.Equal(got, want) {
			t.Errorf("%s has the path parameters %q; want %q", line, got, want)
		}
	}
}

// braces returns the names in a path's braces.
func braces(path string) (names []string) {
	for segment := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

// TestDocumentedPermissions makes each call with keys that have all permissions but the one that the document says, and with
// one that has that alone. Before anything else is looked at, the former is refused for its permission, the latter is not.
func TestDocumentedPermissions(t *testing.T) {
	w := newWorld(t)
	all := []core.Permission{core.PermissionRead, core.PermissionWrite, core.PermissionManage}
	others, alone := map[string]string{}, map[string]string{}
	for _, p := range all {
		others[string(p)] = w.newKey("", slices.DeleteFunc(slices.Clone(all), func(o core.Permission) bool { return o == p })...)
		alone[string(p)] = w.newKey("", p)
	}
	one := w.newKey(w.realm.ID, all...)
	for _, o := range document().Operations() {
		line := o.Method + " " + strings.NewReplacer("{", "no-", "}", "").Replace(o.Path)
		ask := func(key string) *answer {
			return w.do(line, "Accept: application/problem+json\nX-Authrocket-Api-Key: "+key, "")
		}
		if o.Permission == "none" {
			continue
		}
		if others[o.Permission] == "" {
			t.Errorf("%s says that it needs the permission %q", line, o.Permission)
			continue
		}
		w.want(ask(others[o.Permission]), http.StatusForbidden, `"permission"`)
		if got := ask(alone[o.Permission]); got.StatusCode == http.StatusForbidden {
			t.Errorf("%s = 403 %s with the permission that the document says", line, got.text)
		}
		if got := ask(one); (o.Reach == "all") != (got.StatusCode == http.StatusForbidden) && o.Reach != "path" {
			t.Errorf("%s = %d %s with a key for one realm; the document says it reaches %q", line, got.StatusCode, got.text, o.Reach)
		}
	}
}

// TestReference gets the document as its readers do.
func TestReference(t *testing.T) {
	w := newWorld(t)
	for path, media := range map[string]string{"openapi.json": "application/json", "openapi.yaml": "application/yaml"} {
		res, err := http.Get(w.server.URL + "/v1/" + path)
		w.must(err)
		res.Body.Close()
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != media {
			t.Errorf("GET %s = %d %s; want 200 %s", path, res.StatusCode, res.Header.Get("Content-Type"), media)
		}
	}
}
