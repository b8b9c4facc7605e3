package httpapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestLogTellsNoSecret uses every call, well and badly, over a store that fails; the world searches its log for every
// token, password, key and address when it ends.
func TestLogTellsNoSecret(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	user, provided := w.signIn("ann"), w.provided("bob")
	w.secret("secret-password", "new@example.com")
	calls := func(want int) {
		for _, line := range []string{"GET /v1/users/ann@example.com", "PUT /v1/users/ann@example.com", "POST /v1/users", "POST /v1/users/ann@example.com/authenticate",
			"GET /v1/sessions?user_id=ann@example.com", "GET /v1/sessions/" + user.Token, "DELETE /v1/sessions/" + user.Token, "DELETE /v1/users/ann@example.com"} {
			body := ""
			if line[0] == 'P' {
				body = `{"user":{"user_type":"human","username":"new@example.com","email":"new@example.com","password":"secret-password"}}`
			}
			if a := w.manage(line, body); want != 0 && a.StatusCode != want {
				t.Errorf("%s = %d %s; want %d", line, a.StatusCode, a.text, want)
			}
		}
		w.provide("GET /v1/users/me", provided.Token, "")
		w.provide("GET /v1/users/me?token="+provided.Token, "x"+provided.Token, "")
		w.provide("POST /v1/users", w.apt(""), w.document("cid"))
		w.provide("POST /v1/users/reauth", w.apt("bob"), w.document("bob"))
		w.provide("DELETE /v1/users/me", w.apt("bob"), "")
	}
	w.store.breakWith(func() error { return errors.New("disk is full") })
	calls(http.StatusInternalServerError)
	w.store.breakWith(func() error { panic("disk is full") })
	calls(http.StatusInternalServerError)
	failures := w.logs.FilterMessage("request failed").Len()
	if failures < 20 {
		t.Errorf("%d failures in the log; want them all, or there is nothing to search", failures)
	}
	w.store.breakWith(func() error { return fmt.Errorf("%w: no space left on device", core.ErrOutcomeUnknown) })
	calls(http.StatusServiceUnavailable)
	outages := w.logs.FilterMessage("calls cannot be served")
	if n := outages.Len(); n < 1 || n > 4 || !strings.Contains(fmt.Sprint(outages.All()[0].ContextMap()["error"]), "no space left on device") {
		t.Errorf("%d entries of an outage in the log; want one every now and then, that says why", n)
	}
	failures += outages.Len()
	w.store.breakWith(nil)
	calls(0)
	if n := w.logs.Len(); n != failures {
		t.Errorf("%d entries in the log; what a caller is told is not logged", n-failures)
	}
}
