package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Signup is a parked signup: what somebody filled in who is no user yet, until whoever holds its token makes them one
// (Users API, "user_tokens").
type Signup struct {
	Realm     RealmID `json:"realm"`
	Sum       string  `json:"sum"` // digest of the token
	Username  string  `json:"username"`
	Email     string  `json:"email"`
	FirstName string  `json:"first_name,omitempty"`
	LastName  string  `json:"last_name,omitempty"`
	Hash      string  `json:"hash,omitempty"` // of the password, which itself is not kept; "" = there is none
	CreatedAt Instant `json:"created"`
	ExpiresAt Instant `json:"expires"`
}

func (s *Signup) key(p Partition) Key { return signupKey(p, s.Sum) }

// HasPassword reports whether the user will have a password.
func (s *Signup) HasPassword() bool { return s.Hash != "" }

// user returns the user that a signup makes, without an id.
func (s *Signup) user(now time.Time) *User {
	return &User{Realm: s.Realm, Type: UserHuman, State: StateActive, EmailVerification: EmailNone, CreatedAt: Instant{now},
		Username: s.Username, Email: s.Email, FirstName: s.FirstName, LastName: s.LastName}
}

// signupLifetime is how long a signup stays parked.
const signupLifetime Seconds = 7 * day

// Why a signup token makes no user.
var (
	errSignupUsed    = invalid("token", "Signup token already used")
	errSignupExpired = invalid("token", "Signup token has expired")
	errSignupInvalid = invalid("token", "Signup token is invalid")
)

// Park keeps a signup for a week and returns it with its token. It takes username, e-mail address, first and last name and
// a password, under the rules for new users. Nothing is claimed: whoever is faster may still take the name. It fails
// with KindInvalid, also where a name is taken now, and with ErrBusy.
func (u *Users) Park(ctx context.Context, realm RealmID, in UserChange) (*Signup, string, error) {
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return nil, "", err
	}
	user := (&Signup{Realm: realm}).user(now)
	in = UserChange{Username: in.Username, Email: in.Email, FirstName: in.FirstName, LastName: in.LastName,
		Password: in.Password, PasswordConfirmation: in.PasswordConfirmation}
	b, err := u.admitSignup(ctx, state.Realm, user, in, now)
	if err != nil {
		return nil, "", err
	}
	hash, err := u.d.newHash(ctx, state.Realm, user, in)
	if err != nil {
		return nil, "", err
	}
	secret, err := u.d.ids.secret(prefixSignupToken, b)
	if err != nil {
		return nil, "", err
	}
	s := &Signup{Realm: realm, Sum: digest(secret), Username: user.Username, Email: user.Email, FirstName: user.FirstName,
		LastName: user.LastName, Hash: hash.text, CreatedAt: Instant{now}, ExpiresAt: Instant{now.Add(signupLifetime.Duration())}}
	c := u.d.change(state.partition(b), now)
	c.create(&oneTime{Realm: realm, Kind: prefixSignupToken, Sum: s.Sum, ExpiresAt: s.ExpiresAt}, s.ExpiresAt.Time)
	c.create(s, s.ExpiresAt.Time)
	if err := c.commit(ctx); err != nil {
		return nil, "", fmt.Errorf("core: park signup: %w", err)
	}
	return s, secret, nil
}

// admitSignup sets what in says of a user to be, refuses what could not become one now, and returns a bucket for them.
func (u *Users) admitSignup(ctx context.Context, realm *Realm, user *User, in UserChange, now time.Time) (bucket, error) {
	if err := user.applyNew(in); err != nil {
		return 0, err
	}
	if err := user.checkUsername(realm, ""); err != nil {
		return 0, err
	}
	b, err := u.d.ids.bucket()
	if err != nil {
		return 0, err
	}
	rehearsed := *user
	if err := u.name(&rehearsed, b); err != nil {
		return 0, err
	}
	err = u.claimed(realm, &rehearsed, u.creation(realm, &rehearsed, now, Request{}).rehearse(ctx))
	if isConflict(err) { // the rule about addresses has changed
		err = contention()
	}
	return b, err
}

// Parked returns the signup of a token that is good. It fails with ErrTokenNotFound, ErrTokenUsed and ErrTokenExpired.
func (u *Users) Parked(ctx context.Context, realm RealmID, secret string) (*Signup, error) {
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	s, _, _, err := u.parked(ctx, state.Realm, secret, now)
	return s, err
}

// parked reads a signup and its token, with the token's version.
func (u *Users) parked(ctx context.Context, realm *Realm, secret string, now time.Time) (*Signup, *oneTime, uint64, error) {
	t, version, err := u.d.oneTime(ctx, realm, prefixSignupToken, secret, now)
	if err != nil {
		return nil, nil, 0, err
	}
	p, _ := realm.owner(secret)
	s := &Signup{}
	_, found, err := u.d.load(ctx, signupKey(p, t.Sum), s)
	switch {
	case err != nil:
		return nil, nil, 0, fmt.Errorf("core: read signup: %w", err)
	case !found || s.Realm != realm.ID: // used since the token was read
		return nil, nil, 0, ErrTokenUsed
	case !s.CreatedAt.After(realm.ResetAt.Time): // went with the users of that time
		return nil, nil, 0, ErrTokenNotFound
	}
	return s, t, version, nil
}

// CreateParked makes the human user of a parked signup, once (Users API, "Create a user"). in says what to make them a
// member of and nothing else. It fails with KindInvalid for a token that is none, was used or is too old, and where a
// name is taken by now: then the token is as good as before.
func (u *Users) CreateParked(ctx context.Context, realm RealmID, secret string, in UserChange, req Request) (*User, error) {
	var user *User
	err := retry(func() (err error) {
		user, err = u.createParked(ctx, realm, secret, in, req)
		return err
	})
	switch {
	case errors.Is(err, ErrTokenUsed):
		err = errSignupUsed
	case errors.Is(err, ErrTokenExpired):
		err = errSignupExpired
	case errors.Is(err, ErrTokenNotFound):
		err = errSignupInvalid
	}
	return user, err
}

// createParked tries once.
func (u *Users) createParked(ctx context.Context, realm RealmID, secret string, in UserChange, req Request) (*User, error) {
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	s, t, version, err := u.parked(ctx, state.Realm, secret, now)
	if err != nil {
		return nil, err
	}
	b, _ := bucketOf(secret)
	user := s.user(now)
	if err := user.checkUsername(state.Realm, ""); err != nil { // the realm's rule may have changed
		return nil, err
	}
	if err := u.name(user, b); err != nil {
		return nil, err
	}
	password, err := u.d.newPassword(user, newHash{text: s.Hash})
	if err != nil {
		return nil, err
	}
	p := state.partition(b)
	c := u.d.change(p, now)
	c.spend(t, version) // first, so that of many uses at once all but one hear of the use, and not of the name
	c.bringIn(state.Realm, user, req)
	if password != nil {
		c.create(password, noExpiry)
	}
	c.tx.Delete = append(c.tx.Delete, s.key(p).Name)
	if err := u.joinNew(ctx, c, state.Realm, user, in, req); err != nil {
		return nil, err
	}
	return user, u.claimed(state.Realm, user, c.commit(ctx))
}
