package sidecar

import (
	"net/http"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/hosttest"
)

// TestRenamedRealm holds that a server which is told of no realm goes on, and starts again, when its realm gets another name.
func TestRenamedRealm(t *testing.T) {
	data := ""
	start := func() *served {
		return serve(t, hosttest.App(), func(o *Options) {
			if data == "" {
				data = o.Data
			}
			o.Data = data
		})
	}
	letIn := func(v *served, token string) {
		t.Helper()
		if resp, _ := v.ask(plain(t, nil), "GET", v.GuardURL()+"/", token, nil); resp.StatusCode != http.StatusOK {
			t.Errorf("GET / = %d; want 200", resp.StatusCode)
		}
		if resp, _ := v.ask(plain(t, nil), "GET", v.GuardURL()+"/auth/sign-in", "", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("GET /auth/sign-in = %d; want 200", resp.StatusCode)
		}
	}
	v, name := start(), "shop"
	_, err := v.parts.Core.Realms.Update(t.Context(), v.realm.ID, core.RealmChange{Name: &name}, core.Request{})
	v.must(err)
	token := v.signIn(v.parts.Core, v.realm.ID, "ann").Token
	letIn(v, token)
	v.stop()
	letIn(start(), token)
}
