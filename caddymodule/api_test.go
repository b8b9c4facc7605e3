package caddymodule

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestAPIErrors holds that whatever postern_api refuses is told in the form that the caller speaks, also by a Caddy whose store is
// not open, and whatever the site's error routes do.
func TestAPIErrors(t *testing.T) {
	w := newWorld(t)
	server := w.useRedis()
	const site = guarded + "\n\thandle_errors {\n\t\trespond \"not for the API\" 418\n\t}"
	w.load(w.config(overRedis, site))
	token := w.signedIn()
	away := func(path string) *http.Request { return httptest.NewRequest("GET", path, nil) }
	early := func(path string) *http.Request {
		r := httptest.NewRequest("POST", path, strings.NewReader("{}"))
		r.TLS = &tls.ConnectionState{} // whose handshake is not complete
		return r
	}
	direct := func(h *API, r *http.Request) answer {
		rec := httptest.NewRecorder()
		if err := h.ServeHTTP(rec, r, nil); err != nil {
			t.Fatalf("%s %s = %v; want an answer", r.Method, r.URL, err)
		}
		return answer{rec.Code, rec.Result().Header, rec.Body.String()}
	}
	answers := map[int]func(accept string) answer{
		http.StatusUnauthorized: func(accept string) answer { return w.get("/v1/users/me", "", "Accept", accept) },
		http.StatusNotFound:     func(accept string) answer { return w.get("/v1/nothing", "", "Accept", accept) },
		http.StatusServiceUnavailable: func(accept string) answer {
			closed := newEngine("closed", nil)
			closed.closed = true // opens nothing, as while the store is away
			r := away("/v1/users/me")
			r.Header.Set("Accept", accept)
			return direct(&API{app: &App{engine: closed}}, r)
		},
		http.StatusTooEarly: func(accept string) answer {
			r := early("/v1/users")
			r.Header.Set("Accept", accept)
			return direct(new(API), r)
		},
	}
	for status, ask := range answers {
		for accept, holds := range errorForms(status) {
			got := ask(accept)
			if got.status != status || got.header.Get("Content-Type") != accept || !holds(got.body) || got.header.Get("X-Request-Id") == "" {
				t.Errorf("%d for %s = %+v", status, accept, got)
			}
			if wait := got.header.Get("Retry-After"); (wait == "") == (status == http.StatusServiceUnavailable) {
				t.Errorf("%d for %s has Retry-After %q", status, accept, wait)
			}
		}
	}

	server.Stop(t) // an open store that goes away is told by the API itself, in the same forms
	for accept, holds := range errorForms(http.StatusServiceUnavailable) {
		got := w.get("/v1/users/me", token, "Accept", accept)
		if got.status != http.StatusServiceUnavailable || got.header.Get("Content-Type") != accept || !holds(got.body) {
			t.Errorf("503 of an open API for %s = %+v", accept, got)
		}
	}
}

// errorForms returns what tells the body of an error in each form, by its media type.
func errorForms(status int) map[string]func(body string) bool {
	return map[string]func(string) bool{
		"application/json": func(body string) bool { // the Users API: an object of arrays of sentences
			var v struct{ Errors map[string][]string }
			return json.Unmarshal([]byte(body), &v) == nil && len(v.Errors["base"]) == 1
		},
		"application/vnd.api+json": func(body string) bool { // Work-API: an array of objects
			var v struct {
				Errors []struct{ Status, Code, Title, Detail string }
			}
			return json.Unmarshal([]byte(body), &v) == nil && len(v.Errors) == 1 && v.Errors[0].Status == strconv.Itoa(status) && v.Errors[0].Code != ""
		},
		"application/problem+json": func(body string) bool { // RFC 9457
			var v struct {
				Status      int
				Title, Code string
			}
			return json.Unmarshal([]byte(body), &v) == nil && v.Status == status && v.Title != "" && v.Code != ""
		},
	}
}
