package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// attempt makes one try to deliver a notification: it claims it, so that another process does not try at the same time,
// has it carried, and notes what came of it. Where it is interrupted after the claim, the try is made again when the claim
// is over: a hook may hear of an event twice, under the same id, but hears of it. It returns what the courier said, nil where
// that was not asked.
func (o *Outbox) attempt(ctx context.Context, courier Courier, p Partition, id NotificationID) (*Attempted, error) {
	n, version, err := o.claim(ctx, p, id)
	if err != nil || n == nil {
		return nil, err
	}
	end := o.keepClaim(ctx, p, n, version)
	delivery, why, err := o.prepare(ctx, p, n)
	if e, ours := errors.AsType[*Error](err); ours && e.Kind == KindUnavailable || ctx.Err() != nil {
		end()
		return nil, err // tried again when the claim is over
	} else if err != nil {
		return nil, errors.Join(err, o.conclude(ctx, p, end, Attempted{Line: "something is wrong on our side; the log says what"}))
	}
	if why != "" {
		return nil, o.conclude(ctx, p, end, Attempted{Result: Refused, Line: why})
	}
	call, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	done := courier.Deliver(call, delivery)
	if ctx.Err() != nil && done.Result != Delivered {
		end()
		return nil, ctx.Err() // we were stopped, it did not fail
	}
	if n.HookType == HookEmail {
		o.d.troubles.note(WorkMails, done.trouble())
	}
	return &done, o.conclude(ctx, p, end, done)
}

// claim makes a due notification this process's for claimTime. It returns nil where it is not due any more.
func (o *Outbox) claim(ctx context.Context, p Partition, id NotificationID) (*Notification, uint64, error) {
	now, err := o.d.clock.now()
	if err != nil {
		return nil, 0, err
	}
	n := &Notification{}
	version, found, err := o.d.load(ctx, notificationKey(p, id), n)
	if err != nil {
		return nil, 0, fmt.Errorf("core: claim notification: %w", err)
	}
	if !found || n.DueAt.IsZero() || now.Before(n.DueAt.Time) {
		return nil, 0, nil
	}
	n.Attempts++
	n.Tries++
	c := o.d.change(p, now)
	c.due(n, now.Add(claimTime))
	c.replace(n, version, noExpiry)
	version, err = c.committed(ctx)
	if isConflict(err) {
		return nil, 0, nil // somebody else was faster
	} else if err != nil {
		return nil, 0, fmt.Errorf("core: claim notification: %w", err)
	}
	return n, version, nil
}

// keepClaim renews a claim until end is called, which returns the notification as it is kept by then. Where the notification was
// changed by somebody else, or the store is away for longer than claimTime, the claim is lost, and the try goes on all the same.
func (o *Outbox) keepClaim(ctx context.Context, p Partition, n *Notification, version uint64) (end func() (*Notification, uint64)) {
	waiting, stop := context.WithCancel(ctx)
	kept, renewed := *n, make(chan struct{})
	go func() {
		defer close(renewed)
		for pause(waiting, o.renewal) == nil {
			later, at, err := o.renew(ctx, p, kept, version)
			if isConflict(err) {
				return
			}
			if err == nil {
				kept, version = later, at
			}
		}
	}()
	return func() (*Notification, uint64) {
		stop()
		<-renewed
		return &kept, version
	}
}

// renew makes a notification this process's for claimTime from now on.
func (o *Outbox) renew(ctx context.Context, p Partition, n Notification, version uint64) (Notification, uint64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second) // a write cut short would leave us not knowing the version
	defer cancel()
	now, err := o.d.clock.now()
	if err != nil {
		return n, version, err
	}
	c := o.d.change(p, now)
	c.due(&n, now.Add(claimTime))
	c.replace(&n, version, noExpiry)
	version, err = c.committed(ctx)
	return n, version, err
}

// prepare gathers what a try takes. why says why there is nobody to tell.
func (o *Outbox) prepare(ctx context.Context, p Partition, n *Notification) (d *Delivery, why string, err error) {
	hook, _, err := o.hooks.get(ctx, n.Hook)
	switch {
	case errors.Is(err, ErrAppHookNotFound):
		return nil, "the hook was deleted", nil
	case err != nil:
		return nil, "", err
	case hook.State != StateActive:
		return nil, "the hook is not active", nil
	case hook.Preset && o.d.mailless():
		return nil, "no mail server is configured", nil // it was noted by a process that knew of one
	}
	now, err := o.d.clock.now()
	if err != nil {
		return nil, "", err
	}
	d = &Delivery{Notification: n, Event: &Event{}, Hook: hook, At: now}
	_, found, err := o.d.load(ctx, eventKey(p, n.Event), d.Event)
	if err != nil {
		return nil, "", fmt.Errorf("core: read event to deliver: %w", err)
	}
	if !found {
		return nil, "the event is no longer kept", nil
	}
	if hook.Type == HookEmail {
		why, err = o.address(ctx, d)
		return d, why, err
	}
	d.Secrets, err = hook.signingSecrets(o.d.master, now)
	return d, "", err
}

// address finds whom an e-mail is for and what it has to say. why says why it is for nobody.
func (o *Outbox) address(ctx context.Context, d *Delivery) (why string, err error) {
	realm, err := o.d.realms.Get(ctx, d.Event.Realm)
	if errors.Is(err, ErrRealmNotFound) {
		return "the realm is gone", nil
	} else if err != nil {
		return "", err
	}
	user, _, err := (&Users{o.d}).byID(ctx, realm, d.Event.User)
	switch {
	case errors.Is(err, ErrUserNotFound):
		return "the user is gone", nil
	case err != nil:
		return "", err
	case d.Hook.Letter.UserType != "" && d.Hook.Letter.UserType != user.Type:
		return "the hook is not for users of this type", nil
	}
	if d.To = d.Hook.Letter.To; d.To == "" {
		d.To = user.Email
	}
	if d.To == "" {
		return "the user has no e-mail address", nil
	}
	token := ""
	if d.Notification.Sealed != "" {
		text, err := o.d.master.open(d.Event.sealedPlace(), d.Notification.Sealed)
		if err != nil {
			return "the token can no longer be opened: the master key was replaced since", nil
		}
		token = string(text)
	}
	d.Fields = o.d.letterFields(d.Event, realm, user, d.Hook, token)
	return "", nil
}

// conclude ends a try's claim and notes how it went. Where the notification has changed since, as when it is to be delivered anew, that counts.
func (o *Outbox) conclude(ctx context.Context, p Partition, end func() (*Notification, uint64), done Attempted) error {
	n, version := end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	now, err := o.d.clock.now()
	if err != nil {
		return err
	}
	c := o.d.change(p, now)
	c.tried(n, Attempt{Destination: done.Destination, Result: done.Line}, done.Result)
	c.replace(n, version, noExpiry)
	if err := c.commit(ctx); err != nil && !isConflict(err) {
		return fmt.Errorf("core: note delivery: %w", err)
	}
	return nil
}
