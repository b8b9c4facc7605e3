package core

import "context"

// Undertaking is a call that may be sent again and takes so long that it is carried out a bit at a time, such as an import. How far it
// has come is noted after each bit, so that a repetition takes it up from there. A bit that was carried out and not noted is
// carried out again: that must be like once. Not safe for concurrent use.
type Undertaking struct {
	r *Repeats
	t *try

	Kept []byte // what was noted last; nil = nothing was
	Over bool   // the call came to its end
}

// Undertake makes a call this process's to carry out, unless it is over. It fails with ErrRepeatDiffers, ErrUnderWay and like a store.
func (r *Repeats) Undertake(ctx context.Context, in Repeatable) (*Undertaking, error) {
	t, err := r.try(ctx, in)
	if err != nil {
		return nil, err
	}
	answer, err := r.claim(ctx, t)
	switch {
	case err != nil:
		return nil, err
	case answer != nil:
		return &Undertaking{r: r, t: t, Kept: answer, Over: true}, nil
	}
	return &Undertaking{r: r, t: t, Kept: t.kept}, nil
}

// Sum returns a text that tells the call from all others.
func (u *Undertaking) Sum() string { return u.t.claim.Sum }

// Note keeps how far the call has come, sealed, for RepeatLifetime from now on. over says that this is its end. It fails with ErrUnderWay
// where somebody else has taken the call over, since this one was not heard of for half a minute, with ErrAnswerTooLong, and like a store.
func (u *Undertaking) Note(ctx context.Context, kept []byte, over bool) error {
	now, err := u.r.d.clock.now()
	if err != nil {
		return err
	}
	u.Kept, u.Over = kept, over
	return u.put(ctx, Instant{now.Add(repeatPatience)}, Instant{now.Add(RepeatLifetime)})
}

// Leave says that nobody carries the call out any more, so that a repetition need not wait. Where that cannot be said, the call is
// given up in time.
func (u *Undertaking) Leave(ctx context.Context) {
	if u.Over || u.t.settled {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releasePatience)
	defer cancel()
	if now, err := u.r.d.clock.now(); err == nil {
		_ = u.put(ctx, Instant{now}, u.t.claim.ExpiresAt)
	}
}

// put writes the claim anew.
func (u *Undertaking) put(ctx context.Context, until, expires Instant) (err error) {
	claim := *u.t.claim
	claim.Until, claim.ExpiresAt, claim.Answered = until, expires, u.Over
	if claim.Sealed, err = u.r.seal(claim.key(u.t.at), u.t.request, u.Kept); err != nil {
		return err
	}
	now, err := u.r.d.clock.now()
	if err != nil {
		return err
	}
	u.t.claim = &claim
	err = u.r.put(ctx, u.t, u.t.version, now)
	if isConflict(err) {
		u.t.settled = true
		return ErrUnderWay
	}
	return err
}
