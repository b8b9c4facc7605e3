package core

import (
	"context"
	"fmt"
	"time"
)

// password is the password of a user.
type password struct {
	ID        CredentialID `json:"id,omitempty"`
	Realm     RealmID      `json:"realm"`
	User      UserID       `json:"user"`
	Hash      string       `json:"hash"`               // PHC, or as it was imported
	Imported  bool         `json:"imported,omitempty"` // Hash is another system's, of the password as it was typed
	CreatedAt Instant      `json:"created"`
}

func (p *password) key(at Partition) Key { return passwordKey(at, p.User) }

func (p *password) lean() any {
	kept := *p
	leaveOut(&kept.ID, passwordID(p.User))
	return &kept
}

func (p *password) fill() { defaultTo(&p.ID, passwordID(p.User)) }

// newHash is what a change keeps of a password. The zero newHash is that it sets none.
type newHash struct {
	text     string
	imported bool // text is another system's
}

// newHash returns the hash of the password that a change of user asks for. It takes a turn of the hasher's, so it is done once, before a
// change that may be tried several times.
func (d *deps) newHash(ctx context.Context, realm *Realm, user *User, in UserChange) (newHash, error) {
	switch {
	case in.Password == nil && in.PasswordHash == nil:
		return newHash{}, nil
	case in.Password == nil:
		_, err := parseImportedHash(*in.PasswordHash)
		return newHash{*in.PasswordHash, true}, err
	case in.PasswordHash != nil:
		return newHash{}, invalid("password_hash", "Password hash can't be set together with a password")
	}
	prepared, err := d.checkPassword(realm, user, in)
	if err != nil {
		return newHash{}, err
	}
	release, err := d.hasher.admit(ctx, asker{realm: realm.ID})
	if err != nil {
		return newHash{}, err
	}
	defer release()
	text, err := d.hasher.hash(prepared)
	return newHash{text: text}, err
}

// newPassword returns the password of a user with a hash from newHash, or nil where that is zero. It notes the credential
// in user.
func (d *deps) newPassword(user *User, hash newHash) (*password, error) {
	if hash == (newHash{}) {
		return nil, nil
	}
	if user.Type != UserHuman {
		return nil, invalid("password", "Password is for human users only")
	}
	id, known := user.has(CredentialPassword)
	if !known {
		id = passwordID(user.ID)
		user.Credentials = append(user.Credentials[:len(user.Credentials):len(user.Credentials)], CredentialRef{ID: id, Type: CredentialPassword})
	}
	return &password{ID: id, Realm: user.Realm, User: user.ID, Hash: hash.text, Imported: hash.imported, CreatedAt: Instant{d.ids.now()}}, nil
}

// nextPassword is newPassword for a user who may have a password already: another in its place is the same credential, as old as before.
func (d *deps) nextPassword(ctx context.Context, at Partition, user *User, hash newHash) (*password, error) {
	_, there := user.has(CredentialPassword)
	next, err := d.newPassword(user, hash)
	if next == nil || err != nil || !there {
		return next, err
	}
	var former password
	_, found, err := d.load(ctx, passwordKey(at, user.ID), &former)
	if err != nil {
		return nil, fmt.Errorf("core: read password: %w", err)
	}
	if found && former.Realm == user.Realm {
		next.CreatedAt = former.CreatedAt
	}
	return next, nil
}

// failedSignIns is how many wrong passwords in a row an account bears: ten at once, then one a minute.
var failedSignIns = Rate{Burst: 10, Every: time.Minute, Durable: true}

// ErrWrongPassword says that a password is not the user's.
var ErrWrongPassword = &Error{Kind: KindUnauthenticated, Code: "authentication_failed", Detail: "authentication failed"}

// Passwords signs users in with a password. Safe for concurrent use.
type Passwords struct {
	d        *deps
	users    *Users
	sessions *Sessions
}

// SignedIn is a user who has just proven to be one, and the means to say so again.
type SignedIn struct {
	User    *User
	Session *Session // nil where a second factor is asked for, and of an API key
	Token   string   // the session token, or the one that stands for the API key, shown this once

	// LoginToken, in place of a session, says that the password was right and a code is asked for: see
	// SecondFactors.Complete. Ten minutes, shown this once.
	LoginToken string

	// Device makes the device that keeps it known at the next sign-in with a password: see Request.Device. It opens nothing.
	// It is "" where a second factor is asked for.
	Device string

	// Known reports whether the device was known before, as this user's and nobody else's: Request.Device is of a sign-in of theirs.
	Known bool
}

// Authenticate checks the password of a human user and starts a session (Users API, "Authenticate using a
// password"); where the user has a second factor, it gives a login token instead. It fails with ErrUserNotFound,
// ErrWrongPassword, ErrThrottled, ErrBusy and ErrEmptied; what the public is told must not tell the first two apart, and
// both take the same time.
func (p *Passwords) Authenticate(ctx context.Context, realm RealmID, idOrName, text string, req Request) (*SignedIn, error) {
	prepared, err := preparePassword(text)
	if err != nil { // decided before the account is looked up, so it says nothing of it
		return nil, ErrWrongPassword
	}
	checked, err := p.check(ctx, realm, idOrName, req, text, prepared, nil)
	if err != nil {
		return nil, err
	}
	if !checked.ok {
		return nil, p.failed(ctx, realm, checked.who, checked.now, req)
	}
	return p.succeeded(ctx, checked, req)
}

// checked is a password that was compared.
type checked struct {
	state   *realmState
	who     *account
	now     time.Time
	ok      bool
	renewed string // the hash to keep instead: of the new password, or since what a hash costs has changed; "" = the kept one is good

	from     asker
	typed    string
	prepared []byte
}

// check counts an attempt and compares the password, both within a turn: what is refused for want of one counts
// nothing. The turn is over before anything is written. next is a new password to hash where the old one is right, nil = none: who does
// not know the old one, or has no attempts left, costs no hash of another.
func (p *Passwords) check(ctx context.Context, realm RealmID, idOrName string, req Request, typed string, prepared, next []byte) (*checked, error) {
	from := asker{realm, ownAddress(req.Address)}
	release, err := p.d.hasher.admit(ctx, from)
	if err != nil {
		return nil, err
	}
	defer release()
	c, err := p.counted(ctx, realm, idOrName, req)
	if err != nil {
		return nil, err
	}
	c.from, c.typed, c.prepared = from, typed, prepared
	ok, stale, err := p.d.hasher.verify(&c.who.password, typed, prepared)
	if err != nil {
		return nil, err
	}
	c.ok = ok && c.who.user != nil && c.who.user.State == StateActive && c.who.user.Type == UserHuman
	if next == nil && stale {
		next = prepared
	}
	if c.ok && next != nil {
		c.renewed, err = p.d.hasher.hash(next)
	}
	return c, err
}

// counted finds whom a sign-in is for, and counts it.
func (p *Passwords) counted(ctx context.Context, realm RealmID, idOrName string, req Request) (c *checked, err error) {
	c = &checked{}
	if c.state, c.now, err = p.users.begin(ctx, realm); err != nil {
		return nil, err
	}
	if c.state.State == StateInactive {
		return nil, ErrRealmInactive // whoever asks, so it says nothing of the account
	}
	if !c.state.Settings.offers(ProviderPassword) {
		return nil, ErrNoPasswordSignIn
	}
	if c.who, err = p.account(ctx, c.state.Realm, idOrName); err != nil {
		return nil, err
	}
	if c.who.device = p.d.knownDevice(realm, c.who.user, req.Device, c.now); c.who.device != "" {
		c.who.failures = deviceBucket(c.who.at, c.who.user.ID, c.who.device)
	} else if err := p.countFrom(ctx, c.state.Realm, req.Address, c.now); err != nil {
		return nil, err // before the account is counted, so that it costs others nothing
	}
	if err := p.count(ctx, c.who, c.now); err != nil {
		return nil, err
	}
	return c, nil
}

// account is what a sign-in is checked against. user is nil where the name is nobody's; the rest then
// makes the refusal cost what any other costs.
type account struct {
	user     *User
	version  uint64
	at       Partition
	looked   []Partition // where the name and the user were looked for
	failures Bucket
	device   string // that the sign-in comes from, where it is known; its failures are counted apart

	password        password // zero where there is none
	passwordVersion uint64
}

// account finds whom a name means, and reads the user and their password in one go.
func (p *Passwords) account(ctx context.Context, realm *Realm, idOrName string) (*account, error) {
	name, _ := normaliseTyped(idOrName)
	named := realm.partition(bucketOfText(name))
	id := UserID(idOrName)
	var looked []Partition
	if !validID(prefixUser, idOrName) {
		var err error
		if id, err = p.users.resolve(ctx, realm, idOrName); err == ErrUserNotFound {
			err = p.d.decoy.readName(named)
		}
		if err != nil {
			return nil, err
		}
		looked = append(looked, named)
	}
	a, err := p.read(ctx, realm, id)
	if err != nil {
		return nil, err
	}
	a.looked = append(looked, a.at)
	if a.user == nil {
		a.at, a.failures = named, strangerBucket(named, name)
	}
	return a, nil
}

// read reads a user, who need not be there, and their password.
func (p *Passwords) read(ctx context.Context, realm *Realm, id UserID) (*account, error) {
	at, _ := realm.owner(string(id))
	keys := []Key{userKey(at, id), passwordKey(at, id), membershipsKey(at, id)}
	recs, err := p.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: sign in: %w", err)
	}
	var joined memberships
	a := &account{user: &User{}, version: recs[0].Version, passwordVersion: recs[1].Version, at: at, failures: failuresBucket(at, id)}
	found, err := decode(keys[0], recs[0], a.user)
	if err != nil {
		return nil, err
	}
	if !found || a.user.Realm != realm.ID {
		a.user = nil
		return a, p.d.decoy.readUser(at)
	}
	if _, err := decode(keys[2], recs[2], &joined); err != nil {
		return nil, err
	}
	a.user.Memberships = len(joined.List)
	_, err = decode(keys[1], recs[1], &a.password)
	return a, err
}

// count takes one attempt before anything is compared: ten guesses sent at once must not all find the
// last free slot.
func (p *Passwords) count(ctx context.Context, who *account, now time.Time) error {
	return p.d.take(ctx, who.failures, failedSignIns, now)
}

// failed notes a failed sign-in, of whomever, and says why it failed. It fails with ErrEmptied where the store has lost those it would
// know: it looks for them whoever it is, so that nobody is told from a stranger by the time that takes.
func (p *Passwords) failed(ctx context.Context, realm RealmID, who *account, now time.Time, req Request) error {
	if err := p.d.present(ctx, realm, who.looked...); err != nil {
		return err
	}
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

// succeeded starts a session, clears the count, and keeps the renewed hash. Where the account changes in between, it
// goes on only if the password that was checked is still the account's.
func (p *Passwords) succeeded(ctx context.Context, ok *checked, req Request) (*SignedIn, error) {
	who := ok.who
	var in *SignedIn
	err := retry(func() error {
		now, err := p.d.clock.now()
		if err != nil {
			return err
		}
		if who.user.hasSecondFactor() {
			in, err = p.initiate(ctx, ok, who, now, req)
		} else {
			in, err = p.signIn(ctx, ok, who, now, req)
		}
		if !isConflict(err) {
			return err
		}
		again, gone := p.recheck(ctx, ok, ErrWrongPassword)
		if gone != nil {
			return gone
		}
		who = again
		return err
	})
	if err == nil && in.Session != nil { // a device is known once a sign-in is complete
		in.Known = signedInFrom(who.device) != ""
		in.Device, err = p.d.newDevice(who.user, who.device, ok.now)
	}
	if err != nil {
		return nil, err
	}
	return in, nil
}

// recheck reads an account anew that has changed since its password was checked. It fails with wrong where that password is not the
// account's any more, or nobody may sign in to it. Another hash may be of the same password: of two who sign in at once, the first
// renews it.
func (p *Passwords) recheck(ctx context.Context, ok *checked, wrong error) (*account, error) {
	again, err := p.read(ctx, ok.state.Realm, ok.who.user.ID)
	if err != nil {
		return nil, err
	}
	if again.user == nil || again.user.State != StateActive {
		return nil, wrong
	}
	if again.password.Hash != ok.who.password.Hash {
		if same, err := p.compare(ctx, ok, &again.password); err != nil {
			return nil, err
		} else if !same {
			return nil, wrong
		}
		ok.renewed = "" // it was made this moment
	}
	again.device, again.failures = ok.who.device, ok.who.failures
	ok.who = again
	return again, nil
}

// compare compares a password that was checked, and counted, with another hash.
func (p *Passwords) compare(ctx context.Context, ok *checked, kept *password) (same bool, err error) {
	release, err := p.d.hasher.admit(ctx, ok.from)
	if err != nil {
		return false, err
	}
	defer release()
	same, _, err = p.d.hasher.verify(kept, ok.typed, ok.prepared)
	return same, err
}

// signIn starts a session.
func (p *Passwords) signIn(ctx context.Context, ok *checked, who *account, now time.Time, req Request) (*SignedIn, error) {
	in, err := p.sessions.start(ctx, ok.state, signIn{user: who.user, version: who.version, now: now, password: true,
		lifetime: ok.state.Settings.TokenLifetime, request: req}, func(c *change) { who.clear(c, ok.renewed) })
	if err == nil {
		p.d.meter.count(ok.state.ID, "", now, Usage{ActiveUsers: firstOn(now, who.user.LastLoginAt)})
	}
	return in, err
}

// clear resets the count of failures, and replaces the hash where there is a new one.
func (a *account) clear(c *change, renewed string) {
	c.tx.Reset = append(c.tx.Reset, a.failures.Name)
	a.renew(c, renewed)
}

// renew replaces the hash where there is a new one.
func (a *account) renew(c *change, renewed string) {
	if renewed != "" {
		again := a.password
		again.Hash, again.Imported = renewed, false
		c.replace(&again, a.passwordVersion, noExpiry)
	}
}
