package core

import (
	"context"
	"errors"
)

// Why an address is not verified, in the words that callers of the Users API show.
var (
	errVerificationUsed    = invalid("token", "Verification token already used")
	errVerificationExpired = invalid("token", "Verification token has expired")
	errVerificationInvalid = invalid("token", "Verification token is invalid")
)

// RequestVerification makes a token that proves a user's e-mail address when it comes back, and returns it with the
// user (Users API, "Request email verification"). Several may be pending. An address that was verified is not any
// more. It fails with ErrUserNotFound, KindInvalid where there is no address, and ErrThrottled.
func (u *Users) RequestVerification(ctx context.Context, realm RealmID, idOrName string, req Request) (*User, string, error) {
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return nil, "", err
	}
	user, _, err := u.find(ctx, state.Realm, idOrName)
	if err != nil {
		return nil, "", err
	}
	if user.Email == "" {
		return nil, "", invalid("email", "Email can't be blank")
	}
	if err := u.d.limitIssues(ctx, state.Realm, user.ID, prefixEmailToken, now); err != nil {
		return nil, "", err
	}
	var secret string
	err = retry(func() (err error) {
		user, secret, err = u.requestVerification(ctx, realm, user.ID, req)
		return err
	})
	return user, secret, err
}

// requestVerification tries once.
func (u *Users) requestVerification(ctx context.Context, realm RealmID, id UserID, req Request) (*User, string, error) {
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return nil, "", err
	}
	before, version, err := u.byID(ctx, state.Realm, id)
	if err != nil {
		return nil, "", err
	}
	p, _ := state.owner(string(id))
	c := u.d.change(p, now)
	after := *before
	after.EmailVerification, after.EmailChanged = EmailRequested, false
	e := c.verification(state.Realm, &after, req)
	c.replace(&after, version, noExpiry)
	c.eventOf(e)
	if before.EmailVerification == EmailVerified {
		c.invalidate(string(id))
	}
	return &after, e.Secret, c.commit(ctx)
}

// verification returns the event that a user's state of e-mail verification asks for, nil where it asks for none. Where a verification
// is requested, the token that its e-mail carries is made here, so that the user must be put after it. Without an address there is none.
func (c *change) verification(realm *Realm, user *User, req Request) *Event {
	var kind string
	switch user.EmailVerification {
	case EmailRequested:
		kind = eventVerifyRequested
	case EmailVerified:
		kind = eventVerified
	default:
		return nil
	}
	e := &Event{Realm: realm.ID, Type: kind, User: user.ID, Request: req.clean()}
	if kind == eventVerifyRequested && user.Email != "" {
		var err error
		e.Secret, err = c.issue(user, prefixEmailToken, realm.Settings.EmailTokenLifetime, digest(user.Email))
		c.err = errors.Join(c.err, err)
	}
	return e
}

// verificationOf is verification where a change says something new of it: another state, or the same of another address. Tokens that are
// made for it count like those of RequestVerification, once for all tries; it fails with ErrThrottled.
func (u *Users) verificationOf(ctx context.Context, c *change, realm *Realm, before, after *User, in *userUpdate) (*Event, error) {
	if after.EmailVerification == before.EmailVerification && (in.EmailVerification == nil || after.Email == before.Email) {
		return nil, nil
	}
	if after.EmailVerification == EmailRequested && after.Email != "" && !in.counted {
		if err := u.d.limitIssues(ctx, realm, after.ID, prefixEmailToken, c.tx.Now); err != nil {
			return nil, err
		}
		in.counted = true
	}
	return c.verification(realm, after, in.req), nil
}

// eventOf appends an event, if there is one.
func (c *change) eventOf(e *Event) {
	if e != nil {
		c.event(*e)
	}
}

// VerifyEmail takes a token from RequestVerification back: the address that it was made for is verified, and every other
// pending token dies (Users API, "Verify an email"). idOrName "" leaves it to the token to say whose it is. It fails with
// ErrUserNotFound, and with KindInvalid for a token that is not this user's, was used or killed, is too old, or
// was made for another address.
func (u *Users) VerifyEmail(ctx context.Context, realm RealmID, idOrName, secret string, req Request) (*User, error) {
	var user *User
	err := retry(func() (err error) {
		user, err = u.verifyEmail(ctx, realm, idOrName, secret, req)
		return err
	})
	return user, err
}

// verifyEmail tries once.
func (u *Users) verifyEmail(ctx context.Context, realm RealmID, idOrName, secret string, req Request) (*User, error) {
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	t, tokenVersion, err := u.d.oneTime(ctx, state.Realm, prefixEmailToken, secret, now)
	if err != nil && !isDeadToken(err) {
		return nil, err
	}
	before, version, userErr := u.tokenOwner(ctx, state.Realm, idOrName, t)
	if userErr != nil && (idOrName != "" || !errors.Is(userErr, ErrUserNotFound)) {
		return nil, userErr
	}
	mine := userErr == nil && t != nil && t.User == before.ID
	switch {
	case err == nil && mine && !t.live(before):
		err = u.d.whyDead(ctx, state.Realm, t, secret, now)
	case err == nil && (!mine || t.For != digest(before.Email)):
		err = ErrTokenNotFound
	}
	if err != nil {
		return nil, notVerified(err, mine)
	}
	p, _ := state.owner(string(before.ID))
	after := *before
	after.EmailVerification, after.EmailChanged = EmailVerified, false
	after.endTokens(prefixEmailToken)
	c := u.d.change(p, now)
	c.replace(&after, version, noExpiry)
	c.spend(t, tokenVersion)
	c.event(Event{Realm: realm, Type: eventVerified, User: after.ID, Request: req.clean()})
	c.invalidate(string(after.ID))
	return &after, c.commit(ctx)
}

// notVerified says why a token verifies no address, in the words of the Users API. Only of the user's own is it told that it
// was used.
func notVerified(err error, mine bool) error {
	switch {
	case errors.Is(err, ErrTokenUsed) && mine:
		return errVerificationUsed
	case errors.Is(err, ErrTokenExpired):
		return errVerificationExpired
	case errors.Is(err, ErrTokenUsed), errors.Is(err, ErrTokenNotFound):
		return errVerificationInvalid
	}
	return err
}

// tokenOwner returns the user that a call with a one-time token is about: the one that it names, else the token's. t may
// be nil.
func (u *Users) tokenOwner(ctx context.Context, realm *Realm, idOrName string, t *oneTime) (*User, uint64, error) {
	switch {
	case idOrName != "":
		return u.find(ctx, realm, idOrName)
	case t != nil:
		return u.byID(ctx, realm, t.User)
	}
	return nil, 0, ErrUserNotFound
}
