package core

import (
	"context"
	"errors"
)

// PasswordChange is a new password in the place of one that is known.
type PasswordChange struct {
	Current      string
	Password     string
	Confirmation *string   // checked where given
	Keep         SessionID // the one session that goes on; "" ends them all
}

// errCurrentPassword is what a wrong current password is told as.
var errCurrentPassword = invalid("current_password", "Current password does not match")

// Change replaces the password of an active human user who knows it, and ends the user's other sessions (Users API,
// "Update a password"). The current password counts as an attempt, like one that signs in; a new one that breaks the
// rules does not, and is told first. It fails with KindInvalid, ErrUserNotFound, ErrSessionNotFound where Keep is none
// of the user's, ErrThrottled, ErrBusy and ErrEmptied.
func (p *Passwords) Change(ctx context.Context, realm RealmID, idOrName string, in PasswordChange, req Request) error {
	state, err := p.d.realms.state(ctx, realm)
	if err != nil {
		return err
	}
	who, err := p.account(ctx, state.Realm, idOrName)
	if err != nil {
		return err
	}
	user := who.user
	if user == nil {
		user = &User{} // told when it has cost what a user's wrong password costs
	}
	next, err := p.d.checkPassword(state.Realm, user, UserChange{Password: &in.Password, PasswordConfirmation: in.Confirmation})
	if err != nil {
		return err
	}
	current, err := preparePassword(in.Current)
	if err != nil { // decided before the account is looked up, so it says nothing of it
		return errCurrentPassword
	}
	checked, err := p.check(ctx, realm, idOrName, req, in.Current, current, next)
	if err != nil {
		return err
	}
	if !checked.ok {
		if err = p.failed(ctx, realm, checked.who, checked.now, req); errors.Is(err, ErrWrongPassword) {
			return errCurrentPassword
		}
		return err
	}
	return p.changeChecked(ctx, checked, in.Keep, newHash{text: checked.renewed}, req)
}

// changeChecked sets the new hash. Where the account changes in between, it goes on only if the password that was
// checked is still the account's.
func (p *Passwords) changeChecked(ctx context.Context, ok *checked, keep SessionID, hash newHash, req Request) error {
	who := ok.who
	return retry(func() error {
		err := p.change(ctx, ok.state, who, keep, hash, req)
		if !isConflict(err) {
			return err
		}
		again, gone := p.recheck(ctx, ok, errCurrentPassword)
		if gone != nil {
			return gone
		}
		who = again
		return err
	})
}

// change tries once.
func (p *Passwords) change(ctx context.Context, state *realmState, who *account, keep SessionID, hash newHash, req Request) error {
	now, err := p.d.clock.now()
	if err != nil {
		return err
	}
	after := *who.user
	c := p.d.change(who.at, now)
	who.clear(c, "") // of the device, where the change comes from one that is known
	if err := p.sessions.endAll(ctx, c, &after, keep); err != nil {
		return err
	}
	if err := c.putPassword(ctx, &after, who.version, hash); err != nil {
		return err
	}
	c.event(Event{Realm: state.ID, Type: eventUserUpdated, User: after.ID, Request: req.clean()})
	return c.commit(ctx)
}
