package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"io"
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
	d, err := conform.Read(openapi.JSON().Plain)
	if err != nil {
		panic(err)
	}
	return d
})

// conforming serves what api does, and holds every answer against the document.
func (w *world) conforming(api http.Handler) http.Handler {
	return http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		noted := &notedAnswer{ResponseWriter: to, status: http.StatusOK}
		api.ServeHTTP(noted, r) // an answer that is cut short panics, and is none
		operation := document().Find(r.Method, r.URL.EscapedPath())
		if operation == nil {
			if noted.status != http.StatusNotFound && noted.status != http.StatusMethodNotAllowed {
				w.Errorf("%s %s = %d, and is not in the document", r.Method, r.URL, noted.status)
			}
			return
		}
		body := noted.body.Bytes()
		if noted.Header().Get("Content-Encoding") == "gzip" {
			body = unzipped(body)
		}
		for _, wrong := range document().Answer(operation, r.Method, noted.status, noted.Header(), body) {
			w.Errorf("%s %s: %s: %s", r.Method, r.URL, wrong, body)
		}
	})
}

// unzipped returns what was compressed; what cannot be read is left out.
func unzipped(text []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil
	}
	text, _ = io.ReadAll(z)
	return text
}

// notedAnswer is a writer that remembers what went through it.
type notedAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader notes the status.
func (n *notedAnswer) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// Write notes a part of the body.
func (n *notedAnswer) Write(p []byte) (int, error) {
	n.body.Write(p)
	return n.ResponseWriter.Write(p)
}

// Unwrap lets an http.ResponseController reach what is below.
func (n *notedAnswer) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// TestDocumentHasEveryRoute holds the document against the table of routes, both ways.
func TestDocumentHasEveryRoute(t *testing.T) {
	served := map[string]bool{}
	for _, r := range httpapi.Routes() {
		line := r[0] + " " + r[1]
		served[line] = true
		o := document().Find(r[0], r[1])
		if o == nil || o.Path != r[1] {
			t.Errorf("%s is served, and not in the document", line)
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
		line := o.Method + " " + strings.NewReplacer("{", "no-", "}", "").Replace(o.Path) + "?dry_run=no&password_hashes=no" // no stream of users
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

// TestReference gets the document and the page as their readers do: whole, or compressed where they take that.
func TestReference(t *testing.T) {
	w := newWorld(t)
	for path, file := range map[string]openapi.File{"openapi.json": openapi.JSON(), "openapi.yaml": openapi.YAML(), "docs": openapi.Page()} {
		for accepted, zipped := range map[string]bool{"": false, "gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "identity": false} {
			r, err := http.NewRequestWithContext(w.ctx, "GET", w.server.URL+"/v1/"+path, nil)
			w.must(err)
			r.Header.Set("Accept-Encoding", accepted)
			res, err := http.DefaultTransport.RoundTrip(r)
			w.must(err)
			text, err := io.ReadAll(res.Body)
			w.must(err)
			w.must(res.Body.Close())
			want := file.Plain
			if zipped {
				want = file.Zipped
			}
			if res.StatusCode != http.StatusOK || !bytes.Equal(text, want) || (res.Header.Get("Content-Encoding") == "gzip") != zipped {
				t.Errorf("GET %s for %q = %d, %d bytes, %v; want %d bytes", path, accepted, res.StatusCode, len(text), res.Header, len(want))
			}
			if res.Header.Get("Content-Type") != file.Media || res.Header.Get("Content-Security-Policy") != file.Policy || res.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("GET %s has the headers %v", path, res.Header)
			}
		}
	}
}
