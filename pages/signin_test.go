package pages_test

import (
	"errors"
	"net/http"
	"net/url"
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
