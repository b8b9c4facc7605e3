package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// PasswordCopy is a user's password as it is kept, for taking it elsewhere.
type PasswordCopy struct {
	Hash      string
	Imported  bool // Hash is of the password as it was typed, else as preparePassword makes it: our own, Argon2id
	CreatedAt Instant
}

// ExportedUser is a user with what Import takes to make them again.
type ExportedUser struct {
	*User
	Password *PasswordCopy // nil where there is none, or where it was not asked for
	UserParts
}

// Export returns a page of a realm's users in the order of their ids, from the one after a user on ("" = from the
// start); limit is 1 to MaxRange. What else is theirs comes with them where asked for. It fails as List does.
func (u *Users) Export(ctx context.Context, realm RealmID, after UserID, limit int, want ExportParts) (users []ExportedUser, more bool, err error) {
	state, err := u.d.realms.state(ctx, realm)
	if err != nil {
		return nil, false, err
	}
	page, err := u.List(ctx, realm, ListUsers{After: after, Limit: limit, Sort: OrderID})
	if err != nil {
		return nil, false, err
	}
	parts, err := u.parts(ctx, state, page.Users, want)
	if err != nil {
		return nil, false, err
	}
	keys := make([]Key, len(page.Users))
	for i, user := range page.Users {
		at, _ := state.owner(string(user.ID))
		keys[i] = passwordKey(at, user.ID)
		users = append(users, ExportedUser{User: user, UserParts: parts[i]})
	}
	if !want.Passwords || len(keys) == 0 {
		return users, page.More, nil
	}
	recs, err := u.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, false, fmt.Errorf("core: export users: %w", err)
	}
	for i, rec := range recs {
		var p password
		found, err := decode(keys[i], rec, &p)
		if err != nil {
			return nil, false, err
		}
		if found {
			users[i].Password = &PasswordCopy{p.Hash, p.Imported, p.CreatedAt}
		}
	}
	return users, page.More, nil
}

// UserImport is a user who comes from elsewhere: from an export of ours, or from another system.
type UserImport struct {
	ID UserID // kept; "" = made from Source, or anew

	// Source names the user in the system that they come from. An id is made from it and from CreatedAt, if known, so that the
	// user is found again when the same is imported again.
	Source string

	UserChange  // without Password and PasswordConfirmation; PasswordHash stands for a Password of which nothing else is known
	ArbitraryID string
	CreatedAt   time.Time // zero = now
	LastLoginAt time.Time // zero = never

	EmailChanged bool // see User

	Password *PasswordCopy
	UserParts

	// ChosenKeys says that some of the API keys may have been chosen by a caller, and so bear no checksum.
	ChosenKeys bool

	// Before are those whom a dry import would have made before; nil = nobody. It adds the user to them.
	Before *Rehearsal
}

// Import makes a user as they were elsewhere. made is false where a user with that id is there already, who is then
// left as they are: an import that was interrupted can be repeated. A dry import writes nothing, and finds what would
// stand in the way, which other users of the same import do where in.Before says so. Nobody is asked to verify an address.
//
// It fails with KindInvalid, also where a name is taken, and with ErrUserExists where the arbitrary_id is.
func (u *Users) Import(ctx context.Context, realm RealmID, in UserImport, dry bool, req Request) (id UserID, made bool, err error) {
	err = retry(func() (err error) {
		id, made, err = u.importOnce(ctx, realm, in, dry, req)
		return err
	})
	if err != nil {
		return "", false, err
	}
	return id, made, nil
}

// importOnce tries once. Another import of the same that was faster is a *ConflictError: the next try finds the user.
func (u *Users) importOnce(ctx context.Context, realm RealmID, in UserImport, dry bool, req Request) (id UserID, made bool, err error) {
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return "", false, err
	}
	user, kept, err := u.imported(state.Realm, in, now)
	if err != nil {
		return "", false, err
	}
	if _, _, err := u.byID(ctx, state.Realm, user.ID); err != ErrUserNotFound {
		return user.ID, false, err
	}
	p, _ := state.owner(string(user.ID))
	if in.Before.has(user.key(p)) {
		return user.ID, false, nil
	}
	in.UserParts = in.named(user)
	c := u.d.change(p, now)
	if err := u.bringParts(ctx, c, state, user, in.UserParts, dry, req); err != nil {
		return "", false, err
	}
	in.arrange(user, kept)
	if in.ChosenKeys && !dry {
		if err := u.d.noteChosen(ctx, realm); err != nil {
			return "", false, err
		}
	}
	c.bring(state.Realm, user, kept, req)
	if c.tx.operations() > MaxOperations { // nobody whom an export has
		return "", false, invalid("base", "User has too many memberships and API keys to be made at once")
	}
	if dry {
		err = in.Before.play(ctx, c)
	} else {
		err = c.commit(ctx)
	}
	err = u.partsTaken(ctx, state.Realm, user.ID, in.UserParts, err)
	return user.ID, true, u.claimed(state.Realm, user, err)
}

// bring makes an imported user, with their password if kept is one.
func (c *change) bring(realm *Realm, user *User, kept *password, req Request) {
	c.create(user, noExpiry)
	for _, claim := range user.claims(realm) {
		c.create(claim, noExpiry)
	}
	c.unclaimed(realm, user)
	if kept != nil {
		c.create(kept, noExpiry)
	}
	c.reindex(nil, user)
	c.event(Event{Realm: realm.ID, Type: eventUserCreated, User: user.ID, Request: req.clean()})
}

// imported returns the user and the password that an import asks for.
func (u *Users) imported(realm *Realm, in UserImport, now time.Time) (*User, *password, error) {
	user := &User{Realm: realm.ID, Type: UserHuman, State: StateActive, EmailVerification: EmailNone,
		ArbitraryID: in.ArbitraryID, CreatedAt: Instant{now}}
	if in.Type != nil {
		user.Type = *in.Type
	}
	if !in.CreatedAt.IsZero() {
		user.CreatedAt = Instant{in.CreatedAt}
	}
	if in.ID != "" || in.Source != "" {
		user.Since = Instant{now}
	}
	user.EmailChanged = in.EmailChanged
	if !in.LastLoginAt.IsZero() {
		user.LastLoginAt = Instant{in.LastLoginAt}
	}
	if err := in.validate(now); err != nil {
		return nil, nil, err
	}
	if err := user.apply(in.UserChange); err != nil {
		return nil, nil, err
	}
	if err := u.identify(user, in); err != nil {
		return nil, nil, err
	}
	kept, err := u.importedPassword(user, in)
	return user, kept, err
}

// validate refuses what no user can be.
func (in *UserImport) validate(now time.Time) error {
	var errs fieldErrors
	errs.check(in.ID == "" || validID(prefixUser, string(in.ID)), "id", "Id must be usr_ and 22 letters and digits")
	errs.check(in.Type == nil || *in.Type == UserHuman || *in.Type == UserAPI, "user_type", "User type must be human or api")
	errs.check(utf8.ValidString(in.ArbitraryID) && utf8.RuneCountInString(in.ArbitraryID) <= 255 && !strings.ContainsRune(in.ArbitraryID, 0),
		"arbitrary_id", "Arbitrary id must have 1 to 255 characters, none of them NUL")
	errs.check(in.CreatedAt.IsZero() || in.CreatedAt.Unix() >= 0 && !in.CreatedAt.After(now.Add(day.Duration())), "created_at", "Created at must be a time that has been")
	errs.check(in.LastLoginAt.IsZero() || in.LastLoginAt.Unix() >= 0 && !in.LastLoginAt.After(now.Add(day.Duration())), "last_login_at", "Last login at must be a time that has been")
	if in.ID != "" && in.ArbitraryID != "" { // a user is found by an arbitrary_id in the bucket that it hashes to
		b, _ := bucketOf(string(in.ID))
		errs.check(b == bucketOfText(in.ArbitraryID), "id", "Id does not go with this arbitrary_id; leave it out")
	}
	return errs.err()
}

// identify gives an imported user an id, and a username where they came without.
func (u *Users) identify(user *User, in UserImport) error {
	user.ID = in.ID
	if user.ID == "" && in.Source != "" {
		user.ID = idFromSource(in.Source, in.CreatedAt, user.ArbitraryID)
	}
	if user.ID == "" {
		b, err := u.d.ids.bucket()
		if err != nil {
			return err
		}
		if user.ArbitraryID != "" {
			b = bucketOfText(user.ArbitraryID)
		}
		id, err := u.d.ids.id(prefixUser, b)
		if err != nil {
			return err
		}
		user.ID = UserID(id)
	}
	if user.Username == "" {
		user.Username = user.Email
	}
	if user.Username == "" { // made from the id, so that a repetition says the same; it holds more than 60 random bits
		user.Username = "user-" + strings.ToLower(string(user.ID[len(user.ID)-14:]))
	}
	return nil
}

// importedPassword returns the password that an imported user brings, and notes the credential in user.
func (u *Users) importedPassword(user *User, in UserImport) (*password, error) {
	copied := in.Password
	if copied == nil && in.PasswordHash != nil {
		copied = &PasswordCopy{Hash: *in.PasswordHash, Imported: true}
	}
	if copied == nil {
		return nil, nil
	}
	if user.Type != UserHuman {
		return nil, invalid("password_hash", "Password hash is for human users only")
	}
	var err error
	if copied.Imported {
		_, err = parseImportedHash(copied.Hash)
	} else if own, bad := parsePHC(copied.Hash); bad != nil || own.memory > maxArgon2Memory {
		err = errImportedHash
	}
	if err != nil {
		return nil, err
	}
	p := &password{ID: passwordID(user.ID), Realm: user.Realm, User: user.ID, Hash: copied.Hash, Imported: copied.Imported, CreatedAt: copied.CreatedAt}
	if p.CreatedAt.IsZero() {
		p.CreatedAt = user.CreatedAt
	}
	user.Credentials = append(slices.Clone(user.Credentials), CredentialRef{ID: p.ID, Type: CredentialPassword})
	return p, nil
}
