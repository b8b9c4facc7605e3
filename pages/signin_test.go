package pages_test

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/teststore"
	"github.com/postern-auth/postern/pages"
)

// TestSignInEndsTheOneBefore holds that a browser which signs in anew leaves no session behind that its owner could not end any more,
// whatever the cookie that it had; and that it is in also where that cannot be done.
func TestSignInEndsTheOneBefore(t *testing.T) {
	again := func(w *world, cookie string) answer {
		return w.send("POST", "/auth/sign-in", url.Values{"username": {"ann"}, "password": {password}}, "Cookie", "session="+cookie)
	}
	each(t, func(w *world) {
		first := w.signIn("ann", password, "/").session().Value
		other := w.signIn("ann", password, "/").session().Value
		second := again(w, first).session().Value
		if _, err := w.core.Sessions.Resolve(w.Context(), w.realm, first); !errors.Is(err, core.ErrInvalidToken) {
			w.Errorf("Resolve of the session before = %v; want %v", err, core.ErrInvalidToken)
		}
		for _, token := range []string{other, second, again(w, "x").session().Value} {
			if _, err := w.core.Sessions.Resolve(w.Context(), w.realm, token); err != nil {
				w.Errorf("Resolve of another = %v", err)
			}
		}
	})
	w := newWorld(t, teststore.Bolt(t), func(o *pages.Options) { o.Sessions = away{} })
	if in := again(w, "x"); in.StatusCode != http.StatusSeeOther || in.session() == nil {
		t.Errorf("sign in where the session before cannot be ended = %d with cookie %v", in.StatusCode, in.session())
	}
}

// TestLargeForm sends more than any form of ours is.
func TestLargeForm(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	for path, form := range map[string]url.Values{
		"/auth/sign-in":       {"username": {"ann"}, "password": {password}},
		"/auth/second-factor": {"token": {"kli_"}, "code": {"1"}},
	} {
		form.Set("more", strings.Repeat("x", 17<<10))
		if a := w.send("POST", path, form); a.StatusCode != http.StatusBadRequest || a.session() != nil {
			t.Errorf("POST %s of 17 KiB = %d, cookie %v; want 400", path, a.StatusCode, a.session())
		}
	}
}

// TestWrongHeaders holds that the headers of an answer tell a user who is there from one who is not as little as its text does.
func TestWrongHeaders(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t), nil)
	headers := func(name string) http.Header {
		h := w.signIn(name, "wrong-password-1", "/").Header
		h.Del("Date")
		return h
	}
	if known, unknown := headers("ann"), headers("bob"); !reflect.DeepEqual(known, unknown) {
		t.Errorf("a known user has the headers %v, an unknown one %v", known, unknown)
	}
}
