package core

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postern-auth/postern/internal/jose"
)

// APTs is what an account provider may do with an account provider token: create a user, have a token
// reissued, delete a user (Work-API, "Endpoints"). Safe for concurrent use.
type APTs struct {
	d        *deps
	users    *Users
	sessions *Sessions
}

// APTCall is a call that an APT vouches for. What is nil was not sent.
type APTCall struct {
	Token           string
	EnvironmentGUID *string // must agree with the APT's
	ArbitraryID     *string // must agree with the APT's where both are there
	Request         Request
}

// apt is a verified APT.
type apt struct {
	state       *realmState
	key         *APTKey
	text        string
	arbitraryID *string // nil = for any user of the environment
	id          string  // jti, "" = none
	expires     time.Time
	now         time.Time
}

// reissues bounds how often one user's token is reissued: sixty at once, then one a second.
var reissues = Rate{Burst: 60, Every: time.Second}

// Create makes a user by arbitrary_id and starts a session. It fails with ErrEnvironmentNotFound,
// ErrInvalidToken, ErrUserExists and KindInvalid.
func (a *APTs) Create(ctx context.Context, call APTCall) (*SignedIn, error) {
	apt, err := a.verify(ctx, call)
	if err != nil {
		return nil, err
	}
	id, err := apt.names(call.ArbitraryID)
	if err != nil {
		return nil, err
	}
	user := &User{Realm: apt.state.ID, Type: UserHuman, State: StateActive, EmailVerification: EmailNone, ArbitraryID: id,
		Reference: id, CreatedAt: Instant{apt.now}, LastLoginAt: Instant{apt.now}}
	if err := a.users.name(user, bucketOfText(id)); err != nil {
		return nil, err
	}
	c := a.users.creation(apt.state.Realm, user, apt.now, call.Request)
	in, err := a.sessions.open(c, apt.state, start{user: user, now: apt.now, lifetime: apt.state.Settings.APTTokenLifetime,
		aptKey: apt.key.ID, request: call.Request})
	if err != nil {
		return nil, err
	}
	// The mark comes last, so that a taken arbitrary_id is said before a used APT: the SDK signs two
	// creations within a second with the same APT.
	spent, err := a.spend(ctx, c, apt, "create", id)
	if err != nil {
		return nil, err
	}
	err = c.commit(ctx)
	if conflictOn(err, spent) {
		return nil, ErrInvalidToken.with("this APT was used before")
	}
	if err = a.users.claimed(apt.state.Realm, user, err); err != nil {
		return nil, err
	}
	a.d.meter.count(apt.state.ID, apt.key.ID, apt.now, Usage{Created: 1, ActiveUsers: 1})
	return in, nil
}

// Reissue starts a new session of a user who is there (Work-API, "reauth_user"). The APT must name the
// user. It fails with ErrEnvironmentNotFound, ErrInvalidToken, ErrUserNotFound and ErrUserInactive.
func (a *APTs) Reissue(ctx context.Context, call APTCall) (*SignedIn, error) {
	apt, err := a.verify(ctx, call)
	if err != nil {
		return nil, err
	}
	id, err := apt.namesOne(call.ArbitraryID)
	if err != nil {
		return nil, err
	}
	var in *SignedIn
	spent, first := false, 0
	err = retry(func() error {
		user, version, err := a.find(ctx, apt, id)
		if err != nil {
			return err
		}
		if user.State != StateActive {
			return ErrUserInactive
		}
		if err := a.limit(ctx, apt, user); err != nil {
			return err
		}
		if !spent {
			if err := a.spendAlone(ctx, apt, user); err != nil {
				return err
			}
			spent = true
		}
		first = firstOn(apt.now, user.LastLoginAt)
		in, err = a.sessions.start(ctx, apt.state, start{user: user, version: version, now: apt.now,
			lifetime: apt.state.Settings.APTTokenLifetime, aptKey: apt.key.ID, request: call.Request}, func(*change) {})
		return err
	})
	if err != nil {
		return nil, err
	}
	a.d.meter.count(apt.state.ID, apt.key.ID, apt.now, Usage{Reissued: 1, ActiveUsers: first})
	return in, nil
}

// Delete removes the user that an APT names. It fails like Reissue, but removes inactive users too.
func (a *APTs) Delete(ctx context.Context, call APTCall) error {
	apt, err := a.verify(ctx, call)
	if err != nil {
		return err
	}
	id, err := apt.namesOne(call.ArbitraryID)
	if err != nil {
		return err
	}
	return retry(func() error {
		user, version, err := a.find(ctx, apt, id)
		if err != nil {
			return err
		}
		c, err := a.users.deletion(ctx, apt.state.Realm, user, version, apt.now, call.Request)
		if err != nil {
			return err
		}
		spent, err := a.spend(ctx, c, apt, "delete", id)
		if err != nil {
			return err
		}
		if err = c.commit(ctx); conflictOn(err, spent) {
			return ErrInvalidToken.with("this APT was used before")
		}
		if err == nil {
			a.d.meter.count(apt.state.ID, apt.key.ID, apt.now, Usage{})
		}
		return err
	})
}

// verify checks an APT. An unknown environment is said before anything else, as the original service does.
func (a *APTs) verify(ctx context.Context, call APTCall) (*apt, error) {
	now, err := a.d.clock.now()
	if err != nil {
		return nil, err
	}
	encrypted := false
	if strings.Count(call.Token, ".") == 4 {
		if call.Token, err = a.open(ctx, call); err != nil {
			return nil, err
		}
		encrypted = true
	}
	token, state, err := a.locate(ctx, call)
	if err != nil {
		return nil, err
	}
	if !encrypted && state.Settings.APTEncryption == APTEncryptionRequire {
		return nil, ErrInvalidToken.with("this environment accepts only encrypted APTs")
	}
	claims, key, err := state.apt.verify(token, now)
	if err != nil {
		return nil, ErrInvalidToken
	}
	return readAPT(state, key, call.Token, claims, now)
}

// locate parses an APT, and finds the environment that it says it is for, which the call must agree with.
func (a *APTs) locate(ctx context.Context, call APTCall) (jose.Token, *realmState, error) {
	token, parseErr := jose.Parse(call.Token)
	named, _ := environmentOf(token.Unverified())
	if call.EnvironmentGUID != nil && (parseErr != nil || *call.EnvironmentGUID != named) {
		if _, err := a.d.realms.stateByEnvironment(ctx, *call.EnvironmentGUID); err != nil {
			return jose.Token{}, nil, err
		}
		return jose.Token{}, nil, ErrInvalidToken
	}
	if parseErr != nil || named == "" {
		return jose.Token{}, nil, ErrInvalidToken
	}
	state, err := a.d.realms.stateByEnvironment(ctx, named)
	return token, state, err
}

// open returns the signed APT within an encrypted one. Whose key opens it only the call can say, since all else is
// encrypted. Where the environment takes none it is refused unread.
func (a *APTs) open(ctx context.Context, call APTCall) (string, error) {
	if call.EnvironmentGUID == nil {
		return "", ErrInvalidToken.with("an encrypted APT needs the environment_guid beside it")
	}
	state, err := a.d.realms.stateByEnvironment(ctx, *call.EnvironmentGUID)
	if err != nil {
		return "", err
	}
	if state.Settings.APTEncryption == APTEncryptionOff {
		return "", ErrInvalidToken.with("this environment accepts no encrypted APTs")
	}
	for _, key := range state.keys.decrypt {
		if text, err := jose.Decrypt(call.Token, key); err == nil {
			return text, nil
		}
	}
	return "", ErrInvalidToken
}

// readAPT takes from verified claims what is needed, and refuses an APT outside its time.
func readAPT(state *realmState, key *APTKey, text string, claims jose.Claims, now time.Time) (*apt, error) {
	exp, okExp := claims.Int("exp")
	iat, okIat := claims.Int("iat")
	if !okExp || !okIat {
		return nil, ErrInvalidToken.with("it needs exp and iat in whole seconds")
	}
	expires, issued := time.Unix(exp, 0).UTC(), time.Unix(iat, 0)
	skew := state.Settings.APTSkew.Duration()
	switch {
	case iat < 0 || exp <= iat || exp-iat > int64(state.Settings.APTLifetime): // none of which can overflow
		return nil, ErrInvalidToken.with(fmt.Sprintf("it must live for at most %s", state.Settings.APTLifetime.Duration()))
	case !now.Before(expires.Add(skew)):
		return nil, ErrInvalidToken.with("it has expired")
	case issued.After(now.Add(skew)):
		return nil, ErrInvalidToken.with("it was issued in the future")
	}
	a := &apt{state: state, key: key, text: text, expires: expires.Add(skew), now: now}
	if raw, there := claims.Raw("jti"); there {
		if a.id, okExp = claims.String("jti"); !okExp || a.id == "" || len(a.id) > 255 {
			return nil, ErrInvalidToken.with(fmt.Sprintf("its jti must be a text of 1 to 255 bytes, not %d bytes of something else", len(raw)))
		}
	}
	if a.id == "" && state.Settings.APTRequireJTI {
		return nil, ErrInvalidToken.with("this environment accepts only APTs with a jti")
	}
	user, _ := claims.Object("user")
	if _, there := user.Raw("arbitrary_id"); there {
		id, ok := user.String("arbitrary_id")
		if !ok {
			return nil, ErrInvalidToken.with("its arbitrary_id must be a text")
		}
		a.arbitraryID = &id
	}
	if a.arbitraryID == nil && state.Settings.APTRequireArbitraryID {
		return nil, ErrInvalidToken.with("this environment accepts only APTs that name an arbitrary_id")
	}
	return a, nil
}

// environmentOf reads which environment an APT is for, to find the keys that it must verify with.
func environmentOf(claims jose.Claims) (string, bool) {
	user, ok := claims.Object("user")
	if !ok {
		return "", false
	}
	return user.String("environment_guid")
}

// names returns the arbitrary_id that a creation is for: the call's, which the APT's must equal.
func (a *apt) names(sent *string) (string, error) {
	if sent != nil && a.arbitraryID != nil && *sent != *a.arbitraryID {
		return "", ErrInvalidToken.with("its arbitrary_id is not the one of the call")
	}
	id := a.arbitraryID
	if id == nil {
		id = sent
	}
	if id == nil || *id == "" {
		return "", invalid("arbitrary_id", "Arbitrary id can't be blank")
	}
	if n := utf8.RuneCountInString(*id); !utf8.ValidString(*id) || n > 255 || strings.ContainsRune(*id, 0) {
		return "", invalid("arbitrary_id", "Arbitrary id must have 1 to 255 characters, none of them NUL")
	}
	return *id, nil
}

// namesOne is names for calls in which the APT itself must name the user.
func (a *apt) namesOne(sent *string) (string, error) {
	if a.arbitraryID == nil {
		return "", ErrInvalidToken.with("it must name an arbitrary_id for this call")
	}
	return a.names(sent)
}

// find returns the user with an arbitrary_id, or ErrUserNotFound.
func (a *APTs) find(ctx context.Context, apt *apt, id string) (*User, uint64, error) {
	var claim arbitraryIDClaim
	_, found, err := a.d.load(ctx, arbitraryIDKey(apt.state.partition(bucketOfText(id)), id), &claim)
	if err != nil {
		return nil, 0, fmt.Errorf("core: find user: %w", err)
	}
	if !found || claim.Realm != apt.state.ID {
		return nil, 0, ErrUserNotFound
	}
	return a.users.byID(ctx, apt.state.Realm, claim.User)
}

// limit bounds how often one user's token is reissued.
func (a *APTs) limit(ctx context.Context, apt *apt, user *User) error {
	p, _ := apt.state.owner(string(user.ID))
	left, err := a.d.store.Hit(ctx, reissuesBucket(p, user.ID), reissues, apt.now)
	if err != nil {
		return fmt.Errorf("core: count reissue: %w", err)
	}
	if !left.OK {
		return ErrThrottled.retryAfter(left.RetryAfter)
	}
	return nil
}

// spentAPT marks an APT that must not work again.
type spentAPT struct {
	Realm RealmID `json:"realm"`
	What  string  `json:"-"`
	Mark  string  `json:"mark"` // its key's name, since what was spent is not kept
}

func (s *spentAPT) key(p Partition) Key {
	if s.What != "" {
		return spentKey(p, s.What)
	}
	return Key{p, s.Mark}
}

// spend makes c spend the APT, and returns the key of the mark. An APT with a jti works once in its
// environment; one without works once for each arbitrary_id that it creates or deletes, so that a captured one
// cannot bring a deleted user back.
func (a *APTs) spend(ctx context.Context, c *change, apt *apt, operation, arbitraryID string) (Key, error) {
	what := operation + "\x00" + arbitraryID + "\x00" + apt.text
	at := c.tx.Partition
	if apt.id != "" {
		what = "jti\x00" + apt.id
		at = apt.state.partition(bucketOfText(what))
	}
	mark := &spentAPT{Realm: apt.state.ID, What: what, Mark: spentKey(at, what).Name}
	if at == c.tx.Partition {
		c.create(mark, apt.expires)
		return mark.key(at), nil
	}
	alone := a.d.change(at, apt.now)
	alone.create(mark, apt.expires)
	alone.tx.Durable = true
	if err := alone.commit(ctx); isConflict(err) {
		return Key{}, ErrInvalidToken.with("this APT was used before")
	} else if err != nil {
		return Key{}, fmt.Errorf("core: spend APT: %w", err)
	}
	return mark.key(at), nil
}

// spendAlone spends the jti of an APT that reissues, where it has one. Without one it may be used again
// within its time: clients that retry, or that reissue twice in a second, send the same.
func (a *APTs) spendAlone(ctx context.Context, apt *apt, user *User) error {
	if apt.id == "" {
		return nil
	}
	p, _ := apt.state.owner(string(user.ID))
	c := a.d.change(p, apt.now)
	if _, err := a.spend(ctx, c, apt, "reissue", apt.id); err != nil {
		return err
	}
	if len(c.tx.Put) == 0 {
		return nil // it was spent in another partition
	}
	c.tx.Durable = true
	err := c.commit(ctx)
	if isConflict(err) {
		return ErrInvalidToken.with("this APT was used before")
	}
	return err
}
