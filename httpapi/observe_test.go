package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
)

// TestObserve holds that who counts calls is told the status that each was answered with, also by handlers that leave it to net/http.
func TestObserve(t *testing.T) {
	w := newWorld(t)
	var told []int
	api, err := httpapi.New(httpapi.Options{Core: w.Core, Observe: func(_ string, status int) { told = append(told, status) }})
	w.must(err)
	for line, want := range map[string]int{
		"GET /v1/docs": 200, "GET /v1/openapi.json": 200, "HEAD /v1/openapi.yaml": 200, "GET /.well-known/jwks.json": 200,
		"GET /v1/bulk/users": 200, "GET /v1/bulk/users?settings=true": 200, "POST /v1/bulk/users": 200, "GET /v1/bulk/users?settings=x": 422,
		"GET /v1/users": 200, "GET /v1/users/nobody": 404, "GET /v1/nothing": 404, "PATCH /v1/users": 405, "POST /v1/orgs": 422,
	} {
		method, path, _ := strings.Cut(line, " ")
		r, answered := httptest.NewRequest(method, path, nil), httptest.NewRecorder()
		r.Header = http.Header{"X-Authrocket-Api-Key": {w.key}, "X-Authrocket-Realm": {string(w.realm.ID)}}
		told = nil
		api.ServeHTTP(answered, r)
		if answered.Code != want || !slices.Equal(told, []int{want}) {
			t.Errorf("%s = %d, of which %v was told; want %d", line, answered.Code, told, want)
		}
	}

	r := httptest.NewRequest("GET", "/v1/users/ann", nil)
	r.Header.Set("X-Authrocket-Api-Key", w.newKey(w.realm.ID, core.PermissionRead))
	w.store.breakWith(func() error { panic(http.ErrAbortHandler) })
	told = nil
	func() {
		defer func() { _ = recover() }()
		api.ServeHTTP(httptest.NewRecorder(), r)
	}()
	if !slices.Equal(told, []int{0}) {
		t.Errorf("of a call that was cut short %v was told; want 0", told)
	}
}
