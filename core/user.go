package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// State says whether something may be used.
type State string

// The states of users and keys.
const (
	StateActive   State = "active"
	StateInactive State = "inactive" // users
	StateRetired  State = "retired"  // keys
)

// UserType tells people from programs.
type UserType string

// The types of users.
const (
	UserHuman UserType = "human"
	UserAPI   UserType = "api"
)

// EmailVerification is how far an address is proven.
type EmailVerification string

// The states of e-mail verification.
const (
	EmailNone      EmailVerification = "none"
	EmailRequested EmailVerification = "requested"
	EmailVerified  EmailVerification = "verified"
)

// User is somebody, or some program, that can be signed in to a realm. Empty texts stand for what the
// API shows as null (Users API, "Fields").
type User struct {
	ID                UserID            `json:"id"`
	Realm             RealmID           `json:"realm"`
	Type              UserType          `json:"type"`
	State             State             `json:"state"`
	Username          string            `json:"username"` // normalised
	Email             string            `json:"email,omitempty"`
	EmailVerification EmailVerification `json:"email_verification"`
	FirstName         string            `json:"first,omitempty"`
	LastName          string            `json:"last,omitempty"`
	APIName           string            `json:"name,omitempty"` // api users only
	Reference         string            `json:"ref,omitempty"`
	ArbitraryID       string            `json:"arbitrary_id,omitempty"` // exact bytes, set by an APT, immutable
	Custom            Custom            `json:"custom,omitempty"`
	Credentials       []CredentialRef   `json:"credentials,omitempty"`
	Memberships       int               `json:"memberships,omitempty"`
	CreatedAt         Instant           `json:"created"`
	LastLoginAt       Instant           `json:"last_login,omitzero"`

	// Generation grows when all sessions of the user end at once; a session of another is over.
	Generation int `json:"gen"`
}

func (u *User) key(p Partition) Key { return userKey(p, u.ID) }

// CredentialRef names a credential of a user.
type CredentialRef struct {
	ID   CredentialID   `json:"id"`
	Type CredentialType `json:"type"`
}

// CredentialType is a kind of credential.
type CredentialType string

// CredentialPassword is the kind that a password is.
const CredentialPassword CredentialType = "password"

// Name returns what to call the user: "First Last", else the username (Users API, "Fields").
func (u *User) Name() string {
	if u.Type == UserAPI && u.APIName != "" {
		return u.APIName
	}
	if name := strings.TrimSpace(u.FirstName + " " + u.LastName); name != "" {
		return name
	}
	return u.Username
}

// has returns the user's credential of a kind.
func (u *User) has(t CredentialType) (CredentialID, bool) {
	for _, c := range u.Credentials {
		if c.Type == t {
			return c.ID, true
		}
	}
	return "", false
}

// Custom holds custom attributes: scalars or arrays of scalars, as the JSON that was sent.
type Custom map[string]json.RawMessage

// customKey is the rule for names of custom attributes (Users API, "Custom attributes").
var customKey = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// maxCustomSize bounds custom attributes, in bytes of JSON.
const maxCustomSize = 16 << 10

// validate refuses names and values that the API does not allow.
func (c Custom) validate() error {
	size := 0
	for name, value := range c {
		if !customKey.MatchString(name) {
			return invalid("custom", "Custom keys must have 1 to 64 letters, digits and underscores")
		}
		size += len(name) + len(value)
		var v any
		if err := json.Unmarshal(value, &v); err != nil || !flat(v) {
			return invalid("custom", "Custom values must be strings, numbers, booleans, null or arrays of those")
		}
	}
	if size > maxCustomSize {
		return invalid("custom", "Custom is too large (maximum is 16 KiB)")
	}
	return nil
}

// flat reports whether v is a scalar or an array of scalars.
func flat(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return false
	case []any:
		for _, e := range v {
			switch e.(type) {
			case map[string]any, []any:
				return false
			}
		}
	}
	return true
}

// Failures of users.
var (
	ErrUserNotFound = &Error{Kind: KindNotFound, Code: "user_not_found", Detail: "user not found"}
	ErrUserExists   = &Error{Kind: KindConflict, Code: "user_already_exists", Detail: "user already exists"}
	ErrUserInactive = &Error{Kind: KindForbidden, Code: "user_inactive", Detail: "user is inactive"}
)

// UserChange is what a caller wants to set of a user. What is nil stays as it is.
type UserChange struct {
	Type                 *UserType // of a new user only
	State                *State
	Username             *string
	Email                *string
	EmailVerification    *EmailVerification
	FirstName, LastName  *string
	Name                 *string // of an api user
	Reference            *string
	Custom               *Custom // replaces all of it
	Password             *string
	PasswordConfirmation *string // checked where given
}

// Users creates, finds, changes and deletes users. Safe for concurrent use.
type Users struct{ d *deps }

// Create makes a user. It fails with KindInvalid, also where the username or address is taken, since that
// is what callers of the Users API expect.
func (u *Users) Create(ctx context.Context, realm RealmID, in UserChange, req Request) (*User, error) {
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	user := &User{Realm: realm, State: StateActive, EmailVerification: EmailNone, CreatedAt: Instant{now}}
	if in.Type != nil {
		user.Type = *in.Type
	}
	if user.Type != UserHuman && user.Type != UserAPI {
		return nil, invalid("user_type", "User type must be human or api")
	}
	if err := user.apply(in); err != nil {
		return nil, err
	}
	b, err := u.d.ids.bucket()
	if err != nil {
		return nil, err
	}
	if err := u.name(user, b); err != nil {
		return nil, err
	}
	if err := user.complete(); err != nil {
		return nil, err
	}
	hash, err := u.d.newHash(ctx, state.Realm, in)
	if err != nil {
		return nil, err
	}
	password, err := u.d.newPassword(user, hash)
	if err != nil {
		return nil, err
	}
	c := u.creation(state.Realm, user, now, req)
	if password != nil {
		c.create(password, noExpiry)
	}
	return user, u.claimed(state.Realm, user, c.commit(ctx))
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
	c.create(user, noExpiry)
	for _, claim := range user.claims(realm) {
		c.create(claim, noExpiry)
	}
	c.reindex(nil, user)
	c.event(Event{Realm: realm.ID, Type: eventUserCreated, User: user.ID, Request: req.clean()})
	c.verificationEvent(nil, user, req)
	return c
}

// verificationEvent appends what a changed state of e-mail verification asks for.
func (c *change) verificationEvent(before, after *User, req Request) {
	if before != nil && before.EmailVerification == after.EmailVerification {
		return
	}
	switch after.EmailVerification {
	case EmailRequested:
		c.event(Event{Realm: after.Realm, Type: eventVerifyRequested, User: after.ID, Request: req.clean()})
	case EmailVerified:
		c.event(Event{Realm: after.Realm, Type: eventVerified, User: after.ID, Request: req.clean()})
	}
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

// find returns a user and the version of its record.
func (u *Users) find(ctx context.Context, realm *Realm, idOrName string) (*User, uint64, error) {
	if validID(prefixUser, idOrName) {
		return u.byID(ctx, realm, UserID(idOrName))
	}
	id, err := u.resolve(ctx, realm, idOrName)
	if err != nil {
		return nil, 0, err
	}
	return u.byID(ctx, realm, id)
}

// byID reads a user.
func (u *Users) byID(ctx context.Context, realm *Realm, id UserID) (*User, uint64, error) {
	p, ok := realm.owner(string(id))
	if !ok {
		return nil, 0, ErrUserNotFound
	}
	user := &User{}
	version, found, err := u.d.load(ctx, userKey(p, id), user)
	if err != nil {
		return nil, 0, fmt.Errorf("core: get user: %w", err)
	}
	if !found || user.Realm != realm.ID {
		return nil, 0, ErrUserNotFound
	}
	return user, version, nil
}

// resolve returns the id of the user that a username or an e-mail address names.
func (u *Users) resolve(ctx context.Context, realm *Realm, name string) (UserID, error) {
	normalised, ok := normalise(strings.TrimSpace(name))
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
	hash := ""
	if in.Password != nil {
		if hash, err = u.hashFor(ctx, state.Realm, idOrName, in); err != nil {
			return nil, err
		}
	}
	var user *User
	err = retry(func() (err error) {
		user, err = u.update(ctx, realm, idOrName, in, hash, req)
		return err
	})
	return user, err
}

// hashFor hashes a new password once all else that a change asks for has been found to be in order.
func (u *Users) hashFor(ctx context.Context, realm *Realm, idOrName string, in UserChange) (string, error) {
	user, _, err := u.find(ctx, realm, idOrName)
	if err != nil {
		return "", err
	}
	if err := user.apply(in); err != nil {
		return "", err
	}
	return u.d.newHash(ctx, realm, in)
}

// update tries once.
func (u *Users) update(ctx context.Context, realm RealmID, idOrName string, in UserChange, hash string, req Request) (*User, error) {
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	before, version, err := u.find(ctx, state.Realm, idOrName)
	if err != nil {
		return nil, err
	}
	after := *before
	if in.Type != nil && *in.Type != before.Type {
		return nil, invalid("user_type", "User type can't be changed")
	}
	if err := after.apply(in); err != nil {
		return nil, err
	}
	if err := after.completeChange(before); err != nil {
		return nil, err
	}
	_, hadPassword := before.has(CredentialPassword)
	password, err := u.d.newPassword(&after, hash)
	if err != nil {
		return nil, err
	}
	p, _ := state.owner(string(after.ID))
	c := u.d.change(p, now)
	if password != nil && hadPassword || after.State == StateInactive && before.State == StateActive {
		after.Generation++
	}
	c.replace(&after, version, noExpiry)
	if password != nil {
		c.set(password, noExpiry)
		c.tx.Reset = append(c.tx.Reset, failuresBucket(p, after.ID).Name)
	}
	c.reclaim(state.Realm, before, &after)
	c.reindex(before, &after)
	c.event(Event{Realm: realm, Type: eventUserUpdated, User: after.ID, Request: req.clean()})
	c.verificationEvent(before, &after, req)
	c.invalidate(string(after.ID))
	return &after, u.claimed(state.Realm, &after, c.commit(ctx))
}

// Delete removes a user and all that is theirs. Their sessions are over at once, their names free. It
// fails with ErrUserNotFound.
func (u *Users) Delete(ctx context.Context, realm RealmID, idOrName string, req Request) error {
	return retry(func() error {
		state, now, err := u.begin(ctx, realm)
		if err != nil {
			return err
		}
		user, version, err := u.find(ctx, state.Realm, idOrName)
		if err != nil {
			return err
		}
		c, err := u.deletion(ctx, state.Realm, user, version, now, req)
		if err != nil {
			return err
		}
		return c.commit(ctx)
	})
}

// sessionsAtOnce is how many sessions one Transaction removes.
const sessionsAtOnce = 100

// deletion puts together the Transaction that removes a user and the user's last sessions. Where there are more than
// one Transaction takes, it first ends the others, batch by batch; whatever interrupts that, deleting again goes on.
func (u *Users) deletion(ctx context.Context, realm *Realm, user *User, version uint64, now time.Time, req Request) (*change, error) {
	p, _ := realm.owner(string(user.ID))
	for {
		c := u.d.change(p, now)
		more, err := u.dropSessions(ctx, c, user.ID)
		if err != nil {
			return nil, err
		}
		if !more {
			u.drop(c, realm, user, version, req)
			return c, nil
		}
		c.invalidate(string(user.ID))
		if err := c.commit(ctx); err != nil {
			return nil, fmt.Errorf("core: delete user: %w", err)
		}
	}
}

// dropSessions removes the first of a user's sessions, and reports whether there are more.
func (u *Users) dropSessions(ctx context.Context, c *change, user UserID) (more bool, err error) {
	index := userSessionsIndex(c.tx.Partition, user)
	members, err := u.d.store.Range(ctx, Range{Index: index, Limit: sessionsAtOnce + 1})
	if err != nil {
		return false, fmt.Errorf("core: delete user: %w", err)
	}
	for _, m := range members[:min(len(members), sessionsAtOnce)] {
		c.unindex(index.Name, m)
		c.tx.Delete = append(c.tx.Delete, sessionKey(c.tx.Partition, sessionOf(m)).Name)
	}
	return len(members) > sessionsAtOnce, nil
}

// drop removes a user's record with all that it claims.
func (u *Users) drop(c *change, realm *Realm, user *User, version uint64, req Request) {
	p := c.tx.Partition
	c.remove(user.key(p), version)
	c.tx.Delete = append(c.tx.Delete, passwordKey(p, user.ID).Name)
	for _, claim := range user.claims(realm) {
		c.tx.Delete = append(c.tx.Delete, claim.key(p).Name)
	}
	c.reindex(user, nil)
	c.create(user.former(), c.tx.Now.Add(keepPlace))
	c.event(Event{Realm: realm.ID, Type: eventUserDeleted, User: user.ID, Request: req.clean()})
	c.invalidate(string(user.ID))
}

// apply sets what in asks for, normalised.
func (u *User) apply(in UserChange) error {
	var errs fieldErrors
	if in.State != nil {
		errs.check(*in.State == StateActive || *in.State == StateInactive, "state", "State must be active or inactive")
		u.State = *in.State
	}
	if in.Username != nil && (*in.Username != "" || u.Type == UserHuman) {
		name, err := normaliseUsername(*in.Username)
		errs.add(err)
		u.Username = name
	}
	if in.Email != nil {
		u.Email = ""
		if *in.Email != "" {
			email, err := normaliseEmail(*in.Email)
			errs.add(err)
			u.Email = email
		}
	}
	if v := in.EmailVerification; v != nil {
		errs.check(*v == EmailNone || *v == EmailRequested || *v == EmailVerified, "email_verification", "Email verification must be none, requested or verified")
		u.EmailVerification = *v
	}
	errs.text(&u.FirstName, in.FirstName, "first_name", "First name")
	errs.text(&u.LastName, in.LastName, "last_name", "Last name")
	errs.text(&u.Reference, in.Reference, "reference", "Reference")
	if u.Type == UserAPI {
		errs.text(&u.APIName, in.Name, "name", "Name")
	}
	if in.Custom != nil {
		errs.add(in.Custom.validate())
		u.Custom = *in.Custom
	}
	return errs.err()
}

// complete refuses a new user that lacks what its type requires.
func (u *User) complete() error {
	var errs fieldErrors
	errs.check(u.Username != "", "username", "Username can't be blank")
	errs.check(u.Email != "" || u.Type == UserAPI, "email", "Email can't be blank")
	return errs.err()
}

// completeChange refuses a change that takes away what the type requires. What was never there, as in users
// that an APT made, may stay away.
func (u *User) completeChange(before *User) error {
	var errs fieldErrors
	errs.check(u.Username != "", "username", "Username can't be blank")
	errs.check(u.Email != "" || u.Type == UserAPI || before.Email == "", "email", "Email can't be blank")
	return errs.err()
}

// maxTextLength bounds names and references, in characters.
const maxTextLength = 255

// fieldErrors gathers complaints about attributes, in order.
type fieldErrors []FieldError

// check complains unless ok.
func (f *fieldErrors) check(ok bool, attribute, message string) {
	if !ok {
		*f = append(*f, FieldError{attribute, message})
	}
}

// add takes over the complaints of err, which is nil or KindInvalid.
func (f *fieldErrors) add(err error) {
	if e, ok := errors.AsType[*Error](err); ok {
		*f = append(*f, e.Fields...)
	}
}

// text sets *to to what is asked for, if anything.
func (f *fieldErrors) text(to, from *string, attribute, label string) {
	if from == nil {
		return
	}
	f.check(utf8.ValidString(*from) && utf8.RuneCountInString(*from) <= maxTextLength && !strings.ContainsRune(*from, 0),
		attribute, label+" is too long (maximum is 255 characters)")
	*to = *from
}

// err returns all complaints as one KindInvalid error, or nil.
func (f fieldErrors) err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: KindInvalid, Code: "validation", Fields: f}
}
