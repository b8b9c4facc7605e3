package client_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/core"
)

// hearing is an application that takes assertions, and a guard that makes them.
type hearing struct {
	*world
	issuer string
	v      *client.AssertionVerifier
	asked  atomic.Int32 // how often the server was asked for keys
	away   atomic.Bool
}

const application = "https://app.example.com"

// hear sets up an application. Its clock is the server's.
func hear(w *world) *hearing {
	w.Helper()
	h := &hearing{world: w}
	served := w.server.Config.Handler
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/jwks.json") {
			h.asked.Add(1)
			if h.away.Load() {
				http.Error(rw, "away", http.StatusBadGateway)
				return
			}
		}
		served.ServeHTTP(rw, r)
	})
	realm, err := w.c.Realms.Get(w.ctx, w.realm)
	w.must(err)
	h.issuer = realm.Issuer
	h.v = h.verifier(client.AssertionOptions{Realm: w.realm, Issuer: h.issuer, Audience: application})
	return h
}

// verifier returns a verifier that needs no management key.
func (h *hearing) verifier(o client.AssertionOptions) *client.AssertionVerifier {
	h.Helper()
	c := h.client(client.Options{Tries: 1})
	client.SetNow(c, h.clock.Now)
	v, err := c.AssertionVerifier(o)
	h.must(err)
	return v
}

// asserted returns what a guard tells the application of ann.
func (h *hearing) asserted() string {
	h.Helper()
	token, _, err := h.core.Realms.Assert(h.ctx, core.Identity{Realm: core.RealmID(h.realm), User: "usr_ann", Session: "kss_1", Type: core.UserHuman, Username: "ann", Email: "ann@example.com",
		EmailVerified: true, MFA: true, SignedInAt: h.clock.Now(), Orgs: []core.OrgAccess{{Org: "org_1", Permissions: []string{"read"}}}}, application)
	h.must(err)
	return token
}

// becomes waits until the application judges an assertion as it should.
func (h *hearing) becomes(what, token string, want error) {
	h.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		_, err := h.v.Verify(h.ctx, token)
		if errors.Is(err, want) {
			return
		}
		if time.Now().After(deadline) {
			h.Fatalf("%s: Verify = %v, want %v", what, err, want)
		}
	}
}

// TestAssertionVerifier takes what a guard says of a user, and nothing else.
func TestAssertionVerifier(t *testing.T) {
	each(t, func(w *world) {
		h := hear(w)
		token := h.asserted()
		who, err := h.v.Verify(h.ctx, token)
		if err != nil || who.UserID != "usr_ann" || who.Username != "ann" || !who.EmailVerified || who.SessionID != "kss_1" || who.Orgs[0].Permissions[0] != "read" || who.RealmID != h.realm {
			t.Fatalf("Verify = %+v, %v; want ann", who, err)
		}
		w.human("bob")
		in, err := w.c.Users.Authenticate(w.ctx, "bob", goodPassword)
		w.must(err)
		dots := strings.Split(token, ".")
		for name, text := range map[string]string{
			"nothing": "", "words": "not a token", "a session token": in.Token, "without signature": dots[0] + "." + dots[1] + ".", "of another's claims": dots[0] + "." + strings.Split(in.Token, ".")[1] + "." + dots[2],
			"changed": token[:len(token)-4] + "AAAA", "unsigned": "eyJhbGciOiJub25lIn0." + dots[1] + ".AAAA",
		} {
			if who, err := h.v.Verify(h.ctx, text); !errors.Is(err, client.ErrAssertion) || who != nil {
				t.Errorf("%s: Verify = %+v, %v; want %v", name, who, err, client.ErrAssertion)
			}
		}
		for name, o := range map[string]client.AssertionOptions{
			"of another issuer": {Realm: h.realm, Issuer: h.issuer + "/", Audience: application}, "for another application": {Realm: h.realm, Issuer: h.issuer, Audience: "https://other.example.com"},
		} {
			if who, err := h.verifier(o).Verify(h.ctx, token); !errors.Is(err, client.ErrAssertion) || who != nil {
				t.Errorf("%s: Verify = %+v, %v; want %v", name, who, err, client.ErrAssertion)
			}
		}
		if n := h.asked.Load(); n != 1 {
			t.Errorf("the keys were fetched %d times, want once", n)
		}
		w.clock.Advance(91 * time.Second)
		if who, err := h.v.Verify(h.ctx, token); !errors.Is(err, client.ErrAssertion) || who != nil {
			t.Errorf("after a minute and a half: Verify = %+v, %v; want %v", who, err, client.ErrAssertion)
		}
		if _, err := w.c.AssertionVerifier(client.AssertionOptions{Issuer: h.issuer}); err == nil {
			t.Error("AssertionVerifier without an audience = nil, want a complaint")
		}
	})
}

// TestAssertionVerifierFollowsKeys fetches new keys, and says so where it cannot know.
func TestAssertionVerifierFollowsKeys(t *testing.T) {
	each(t, func(w *world) {
		h := hear(w)
		h.away.Store(true)
		if who, err := h.v.Verify(h.ctx, h.asserted()); err == nil || errors.Is(err, client.ErrAssertion) || who != nil {
			t.Errorf("with the server away: Verify = %+v, %v; want that it cannot be known", who, err)
		}
		for range 50 {
			_, _ = h.v.Verify(h.ctx, h.asserted())
		}
		if n := h.asked.Load(); n != 1 {
			t.Errorf("the server that is away was asked for keys %d times, want once", n)
		}
		h.away.Store(false)
		w.clock.Advance(11 * time.Second)
		h.becomes("once the server is back", h.asserted(), nil)

		w.must(w.c.Realms.RotateKeys(w.ctx, w.realm))
		w.clock.Advance(20 * time.Minute)
		h.becomes("under a new key", h.asserted(), nil)
		h.away.Store(true)
		w.clock.Advance(time.Hour)
		h.becomes("with the server away for an hour", h.asserted(), nil)

		w.clock.Advance(73 * time.Hour)
		if who, err := h.v.Verify(h.ctx, h.asserted()); err == nil || errors.Is(err, client.ErrAssertion) || who != nil {
			t.Errorf("with the server away for three days: Verify = %+v, %v; want that it cannot be known", who, err)
		}

		gone, cancel := context.WithCancel(h.ctx)
		cancel()
		fresh := h.verifier(client.AssertionOptions{Realm: h.realm, Issuer: h.issuer, Audience: application})
		if _, err := fresh.Verify(gone, h.asserted()); err == nil || errors.Is(err, client.ErrAssertion) {
			t.Errorf("with a context that ended: Verify = %v; want that it cannot be known", err)
		}
	})
}
