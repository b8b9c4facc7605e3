package core

import (
	"context"
	"errors"
	"fmt"
)

// NewToken makes a token that sets a new password where the old one is forgotten, and returns it with the user (Users
// API, "Generate a password token"). It kills the one before, and dies when the user signs in with a password. It fails
// with ErrUserNotFound, KindInvalid where the user is not human or not active, and ErrThrottled.
func (p *Passwords) NewToken(ctx context.Context, realm RealmID, idOrName string, req Request) (*User, string, error) {
	state, now, err := p.users.begin(ctx, realm)
	if err != nil {
		return nil, "", err
	}
	user, _, err := p.users.find(ctx, state.Realm, idOrName)
	if err != nil {
		return nil, "", err
	}
	if err := user.activeHuman(); err != nil {
		return nil, "", err
	}
	if err := p.d.limitIssues(ctx, state.Realm, user.ID, prefixPasswordToken, now); err != nil {
		return nil, "", err
	}
	var secret string
	err = retry(func() (err error) {
		user, secret, err = p.newToken(ctx, realm, user.ID, req)
		return err
	})
	return user, secret, err
}

// activeHuman refuses users who are no people, or may not sign in.
func (u *User) activeHuman() error {
	var errs fieldErrors
	errs.check(u.Type == UserHuman, "user_type", "User type must be human")
	errs.check(u.State == StateActive, "state", "State must be active")
	return errs.err()
}

// newToken tries once.
func (p *Passwords) newToken(ctx context.Context, realm RealmID, id UserID, req Request) (*User, string, error) {
	state, now, err := p.users.begin(ctx, realm)
	if err != nil {
		return nil, "", err
	}
	before, version, err := p.users.byID(ctx, state.Realm, id)
	if err != nil {
		return nil, "", err
	}
	if err := before.activeHuman(); err != nil {
		return nil, "", err
	}
	at, _ := state.owner(string(id))
	c := p.d.change(at, now)
	after := *before
	after.endTokens(prefixPasswordToken)
	secret, err := c.issue(&after, prefixPasswordToken, state.Settings.PasswordTokenLifetime, "")
	if err != nil {
		return nil, "", err
	}
	c.replace(&after, version, noExpiry)
	c.event(Event{Realm: realm, Type: eventResetCreated, User: id, Request: req.clean(), Secret: secret})
	c.tx.Durable = true // the loss would bring the token before this one back to life
	return &after, secret, c.commit(ctx)
}

// PasswordReset is a new password, and the token that allows to set it.
type PasswordReset struct {
	User         string // id or name; "" leaves it to the token to say whose it is
	Token        string
	Password     string
	Confirmation *string // checked where given
}

// Reset sets a new password by a token from NewToken, and ends all sessions of the user (Users API, "Reset password
// with a token"). A password that breaks the rules is KindInvalid and leaves the token as it was. A known device that it comes from has all
// its attempts again, as the account has: whoever forgot the password has used them up. One that is not known is from then on, so that a stranger
// who goes on guessing does not keep the owner out: see User.NewDevice. It fails with
// ErrTokenNotFound, ErrTokenUsed, ErrTokenExpired, ErrUserNotFound and ErrBusy.
func (p *Passwords) Reset(ctx context.Context, realm RealmID, in PasswordReset, req Request) (*User, error) {
	reset, err := p.resetting(ctx, realm, in)
	if err != nil {
		return nil, p.resetFailed(ctx, reset, err, req)
	}
	hash, err := p.d.newHash(ctx, reset.state.Realm, reset.user, UserChange{Password: &in.Password, PasswordConfirmation: in.Confirmation})
	if err != nil {
		return nil, p.resetFailed(ctx, reset, err, req)
	}
	var user *User
	err = retry(func() error {
		if reset, err = p.resetting(ctx, realm, in); err != nil { // as it may have been used while the hash was made
			return err
		}
		user, err = p.reset(ctx, reset, hash, req)
		return err
	})
	if err != nil {
		return nil, p.resetFailed(ctx, reset, err, req)
	}
	return user, nil
}

// resetting is a password about to be reset.
type resetting struct {
	state        *realmState
	user         *User // nil = not known
	version      uint64
	token        *oneTime
	tokenVersion uint64
}

// resetting reads token and user, and fails where the token is none of the user's that works.
func (p *Passwords) resetting(ctx context.Context, realm RealmID, in PasswordReset) (*resetting, error) {
	r := &resetting{}
	state, now, err := p.users.begin(ctx, realm)
	if err != nil {
		return r, err
	}
	r.state = state
	var tokenErr error
	r.token, r.tokenVersion, tokenErr = p.d.oneTime(ctx, state.Realm, prefixPasswordToken, in.Token, now)
	if tokenErr != nil && !isDeadToken(tokenErr) {
		return r, tokenErr
	}
	r.user, r.version, err = p.users.tokenOwner(ctx, state.Realm, in.User, r.token)
	switch {
	case tokenErr != nil && (err == nil || in.User == ""):
		return r, tokenErr
	case errors.Is(err, ErrUserNotFound) && in.User == "":
		return r, ErrTokenNotFound
	case err != nil:
		return r, err
	case r.token.User != r.user.ID || r.user.activeHuman() != nil:
		return r, ErrTokenNotFound
	case !r.token.live(r.user):
		return r, p.d.whyDead(ctx, state.Realm, r.token, in.Token, now)
	}
	return r, nil
}

// reset tries once.
func (p *Passwords) reset(ctx context.Context, r *resetting, hash newHash, req Request) (*User, error) {
	now, err := p.d.clock.now()
	if err != nil {
		return nil, err
	}
	at, _ := r.state.owner(string(r.user.ID))
	after := *r.user
	after.Generation++
	c := p.d.change(at, now)
	if err := c.putPassword(ctx, &after, r.version, hash); err != nil {
		return nil, err
	}
	device := p.d.knownDevice(r.state.ID, r.user, req.Device, now)
	if device != "" {
		c.tx.Reset = append(c.tx.Reset, deviceBucket(at, r.user.ID, device).Name)
	}
	if after.NewDevice, err = p.d.mailedDevice(&after, device, now); err != nil {
		return nil, err
	}
	c.spend(r.token, r.tokenVersion)
	c.event(Event{Realm: after.Realm, Type: eventResetConsumed, User: after.ID, Request: req.clean()})
	return &after, c.commit(ctx)
}

// putPassword puts a user with a new password into c. What the old one was good for is over: tokens to replace it, and
// the count of those who guessed it. All who remember the user are told.
func (c *change) putPassword(ctx context.Context, user *User, version uint64, hash newHash) error {
	password, err := c.d.nextPassword(ctx, c.tx.Partition, user, hash)
	if err != nil {
		return err
	}
	user.endTokens(prefixPasswordToken)
	c.replace(user, version, noExpiry)
	c.setPassword(user.ID, password)
	c.invalidate(string(user.ID))
	return nil
}

// setPassword puts another password of a user into c, and clears the count of those who guessed the old one. nil leaves both as they are.
func (c *change) setPassword(user UserID, password *password) {
	if password != nil {
		c.set(password, noExpiry)
		c.tx.Reset = append(c.tx.Reset, failuresBucket(c.tx.Partition, user).Name)
	}
}

// resetFailed notes a refused reset of a user who is known, and returns why it was refused.
func (p *Passwords) resetFailed(ctx context.Context, r *resetting, why error, req Request) error {
	e, refused := errors.AsType[*Error](why)
	if r == nil || r.user == nil || !refused || e.Kind != KindNotFound && e.Kind != KindInvalid {
		return why
	}
	now, err := p.d.clock.now()
	if err != nil {
		return err
	}
	at, _ := r.state.owner(string(r.user.ID))
	c := p.d.change(at, now)
	c.event(Event{Realm: r.state.ID, Type: eventResetFailed, User: r.user.ID, Request: req.clean()})
	if err := c.commit(ctx); err != nil {
		return fmt.Errorf("core: note failed reset: %w", err)
	}
	return why
}
