package sidecar

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestFirstLineOverHTTP2 holds that what could not be the first line of a request in HTTP/1.1 is refused over HTTP/2 too.
func TestFirstLineOverHTTP2(t *testing.T) {
	passed := false
	e := &edge{next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true })}
	for _, tt := range []struct {
		method, query string
		passes        bool
	}{
		{"GET", "a=b", true}, {"M-SEARCH", "a=\"<>", true}, {"!#$%&'*+.^_`|~", "", true},
		{"GET", "a HTTP/1.1", false}, {"GET", " ", false}, {"GET /admin", "", false}, {"GE(T", "", false}, {"G\xc3", "", false},
	} {
		passed = false
		r := httptest.NewRequest("GET", "/", nil)
		r.ProtoMajor, r.Method, r.URL.RawQuery = 2, tt.method, tt.query
		w := httptest.NewRecorder()
		if e.ServeHTTP(w, r); passed != tt.passes || !passed && w.Code != http.StatusBadRequest {
			t.Errorf("%q with the query %q = %d, passed %t; want passed %t, else 400", tt.method, tt.query, w.Code, passed, tt.passes)
		}
	}
}
