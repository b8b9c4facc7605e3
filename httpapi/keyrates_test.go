package httpapi_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi"
)

// TestKeyRate: a management key that makes too many calls is told when to go on. Neither other keys nor holders of tokens notice, and
// what reads before it writes, or can be repeated, is one call.
func TestKeyRate(t *testing.T) {
	w := newWorld(t)
	api, err := httpapi.New(httpapi.Options{Core: w.Core, KeyRate: 1})
	w.must(err)
	w.server.Close()
	w.server = httptest.NewServer(w.conforming(api))
	const list, atOnce = "GET /v1/users", 10

	w.human("ann")
	for range atOnce - 3 {
		w.want(w.manage(list, ""), 200, "")
	}
	named := w.asManager() + "\nIdempotency-Key: bob"
	w.want(w.do("POST /v1/users", named, `{"user":{"username":"bob","user_type":"api"}}`), 201, "bob")
	w.want(w.do("PUT /v1/users/bob", w.asManager()+"\nIf-Match: *", `{"user":{"reference":"1"}}`), 200, `"1"`)
	w.want(w.manage(list, ""), 200, "")

	refused := w.want(w.manage(list, ""), 429, "more calls")
	for name, want := range map[string]string{"Retry-After": "1", "X-Ratelimit-Limit": "10", "X-Ratelimit-Remaining": "0"} {
		if got := refused.Header.Get(name); got != want {
			t.Errorf("%s of a call too many is %q; want %q", name, got, want)
		}
	}
	w.want(w.do("POST /v1/users", named, `{"user":{"username":"bob","user_type":"api"}}`), 429, "")
	w.want(w.do(list, strings.ReplaceAll(w.asManager(), w.key, w.newKey(w.realm.ID, core.PermissionRead)), ""), 200, "")
	w.want(w.do("GET /v1/users/me", "Authorization: Bearer "+w.signIn("ann").Token, ""), 200, "")

	w.clock.Advance(time.Second)
	w.want(w.do("POST /v1/users", named, `{"user":{"username":"bob","user_type":"api"}}`), 201, "bob")
	w.want(w.manage(list, ""), 429, "")
}

// TestBadKeyRate: what makes no sense is refused.
func TestBadKeyRate(t *testing.T) {
	w := newWorld(t)
	for _, perSecond := range []int{-1, httpapi.MaxKeyRate + 1} {
		if _, err := httpapi.New(httpapi.Options{Core: w.Core, KeyRate: perSecond}); err == nil || !strings.Contains(err.Error(), "api_rate") {
			t.Errorf("New with a rate of %d: %v; want a complaint about api_rate", perSecond, err)
		}
	}
}
