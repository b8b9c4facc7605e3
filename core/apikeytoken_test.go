package core_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// keyToken turns on tokens of an hour for API keys, and returns one of a key.
func (w *world) keyToken(key string) string {
	w.Helper()
	_, err := w.Realms.Update(w.ctx, w.realm.ID, core.RealmChange{Settings: func(s *core.RealmSettings) { s.APIKeyTokens = 3600 }}, core.Request{})
	w.must(err)
	in, err := w.APIKeys.Authenticate(w.ctx, w.realm.ID, key, nowhere, core.Request{})
	w.must(err)
	if in.Session != nil || in.LoginToken != "" {
		w.Errorf("Authenticate = %+v; want a token alone", in)
	}
	return in.Token
}

// TestAPIKeyToken shows a token for an API key: it is who the key is, no session, and ends at its time.
func TestAPIKeyToken(t *testing.T) {
	each(t, func(w *world) {
		u := w.program("robot")
		credential, key := w.apiKey(u, core.NewAPIKey{Permissions: []string{"deploy"}})
		token := w.keyToken(key)
		want, err := w.keyOf(key, nowhere)
		w.must(err)
		who, err := w.Sessions.Resolve(w.ctx, w.realm.ID, token)
		if err != nil || who.User != u.ID || who.Credential != credential.ID || who.Session != "" || !slices.Equal(who.Only, want.Only) ||
			who.ExpiresAt.After(w.clock.Now().Add(time.Hour)) {
			t.Errorf("Resolve = %+v, %v; want the robot, by its key, for an hour", who, err)
		}
		_, _, err = w.Sessions.ByToken(w.ctx, w.realm.ID, token)
		w.refused("the session of a key's token", err, core.ErrInvalidToken)
		_, err = w.Sessions.Refresh(w.ctx, token)
		w.refused("Refresh a key's token", err, core.ErrInvalidToken)
		w.refused("DeleteUser by a key's token", w.Sessions.DeleteUser(w.ctx, token, core.Request{}), core.ErrInvalidToken)
		_, err = w.keyOf(token, nowhere)
		w.refused("a key's token in the place of the key", err, core.ErrInvalidAPIKey)
		w.clock.Advance(time.Hour)
		_, err = w.Sessions.Resolve(w.ctx, w.realm.ID, token)
		w.refused("Resolve an expired token", err, core.ErrInvalidToken)
	})
}

// TestAPIKeyTokenEnds ends the key of a token in each way there is.
func TestAPIKeyTokenEnds(t *testing.T) {
	each(t, func(w *world) {
		for i, tt := range []struct {
			name string
			end  func(u *core.User, c *core.Credential) error
			want *core.Error
		}{
			{"another key in its place", func(_ *core.User, c *core.Credential) error {
				_, _, err := w.APIKeys.Update(w.ctx, w.realm.ID, c.ID, core.APIKeyChange{Key: ptr("")}, core.Request{})
				return err
			}, core.ErrInvalidToken},
			{"bound to addresses", func(_ *core.User, c *core.Credential) error {
				_, _, err := w.APIKeys.Update(w.ctx, w.realm.ID, c.ID, core.APIKeyChange{Addresses: &[]string{"192.0.2.0/24"}}, core.Request{})
				return err
			}, core.ErrAPIKeyAddress},
			{"deleted", func(_ *core.User, c *core.Credential) error {
				return w.Credentials.Delete(w.ctx, w.realm.ID, c.ID, core.Request{})
			}, core.ErrInvalidToken},
			{"all ended", func(u *core.User, _ *core.Credential) error {
				return w.Sessions.EndAll(w.ctx, w.realm.ID, string(u.ID), "", core.Request{})
			}, core.ErrInvalidToken},
			{"user inactive", func(u *core.User, _ *core.Credential) error {
				_, err := w.Users.Update(w.ctx, w.realm.ID, string(u.ID), core.UserChange{State: ptr(core.StateInactive)}, core.Request{})
				return err
			}, core.ErrInvalidToken},
			{"user deleted", func(u *core.User, _ *core.Credential) error {
				return w.Users.Delete(w.ctx, w.realm.ID, string(u.ID), core.Request{})
			}, core.ErrInvalidToken},
		} {
			u := w.program("robot-" + string(rune('a'+i)))
			credential, key := w.apiKey(u, core.NewAPIKey{})
			token := w.keyToken(key)
			w.must(tt.end(u, credential))
			_, err := w.Sessions.Resolve(w.ctx, w.realm.ID, token)
			w.refused("Resolve a token whose key is "+tt.name, err, tt.want)
		}
	})
}

// TestAPIKeyTokenLess gives no token for a key that is bound to addresses, and none that outlives its key.
func TestAPIKeyTokenLess(t *testing.T) {
	w := newWorldOnBolt(t)
	u := w.program("robot")
	_, brief := w.apiKey(u, core.NewAPIKey{ExpiresAt: w.clock.Now().Add(time.Minute)})
	token := w.keyToken(brief)
	_, bound := w.apiKey(u, core.NewAPIKey{Addresses: []string{"192.0.2.7"}})
	in, err := w.APIKeys.Authenticate(w.ctx, w.realm.ID, bound, netip.MustParseAddr("192.0.2.7"), core.Request{})
	if err != nil || in.Token != "" {
		t.Errorf("Authenticate with a bound key = %+v, %v; want no token", in, err)
	}
	if who, err := w.Sessions.Resolve(w.ctx, w.realm.ID, token); err != nil || who.ExpiresAt.After(w.clock.Now().Add(time.Minute)) {
		t.Errorf("Resolve = until %v, %v; want a minute at most", who.ExpiresAt, err)
	}
}
