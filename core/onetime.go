package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
)

// oneTime is a token that works once: to prove an address, to set a new password. The token itself is not kept, only
// its digest. It is spent by marking the record at the version that was read, so that of many who show it at once one is
// served; the mark stays until the token would have expired, so that the others can be told why not.
//
// A token dies before its time with the series that it belongs to: see User.Series.
type oneTime struct {
	Realm     RealmID `json:"realm"`
	User      UserID  `json:"user,omitempty"` // "" = nobody's yet
	Kind      string  `json:"kind"`           // its prefix
	Sum       string  `json:"sum"`            // its digest
	Series    int     `json:"series,omitempty"`
	For       string  `json:"for,omitempty"` // what it was made for and nothing else: the digest of an address
	MadeAt    Instant `json:"made,omitzero"` // of a user's
	ExpiresAt Instant `json:"expires"`
	SpentAt   Instant `json:"spent,omitzero"`
}

func (t *oneTime) key(p Partition) Key { return oneTimeKey(p, t.Sum) }

// TokenSeries is about a user's one-time tokens of one kind. Those of another number are dead.
type TokenSeries struct {
	Number int     `json:"n"`
	Until  Instant `json:"until,omitzero"` // when the last of them expires; zero = there is none
}

// endTokens kills a user's pending one-time tokens of a kind.
func (u *User) endTokens(kind string) {
	u.setSeries(kind, TokenSeries{Number: u.Series[kind].Number + 1})
}

// setSeries replaces one series and leaves copies of the user alone.
func (u *User) setSeries(kind string, s TokenSeries) {
	all := maps.Clone(u.Series)
	if all == nil {
		all = map[string]TokenSeries{}
	}
	all[kind] = s
	u.Series = all
}

// hasTokens reports whether a one-time token of a kind may be pending.
func (u *User) hasTokens(kind string, now time.Time) bool {
	return now.Before(u.Series[kind].Until.Time)
}

// Why a one-time token does not work. Each use has its own words for them.
var (
	ErrTokenNotFound = &Error{Kind: KindNotFound, Code: "token_not_found", Detail: "token not found"}
	ErrTokenUsed     = &Error{Kind: KindNotFound, Code: "token_used", Detail: "token already used"}
	ErrTokenExpired  = &Error{Kind: KindNotFound, Code: "token_expired", Detail: "token has expired"}
)

// issue puts a new one-time token for user into c and returns its secret. The caller puts the user, whose series of the
// kind now lasts as long as the token.
func (c *change) issue(user *User, kind string, lifetime Seconds, what string) (string, error) {
	b, _ := bucketOf(string(user.ID))
	secret, err := c.d.ids.secret(kind, b)
	if err != nil {
		return "", err
	}
	expires := Instant{c.tx.Now.Add(lifetime.Duration())}
	series := user.Series[kind]
	if series.Until.Before(expires.Time) {
		series.Until = expires
	}
	user.setSeries(kind, series)
	c.create(&oneTime{Realm: user.Realm, User: user.ID, Kind: kind, Sum: digest(secret), Series: series.Number, For: what, MadeAt: user.at(c.tx.Now), ExpiresAt: expires},
		expires.Time)
	return secret, nil
}

// spend marks a one-time token as used.
func (c *change) spend(t *oneTime, version uint64) {
	used := *t
	used.SpentAt = Instant{c.tx.Now}
	c.replace(&used, version, t.ExpiresAt.Time)
	c.tx.Durable = true
}

// oneTime reads a one-time token of a kind, with its version. What is not a token of that kind is ErrTokenNotFound, what
// was used or is too old the error that says so. Whether the token is alive, its user knows: see live.
func (d *deps) oneTime(ctx context.Context, realm *Realm, kind, secret string, now time.Time) (*oneTime, uint64, error) {
	p, ok := realm.owner(secret)
	body, prefixed := strings.CutPrefix(secret, kind)
	if !ok || !prefixed || len(body) != idLength+bucketLength || !isBase62(body) {
		return nil, 0, ErrTokenNotFound
	}
	t := &oneTime{}
	version, found, err := d.load(ctx, oneTimeKey(p, digest(secret)), t)
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("core: read token: %w", err)
	case !found:
		return nil, 0, d.missed(ctx, p, ErrTokenNotFound)
	case t.Realm != realm.ID || t.Kind != kind:
		return nil, 0, ErrTokenNotFound
	case !t.SpentAt.IsZero():
		return t, version, ErrTokenUsed
	case !now.Before(t.ExpiresAt.Time):
		return t, version, ErrTokenExpired
	}
	return t, version, nil
}

// isDeadToken reports whether err says that a one-time token does not work. Any other failure says nothing about it.
func isDeadToken(err error) bool {
	return errors.Is(err, ErrTokenNotFound) || errors.Is(err, ErrTokenUsed) || errors.Is(err, ErrTokenExpired)
}

// live reports whether the token is user's, and none that was killed.
func (t *oneTime) live(user *User) bool {
	return t.User == user.ID && t.Series == user.Series[t.Kind].Number && user.theirs(t.MadeAt)
}

// whyDead says why a token is not alive that looked so. Its user was read after it, and somebody may have shown the same token
// in between: then it was used, which says more than that it is none.
func (d *deps) whyDead(ctx context.Context, realm *Realm, t *oneTime, secret string, now time.Time) error {
	if _, _, err := d.oneTime(ctx, realm, t.Kind, secret, now); err != nil {
		return err
	}
	return ErrTokenNotFound
}

// tokenIssues bounds how many one-time tokens of a kind are made for one user, as each is a message in somebody's
// mailbox: five at once, then one every ten minutes.
var tokenIssues = Rate{Burst: 5, Every: 10 * time.Minute}

// limitIssues takes one of a user's tokens of a kind, or fails with ErrThrottled.
func (d *deps) limitIssues(ctx context.Context, realm *Realm, user UserID, kind string, now time.Time) error {
	p, _ := realm.owner(string(user))
	return d.take(ctx, issuesBucket(p, kind, user), tokenIssues, now)
}
