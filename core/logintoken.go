package core

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// loginTokenLifetime is how long a code may be in coming after the password.
const loginTokenLifetime = 10 * time.Minute

// loginToken says that a user's password was right. It is spent by a good code, and dies with any change of the account
// that ends sessions.
type loginToken struct {
	Digest     string  `json:"digest"`
	Realm      RealmID `json:"realm"`
	User       UserID  `json:"user"`
	Generation int     `json:"gen"`
	Device     string  `json:"device,omitempty"` // what the device that the password came from goes by, where it is known
	Expires    Instant `json:"expires"`
	Spent      bool    `json:"spent,omitempty"`
}

func (t *loginToken) key(p Partition) Key { return loginTokenKey(p, t.Digest) }

// of reports whether a sign-in of user may go on with the token.
func (t *loginToken) of(user *User) bool {
	made := Instant{t.Expires.Add(-loginTokenLifetime)}
	return user.State == StateActive && user.Generation == t.Generation && user.theirs(made)
}

// Failures of the second step of a sign-in.
var (
	// ErrLoginToken says that a login token is unknown, has expired, was used, or is another's. There is no use in trying again.
	ErrLoginToken = &Error{Kind: KindNotFound, Code: "login_token_not_found", Detail: "login token not found, expired or already used"}

	// ErrWrongCode says that a code is not the user's, or was used before. Another may be tried.
	ErrWrongCode = &Error{Kind: KindUnauthenticated, Code: "wrong_code", Detail: "the code does not match"}
)

// initiate gives a login token to whoever knows the password of a user with a second factor. It neither clears the count of
// failures nor makes a device known, which has a count of its own: else whoever knows the password guesses codes for ever.
func (p *Passwords) initiate(ctx context.Context, ok *checked, who *account, now time.Time, req Request) (*SignedIn, error) {
	b, _ := bucketOf(string(who.user.ID))
	text, err := p.d.ids.secret(prefixLoginToken, b)
	if err != nil {
		return nil, err
	}
	expires := who.user.at(now).Add(loginTokenLifetime)
	c := p.d.change(who.at, now)
	c.unchanged(who.user.key(who.at), who.version)
	c.create(&loginToken{Digest: digest(text), Realm: ok.state.ID, User: who.user.ID, Generation: who.user.Generation,
		Device: who.device, Expires: Instant{expires}}, expires)
	who.renew(c, ok.renewed)
	c.event(Event{Realm: ok.state.ID, Type: eventLoginInitiated, User: who.user.ID, Request: req.clean()})
	if err := c.commit(ctx); err != nil {
		return nil, fmt.Errorf("core: initiate sign-in: %w", err)
	}
	return &SignedIn{User: who.user, LoginToken: text}, nil
}

// waiting is a sign-in that waits for a code.
type waiting struct {
	token   *loginToken
	version uint64
	user    *User
	userAt  uint64 // version
	at      Partition
	factors []*held
}

// Complete takes the code that a sign-in waits for, of an authenticator or a recovery code, and starts the session (Users
// API, "Complete an MFA authentication"). idOrName "" or "--" stands for whomever the token is of. Codes are counted like
// passwords before they are looked at, and those of an authenticator once more: see wrongCodes. It fails with ErrWrongCode, ErrLoginToken and ErrThrottled.
func (s *SecondFactors) Complete(ctx context.Context, realm RealmID, idOrName, token, code string, req Request) (*SignedIn, error) {
	state, now, err := s.users.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	if state.State == StateInactive {
		return nil, ErrRealmInactive // before the code counts as a try
	}
	w, err := s.waiting(ctx, state, idOrName, token, now)
	if err != nil {
		return nil, err
	}
	if err := s.count(ctx, w.tries(), code, now); err != nil {
		return nil, err
	}
	var in *SignedIn
	err = retry(func() error {
		if w, err = s.waiting(ctx, state, "", token, now); err != nil {
			return err
		}
		used, err := s.match(ctx, state, w, code, now)
		if err != nil {
			return err
		}
		if used == nil {
			return s.missed(ctx, w, now, req)
		}
		in, err = s.sessions.start(ctx, state, signIn{user: w.user, version: w.userAt, now: now, mfa: true, password: true,
			lifetime: state.Settings.TokenLifetime, request: req}, func(c *change) { w.spend(c, used) })
		return err
	})
	if err != nil {
		return nil, err
	}
	s.d.meter.count(realm, "", now, Usage{ActiveUsers: firstOn(now, w.user.LastLoginAt)})
	device := signedInFrom(w.token.Device)
	in.Known = device != ""
	in.Device, err = s.d.newDevice(w.user, device, now)
	return in, err
}

// tries is where the codes of a sign-in are counted.
func (w *waiting) tries() tries { return triesFrom(w.at, w.user.ID, w.token.Device) }

// waiting reads a login token with its user and their second factors. It fails with ErrLoginToken.
func (s *SecondFactors) waiting(ctx context.Context, state *realmState, idOrName, text string, now time.Time) (*waiting, error) {
	p, ok := state.owner(text)
	body, kind := strings.CutPrefix(text, prefixLoginToken)
	if !ok || !kind || len(body) != idLength+bucketLength || !isBase62(body) {
		return nil, ErrLoginToken
	}
	w := &waiting{token: &loginToken{}, at: p}
	var found bool
	var err error
	if w.version, found, err = s.d.load(ctx, loginTokenKey(p, digest(text)), w.token); err != nil {
		return nil, fmt.Errorf("core: find login token: %w", err)
	}
	if !found {
		return nil, s.d.missed(ctx, p, ErrLoginToken)
	}
	if w.token.Realm != state.ID || w.token.Spent || !now.Before(w.token.Expires.Time) {
		return nil, ErrLoginToken
	}
	w.user, w.userAt, err = s.users.byID(ctx, state.Realm, w.token.User)
	if err == ErrUserNotFound || err == nil && !w.token.of(w.user) {
		return nil, ErrLoginToken
	} else if err != nil {
		return nil, err
	}
	if idOrName != "" && idOrName != "--" {
		named, _, err := s.users.find(ctx, state.Realm, idOrName)
		if err == ErrUserNotFound || err == nil && named.ID != w.user.ID {
			return nil, ErrLoginToken
		} else if err != nil {
			return nil, err
		}
	}
	return w, s.factors(ctx, w)
}

// factors reads the second factors that count.
func (s *SecondFactors) factors(ctx context.Context, w *waiting) error {
	var keys []Key
	for _, ref := range w.user.Credentials {
		if ref.Type == CredentialTOTP && !ref.New || ref.Type == CredentialRecovery {
			keys = append(keys, credentialKey(w.at, ref.ID))
		}
	}
	if len(keys) == 0 {
		return ErrLoginToken // the authenticator was taken away meanwhile: sign in again
	}
	recs, err := s.d.store.Get(ctx, keys...)
	if err != nil {
		return fmt.Errorf("core: read second factors: %w", err)
	}
	for i := range recs {
		c := &Credential{}
		found, err := decode(keys[i], recs[i], c)
		if err != nil {
			return err
		}
		if found && c.User == w.user.ID {
			w.factors = append(w.factors, &held{Credential: c, version: recs[i].Version, user: w.user, userVersion: w.userAt, at: w.at})
		}
	}
	return nil
}

// usedFactor is a second factor that a code was good for, as it was and as it is to be.
type usedFactor struct {
	version uint64
	after   *Credential
}

// match returns the factor that a code is of, or nil.
func (s *SecondFactors) match(ctx context.Context, state *realmState, w *waiting, code string, now time.Time) (*usedFactor, error) {
	var used *usedFactor
	for _, h := range w.factors {
		var after *Credential
		switch {
		case h.TOTP != nil:
			key, err := s.open(ctx, state, h.Credential)
			if err != nil {
				return nil, err
			}
			if step, ok := totpMatch(key, plainCode(code), now, h.TOTP.Step); ok {
				after = h.accept(step, now)
			}
		case h.Recovery != nil:
			data, err := s.d.realms.sealer(ctx, state)
			if err != nil {
				return nil, err
			}
			if after, err = h.redeem(data, code, now); err != nil {
				return nil, err
			}
		}
		if after != nil && used == nil {
			used = &usedFactor{h.version, after}
		}
	}
	return used, nil
}

// spend uses up a login token and the code that completed it.
func (w *waiting) spend(c *change, used *usedFactor) {
	spent := *w.token
	spent.Spent = true
	c.replace(&spent, w.version, spent.Expires.Time)
	c.replace(used.after, used.version, noExpiry)
	c.tx.Reset = append(c.tx.Reset, w.tries().names()...)
	c.tx.Durable = true
}

// missed notes a code that was not the user's.
func (s *SecondFactors) missed(ctx context.Context, w *waiting, now time.Time, req Request) error {
	c := s.d.change(w.at, now)
	c.event(Event{Realm: w.user.Realm, Type: eventLoginFailed, User: w.user.ID, Request: req.clean()})
	if err := c.commit(ctx); err != nil {
		return fmt.Errorf("core: note wrong code: %w", err)
	}
	return ErrWrongCode
}
