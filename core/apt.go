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
	said        string  // the signed part, which one signature stands under, or several
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
	in, err := a.sessions.open(ctx, c, apt.state, signIn{user: user, joined: &joined{}, now: apt.now, lifetime: apt.state.Settings.APTTokenLifetime,
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
		return nil, errSpent
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
	counted, first := false, 0
	err = retry(func() error {
		user, version, err := a.find(ctx, apt, id)
		if err != nil {
			return err
		}
		if user.State != StateActive {
			return ErrUserInactive
		}
		if !counted { // a try that something else was faster than is no other call
			if err := a.limit(ctx, apt, user); err != nil {
				return err
			}
			if err := a.spendJTI(ctx, apt); err != nil {
				return err
			}
			counted = true
		}
		first = firstOn(apt.now, user.LastLoginAt)
		in, err = a.sessions.start(ctx, apt.state, signIn{user: user, version: version, now: apt.now,
			lifetime: apt.state.Settings.APTTokenLifetime, aptKey: apt.key.ID, request: call.Request}, nil)
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
			return errSpent
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
		if call, err = a.open(ctx, call); err != nil {
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
	claims, key := state.apt.verify(token, now)
	if key == nil {
		return nil, ErrInvalidToken.with("no active APT key of this environment verifies it; is it signed with the right key, and the public half known here?")
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

// open returns a call with the signed APT within its encrypted one. Whose key opens it the call says, or the header of the
// APT, since all else is encrypted; locate finds whether the signed APT agrees. Where the environment takes none it is refused
// unread.
func (a *APTs) open(ctx context.Context, call APTCall) (APTCall, error) {
	if named := jose.EncryptedFor(call.Token); named != "" && call.EnvironmentGUID == nil {
		call.EnvironmentGUID = &named
	} else if named != "" && named != *call.EnvironmentGUID {
		return APTCall{}, ErrInvalidToken
	}
	if call.EnvironmentGUID == nil {
		return APTCall{}, ErrInvalidToken.with("an encrypted APT needs the environment_guid beside it or in its header")
	}
	state, err := a.d.realms.stateByEnvironment(ctx, *call.EnvironmentGUID)
	if err != nil {
		return APTCall{}, err
	}
	if state.Settings.APTEncryption == APTEncryptionOff {
		return APTCall{}, ErrInvalidToken.with("this environment accepts no encrypted APTs")
	}
	for _, key := range state.keys.decrypt {
		if text, err := jose.Decrypt(call.Token, key); err == nil {
			call.Token = text
			return call, nil
		}
	}
	return APTCall{}, ErrInvalidToken
}

// readAPT takes from verified claims what is needed, and refuses an APT outside its time or that lacks what the
// environment demands.
func readAPT(state *realmState, key *APTKey, text string, claims jose.Claims, now time.Time) (*apt, error) {
	a := &apt{state: state, key: key, said: text[:strings.LastIndexByte(text, '.')], now: now}
	if err := a.readTimes(claims); err != nil {
		return nil, err
	}
	if _, there := claims.Raw("jti"); there {
		id, ok := claims.String("jti")
		if !ok || id == "" || len(id) > 255 {
			return nil, ErrInvalidToken.with("its jti must be a text of 1 to 255 bytes")
		}
		a.id = id
	}
	user, _ := claims.Object("user")
	if _, there := user.Raw("arbitrary_id"); there {
		id, ok := user.String("arbitrary_id")
		if !ok {
			return nil, ErrInvalidToken.with("its arbitrary_id must be a text")
		}
		a.arbitraryID = &id
	}
	if a.id == "" && state.Settings.APTRequireJTI {
		return nil, ErrInvalidToken.with("this environment accepts only APTs with a jti")
	}
	if a.arbitraryID == nil && state.Settings.APTRequireArbitraryID {
		return nil, ErrInvalidToken.with("this environment accepts only APTs that name an arbitrary_id")
	}
	return a, nil
}

// readTimes judges exp, iat and, where it is there, nbf (RFC 7519 §4.1), allowing for the skew of the provider's clock.
func (a *apt) readTimes(claims jose.Claims) error {
	exp, okExp := claims.Int("exp")
	iat, okIat := claims.Int("iat")
	if !okExp || !okIat {
		return ErrInvalidToken.with("it needs exp and iat in whole seconds")
	}
	begins := iat
	if _, there := claims.Raw("nbf"); there {
		nbf, ok := claims.Int("nbf")
		if !ok {
			return ErrInvalidToken.with("its nbf must be in whole seconds")
		}
		begins = max(iat, nbf)
	}
	s := &a.state.Settings
	skew := s.APTSkew.Duration()
	a.expires = time.Unix(exp, 0).UTC().Add(skew)
	switch {
	case iat < 0 || exp <= iat || exp-iat > int64(s.APTLifetime): // none of which can overflow
		return ErrInvalidToken.with(fmt.Sprintf("its exp must be later than its iat, by at most %d seconds", s.APTLifetime))
	case !a.now.Before(a.expires):
		return ErrInvalidToken.with("it has expired")
	case begins > a.now.Add(skew).Unix():
		return ErrInvalidToken.with("it is not valid yet")
	}
	return nil
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

// find returns the user with an arbitrary_id, or ErrUserNotFound: whoever hears that makes the user.
func (a *APTs) find(ctx context.Context, apt *apt, id string) (*User, uint64, error) {
	var claim arbitraryIDClaim
	p := apt.state.partition(bucketOfText(id))
	_, found, err := a.d.load(ctx, arbitraryIDKey(p, id), &claim)
	if err != nil {
		return nil, 0, fmt.Errorf("core: find user: %w", err)
	}
	if !found {
		return nil, 0, a.d.missed(ctx, p, ErrUserNotFound)
	}
	if claim.Realm != apt.state.ID {
		return nil, 0, ErrUserNotFound
	}
	return a.users.byID(ctx, apt.state.Realm, claim.User)
}

// limit bounds how often one user's token is reissued.
func (a *APTs) limit(ctx context.Context, apt *apt, user *User) error {
	p, _ := apt.state.owner(string(user.ID))
	return a.d.take(ctx, reissuesBucket(p, user.ID), reissues, apt.now)
}
