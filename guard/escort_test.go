package guard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
)

// TestProxyHandlerPassesTheSame sends each request to a handler and to a proxy, which are to see the same headers.
func TestProxyHandlerPassesTheSame(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	w.knows("other", member(func(*core.Identity) {}))
	settings := guard.Settings{Public: []string{"/open/*"}, PassToken: true}
	names := &guard.Names{}
	g := w.guard(t, guard.Options{Settings: settings, Names: names})
	inner := w.guard(t, guard.Options{Settings: guard.Settings{CopyHeaders: map[string]string{"Remote-User": "username"}}, Names: names})
	request := func(method, path, body string, headers ...string) func() *http.Request {
		return func() *http.Request {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			if body == "" {
				r.Body = http.NoBody
			}
			r.Header = http.Header{"X-Postern-User-Id": {"evil"}, "X_postern_email": {"evil"}, "Upgrade": {"h2c"}, "Accept": {"*/*"}}
			for i := 0; i < len(headers); i += 2 {
				r.Header[headers[i]] = []string{headers[i+1]}
			}
			return r
		}
	}
	for name, ask := range map[string]func() *http.Request{
		"a page":              request("GET", "/page", "", "Authorization", "Bearer good"),
		"a body":              request("POST", "/page", "body", "Authorization", "Bearer other"),
		"a cookie":            request("GET", "/page", "", "Cookie", "a=b; __Host-postern=good", "Sec-Fetch-Site", "same-origin"),
		"a WebSocket":         request("GET", "/page", "", "Authorization", "Bearer good", "Upgrade", "websocket"),
		"nobody":              request("GET", "/open/page", ""),
		"nobody, with a body": request("POST", "/open/page", "body", "Authorization", "Bearer bad"),
		"refused":             request("GET", "/page", "", "Authorization", "Bearer bad"),
	} {
		want, handled := serve(g, ask())
		got, passed := through(g.ProxyHandler, ask())
		if got.StatusCode != want.StatusCode || (passed == nil) != (name == "refused") || (handled == nil) != (name == "refused") {
			t.Errorf("%s: a proxy sees %v and its client %d, a handler %v and its client %d", name, passed, got.StatusCode, handled, want.StatusCode)
			continue
		}
		if passed == nil {
			continue
		}
		if !reflect.DeepEqual(passed.Header, handled.Header) {
			t.Errorf("%s: a proxy sees %v, a handler %v", name, passed.Header, handled.Header)
		}
		if _, there := guard.FromContext(passed.Context()); there {
			t.Errorf("%s: the context of a proxied request says who it comes from", name)
		}
	}
	var outer, behind http.Header
	app := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { behind = r.Header })
	g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outer = r.Header.Clone()
		inner.ProxyHandler(app).ServeHTTP(w, r)
	})).ServeHTTP(httptest.NewRecorder(), request("GET", "/page", "", "Authorization", "Bearer good")())
	if outer.Get("X-Postern-User-Id") == "" || behind.Get("X-Postern-User-Id") != outer.Get("X-Postern-User-Id") || behind.Get("Remote-User") == "" {
		t.Errorf("behind two guards a proxy sees %v, the outer one's handler %v; want what both tell", behind, outer)
	}
}

// TestProxyHandlerMakesNoCopy of a request after which no trailers come. One that has a body is another than the server's: that
// keeps in its own what it finds behind the body.
func TestProxyHandlerMakesNoCopy(t *testing.T) {
	w := newWorld()
	w.knows("good", ann)
	g := w.guard(t, guard.Options{Settings: guard.Settings{Public: []string{"/open/*"}}})
	for _, path := range []string{"/page", "/open/page"} {
		for _, body := range []string{"", "body"} {
			r := httptest.NewRequest("POST", path, strings.NewReader(body))
			r = r.WithContext(guard.ConnContext(context.Background(), nil))
			if body == "" {
				r.Body = http.NoBody
			}
			if path == "/page" {
				r.Header.Set("Authorization", "Bearer good")
			}
			if _, seen := through(g.ProxyHandler, r); seen == nil || (seen == r) != (body == "") {
				t.Errorf("POST %s with the body %q: passes on as %p; the server's is %p", path, body, seen, r)
			}
		}
	}
}

// TestWebSocketHoldsNothingOfOthers compares where the text of a header lies: of a WebSocket in memory of its own, of other requests
// among what is known of others too.
func TestWebSocketHoldsNothingOfOthers(t *testing.T) {
	w := newWorld()
	who := ann
	who.RecheckAt = w.now.Add(time.Hour) // else each request has it read again
	w.knows("good", who)
	g := w.guard(t, guard.Options{})
	lies := func(change func(http.Header)) *byte {
		r := with("good")
		change(r.Header)
		_, seen := through(g.ProxyHandler, r)
		return unsafe.StringData(seen.Header.Get("X-Postern-User-Id"))
	}
	plain, webSocket := func(http.Header) {}, func(h http.Header) { h.Set("Upgrade", "websocket") }
	lies(plain) // what is only just read may lie alone
	if one, two := lies(plain), lies(plain); one != two {
		t.Errorf("X-Postern-User-Id of two requests lies at %p and at %p; want it where it is remembered", one, two)
	}
	if one, two := lies(webSocket), lies(webSocket); one == two {
		t.Errorf("X-Postern-User-Id of two WebSockets lies at %p; want it copied for each", one)
	}
}
