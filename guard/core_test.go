package guard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/guard"
	"github.com/postern-auth/postern/internal/hosttest"
)

// TestOverCore guards with the real core over a file: a session is good until it is ended, and a user until
// deactivated.
func TestOverCore(t *testing.T) {
	house := openHouse(t)
	realm := house.realm("default")
	g := house.guard(map[string]string{
		"X-Postern-User-Id": "id", "X-Postern-Realm": "realm", "X-Postern-Session": "session", "X-Postern-User-Type": "user_type",
	})
	ended, kept := house.signIn(realm, "ann"), house.signIn(realm, "bob")
	_, seen := serve(g, with(ended.Token))
	if seen == nil {
		t.Fatal("a fresh session is refused")
	}
	wantHeaders(t, seen.Header, map[string]string{
		"X-Postern-User-Id": string(ended.User.ID), "X-Postern-Realm": string(realm),
		"X-Postern-Session": string(ended.Session.ID), "X-Postern-User-Type": "human",
	})
	wantDecision(t, g, kept.Token, guard.Allow)

	house.end(realm, ended)
	eventually(t, "the ended session is refused", func() bool {
		return g.Judge(with(ended.Token)).Refusal.Reason == "invalid_token"
	})
	wantDecision(t, g, kept.Token, guard.Allow)

	house.deactivate(realm, kept)
	eventually(t, "the deactivated user is refused", func() bool {
		return g.Judge(with(kept.Token)).Decision == guard.Deny
	})
}

// TestTokenOfAPIKey lets in a token that stands for an API key, without the key being a source, until another key takes its place.
func TestTokenOfAPIKey(t *testing.T) {
	house := openHouse(t)
	realm, ctx, api, name := house.realm("default"), t.Context(), core.UserAPI, "robot"
	g := house.guard(map[string]string{"X-Postern-Username": "username", "X-Postern-Credential": "credential"})
	_, err := house.Realms.Update(ctx, realm, core.RealmChange{Settings: func(s *core.RealmSettings) { s.APIKeyTokens = 3600 }}, core.Request{})
	house.must(err)
	_, err = house.Users.Create(ctx, realm, core.UserChange{Type: &api, Username: &name}, core.Request{})
	house.must(err)
	credential, key, err := house.APIKeys.Create(ctx, realm, name, core.NewAPIKey{}, core.Request{})
	house.must(err)
	in, err := house.APIKeys.Authenticate(ctx, realm, key, netip.Addr{}, core.Request{})
	house.must(err)
	_, seen := serve(g, with(in.Token))
	if seen == nil {
		t.Fatal("the token of an API key is refused")
	}
	wantHeaders(t, seen.Header, map[string]string{"X-Postern-Username": "robot", "X-Postern-Credential": string(credential.ID)})

	_, _, err = house.APIKeys.Update(ctx, realm, credential.ID, core.APIKeyChange{Key: new(string)}, core.Request{})
	house.must(err)
	eventually(t, "the token of the former key is refused", func() bool { return g.Judge(with(in.Token)).Decision == guard.Deny })
}

// TestHost runs the table that all hosts run against the bare middleware over the real core.
func TestHost(t *testing.T) {
	house := openHouse(t)
	realm, other := house.realm("default"), house.realm("other")
	expired := house.signIn(realm, "early")
	house.clock.pass(3 * time.Hour)
	old := house.signIn(realm, "old")
	house.clock.pass(4 * time.Hour)
	valid, revoked, inactive := house.signIn(realm, "ann"), house.signIn(realm, "bob"), house.signIn(realm, "cat")
	stranger := house.signIn(other, "ann")
	house.end(realm, revoked)
	house.deactivate(realm, inactive)

	g, err := guard.New(guard.Options{Settings: hosttest.Settings, Realms: house.Realms, Resolver: house.Sessions, Feed: guard.FeedOf(house.Feed), Renewer: house.Sessions, Now: house.Core.Now})
	house.must(err)
	t.Cleanup(g.Close)
	short := house.signIn(realm, "dan")
	server := httptest.NewServer(g.Handler(hosttest.App()))
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	hosttest.Run(t, hosttest.Host{
		URL: server.URL,
		Tokens: hosttest.Tokens{Valid: valid.Token, Short: short.Token, Old: old.Token, Expired: expired.Token, Revoked: revoked.Token,
			Inactive: inactive.Token, OtherRealm: stranger.Token},
		Revoke:   func(*testing.T, string) { house.end(realm, short) },
		Identity: map[string]string{"X-Postern-User-Id": string(valid.User.ID), "X-Postern-Username": "ann", "X-Postern-Email": "ann@example.com"},
	})
}

// house is a core over a new file, kept current until the test ends, with a clock that the test moves.
type house struct {
	*testing.T
	*core.Core
	clock *world
}

func openHouse(t *testing.T) *house {
	t.Helper()
	h := &house{T: t, clock: newWorld()}
	store, err := boltstore.Open(boltstore.Options{Path: filepath.Join(t.TempDir(), "postern.db"), Now: h.clock.time})
	h.must(err)
	t.Cleanup(func() { _ = store.Close() })
	master, err := core.NewMasterKey(make([]byte, core.MasterKeySize))
	h.must(err)
	h.Core, err = core.New(core.Options{Store: store, MasterKey: master, Hashing: core.Hashing{HashMemory: 8 << 10, HashPasses: 1}, Now: h.clock.time})
	h.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { h.Core.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return h
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *house) guard(copied map[string]string) *guard.Guard {
	g, err := guard.New(guard.Options{Realms: h.Realms, Resolver: h.Sessions, Feed: guard.FeedOf(h.Feed), Settings: guard.Settings{CopyHeaders: copied}, Now: h.Core.Now})
	h.must(err)
	h.Cleanup(g.Close)
	return g
}

func (h *house) realm(name string) core.RealmID {
	h.Helper()
	r, err := h.Realms.Create(h.Context(), core.NewRealm{Name: name}, core.Request{})
	h.must(err)
	return r.ID
}

// signIn makes a user and signs it in.
func (h *house) signIn(realm core.RealmID, name string) *core.SignedIn {
	h.Helper()
	kind, email, password := core.UserHuman, name+"@example.com", "correct horse battery staple"
	_, err := h.Users.Create(h.Context(), realm, core.UserChange{Type: &kind, Username: &name, Email: &email, Password: &password}, core.Request{})
	h.must(err)
	in, err := h.Passwords.Authenticate(h.Context(), realm, name, password, core.Request{})
	h.must(err)
	return in
}

func (h *house) end(realm core.RealmID, in *core.SignedIn) {
	h.Helper()
	h.must(h.Sessions.Delete(h.Context(), realm, in.Session.ID, core.Request{}))
}

func (h *house) deactivate(realm core.RealmID, in *core.SignedIn) {
	h.Helper()
	inactive := core.StateInactive
	_, err := h.Users.Update(h.Context(), realm, string(in.User.ID), core.UserChange{State: &inactive}, core.Request{})
	h.must(err)
}
