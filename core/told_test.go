package core_test

import (
	"slices"
	"testing"

	"github.com/postern-auth/postern/core"
)

// TestWhatGuardsAreTold lists the changes of a person that a verdict depends on: each is in the log that guards read, so that none goes by
// what it remembers.
func TestWhatGuardsAreTold(t *testing.T) {
	update := func(in core.UserChange) func(*world, *core.SignedIn) error {
		return func(w *world, _ *core.SignedIn) error {
			_, err := w.Users.Update(w.ctx, w.realm.ID, "ann", in, core.Request{})
			return err
		}
	}
	for name, do := range map[string]func(w *world, in *core.SignedIn) error{
		"name":     update(core.UserChange{FirstName: ptr("Ann")}),
		"address":  update(core.UserChange{Email: ptr("other@example.com")}),
		"state":    update(core.UserChange{State: ptr(core.StateInactive)}),
		"password": update(core.UserChange{Password: ptr(newPassword)}),
		"password changed": func(w *world, _ *core.SignedIn) error {
			return w.Passwords.Change(w.ctx, w.realm.ID, "ann", core.PasswordChange{Current: goodPassword, Password: newPassword}, core.Request{})
		},
		"password reset":   func(w *world, _ *core.SignedIn) error { return w.reset("ann", w.resetToken("ann"), newPassword) },
		"address verified": func(w *world, _ *core.SignedIn) error { return w.verify("ann", w.emailToken("ann")) },
		"all sessions ended": func(w *world, _ *core.SignedIn) error {
			return w.Sessions.EndAll(w.ctx, w.realm.ID, "ann", "", core.Request{})
		},
		"session ended": func(w *world, in *core.SignedIn) error {
			return w.Sessions.Delete(w.ctx, w.realm.ID, in.Session.ID, core.Request{})
		},
		"deleted": func(w *world, _ *core.SignedIn) error {
			return w.Users.Delete(w.ctx, w.realm.ID, "ann", core.Request{})
		},
		"deleted by themself": func(w *world, in *core.SignedIn) error { return w.Sessions.DeleteUser(w.ctx, in.Token, core.Request{}) },
		"membership":          func(w *world, in *core.SignedIn) error { w.joins(in.User.ID, w.org("staff").ID, "read"); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOnBolt(t)
			w.human("ann")
			in := w.signIn("ann")
			news := w.news()
			w.must(do(w, in))
			if got := news(); !slices.Contains(got, string(in.User.ID)) && !slices.Contains(got, string(in.Session.ID)) {
				t.Errorf("news is about %v; want ann or her session", got)
			}
		})
	}
}

// TestWhatGuardsAreToldOfOrgs changes an org of more members than one Transaction reaches: everybody in the realm is to be read anew.
func TestWhatGuardsAreToldOfOrgs(t *testing.T) {
	w := newWorldOnBolt(t)
	org := w.org("crowd")
	for i := range 51 {
		w.joins(w.robot(i), org.ID, "read")
	}
	news := w.news()
	w.must(w.change(w.Core, org.ID, core.StateInactive))
	if got := news(); !slices.Contains(got, string(w.realm.ID)) {
		t.Errorf("news is about %v; want the realm", got)
	}
}
