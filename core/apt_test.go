package core_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"crypto/rand"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/jose"
	"github.com/postern-auth/postern/internal/teststore"
)

func TestProviderFlow(t *testing.T) {
	each(t, func(w *world) {
		in := w.provided("User_xyz 123")
		if in.User.ArbitraryID != "User_xyz 123" || in.User.Reference != "User_xyz 123" || in.User.Email != "" || in.User.Username == "" {
			t.Errorf("Create = %+v; want the arbitrary_id, also as reference, a username and no address", in.User)
		}
		w.must(w.knows(in.Token))
		_, err := w.APTs.Create(w.ctx, core.APTCall{Token: w.apt(""), ArbitraryID: ptr("User_xyz 123")})
		w.refused("Create twice", err, core.ErrUserExists)
		w.provided("user_xyz 123") // compared byte for byte

		again, err := w.APTs.Reissue(w.ctx, core.APTCall{Token: w.apt("User_xyz 123")})
		w.must(err)
		if again.User.ID != in.User.ID || again.Session.ID == in.Session.ID {
			t.Errorf("Reissue = user %s, session %s; want the same user in a new session", again.User.ID, again.Session.ID)
		}
		w.must(w.APTs.Delete(w.ctx, core.APTCall{Token: w.apt("User_xyz 123")}))
		w.refused("Resolve after Delete", w.knows(again.Token), core.ErrInvalidToken)
		_, err = w.APTs.Reissue(w.ctx, core.APTCall{Token: w.apt("User_xyz 123")})
		w.refused("Reissue after Delete", err, core.ErrUserNotFound)

		anew := w.provided("User_xyz 123")
		if anew.User.ID == in.User.ID {
			t.Error("Create after Delete = the same id; want a new one")
		}
		w.refused("Resolve a former user's token", w.knows(in.Token), core.ErrInvalidToken)
		w.must(w.Sessions.DeleteUser(w.ctx, anew.Token, core.Request{}))
		w.refused("Resolve after DeleteUser", w.knows(anew.Token), core.ErrInvalidToken)
	})
}

// TestOneWinsTheRace creates one user many times at once.
func TestOneWinsTheRace(t *testing.T) {
	each(t, func(w *world) {
		var made, taken atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, err := w.APTs.Create(w.ctx, core.APTCall{Token: w.apt(""), ArbitraryID: ptr("same")})
				switch {
				case err == nil:
					made.Add(1)
				case errors.Is(err, core.ErrUserExists):
					taken.Add(1)
				default:
					w.Errorf("Create = %v", err)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 || taken.Load() != 7 {
			t.Errorf("%d made, %d refused; want 1 and 7", made.Load(), taken.Load())
		}
	})
}

// signed signs claims with the world's provider key or another.
func signed(t *testing.T, key *jose.PrivateKey, claims map[string]any) string {
	t.Helper()
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := key.SignBare(text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestAPTRefusals goes through what makes an APT no good.
func TestAPTRefusals(t *testing.T) {
	w := newWorld(t, teststore.Bolt(t))
	key, err := jose.Generate(jose.RS256, rand.Reader)
	w.must(err)
	public, err := key.Public().MarshalPEM()
	w.must(err)
	_, err = w.APTKeys.Add(w.ctx, w.realm.ID, "second", public, "", core.Request{})
	w.must(err)
	stranger, err := jose.Generate(jose.RS256, rand.Reader)
	w.must(err)
	now := w.clock.Now().Unix()
	good := func() map[string]any {
		return map[string]any{"exp": now + 60, "iat": now, "iss": "WorkAPI", "user": map[string]any{"environment_guid": w.realm.EnvironmentGUID}}
	}
	with := func(name string, v any) map[string]any { c := good(); c[name] = v; return c }
	without := func(name string) map[string]any { c := good(); delete(c, name); return c }
	session := w.provided("somebody")
	tests := []struct {
		name  string
		token string
		call  core.APTCall
		want  *core.Error
	}{
		{"good", signed(t, key, good()), core.APTCall{}, nil},
		{"good with guid", signed(t, key, with("iat", now-1)), core.APTCall{EnvironmentGUID: &w.realm.EnvironmentGUID}, nil},
		{"stranger's key", signed(t, stranger, good()), core.APTCall{}, core.ErrInvalidToken},
		{"unknown environment", signed(t, key, with("user", map[string]any{"environment_guid": "nowhere"})), core.APTCall{}, core.ErrEnvironmentNotFound},
		{"unknown environment, stranger's key", signed(t, stranger, good()), core.APTCall{EnvironmentGUID: ptr("nowhere")}, core.ErrEnvironmentNotFound},
		{"garbage", "garbage", core.APTCall{}, core.ErrInvalidToken},
		{"garbage for an unknown environment", "garbage", core.APTCall{EnvironmentGUID: ptr("nowhere")}, core.ErrEnvironmentNotFound},
		{"no environment", signed(t, key, without("user")), core.APTCall{}, core.ErrInvalidToken},
		{"expired", signed(t, key, map[string]any{"exp": now - 31, "iat": now - 60, "user": good()["user"]}), core.APTCall{}, core.ErrInvalidToken},
		{"expired within the skew", signed(t, key, map[string]any{"exp": now - 29, "iat": now - 60, "user": good()["user"]}), core.APTCall{}, nil},
		{"from the future", signed(t, key, map[string]any{"exp": now + 90, "iat": now + 32, "user": good()["user"]}), core.APTCall{}, core.ErrInvalidToken},
		{"lives too long", signed(t, key, with("exp", now+301)), core.APTCall{}, core.ErrInvalidToken},
		{"lives from before time to its end", signed(t, key, map[string]any{"exp": int64(1) << 62, "iat": -int64(1) << 62, "user": good()["user"]}), core.APTCall{}, core.ErrInvalidToken},
		{"not yet", signed(t, key, with("nbf", now+32)), core.APTCall{}, core.ErrInvalidToken},
		{"nbf a text", signed(t, key, with("nbf", "now")), core.APTCall{}, core.ErrInvalidToken},
		{"nbf within the skew", signed(t, key, with("nbf", now+29)), core.APTCall{}, nil},
		{"no exp", signed(t, key, without("exp")), core.APTCall{}, core.ErrInvalidToken},
		{"no iat", signed(t, key, without("iat")), core.APTCall{}, core.ErrInvalidToken},
		{"exp a text", signed(t, key, with("exp", "2099")), core.APTCall{}, core.ErrInvalidToken},
		{"another arbitrary_id", signed(t, key, with("user", map[string]any{"environment_guid": w.realm.EnvironmentGUID, "arbitrary_id": "else"})), core.APTCall{}, core.ErrInvalidToken},
		{"a session token", session.Token, core.APTCall{}, core.ErrInvalidToken},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.call.Token, tt.call.ArbitraryID = tt.token, ptr("user-"+string(rune('a'+i)))
			_, err := w.APTs.Create(w.ctx, tt.call)
			if tt.want == nil {
				w.must(err)
				return
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("Create = %v; want %q", err, tt.want.Code)
			}
		})
	}
	_, err = w.APTs.Reissue(w.ctx, core.APTCall{Token: signed(t, key, good()), ArbitraryID: ptr("somebody")})
	if !errors.Is(err, core.ErrInvalidToken) || !strings.Contains(err.Error(), "arbitrary_id") {
		t.Errorf("Reissue by an APT that names nobody = %v; want an invalid token, with a word on arbitrary_id", err)
	}
	for _, id := range []string{"", strings.Repeat("x", 256), "nul\x00"} {
		_, err := w.APTs.Create(w.ctx, core.APTCall{Token: signed(t, key, good()), ArbitraryID: &id})
		if e, ok := errors.AsType[*core.Error](err); !ok || e.Kind != core.KindInvalid {
			t.Errorf("Create with arbitrary_id %.10q = %v; want invalid", id, err)
		}
	}
}

// TestReplay holds the rules for an APT that is used again.
func TestReplay(t *testing.T) {
	each(t, func(w *world) {
		key, err := jose.Generate(jose.RS256, rand.Reader)
		w.must(err)
		public, err := key.Public().MarshalPEM()
		w.must(err)
		_, err = w.APTKeys.Add(w.ctx, w.realm.ID, "second", public, "", core.Request{})
		w.must(err)
		now := w.clock.Now().Unix()
		user := map[string]any{"environment_guid": w.realm.EnvironmentGUID}
		bare := signed(t, key, map[string]any{"exp": now + 60, "iat": now, "user": user})
		once := signed(t, key, map[string]any{"exp": now + 60, "iat": now, "jti": "1", "user": user})
		create := func(token, id string) error {
			_, err := w.APTs.Create(w.ctx, core.APTCall{Token: token, ArbitraryID: &id})
			return err
		}
		w.must(create(bare, "a"))
		w.must(create(bare, "b")) // two creates within a second share their APT
		w.refused("Create again", create(bare, "a"), core.ErrUserExists)
		w.must(w.Users.Delete(w.ctx, w.realm.ID, w.named("a"), core.Request{}))
		w.refused("Create a deleted user again", create(bare, "a"), core.ErrInvalidToken)

		w.must(create(once, "c"))
		w.refused("Create with a jti that was used", create(once, "d"), core.ErrInvalidToken)

		user["arbitrary_id"] = "b"
		reissue := func(token string) error {
			_, err := w.APTs.Reissue(w.ctx, core.APTCall{Token: token})
			return err
		}
		bare = signed(t, key, map[string]any{"exp": now + 60, "iat": now, "user": user})
		w.must(reissue(bare))
		w.must(reissue(bare))
		once = signed(t, key, map[string]any{"exp": now + 60, "iat": now, "jti": "2", "user": user})
		w.must(reissue(once))
		w.refused("Reissue with a jti that was used", reissue(once), core.ErrInvalidToken)
		w.clock.Advance(2 * time.Minute)
		w.refused("Reissue after expiry", reissue(bare), core.ErrInvalidToken)
	})
}

// TestAPTKeyOutOfTime shows APTs of a key before and after the moment from which on it verifies nothing.
func TestAPTKeyOutOfTime(t *testing.T) {
	each(t, func(w *world) {
		keys, err := w.APTKeys.List(w.ctx, w.realm.ID)
		w.must(err)
		_, err = w.APTKeys.Update(w.ctx, w.realm.ID, keys[0].ID, core.APTKeyChange{NotAfter: ptr(w.clock.Now().Add(time.Minute))}, core.Request{})
		w.must(err)
		_, err = w.APTs.Create(w.ctx, core.APTCall{Token: w.apt("before")})
		w.must(err)
		w.clock.Advance(time.Minute)
		_, err = w.APTs.Create(w.ctx, core.APTCall{Token: w.apt("after")})
		w.refused("Create by a key that is out of time", err, core.ErrInvalidToken)
	})
}

// TestReplayWithAnotherSignature makes, of an APT that was used, the one with the other signature that an ECDSA key verifies, as anybody can:
// it is the same APT.
func TestReplayWithAnotherSignature(t *testing.T) {
	each(t, func(w *world) {
		key, err := jose.Generate(jose.ES256, rand.Reader)
		w.must(err)
		public, err := key.Public().MarshalPEM()
		w.must(err)
		_, err = w.APTKeys.Add(w.ctx, w.realm.ID, "curve", public, "", core.Request{})
		w.must(err)
		now := w.clock.Now().Unix()
		first := signed(t, key, map[string]any{"exp": now + 60, "iat": now, "user": map[string]any{"environment_guid": w.realm.EnvironmentGUID, "arbitrary_id": "ann"}})
		cut := strings.LastIndexByte(first, '.') + 1
		signature, err := base64.RawURLEncoding.DecodeString(first[cut:])
		w.must(err)
		s := new(big.Int).SetBytes(signature[32:])
		s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
		twin := first[:cut] + base64.RawURLEncoding.EncodeToString(signature)

		_, err = w.APTs.Create(w.ctx, core.APTCall{Token: first})
		w.must(err)
		w.must(w.APTs.Delete(w.ctx, core.APTCall{Token: first}))
		_, err = w.APTs.Create(w.ctx, core.APTCall{Token: twin})
		w.refused("Create a deleted user again", err, core.ErrInvalidToken)
	})
}

// named returns the id of the user with an arbitrary_id.
func (w *world) named(arbitraryID string) string {
	w.Helper()
	in, err := w.APTs.Reissue(w.ctx, core.APTCall{Token: w.apt(arbitraryID)})
	w.must(err)
	return string(in.User.ID)
}

// TestReissueCountsOnce reissues while something else changes the user, so that it is tried twice: it counts once.
func TestReissueCountsOnce(t *testing.T) {
	each(t, func(w *world) {
		ann := w.provided("ann")
		change := &before{Store: w.store, happens: func() {
			_, err := w.Users.Update(w.ctx, w.realm.ID, string(ann.User.ID), core.UserChange{FirstName: ptr("Ann")}, core.Request{})
			w.must(err)
		}}
		private, _, err := providerKey()
		w.must(err)
		key, err := jose.ParsePrivateKey(private)
		w.must(err)
		now := w.clock.Now().Unix()
		bare := core.APTCall{Token: signed(t, key, map[string]any{"exp": now + 60, "iat": now,
			"user": map[string]any{"environment_guid": w.realm.EnvironmentGUID, "arbitrary_id": "ann"}})}
		_, err = w.another(change).APTs.Reissue(w.ctx, bare)
		w.must(err)
		for range 59 {
			_, err := w.APTs.Reissue(w.ctx, bare)
			w.must(err)
		}
		_, err = w.APTs.Reissue(w.ctx, bare)
		w.refused("Reissue for the 61st time", err, core.ErrThrottled)
	})
}
