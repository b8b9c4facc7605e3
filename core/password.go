package core

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// maxPasswordLength is the longest password, in bytes. Longer ones are refused, never cut.
const maxPasswordLength = 1024

// password is the password of a user.
type password struct {
	ID        CredentialID `json:"id"`
	Realm     RealmID      `json:"realm"`
	User      UserID       `json:"user"`
	Hash      string       `json:"hash"` // PHC
	CreatedAt Instant      `json:"created"`
}

func (p *password) key(at Partition) Key { return passwordKey(at, p.User) }

// preparePassword brings a password to the form that is hashed (RFC 8265 §4.2, OpaqueString).
func preparePassword(text string) ([]byte, error) {
	if len(text) > maxPasswordLength {
		return nil, invalid("password", "Password is too long (maximum is 1024 bytes)")
	}
	if text == "" {
		return nil, invalid("password", "Password can't be blank")
	}
	prepared, err := precis.OpaqueString.String(text)
	if err != nil || len(prepared) > maxPasswordLength {
		return nil, invalid("password", "Password contains characters that are not allowed")
	}
	return []byte(prepared), nil
}

// checkPassword refuses a new password that breaks the realm's rules.
func checkPassword(realm *Realm, in UserChange) ([]byte, error) {
	prepared, err := preparePassword(*in.Password)
	if err != nil {
		return nil, err
	}
	if least := realm.Settings.PasswordMinLength; utf8.RuneCount(prepared) < least {
		return nil, invalid("password", fmt.Sprintf("Password is too short (minimum is %d characters)", least))
	}
	if in.PasswordConfirmation != nil && *in.PasswordConfirmation != *in.Password {
		return nil, invalid("password_confirmation", "Password confirmation does not match")
	}
	return prepared, nil
}

// newPassword returns the password that a change asks for, hashed, or nil where it asks for none. It notes the
// credential in user.
func (d *deps) newPassword(ctx context.Context, realm *Realm, user *User, in UserChange) (*password, error) {
	if in.Password == nil {
		return nil, nil
	}
	if user.Type != UserHuman {
		return nil, invalid("password", "Password is for human users only")
	}
	prepared, err := checkPassword(realm, in)
	if err != nil {
		return nil, err
	}
	release, err := d.hasher.admit(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	hash, err := d.hasher.hash(prepared)
	if err != nil {
		return nil, err
	}
	id, known := user.has(CredentialPassword)
	if !known {
		if id, err = d.newCredentialID(user); err != nil {
			return nil, err
		}
		user.Credentials = append(user.Credentials[:len(user.Credentials):len(user.Credentials)], CredentialRef{id, CredentialPassword})
	}
	return &password{ID: id, Realm: user.Realm, User: user.ID, Hash: hash, CreatedAt: Instant{d.ids.now()}}, nil
}

// newCredentialID returns an id in the user's bucket.
func (d *deps) newCredentialID(user *User) (CredentialID, error) {
	b, _ := bucketOf(string(user.ID))
	id, err := d.ids.id(prefixCredential, b)
	return CredentialID(id), err
}

// failedSignIns is how many wrong passwords in a row an account bears: ten at once, then one a minute.
var failedSignIns = Rate{Burst: 10, Every: time.Minute}

// Failures of a sign-in.
var (
	ErrWrongPassword = &Error{Kind: KindUnauthenticated, Code: "authentication_failed", Detail: "authentication failed"}
	ErrThrottled     = &Error{Kind: KindThrottled, Code: "too_many_attempts", Detail: "too many attempts; try again later"}
)

// Passwords signs users in with a password. Safe for concurrent use.
type Passwords struct {
	d        *deps
	users    *Users
	sessions *Sessions
}

// SignedIn is a user who has just proven to be one, and the means to say so again.
type SignedIn struct {
	User    *User
	Session *Session
	Token   string // the session token, shown this once
}

// Authenticate checks the password of a human user and starts a session (Users API, "Authenticate using a
// password"). It fails with ErrUserNotFound, ErrWrongPassword, ErrThrottled and ErrBusy; what the public is
// told must not tell the first two apart, and both take the same time.
func (p *Passwords) Authenticate(ctx context.Context, realm RealmID, idOrName, text string, req Request) (*SignedIn, error) {
	prepared, err := preparePassword(text)
	if err != nil { // decided before the account is looked up, so it says nothing of it
		return nil, ErrWrongPassword
	}
	release, err := p.d.hasher.admit(ctx)
	if err != nil {
		return nil, err
	}
	defer release()

	state, now, err := p.users.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	who, err := p.account(ctx, state.Realm, idOrName)
	if err != nil {
		return nil, err
	}
	if err := p.count(ctx, who, now); err != nil {
		return nil, err
	}
	ok, stale, err := p.d.hasher.verify(who.password.Hash, prepared)
	if err != nil {
		return nil, err
	}
	if !ok || who.user == nil || who.user.State != StateActive || who.user.Type != UserHuman {
		return nil, p.failed(ctx, realm, who, now, req)
	}
	return p.succeeded(ctx, state, who, prepared, stale, req)
}

// account is what a sign-in is checked against. user is nil where the name is nobody's; the rest then
// makes the refusal cost what any other costs.
type account struct {
	user     *User
	version  uint64
	at       Partition
	failures Bucket

	password        password // zero where there is none
	passwordVersion uint64
}

// account finds whom a name means, and reads the user and their password in one go.
func (p *Passwords) account(ctx context.Context, realm *Realm, idOrName string) (*account, error) {
	id := UserID(idOrName)
	if !validID(prefixUser, idOrName) {
		var err error
		if id, err = p.users.resolve(ctx, realm, idOrName); err != nil && err != ErrUserNotFound {
			return nil, err
		}
	}
	a, err := p.read(ctx, realm, id)
	if err == nil && a.user == nil {
		name, _ := normalise(idOrName)
		a.at = realm.partition(bucketOfText(name))
		a.failures = strangerBucket(a.at, name)
	}
	return a, err
}

// read reads a user, who need not be there, and their password.
func (p *Passwords) read(ctx context.Context, realm *Realm, id UserID) (*account, error) {
	at, _ := realm.owner(string(id))
	keys := []Key{userKey(at, id), passwordKey(at, id)}
	recs, err := p.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: sign in: %w", err)
	}
	a := &account{user: &User{}, version: recs[0].Version, passwordVersion: recs[1].Version, at: at, failures: failuresBucket(at, id)}
	found, err := decode(keys[0], recs[0], a.user)
	if err != nil {
		return nil, err
	}
	if !found || a.user.Realm != realm.ID {
		a.user = nil
		return a, nil
	}
	_, err = decode(keys[1], recs[1], &a.password)
	return a, err
}

// count takes one attempt before anything is compared: ten guesses sent at once must not all find the
// last free slot.
func (p *Passwords) count(ctx context.Context, who *account, now time.Time) error {
	left, err := p.d.store.Hit(ctx, who.failures, failedSignIns, now)
	if err != nil {
		return fmt.Errorf("core: count attempt: %w", err)
	}
	if !left.OK {
		return ErrThrottled.retryAfter(left.RetryAfter)
	}
	return nil
}

// failed notes a failed sign-in, of whomever.
func (p *Passwords) failed(ctx context.Context, realm RealmID, who *account, now time.Time, req Request) error {
	e := Event{Realm: realm, Type: eventLoginFailed, Request: req.clean()}
	if who.user != nil {
		e.User = who.user.ID
	}
	c := p.d.change(who.at, now)
	c.event(e)
	if err := c.commit(ctx); err != nil {
		return fmt.Errorf("core: note failed sign-in: %w", err)
	}
	if who.user == nil {
		return ErrUserNotFound
	}
	return ErrWrongPassword
}

// succeeded starts a session, clears the count, and hashes the password anew where its cost has changed. Where
// the account changes in between, it goes on only if the password that was checked is still the account's.
func (p *Passwords) succeeded(ctx context.Context, state *realmState, who *account, prepared []byte, stale bool, req Request) (*SignedIn, error) {
	checked, renewed := who.password.Hash, ""
	if stale {
		var err error
		if renewed, err = p.d.hasher.hash(prepared); err != nil {
			return nil, err
		}
	}
	var in *SignedIn
	err := retry(func() error {
		now, err := p.d.clock.now()
		if err != nil {
			return err
		}
		in, err = p.sessions.start(ctx, state, start{user: who.user, version: who.version, now: now,
			lifetime: state.Settings.TokenLifetime, request: req}, func(c *change) {
			c.tx.Reset = append(c.tx.Reset, who.failures.Name)
			if stale {
				again := who.password
				again.Hash = renewed
				c.unchanged(again.key(who.at), who.passwordVersion)
				c.set(&again, noExpiry)
			}
		})
		if !isConflict(err) {
			return err
		}
		again, readErr := p.read(ctx, state.Realm, who.user.ID)
		if readErr != nil {
			return readErr
		}
		if again.user == nil || again.user.State != StateActive || again.password.Hash != checked {
			return ErrWrongPassword
		}
		who = again
		return err
	})
	if err != nil {
		return nil, err
	}
	return in, nil
}
