package client_test

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-auth/postern/client"
)

// noMethod are the routes that the client has no method for, and why.
var noMethod = map[string]string{
	"GET /v1/events/login/{token}":                 "Sessions.Get says as much; it is for clients from before sessions had an address",
	"GET /v1/docs":                                 "it is a page for people",
	"GET /v1/openapi.json":                         "it is for tools that know no Go",
	"GET /v1/openapi.yaml":                         "it is for tools that know no Go",
	"GET /v1/auth_providers/authorize":             "there is nobody to be sent to",
	"POST /v1/auth_providers/authorize":            "there is nobody to be sent to",
	"GET /v1/auth_providers/{provider}/authorize":  "there is nobody to be sent to",
	"POST /v1/auth_providers/{provider}/authorize": "there is nobody to be sent to",
}

// tableLine is a line of the table in httpapi/api.go.
var tableLine = regexp.MustCompile(`\{"([A-Z]+)", "([^"]+)", a\.\w+\}`)

// table returns the routes that the API serves, in its order.
func table(t *testing.T) (routes []string) {
	t.Helper()
	text, err := os.ReadFile("../httpapi/api.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range tableLine.FindAllSubmatch(text, -1) {
		routes = append(routes, string(m[1])+" "+string(m[2]))
	}
	if len(routes) < 80 {
		t.Fatalf("httpapi/api.go has a table of %d routes; is it written in another way?", len(routes))
	}
	return routes
}

// TestRoutes calls each method of each service, and holds what they call against the table of the API: every method calls a route
// of the table, the one that its errors name, and every route is called by a method.
func TestRoutes(t *testing.T) {
	routes := table(t)
	seen := &routed{routes: routes, called: map[string]bool{}}
	c, _ := faulty(t, client.Options{Tries: 1}, seen.serve)
	account := c.Account(signer(t), "u-1")
	for service := range services(c, account) {
		for i := range service.NumMethod() {
			name := service.Type().Elem().Name() + "." + service.Type().Method(i).Name
			if name == "Account.Drop" {
				continue // it calls nobody
			}
			for _, text := range []string{"text", ""} {
				before := seen.count()
				err := invoke(service.Method(i), func(in reflect.Type) reflect.Value {
					if in.Kind() == reflect.String {
						return reflect.ValueOf(text)
					}
					return reflect.Zero(in)
				})
				if text != "" && seen.count() == before {
					t.Errorf("%s calls nobody: %v", name, err)
				}
				if e, ok := err.(*client.Error); ok && e.Code != client.CodeBadCall && !slices.Contains(routes, e.Route) {
					t.Errorf("%s says that it calls %q, which is not in the table", name, e.Route)
				}
			}
		}
	}
	for _, route := range routes {
		if _, none := noMethod[route]; none == seen.called[route] {
			t.Errorf("%s: called = %v, and in the list of those without a method = %v", route, seen.called[route], none)
		}
	}
	for _, stray := range seen.strays {
		t.Errorf("%s was called, and is not in the table", stray)
	}
}

// services returns those of a client, and others.
func services(c *client.Client, others ...any) iter.Seq[reflect.Value] {
	return func(yield func(reflect.Value) bool) {
		for i := range reflect.TypeFor[client.Client]().NumField() {
			if reflect.TypeFor[client.Client]().Field(i).IsExported() && !yield(reflect.ValueOf(c).Elem().Field(i)) {
				return
			}
		}
		for _, other := range others {
			if !yield(reflect.ValueOf(other)) {
				return
			}
		}
	}
}

// routed notes which routes of a table are called.
type routed struct {
	routes []string
	mu     sync.Mutex
	called map[string]bool
	strays []string
	calls  int
}

// count returns how many calls there were.
func (s *routed) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// serve finds the route as the API does, and refuses the call.
func (s *routed) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	for _, route := range s.routes {
		method, path, _ := strings.Cut(route, " ")
		if matches(path, r.URL.EscapedPath()) && method == r.Method {
			s.called[route] = true
			refuse(http.StatusNotFound, `{"code":"c","detail":"d"}`)(w, r)
			return
		}
	}
	s.strays = append(s.strays, r.Method+" "+r.URL.EscapedPath())
	refuse(http.StatusNotFound, `{"code":"c","detail":"d"}`)(w, r)
}

// matches reports whether a path is of a pattern.
func matches(pattern, path string) bool {
	return slices.EqualFunc(strings.Split(pattern, "/"), strings.Split(path, "/"), func(p, s string) bool {
		return p == s || strings.HasPrefix(p, "{") && s != ""
	})
}

// invoke calls a method with the arguments that it is given, without options but with all that can be said of whom it is for, and
// returns the error that it, or what it returns, ends with.
func invoke(method reflect.Value, argument func(reflect.Type) reflect.Value) error {
	var args []reflect.Value
	for i := range method.Type().NumIn() {
		switch in := method.Type().In(i); {
		case in == reflect.TypeFor[context.Context]():
			args = append(args, reflect.ValueOf(context.Background()))
		case in == reflect.TypeFor[io.Reader]():
			args = append(args, reflect.ValueOf(strings.NewReader("")))
		case in == reflect.TypeFor[[]client.CallOption]():
			args = append(args, reflect.ValueOf(client.From(client.Origin{IP: "192.0.2.1"})))
		default:
			args = append(args, argument(in))
		}
	}
	results := method.Call(args)
	last := results[len(results)-1]
	if last.Kind() == reflect.Func { // an iterator
		for _, err := range last.Seq2() {
			last = err
		}
	}
	err, _ := last.Interface().(error)
	return err
}

// TestPaths escapes what stands for a segment, so that it stays one, and is what it was when it is read.
func TestPaths(t *testing.T) {
	var path string
	c, _ := faulty(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.EscapedPath()
		_, _ = io.WriteString(w, "{}")
	})
	for _, name := range []string{"ann", "a/b", "a+b", "a b", "a?b", "a#b", "a%2Fb", "{user}", "ünï", "a\\b", "...", "a\nb", "a;b", "a:b"} {
		if _, err := c.Users.Authenticate(t.Context(), name, "p"); err != nil {
			t.Errorf("Authenticate(%q) = %v", name, err)
			continue
		}
		segments := strings.Split(path, "/")
		if len(segments) != 5 || strings.Contains(segments[3], "+") {
			t.Errorf("%q makes the path %s", name, path)
			continue
		}
		if got, err := url.PathUnescape(segments[3]); err != nil || got != name {
			t.Errorf("%q makes the path %s, which is read as %q, %v", name, path, got, err)
		}
	}
}
