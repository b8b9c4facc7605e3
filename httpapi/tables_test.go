package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
)

// TestFamilies asks for a refusal with every pair of Content-Type and Accept.
func TestFamilies(t *testing.T) {
	w := newWorld(t)
	const plain, api, problem = "application/json", "application/vnd.api+json", "application/problem+json"
	for _, c := range []struct{ contentType, accept, want string }{
		{"", "", plain},
		{"", "*/*", plain},
		{"", "text/html", plain},
		{"", plain, plain},
		{"", api, api},
		{plain, "", plain},
		{plain, "*/*", plain},
		{plain, api, api},
		{plain, plain + ", " + api, plain},
		{plain, "application/*", plain},
		{api, "", api}, // Java
		{api, "*/*", api},
		{api, plain, plain},
		{api, api, api},
		{api, plain + ", " + api, api},
		{api, api + ";q=0.1, " + plain, api},
		{api + "; charset=utf-8", "", api},
		{strings.ToUpper(api), "", api},
		{"text/plain", "", plain},
		{"text/plain", api, api},
		{"", api + "; charset=utf-8", api},
		{"", plain + "; charset=utf-8", plain},
		{"", api + ";q=0.5, text/html", api},
		{"", api + ";q=0", plain},
		{"", api + ";q=0.000, " + plain, plain},
		{"", plain + ";q=0, " + api, api},
		{api, api + ";q=0, " + plain, plain},
		{"", api + "; charset", api},
		{"", ",;, " + api, api},
		{"", problem, problem},
		{api, problem + ", " + api, problem},
		{api, problem + ";q=0", api},
	} {
		headers := ""
		if c.contentType != "" {
			headers = "Content-Type: " + c.contentType + "\n"
		}
		if c.accept != "" {
			headers += "Accept: " + c.accept
		}
		for _, line := range []string{"GET /v1/users/me", "GET /v1/nothing", "GET /v1/users/reauth", "GET /v1/users/ann"} {
			if got := w.do(line, headers, "").Header.Get("Content-Type"); got != c.want {
				t.Errorf("%s with Content-Type %q, Accept %q is answered in %q; want %q", line, c.contentType, c.accept, got, c.want)
			}
		}
	}
	// Accept may come in lines of its own.
	if got := w.do("GET /v1/users/me", "Accept: text/html\nAccept: "+api, "").Header.Get("Content-Type"); got != api {
		t.Errorf("two lines of Accept are answered in %q; want %q", got, api)
	}
}

// TestRouting asks for what is there, is not, and is there under another method.
func TestRouting(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	for _, c := range []struct {
		line   string
		status int
		allow  string
	}{
		{"GET /v1/users/ann", 200, ""},
		{"HEAD /v1/users/ann", 200, ""},
		{"GET /v1/users/reauth", 405, "POST"},
		{"HEAD /v1/users/reauth", 405, "POST"},
		{"OPTIONS /v1/users/reauth", 405, "POST"},
		{"DELETE /v1/users/reauth", 405, "POST"},
		{"PUT /v1/users/me", 405, "DELETE, GET, HEAD"},
		{"POST /v1/users/ann", 405, "DELETE, GET, HEAD, PUT"},
		{"PATCH /v1/users/ann", 405, "DELETE, GET, HEAD, PUT"},
		{"GET /v1/users/ann/authenticate", 405, "POST"},
		{"POST /v1/sessions", 422, ""},
		{"TRACE /v1/sessions", 405, "DELETE, GET, HEAD, POST"},
		{"GET /", 404, ""},
		{"GET /v1", 404, ""},
		{"GET /v1/", 404, ""},
		{"GET /v2/users/ann", 404, ""},
		{"GET /v1/users/", 404, ""},
		{"GET /v1/users/ann/", 404, ""},
		{"GET /v1/users/me/", 404, ""},
		{"POST /v1/users/", 404, ""},
		{"GET //v1/users/ann", 404, ""},
		{"GET /v1//users/ann", 404, ""},
		{"GET /v1/users//ann", 404, ""},
		{"GET /v1/users/./ann", 404, ""},
		{"GET /v1/users/../users/ann", 404, ""},
		{"GET /v1/users/%2E%2E", 404, ""},
		{"GET /V1/users/ann", 404, ""},
		{"GET /v1/Users/ann", 404, ""},
		{"GET /v1/%75sers/ann", 404, ""},
		{"GET /v1%2Fusers%2Fann", 404, ""},
		{"GET /v1/users/ann%2F", 404, ""},
		{"GET /v1/users/ann%2Fauthenticate", 404, ""},
		{"GET /v1/users/%00", 404, ""},
		{"GET /v1/users/%FF", 404, ""},
		{"GET /v1/users/%ED%A0%80", 404, ""},
		{"GET /v1/users/" + strings.Repeat("a", 5000), 404, ""},
		{"GET /v1/users/-", 404, ""},
		{"GET /v1/users/--", 404, ""},
		{"GET /v1/users/%6De", 404, ""}, // not the word, and nobody may be called so
		{"POST /v1/users/%6De/authenticate", 422, ""},
		{"GET /v1/users/ann?expand=memberships", 200, ""},
		{"GET /v1/users/%61nn", 200, ""},
		{"GET /v1/users/ANN", 200, ""},
		{"GET /v1/users/+ann", 200, ""}, // a space, which names are trimmed of
		{"GET /v1/users/%2Bann", 404, ""},
		{"GET /v1/users/a+nn", 404, ""},
	} {
		a := w.manage(c.line, "")
		if a.StatusCode != c.status || a.Header.Get("Allow") != c.allow {
			t.Errorf("%s = %d, Allow %q, %s; want %d, Allow %q", c.line, a.StatusCode, a.Header.Get("Allow"), a.text, c.status, c.allow)
		}
		w.do(c.line, "Accept: application/vnd.api+json", "") // checked for its form
	}
}

// TestBadEscape hands over a path that net/http refuses to read, as a host with a router of its own might.
func TestBadEscape(t *testing.T) {
	w := newWorld(t)
	api, err := httpapi.New(httpapi.Options{Core: w.Core})
	w.must(err)
	r := httptest.NewRequest("GET", "/v1/users/x", nil)
	r.URL.Path, r.URL.RawPath = "/v1/users/%zz", "/v1/users/%zz"
	r.Header.Set("X-Authrocket-Api-Key", w.newKey(w.realm.ID, core.PermissionRead))
	got := httptest.NewRecorder()
	api.ServeHTTP(got, r)
	if got.Code != http.StatusNotFound {
		t.Errorf("GET /v1/users/%%zz = %d %s; want 404", got.Code, got.Body)
	}
	if _, err := httpapi.New(httpapi.Options{}); err == nil {
		t.Error("New without a core = nil; want an error")
	}
}

// TestAuthority tries each kind of credential on each call (Work-API, "Authority matrix"), in both families.
func TestAuthority(t *testing.T) {
	w := newWorld(t)
	ann := w.provided("ann")
	person := w.human("eve")
	token := w.signIn("eve").Token
	credentials := []struct{ name, header string }{
		{"nothing", ""},
		{"empty bearer", "Authorization: Bearer"},
		{"garbage", "Authorization: Bearer garbage"},
		{"two lines", "Authorization: Bearer " + token + "\nAuthorization: Bearer " + token},
		{"basic", "Authorization: Basic YTpi"},
		{"cookie", "Cookie: __Host-postern=" + token + "; token=" + token + "; session=" + token},
		{"user", "Authorization: Bearer " + token},
		{"key", "X-Authrocket-Api-Key: " + w.newKey(w.realm.ID, core.PermissionRead, core.PermissionWrite, core.PermissionManage)},
	}
	managed := []string{"GET /v1/users/eve", "PUT /v1/users/eve", "GET /v1/sessions?user_id=eve", "POST /v1/users/eve/authenticate",
		"GET /v1/realms/" + string(w.realm.ID), "GET /v1/sessions/" + token, "DELETE /v1/sessions/" + token, "DELETE /v1/users/eve"}
	for _, accept := range []string{"application/json", "application/vnd.api+json"} {
		for _, c := range credentials {
			call := func(line string, want ...int) {
				t.Helper()
				if a := w.do(line, c.header+"\nAccept: "+accept, ""); !slices.Contains(want, a.StatusCode) {
					t.Errorf("%s with %s, %s = %d %s; want %v", line, c.name, accept, a.StatusCode, a.text, want)
				}
			}
			switch c.name {
			case "user":
				call("GET /v1/users/me", 200)
				call("HEAD /v1/users/me", 200)
				call("POST /v1/users", 401)
				call("POST /v1/users/reauth", 401)
			case "key":
				call("GET /v1/users/me", 404)
				call("DELETE /v1/users/me", 404)
				call("POST /v1/users", 422)
				call("POST /v1/users/reauth", 401)
				continue
			default:
				call("GET /v1/users/me", 401)
				call("HEAD /v1/users/me", 401)
				call("DELETE /v1/users/me", 401)
				call("GET /v1/users/me?token="+token+"&access_token="+token, 401)
				call("POST /v1/users/reauth", 401)
				create := 401
				if accept == "application/json" && !strings.HasPrefix(c.header, "Authorization: Bearer") {
					create = 403 // to clients of the Users API, 401 would mean a user's password
				}
				call("POST /v1/users", create)
			}
			for _, line := range managed {
				call(line, 403)
			}
		}
	}

	// An APT that names a user: for that one, and nothing that an APT has no business with.
	for _, line := range append(managed, "GET /v1/users/me", "HEAD /v1/users/me", "PUT /v1/users/"+string(ann.User.ID)) {
		status := http.StatusForbidden
		if strings.HasSuffix(line, "/me") {
			status = http.StatusUnauthorized
		}
		w.want(w.provide(line, w.apt("ann"), ""), status, "")
	}
	w.want(w.provide("DELETE /v1/users/me", w.apt(""), ""), http.StatusUnauthorized, "arbitrary_id")
	w.want(w.provide("POST /v1/users/reauth", w.apt(""), w.document("ann")), http.StatusUnauthorized, "arbitrary_id")
	w.want(w.provide("DELETE /v1/users/me", w.apt("eve"), ""), http.StatusNotFound, "user_not_found_error")
	w.want(w.provide("GET /v1/users/me", ann.Token, ""), http.StatusOK, `"ann"`)
	if _, err := w.Users.Get(w.ctx, w.realm.ID, string(person.ID)); err != nil {
		t.Errorf("eve: %v; want nobody to have deleted her", err)
	}
	w.want(w.provide("DELETE /v1/users/me", token, ""), http.StatusNoContent, "")
	w.want(w.provide("DELETE /v1/users/me", token, ""), http.StatusUnauthorized, "invalid_token_error")
}

// TestElsewhere has the account provider of one environment try its hand at another.
func TestElsewhere(t *testing.T) {
	w := newWorld(t)
	other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
	w.must(err)
	body := strings.Replace(w.document("ann"), w.realm.EnvironmentGUID, other.EnvironmentGUID, 1)
	w.want(w.provide("POST /v1/users", w.apt(""), body), http.StatusUnauthorized, "invalid_token_error")
	now := w.clock.Now().Unix()
	forged := w.sign(map[string]any{"exp": now + 60, "iat": now, "user": map[string]string{"environment_guid": other.EnvironmentGUID}})
	w.want(w.provide("POST /v1/users", forged, body), http.StatusUnauthorized, "invalid_token_error")
}

// TestHeadMintsNothing asks whether a token is good.
func TestHeadMintsNothing(t *testing.T) {
	w := newWorld(t)
	in := w.provided("ann")
	for _, path := range []string{"/v1/users/me", "/v1/users/me?x=y"} {
		w.want(w.provide("HEAD "+path, in.Token, ""), http.StatusOK, "")
	}
	got := w.provide("GET /v1/users/me", in.Token, "")
	head := w.provide("HEAD /v1/users/me", in.Token, "")
	if head.ContentLength >= got.ContentLength {
		t.Errorf("HEAD promises %d bytes, GET with its token has %d", head.ContentLength, got.ContentLength)
	}
}

// TestInternal breaks the store in ways that are nobody's business outside.
func TestInternal(t *testing.T) {
	w := newWorld(t)
	in := w.provided("ann")
	w.store.breakWith(func() error { return errors.New("bolt: page 7 is torn") })
	w.want(w.provide("GET /v1/users/me", in.Token, ""), http.StatusInternalServerError, "internal_error")
	w.store.breakWith(func() error { panic("index out of range [7]") })
	for _, line := range []string{"GET /v1/users/me", "DELETE /v1/users/me", "HEAD /v1/users/me"} {
		a := w.want(w.provide(line, in.Token, ""), http.StatusInternalServerError, "")
		if strings.Contains(a.text, "range") || strings.Contains(a.text, ".go") {
			t.Errorf("%s tells %s", line, a.text)
		}
	}
	w.want(w.manage("GET /v1/users/ann", ""), http.StatusInternalServerError, `{"errors":{"base":["Something went wrong on our side"]}}`)
	logged := fmt.Sprint(w.logs.FilterMessage("request failed").FilterField(zap.String("route", "GET /v1/users/me")).All())
	if !strings.Contains(logged, "page 7 is torn") || !strings.Contains(logged, "index out of range [7]") || !strings.Contains(logged, "request_id") {
		t.Errorf("log = %s; want both failures in full", logged)
	}
	w.store.breakWith(nil)
	w.want(w.provide("GET /v1/users/me", in.Token, ""), http.StatusOK, "")
}

// TestAbort lets through what tells net/http to drop the connection.
func TestAbort(t *testing.T) {
	w := newWorld(t)
	api, err := httpapi.New(httpapi.Options{Core: w.Core})
	w.must(err)
	r := httptest.NewRequest("GET", "/v1/users/ann", nil)
	r.Header.Set("X-Authrocket-Api-Key", w.newKey(w.realm.ID, core.PermissionRead))
	w.store.breakWith(func() error { panic(http.ErrAbortHandler) })
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("panic = %v; want it to be passed on", p)
		}
	}()
	api.ServeHTTP(httptest.NewRecorder(), r)
}

// TestTimeUp has a host's deadline pass: that decides nothing, and is no failure of ours.
func TestTimeUp(t *testing.T) {
	w := newWorld(t)
	api, err := httpapi.New(httpapi.Options{Core: w.Core})
	w.must(err)
	ctx, cancel := context.WithTimeout(w.ctx, 0)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, "GET", "/v1/users/ann", nil)
	r.Header.Set("X-Authrocket-Api-Key", w.newKey(w.realm.ID, core.PermissionRead))
	got := httptest.NewRecorder()
	api.ServeHTTP(got, r)
	if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") != "1" {
		t.Errorf("a call whose time is up = %d %s; want 503", got.Code, got.Body)
	}
}

// TestSessions ends sessions, by id and by token, and asks for what is not there.
func TestSessions(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	first, second := w.signIn("ann"), w.signIn("ann")
	w.want(w.manage("GET /v1/sessions", ""), http.StatusUnprocessableEntity, `"user_id"`)
	w.want(w.manage("GET /v1/sessions?user_id=nobody", ""), http.StatusNotFound, "User not found")
	list := w.want(w.manage("GET /v1/sessions?user_id=ann", ""), http.StatusOK, `"more_results":false`)
	if strings.Index(list.text, string(first.Session.ID)) > strings.Index(list.text, string(second.Session.ID)) {
		t.Errorf("sessions = %s; want the oldest first", list.text)
	}
	w.want(w.manage("DELETE /v1/sessions/"+first.Token, ""), http.StatusNoContent, "")
	w.want(w.manage("DELETE /v1/sessions/"+string(first.Session.ID), ""), http.StatusNotFound, "Session not found")
	w.want(w.provide("GET /v1/users/me", first.Token, ""), http.StatusUnauthorized, "")
	w.want(w.provide("GET /v1/users/me", second.Token, ""), http.StatusOK, "")
	for _, name := range []string{"kss_0000000000000000000000", "-", "a.b.c", second.Token + "x", string(second.User.ID)} {
		w.want(w.manage("GET /v1/sessions/"+name, ""), http.StatusNotFound, "Session not found")
	}
	w.want(w.manage("DELETE /v1/sessions/"+string(second.Session.ID), `{"request":{"ip":"10.0.0.1"}}`), http.StatusNoContent, "")
	w.want(w.manage("GET /v1/sessions?user_id=ann", ""), http.StatusOK, `"collection":[]`)

	other, err := w.Realms.Create(w.ctx, core.NewRealm{Name: "other"}, core.Request{})
	w.must(err)
	third := w.signIn("ann")
	for _, name := range []string{third.Token, string(third.Session.ID)} {
		w.want(w.manage("GET /v1/sessions/"+name+"?realm_id="+string(other.ID), ""), http.StatusNotFound, "Session not found")
	}
}
