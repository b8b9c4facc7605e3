package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"
)

// Me returns the user of a session token with a new token, which lasts as long as one does; the one before stays good until it
// expires. It fails with ErrUnauthenticated where the token proves nothing, or nothing any more.
func (s *Users) Me(ctx context.Context, token string) (*User, error) {
	return do[User](ctx, s.c, to("GET", "/v1/users/me").as(fixed(token)), nil)
}

// DeleteMe deletes the user of a session token. It fails with ErrUnauthenticated where the token proves nothing, as it does when a first try
// deleted the user and its answer was lost.
func (s *Users) DeleteMe(ctx context.Context, token string) error {
	return s.c.send(ctx, to("DELETE", "/v1/users/me").as(fixed(token)), nil, nil)
}

// fixed returns the same token for each try.
func fixed(token string) func() (string, error) {
	return func() (string, error) { return token, nil }
}

// Account is a user whom an account provider vouches for with APTs, and who is known by the provider's own id. It keeps a
// session token for them that is always good for a while. Safe for concurrent use: one goroutine has a token renewed, and all
// others go on with the one there is, or wait.
type Account struct {
	c           *Client
	signer      *APTSigner
	arbitraryID string

	turn  chan struct{} // held by whoever has the token renewed
	mu    sync.Mutex
	token sessionToken
}

// Account returns the account of the user with an arbitrary_id. It calls nobody. No management key is needed.
func (c *Client) Account(signer *APTSigner, arbitraryID string) *Account {
	return &Account{c: c, signer: signer, arbitraryID: arbitraryID, turn: make(chan struct{}, 1)}
}

// Create makes the user. It fails with ErrConflict where there is one with this arbitrary_id, unless a try of this very call made
// them.
func (a *Account) Create(ctx context.Context, opts ...CallOption) (*User, error) {
	if err := a.take(ctx); err != nil {
		return nil, err
	}
	defer a.leave()
	return a.signIn(ctx, "/v1/users", byMethod, opts)
}

// Ensure makes the user unless they are there. It may be called again whatever it failed with.
func (a *Account) Ensure(ctx context.Context, opts ...CallOption) (*User, error) {
	if err := a.take(ctx); err != nil {
		return nil, err
	}
	defer a.leave()
	user, err := a.reissue(ctx, opts)
	if errors.Is(err, ErrNotFound) {
		user, err = a.signIn(ctx, "/v1/users", byMethod, opts)
	}
	if errors.Is(err, ErrConflict) { // somebody else was faster
		user, err = a.reissue(ctx, opts)
	}
	return user, err
}

// Token returns a session token of the user that is good for a while: the one there is, a new one for it when half of its time is
// over, or one that is reissued where there is none, or none that proves anything. While nobody can renew a token, the one there
// is serves until it expires. It fails with ErrNotFound where the user is not there (see Ensure), and ErrForbidden where they
// are inactive. From says on whose behalf, for the session that begins where one does.
func (a *Account) Token(ctx context.Context, opts ...CallOption) (string, error) {
	if t := a.held(); t.fresh(a.c.now()) || t.alive(a.c.now()) && len(a.turn) > 0 { // somebody else is at it
		return t.text, nil
	}
	if err := a.take(ctx); err != nil {
		return "", err
	}
	defer a.leave()
	t := a.held()
	if t.fresh(a.c.now()) { // somebody else was faster
		return t.text, nil
	}
	if t.alive(a.c.now()) {
		user, err := a.keep(a.c.Users.Me(ctx, t.text))
		switch {
		case err == nil:
			return user.Token, nil
		case ctx.Err() != nil:
			return "", err
		case errors.Is(err, ErrUnavailable) || errors.Is(err, ErrThrottled):
			return t.text, nil
		}
	}
	user, err := a.reissue(ctx, opts) // there is none, or it was revoked
	if err != nil {
		return "", err
	}
	return user.Token, nil
}

// Drop says that a token was refused, so that Token does not return it again.
func (a *Account) Drop(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token.text == token {
		a.token = sessionToken{}
	}
}

// held returns the token there is.
func (a *Account) held() sessionToken {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.token
}

// Delete deletes the user, and all that is theirs. It fails with ErrNotFound.
func (a *Account) Delete(ctx context.Context) error {
	if err := a.take(ctx); err != nil {
		return err
	}
	defer a.leave()
	a.Drop(a.held().text)
	return a.c.send(ctx, to("DELETE", "/v1/users/me").as(a.apt), nil, nil)
}

// take waits for its turn.
func (a *Account) take(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &Error{Kind: KindUnavailable, Code: CodeUnreachable, Detail: "the account is being signed in", Err: ctx.Err()}
	}
}

// leave ends the turn.
func (a *Account) leave() { <-a.turn }

// apt signs an APT, which is good once.
func (a *Account) apt() (string, error) {
	token, err := a.signer.Sign(a.arbitraryID, 0)
	if err != nil {
		return "", &Error{Kind: KindMalformed, Code: CodeBadCall, Detail: "no APT could be signed", Err: err}
	}
	return token, nil
}

// reissue has a new session begin (Work-API, "reauth_user"). It has no IdempotencyKey, like Users.Authenticate: a second one is no more
// than a second session, while the answer to a name would be a token that is kept for a day.
func (a *Account) reissue(ctx context.Context, opts []CallOption) (*User, error) {
	return a.signIn(ctx, "/v1/users/reauth", always, opts)
}

// signIn makes a call with an APT that answers with a token, and keeps that. Each try has an APT of its own, without which nothing is
// answered twice.
func (a *Account) signIn(ctx context.Context, route string, how repeats, opts []CallOption) (*User, error) {
	r := to("POST", route).as(a.apt).about("user", map[string]string{"arbitrary_id": a.arbitraryID}).repeated(how)
	return a.keep(do[User](ctx, a.c, r, opts))
}

// keep remembers the token in an answer.
func (a *Account) keep(u *User, err error) (*User, error) {
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = readToken(u.Token, a.c.now())
	return u, nil
}

// sessionToken is a session token, and how long it is good.
type sessionToken struct {
	text              string
	received, expires time.Time
}

// tokenMargin is how long before it expires a token is no longer given out, for it to arrive in time.
const tokenMargin = 10 * time.Second

// maxTokenSeconds bounds how long a token is believed to last: a year.
const maxTokenSeconds = 365 * 24 * 3600

// alive reports whether a token has not expired.
func (t sessionToken) alive(now time.Time) bool {
	return t.text != "" && now.Before(t.expires.Add(-tokenMargin))
}

// fresh reports whether a token is not past half of its time.
func (t sessionToken) fresh(now time.Time) bool {
	return t.alive(now) && now.Before(t.received.Add(t.expires.Sub(t.received)/2))
}

// readToken reads how long a token is good from its own times (RFC 7519 §4.1), by our clock, whatever the server's says. One that
// cannot be read is good this once.
func readToken(text string, now time.Time) sessionToken {
	t := sessionToken{text: text, received: now, expires: now}
	_, rest, _ := strings.Cut(text, ".")
	payload, _, _ := strings.Cut(rest, ".")
	claims, err := base64.RawURLEncoding.DecodeString(payload)
	var times struct{ Exp, Iat int64 }
	if err == nil && json.Unmarshal(claims, &times) == nil && times.Iat > 0 && times.Exp > times.Iat {
		t.expires = now.Add(time.Duration(min(times.Exp-times.Iat, maxTokenSeconds)) * time.Second)
	}
	return t
}
