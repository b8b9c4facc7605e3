package core

import "context"

// APTCaller is who proved by an APT that they may make a call, which may be sent again: see Repeats. It serves one call.
type APTCaller struct {
	a     *APTs
	apt   *apt
	user  string // the arbitrary_id that the call is about
	spent Key    // the mark that the call has made in a Transaction of its own
}

// Vouch verifies the APT of a call that may be sent again. That is about the user whom the call or the APT names; with named, as for
// Reissue, the APT itself must. Whether the APT was used before is found when the call is carried out, or its answer repeated. It fails
// like Create.
func (a *APTs) Vouch(ctx context.Context, call APTCall, named bool) (*APTCaller, error) {
	apt, err := a.verify(ctx, call)
	if err != nil {
		return nil, err
	}
	names := apt.names
	if named {
		names = apt.namesOne
	}
	id, err := names(call.ArbitraryID)
	if err != nil {
		return nil, err
	}
	return &APTCaller{a: a, apt: apt, user: id}, nil
}

// identity tells callers apart: by the key that signed the APT, and the user whom the call is about. What was answered about one user is
// so never an answer about another, and no other holder of a key of the environment has it repeated.
func (c *APTCaller) identity() string { return "apt\x00" + string(c.apt.key.ID) + "\x00" + c.user }

// again spends the APT of a repetition that is answered as the call was at first. One that worked before does not get the answer,
// in which there is a token: whoever captured a whole call, its name included, would have it then. An APT without a jti that names
// the user may be used again within its time, since it would have another token reissued as well. Without an APT there is
// nothing to spend.
func (c *APTCaller) again(ctx context.Context) error {
	if c == nil || c.apt.id == "" && c.apt.arbitraryID != nil {
		return nil
	}
	p := c.apt.state.partition(bucketOfText(c.user))
	mark, at := c.apt.mark(p, "create", c.user)
	return c.a.spendAt(ctx, at, mark, c.apt)
}

// aptCallerKey is where a context holds the caller.
type aptCallerKey struct{}

// under returns a context under which an APT that is spent in a Transaction of its own is spent once, however often the call is
// carried out anew.
func (c *APTCaller) under(ctx context.Context) context.Context {
	if c == nil {
		return ctx
	}
	return context.WithValue(ctx, aptCallerKey{}, c)
}

// aptCallerUnder returns the caller of a call that may be sent again, or nil.
func aptCallerUnder(ctx context.Context) *APTCaller {
	c, _ := ctx.Value(aptCallerKey{}).(*APTCaller)
	return c
}
