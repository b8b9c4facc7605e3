package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Users creates, finds, changes and deletes users. Safe for concurrent use.
type Users struct{ d *deps }

// Create makes a user. It fails with KindInvalid, also where the username or address is taken, since that
// is what callers of the Users API expect.
func (u *Users) Create(ctx context.Context, realm RealmID, in UserChange, req Request) (*User, error) {
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	if err := u.admitKey(ctx, realm, in); err != nil {
		return nil, err
	}
	user, err := u.newUser(state.Realm, in, now)
	if err != nil {
		return nil, err
	}
	hash, err := u.d.newHash(ctx, state.Realm, user, in)
	if err != nil {
		return nil, err
	}
	password, err := u.d.newPassword(user, hash)
	if err != nil {
		return nil, err
	}
	key, err := u.firstKey(ctx, state.Realm, user, in.APIKey, now)
	if err != nil {
		return nil, err
	}
	made := &newcomer{user, password, key, now}
	if err := retry(func() error { return u.create(ctx, realm, made, in, req) }); err != nil {
		return nil, err
	}
	return user, nil
}

// newcomer is a user about to be made, with credentials, however often that is tried.
type newcomer struct {
	*User
	password *password  // nil = none
	first    *keyChange // nil = no API key
	now      time.Time
}

// create tries once, by the realm's rules as they are now: time has gone by since they were read, if there was a password to hash.
func (u *Users) create(ctx context.Context, realm RealmID, made *newcomer, in UserChange, req Request) error {
	state, err := u.d.realms.state(ctx, realm)
	if err != nil {
		return err
	}
	c := u.creation(state.Realm, made.User, made.now, req)
	if made.password != nil {
		c.create(made.password, noExpiry)
	}
	c.putKey(made.first)
	if err := u.joinNew(ctx, c, state.Realm, made.User, in, req); err != nil {
		return err
	}
	return u.claimed(state.Realm, made.User, made.first.taken(c.tx.Partition, c.commit(ctx)))
}

// newUser returns the user that a creation asks for, without credentials.
func (u *Users) newUser(realm *Realm, in UserChange, now time.Time) (*User, error) {
	user := &User{Realm: realm.ID, State: StateActive, EmailVerification: EmailNone, CreatedAt: Instant{now}}
	if in.Type != nil {
		user.Type = *in.Type
	}
	if err := user.applyNew(in); err != nil {
		return nil, err
	}
	if err := user.checkUsername(realm, ""); err != nil {
		return nil, err
	}
	b, err := u.d.ids.bucket()
	if err != nil {
		return nil, err
	}
	return user, u.name(user, b)
}

// begin returns the realm with its keys, and the time.
func (u *Users) begin(ctx context.Context, realm RealmID) (*realmState, time.Time, error) {
	now, err := u.d.clock.now()
	if err != nil {
		return nil, now, err
	}
	state, err := u.d.realms.state(ctx, realm)
	return state, now, err
}

// name gives a user an id in bucket b, and a username where an api or APT user came without.
func (u *Users) name(user *User, b bucket) error {
	id, err := u.d.ids.id(prefixUser, b)
	if err != nil {
		return err
	}
	user.ID = UserID(id)
	if user.Username == "" && (user.Type == UserAPI || user.ArbitraryID != "") {
		text, err := u.d.ids.text(12)
		user.Username = "user-" + strings.ToLower(text)
		return err
	}
	return nil
}

// creation puts together the Transaction that makes a user: the record, its claims, its index
// entries and its events.
func (u *Users) creation(realm *Realm, user *User, now time.Time, req Request) *change {
	p, _ := realm.owner(string(user.ID))
	c := u.d.change(p, now)
	c.bringIn(realm, user, req)
	return c
}

// bringIn makes a user in c.
func (c *change) bringIn(realm *Realm, user *User, req Request) {
	claims := user.claims(realm)
	c.tx.Require, c.tx.Put = slices.Grow(c.tx.Require, 1+len(claims)), slices.Grow(c.tx.Put, 1+len(claims))
	verification := c.verification(realm, user, req)
	c.create(user, noExpiry)
	for _, claim := range claims {
		c.create(claim, noExpiry)
	}
	c.unclaimed(realm, user)
	c.reindex(nil, user)
	c.event(Event{Realm: realm.ID, Type: eventUserCreated, User: user.ID, Request: req.clean()})
	c.eventOf(verification)
}

// Get returns a user by id or, where that names nobody, by username or e-mail address, or
// ErrUserNotFound.
func (u *Users) Get(ctx context.Context, realm RealmID, idOrName string) (*User, error) {
	state, err := u.d.realms.state(ctx, realm)
	if err != nil {
		return nil, err
	}
	user, _, err := u.find(ctx, state.Realm, idOrName)
	return user, err
}

// find returns a user and the version of its record. It fails with ErrUserNotFound, and ErrEmptied where the store has lost those whom it
// would know.
func (u *Users) find(ctx context.Context, realm *Realm, idOrName string) (*User, uint64, error) {
	id := UserID(idOrName)
	if !validID(prefixUser, idOrName) {
		var err error
		if id, err = u.resolve(ctx, realm, idOrName); err == ErrUserNotFound {
			name, _ := normaliseTyped(idOrName)
			return nil, 0, u.d.missed(ctx, realm.partition(bucketOfText(name)), err)
		} else if err != nil {
			return nil, 0, err
		}
	}
	user, version, err := u.byID(ctx, realm, id)
	if err == ErrUserNotFound {
		p, _ := realm.owner(string(id))
		err = u.d.missed(ctx, p, err)
	}
	return user, version, err
}

// byID reads a user.
func (u *Users) byID(ctx context.Context, realm *Realm, id UserID) (*User, uint64, error) {
	p, ok := realm.owner(string(id))
	if !ok {
		return nil, 0, ErrUserNotFound
	}
	user, joined := &User{}, &memberships{}
	keys := []Key{userKey(p, id), membershipsKey(p, id)}
	recs, err := u.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, 0, fmt.Errorf("core: get user: %w", err)
	}
	found, err := decode(keys[0], recs[0], user)
	if err != nil {
		return nil, 0, err
	}
	if !found || user.Realm != realm.ID {
		return nil, 0, ErrUserNotFound
	}
	if _, err := decode(keys[1], recs[1], joined); err != nil {
		return nil, 0, err
	}
	user.Memberships = len(joined.List)
	return user, recs[0].Version, nil
}

// resolve returns the id of the user that a username or an e-mail address names.
func (u *Users) resolve(ctx context.Context, realm *Realm, name string) (UserID, error) {
	normalised, ok := normaliseTyped(name)
	if !ok || normalised == "" || len(normalised) > maxUsernameLength {
		return "", ErrUserNotFound
	}
	var claim nameClaim
	_, found, err := u.d.load(ctx, nameKey(realm.partition(bucketOfText(normalised)), normalised), &claim)
	if err != nil {
		return "", fmt.Errorf("core: find user: %w", err)
	}
	if !found || claim.Realm != realm.ID {
		return "", ErrUserNotFound
	}
	return claim.User, nil
}

// Update changes a user. Setting a password where there was one, or making the user inactive, ends all
// sessions. It fails with KindInvalid and ErrUserNotFound.
func (u *Users) Update(ctx context.Context, realm RealmID, idOrName string, in UserChange, req Request) (*User, error) {
	state, err := u.d.realms.state(ctx, realm)
	if err != nil {
		return nil, err
	}
	if err := u.admitKey(ctx, realm, in); err != nil {
		return nil, err
	}
	up := &userUpdate{UserChange: in, req: req}
	if in.Password != nil || in.PasswordHash != nil {
		if up.hash, err = u.hashFor(ctx, state.Realm, idOrName, in); err != nil {
			return nil, err
		}
	}
	var user *User
	err = retry(func() (err error) {
		user, err = u.update(ctx, realm, idOrName, up)
		return err
	})
	return user, err
}

// userUpdate is a change of a user that is there, with what was done for it once, however often it is tried.
type userUpdate struct {
	UserChange
	req     Request
	hash    newHash // of its password
	counted bool    // its verification token was taken from those that the user may have: see limitIssues
}

// hashFor hashes a new password once all else that a change asks for has been found to be in order.
func (u *Users) hashFor(ctx context.Context, realm *Realm, idOrName string, in UserChange) (newHash, error) {
	user, _, err := u.find(ctx, realm, idOrName)
	if err != nil {
		return newHash{}, err
	}
	if err := user.passwordFits(in); err != nil {
		return newHash{}, err
	}
	if err := user.apply(in); err != nil {
		return newHash{}, err
	}
	return u.d.newHash(ctx, realm, user, in)
}

// update tries once.
func (u *Users) update(ctx context.Context, realm RealmID, idOrName string, in *userUpdate) (*User, error) {
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	before, version, err := u.find(ctx, state.Realm, idOrName)
	if err != nil {
		return nil, err
	}
	after, err := before.changed(state.Realm, in.UserChange)
	if err != nil {
		return nil, err
	}
	p, _ := state.owner(string(after.ID))
	password, err := u.d.nextPassword(ctx, p, after, in.hash)
	if err != nil {
		return nil, err
	}
	key, err := u.firstKey(ctx, state.Realm, after, in.APIKey, now)
	if err != nil {
		return nil, err
	}
	c := u.d.change(p, now)
	after.outdate(before, password != nil)
	verification, err := u.verificationOf(ctx, c, state.Realm, before, after, in)
	if err != nil {
		return nil, err
	}
	c.replace(after, version, noExpiry)
	c.setPassword(after.ID, password)
	c.putKey(key)
	c.reclaim(state.Realm, before, after)
	c.reindex(before, after)
	c.event(Event{Realm: realm, Type: eventUserUpdated, User: after.ID, Request: in.req.clean()})
	c.eventOf(verification)
	c.invalidate(string(after.ID))
	return after, u.claimed(state.Realm, after, key.taken(p, c.commit(ctx)))
}

// outdate ends what a change leaves behind of the user before: all sessions where a password takes another's place or the user becomes
// inactive, and the tokens that were about the password, or were sent to another address.
func (u *User) outdate(before *User, password bool) {
	_, hadPassword := before.has(CredentialPassword)
	if password && hadPassword || u.State == StateInactive && before.State == StateActive {
		u.Generation++
	}
	if password {
		u.endTokens(prefixPasswordToken)
	}
	if u.Email != before.Email { // of what was sent to the old one, whoever reads there must have no use
		u.endTokens(prefixEmailToken)
		u.endTokens(prefixPasswordToken)
	}
}

// changed returns what a change makes of a user, but for credentials.
func (u *User) changed(realm *Realm, in UserChange) (*User, error) {
	if err := u.passwordFits(in); err != nil {
		return nil, err
	}
	if in.Type != nil && *in.Type != u.Type {
		return nil, invalid("user_type", "User type can't be changed")
	}
	if in.Org != nil || in.OrgIDs != nil || in.Permissions != nil {
		return nil, invalid("org", "Org, org_ids and permissions are for new users; change the user's memberships instead")
	}
	after := *u
	if err := after.apply(in); err != nil {
		return nil, err
	}
	if in.EmailVerification != nil {
		after.EmailChanged = false // the caller says what is proven of the address
	} else if after.Email != u.Email && u.EmailVerification == EmailVerified {
		after.EmailChanged = true
	}
	if err := after.completeChange(u); err != nil {
		return nil, err
	}
	return &after, after.checkUsername(realm, u.Username)
}
