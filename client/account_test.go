package client_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/client"
)

// signer returns a signer of APTs whose key nobody knows.
func signer(t *testing.T) *client.APTSigner {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	s, err := client.NewAPTSigner(privatePEM(t, key, err), "31d6543f-5e26-4203-a258-011b5032a1c6")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// provider makes an account provider of the realm, and returns a client without a management key and the provider's signer.
func (w *world) provider() (*client.Client, *client.APTSigner) {
	w.Helper()
	key, err := w.c.APTKeys.Create(w.ctx, client.APTKeyCreate{Name: "provider", Generate: "EdDSA"})
	w.must(err)
	s, err := client.NewAPTSigner([]byte(key.PrivateKey), key.EnvironmentGUID)
	w.must(err)
	c := w.client(client.Options{})
	client.SetNow(c, w.clock.Now)
	client.SetSignerNow(s, w.clock.Now)
	return c, s
}

// TestAccount makes a user, refreshes their token when half of its time is over, and has it reissued when it is gone or revoked.
func TestAccount(t *testing.T) {
	each(t, func(w *world) {
		c, s := w.provider()
		account := c.Account(s, "u/1 ü")
		if _, err := account.Token(w.ctx); !errors.Is(err, client.ErrNotFound) {
			w.Errorf("Token of nobody = %v; want ErrNotFound", err)
		}
		made, err := account.Create(w.ctx)
		w.must(err)
		if made.ArbitraryID != "u/1 ü" {
			w.Errorf("Create = %+v; want u/1 ü", made)
		}
		if _, err := account.Create(w.ctx); !errors.Is(err, client.ErrConflict) {
			w.Errorf("Create again = %v; want ErrConflict", err)
		}
		first := w.token(account)
		if again := w.token(account); again != first {
			w.Error("Token twice made two; want the same while it is fresh")
		}
		if me, err := w.c.Sessions.Get(w.ctx, first); err != nil || me.User.ID != made.ID {
			w.Errorf("Sessions.Get by the token = %+v, %v; want the user's", me, err)
		}
		w.clock.Advance(15 * 24 * time.Hour) // of 28 days
		second := w.token(account)
		if second == first || w.session(second) != w.session(first) {
			w.Errorf("Token past half its time is of session %s; want another token of %s", w.session(second), w.session(first))
		}
		w.must(w.c.Sessions.DeleteAll(w.ctx, made.ID, ""))
		account.Drop(second)
		if third := w.token(account); third == second || w.session(third) == "" {
			w.Error("Token after it was revoked and dropped is not good")
		}
		if user, err := account.Ensure(w.ctx); err != nil || user.ID != made.ID {
			w.Errorf("Ensure = %v, %v; want the user who is there", user, err)
		}
		w.must(account.Delete(w.ctx))
		if _, err := account.Token(w.ctx); !errors.Is(err, client.ErrNotFound) {
			w.Errorf("Token after Delete = %v; want ErrNotFound", err)
		}
		if user, err := account.Ensure(w.ctx); err != nil || user.ID == made.ID {
			w.Errorf("Ensure after Delete = %v, %v; want another user", user, err)
		}
	})
}

// token returns an account's token.
func (w *world) token(a *client.Account) string {
	w.Helper()
	token, err := a.Token(w.ctx)
	w.must(err)
	return token
}

// session returns the id of a token's session.
func (w *world) session(token string) string {
	w.Helper()
	s, err := w.c.Sessions.Get(w.ctx, token)
	w.must(err)
	return s.ID
}

// TestAccountRevoked has a token reissued where the refresh of an old one is refused, without being told.
func TestAccountRevoked(t *testing.T) {
	w := newWorld(t, boltStore(t))
	c, s := w.provider()
	account := c.Account(s, "u-1")
	made, err := account.Ensure(w.ctx)
	w.must(err)
	first := w.token(account)
	w.must(w.c.Sessions.DeleteAll(w.ctx, made.ID, ""))
	w.clock.Advance(15 * 24 * time.Hour)
	if token := w.token(account); token == first || w.session(token) == "" {
		t.Error("Token after it was revoked is not good")
	}
	w.clock.Advance(29 * 24 * time.Hour) // expired
	if token := w.token(account); w.session(token) == "" {
		t.Error("Token after the one before expired is not good")
	}
	_, err = w.c.Users.Update(w.ctx, made.ID, client.UserUpdate{State: new("inactive")})
	w.must(err)
	w.clock.Advance(29 * 24 * time.Hour)
	if _, err := account.Token(w.ctx); !errors.Is(err, client.ErrForbidden) {
		t.Errorf("Token of an inactive user = %v; want ErrForbidden", err)
	}
}

// TestAccountInParallel has many ask at once, of whom one has the token renewed.
func TestAccountInParallel(t *testing.T) {
	w := newWorld(t, boltStore(t))
	c, s := w.provider()
	account := c.Account(s, "u-1")
	var all sync.WaitGroup
	var tokens sync.Map
	for range 20 {
		all.Go(func() {
			if _, err := account.Ensure(w.ctx); err != nil {
				t.Errorf("Ensure = %v", err)
			}
		})
	}
	all.Wait()
	for range 20 {
		all.Go(func() {
			token, err := account.Token(w.ctx)
			if err != nil {
				t.Errorf("Token = %v", err)
			}
			tokens.Store(token, true)
		})
	}
	all.Wait()
	n := 0
	for range tokens.Range {
		n++
	}
	if n != 1 {
		t.Errorf("20 at once had %d tokens; want one", n)
	}
	for range c.InRealm("x").Users.All(w.ctx, client.UserListOptions{}) { // a client without a key may not list
		n++
	}
	if n != 2 {
		t.Errorf("a list without a key has %d; want an error", n-1)
	}
}

// TestAccountWhileNobodyAnswers goes on with the token there is while nobody can renew it, until it expires.
func TestAccountWhileNobodyAnswers(t *testing.T) {
	w := newWorld(t, boltStore(t))
	_, s := w.provider()
	var down atomic.Bool
	var reissued atomic.Int64
	c, _ := faulty(t, client.Options{}, func(rw http.ResponseWriter, r *http.Request) {
		if down.Load() {
			refuse(503, `{"code":"unavailable","detail":"d"}`)(rw, r)
			return
		}
		if r.URL.Path == "/v1/users/reauth" {
			reissued.Add(1)
		}
		response, err := w.passOn(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer response.Body.Close()
		rw.WriteHeader(response.StatusCode)
		_, _ = io.Copy(rw, response.Body)
	})
	client.SetNow(c, w.clock.Now)
	account := c.Account(s, "u-1")
	_, err := account.Ensure(w.ctx)
	w.must(err)
	first := w.token(account)
	down.Store(true)
	w.clock.Advance(27 * 24 * time.Hour)
	if token := w.token(account); token != first {
		t.Error("Token while nobody answers is another; want the one there is")
	}
	w.clock.Advance(24*time.Hour - 5*time.Second)
	if token, err := account.Token(w.ctx); !errors.Is(err, client.ErrUnavailable) || token != "" {
		t.Errorf("Token just before it expires, while nobody answers = %q, %v; want ErrUnavailable", token, err)
	}
	down.Store(false)
	before := reissued.Load()
	if token := w.token(account); token == first || reissued.Load() != before+1 {
		t.Errorf("Token once somebody answers again was reissued %d times; want once", reissued.Load()-before)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	account.Drop(w.token(account))
	if token, err := account.Token(ctx); !errors.Is(err, context.Canceled) || token != "" {
		t.Errorf("Token after its context was cancelled = %q, %v; want Canceled", token, err)
	}
}

// TestMe refreshes and deletes with a session token alone.
func TestMe(t *testing.T) {
	w := newWorld(t, boltStore(t))
	w.human("ann")
	in, err := w.c.Users.Authenticate(w.ctx, "ann", goodPassword)
	w.must(err)
	me, err := w.c.Users.Me(w.ctx, in.Token)
	w.must(err)
	if me.Username != "ann" || me.Token == "" || me.Token == in.Token {
		t.Errorf("Me = %+v; want ann, and another token", me)
	}
	if _, err := w.c.Users.Me(w.ctx, "no token"); !errors.Is(err, client.ErrUnauthenticated) {
		t.Errorf("Me of no token = %v; want ErrUnauthenticated", err)
	}
	w.must(w.c.Users.DeleteMe(w.ctx, me.Token))
	if _, err := w.c.Users.Get(w.ctx, "ann"); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("Get after DeleteMe = %v; want ErrNotFound", err)
	}
}

// TestAccountAnswerLost makes a user while the first answer is lost: the second try gets it. Only what makes a user has a name.
func TestAccountAnswerLost(t *testing.T) {
	w := newWorld(t, boltStore(t))
	_, s := w.provider()
	for name, call := range map[string]func(*client.Account) (*client.User, error){
		"made": func(a *client.Account) (*client.User, error) { return a.Create(w.ctx) },
		"named": func(a *client.Account) (*client.User, error) {
			return a.Create(w.ctx, client.IdempotencyKey("order-7"))
		},
		"ensured": func(a *client.Account) (*client.User, error) {
			return a.Ensure(w.ctx, client.IdempotencyKey("order-7"))
		},
	} {
		var lost, replayed atomic.Int64
		c, _ := faulty(t, client.Options{}, func(rw http.ResponseWriter, r *http.Request) {
			key := r.Header.Get("Idempotency-Key")
			if (key == "") != (r.URL.Path == "/v1/users/reauth") || name != "made" && key != "" && key != "order-7" {
				t.Errorf("%s: POST %s has the Idempotency-Key %q", name, r.URL.Path, key)
			}
			response, err := w.passOn(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			if response.StatusCode == http.StatusCreated && lost.Add(1) == 1 {
				panic(http.ErrAbortHandler)
			}
			if response.Header.Get("Idempotency-Replayed") == "true" {
				replayed.Add(1)
			}
			rw.WriteHeader(response.StatusCode)
			_, _ = io.Copy(rw, response.Body)
		})
		client.SetNow(c, w.clock.Now)
		user, err := call(c.Account(s, name))
		if err != nil || user.ArbitraryID != name || replayed.Load() != 1 {
			t.Errorf("%s, with the first answer lost = %v, %v, of %d replayed answers; want the user, by one", name, user, err, replayed.Load())
		}
	}
}

// passOn sends a request on to the server.
func (w *world) passOn(r *http.Request) (*http.Response, error) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, w.server.URL+r.URL.EscapedPath(), r.Body)
	if err != nil {
		return nil, err
	}
	request.Header = r.Header
	return http.DefaultClient.Do(request)
}
