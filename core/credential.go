package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// CredentialType is a kind of credential.
type CredentialType string

// The kinds of credentials (Users API, "Credentials"; recovery codes are ours).
const (
	CredentialPassword CredentialType = "password"
	CredentialAPIKey   CredentialType = "api_key"
	CredentialTOTP     CredentialType = "totp"
	CredentialRecovery CredentialType = "recovery_codes"
)

// CredentialRef names a credential of a user. The user's record lists all there are, so that one read of it tells them,
// and so that adding and removing one is conditional on the user.
type CredentialRef struct {
	ID   CredentialID   `json:"id,omitempty"`
	Type CredentialType `json:"type"`

	// New says that it does not count yet: of a TOTP, that no good code was seen.
	New bool `json:"new,omitempty"`
}

// Credential is one thing that a user proves to be one with. What only one kind has is in the field of that name, which
// is nil in all others.
type Credential struct {
	ID         CredentialID   `json:"id"`
	Realm      RealmID        `json:"realm"`
	User       UserID         `json:"user"`
	Type       CredentialType `json:"type"`
	Provider   AuthProviderID `json:"-"`              // of the realm, that it belongs to; "" = none
	Name       string         `json:"name,omitempty"` // for people to tell it from others
	CreatedAt  Instant        `json:"created"`
	LastUsedAt Instant        `json:"used,omitzero"` // written at most every five minutes; zero = never

	APIKey   *APIKey        `json:"api_key,omitempty"`
	TOTP     *TOTP          `json:"totp,omitempty"`
	Recovery *RecoveryCodes `json:"recovery,omitempty"`
}

func (c *Credential) key(p Partition) Key { return credentialKey(p, c.ID) }

// ErrCredentialNotFound says that there is no credential with this id.
var ErrCredentialNotFound = &Error{Kind: KindNotFound, Code: "credential_not_found", Detail: "credential not found"}

// Credentials finds and deletes credentials of every kind. Safe for concurrent use.
type Credentials struct {
	d     *deps
	users *Users
}

// held is a credential and its user, read together.
type held struct {
	*Credential
	version uint64

	user        *User
	userVersion uint64
	joined      joined
	at          Partition
}

// Get returns a credential by its id, or ErrCredentialNotFound.
func (c *Credentials) Get(ctx context.Context, realm RealmID, id CredentialID) (*Credential, error) {
	state, err := c.d.realms.state(ctx, realm)
	if err != nil {
		return nil, err
	}
	h, err := c.d.held(ctx, state.Realm, id)
	if err != nil {
		return nil, err
	}
	return h.Credential, nil
}

// passwordID returns the id of a user's password, of which there is one at most: it is made of the user's, so that it
// takes no record to know whose it is.
func passwordID(user UserID) CredentialID {
	return CredentialID(prefixCredential + strings.TrimPrefix(string(user), prefixUser))
}

// held reads a credential by its id, and whose it is. It fails with ErrCredentialNotFound.
func (d *deps) held(ctx context.Context, realm *Realm, id CredentialID) (*held, error) {
	p, ok := realm.owner(string(id))
	if !ok || !validID(prefixCredential, string(id)) {
		return nil, ErrCredentialNotFound
	}
	found := &Credential{}
	_, there, err := d.load(ctx, credentialKey(p, id), found)
	if err != nil {
		return nil, fmt.Errorf("core: get credential: %w", err)
	}
	if !there {
		return d.heldPassword(ctx, realm, UserID(prefixUser+strings.TrimPrefix(string(id), prefixCredential)))
	}
	return d.heldBy(ctx, realm, found.User, id)
}

// heldPassword reads a user's password and the user in one go.
func (d *deps) heldPassword(ctx context.Context, realm *Realm, user UserID) (*held, error) {
	p, _ := realm.owner(string(user))
	var kept password
	h, err := d.heldAt(ctx, user, passwordKey(p, user), &kept)
	if err != nil {
		return nil, err
	}
	h.Credential = &Credential{ID: kept.ID, Realm: kept.Realm, User: user, Type: CredentialPassword, CreatedAt: kept.CreatedAt}
	return h, h.belongs(realm, kept.ID)
}

// heldBy reads a credential other than a password and its user in one go.
func (d *deps) heldBy(ctx context.Context, realm *Realm, user UserID, id CredentialID) (*held, error) {
	p, _ := realm.owner(string(user))
	credential := &Credential{}
	h, err := d.heldAt(ctx, user, credentialKey(p, id), credential)
	if err != nil {
		return nil, err
	}
	h.Credential = credential
	return h, h.belongs(realm, id)
}

// heldAt reads a user and a record that is theirs. It fails with ErrCredentialNotFound where either is missing.
func (d *deps) heldAt(ctx context.Context, user UserID, key Key, into entity) (*held, error) {
	keys := append([]Key{key, userKey(key.Partition, user)}, joinedKeys(key.Partition, user)...)
	recs, err := d.store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("core: get credential: %w", err)
	}
	h := &held{version: recs[0].Version, user: &User{}, userVersion: recs[1].Version, at: key.Partition}
	there, err := decode(keys[0], recs[0], into)
	if err != nil {
		return nil, err
	}
	haveUser, err := decode(keys[1], recs[1], h.user)
	if err == nil && (!there || !haveUser) {
		err = ErrCredentialNotFound
	}
	if err != nil {
		return nil, err
	}
	if err := h.joined.read(keys[2:], recs[2:]); err != nil {
		return nil, err
	}
	h.user.Memberships = len(h.joined.List)
	return h, nil
}

// belongs fails with ErrCredentialNotFound unless a credential is its user's, in this realm, and listed with them.
func (h *held) belongs(realm *Realm, id CredentialID) error {
	if h.ID != id || h.Realm != realm.ID || h.user.Realm != realm.ID || h.User != h.user.ID || !h.user.holds(id) {
		return ErrCredentialNotFound
	}
	h.Provider = realm.providerOf(h.Type)
	return nil
}

// Delete takes a credential from its user. What it was good for ends at once, and with a password all sessions. It fails
// with ErrCredentialNotFound.
func (c *Credentials) Delete(ctx context.Context, realm RealmID, id CredentialID, req Request) error {
	return retry(func() error {
		state, now, err := c.users.begin(ctx, realm)
		if err != nil {
			return err
		}
		h, err := c.d.held(ctx, state.Realm, id)
		if err != nil {
			return err
		}
		tx := c.d.change(h.at, now)
		after := *h.user
		after.Credentials = slices.DeleteFunc(slices.Clone(after.Credentials), func(r CredentialRef) bool { return r.ID == id })
		if h.Type == CredentialPassword {
			after.Generation++
		}
		tx.replace(&after, h.userVersion, noExpiry)
		tx.dropCredential(h.Credential, h.version)
		if h.TOTP != nil && h.TOTP.Active && !after.hasSecondFactor() { // who guessed its codes knows nothing of the next one's
			tx.tx.Reset = append(tx.tx.Reset, codesBucket(h.at, h.User, "").Name)
		}
		tx.event(Event{Realm: realm, Type: eventUserUpdated, User: h.user.ID, Credential: id, Request: req.clean()})
		tx.invalidate(string(id), string(h.user.ID))
		return tx.commit(ctx)
	})
}

// dropCredential removes the version of a credential that was read, and what finds it.
func (c *change) dropCredential(credential *Credential, version uint64) {
	if credential.Type == CredentialPassword {
		c.remove(passwordKey(c.tx.Partition, credential.User), version)
		return
	}
	c.remove(credential.key(c.tx.Partition), version)
	if k := credential.APIKey; k != nil {
		c.tx.Delete = append(c.tx.Delete, apiKeyKey(c.tx.Partition, k.Digest).Name)
	}
}

// dropCredentials removes all credentials of a user who is being deleted.
func (u *Users) dropCredentials(ctx context.Context, c *change, user *User) error {
	p := c.tx.Partition
	keys := make([]Key, len(user.Credentials))
	for i, ref := range user.Credentials {
		keys[i] = credentialKey(p, ref.ID)
	}
	recs, err := u.d.store.Get(ctx, keys...)
	if err != nil {
		return fmt.Errorf("core: delete user: %w", err)
	}
	for i := range recs {
		credential := &Credential{}
		found, err := decode(keys[i], recs[i], credential)
		if err != nil {
			return err
		}
		if found {
			c.dropCredential(credential, recs[i].Version)
		}
	}
	c.tx.Delete = append(c.tx.Delete, passwordKey(p, user.ID).Name)
	c.tx.Reset = append(c.tx.Reset, codesBucket(p, user.ID, "").Name) // who has the id next, by an import, is somebody else
	return nil
}

// newCredential returns a credential of a user, who lists it from now on.
func (d *deps) newCredential(user *User, kind CredentialType, name string, now Instant) (*Credential, error) {
	b, _ := bucketOf(string(user.ID))
	id, err := d.ids.id(prefixCredential, b)
	if err != nil {
		return nil, err
	}
	user.Credentials = append(slices.Clone(user.Credentials), CredentialRef{ID: CredentialID(id), Type: kind})
	c := &Credential{ID: CredentialID(id), Realm: user.Realm, User: user.ID, Type: kind, CreatedAt: now}
	return c, c.rename(name)
}

// maxCredentialName is how long a credential's name may be, in characters.
const maxCredentialName = 100

// rename sets what people tell a credential by.
func (c *Credential) rename(name string) error {
	name = strings.TrimSpace(name)
	if utf8.RuneCountInString(name) > maxCredentialName || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return invalid("name", "Name is too long (maximum is 100 characters)")
	}
	c.Name = name
	return nil
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

// holds reports whether the user lists a credential.
func (u *User) holds(id CredentialID) bool {
	return slices.ContainsFunc(u.Credentials, func(r CredentialRef) bool { return r.ID == id })
}

// hasSecondFactor reports whether a password alone does not sign the user in.
func (u *User) hasSecondFactor() bool {
	return slices.ContainsFunc(u.Credentials, func(r CredentialRef) bool { return r.Type == CredentialTOTP && !r.New })
}

// count returns how many credentials of a kind the user has.
func (u *User) count(t CredentialType) int {
	n := 0
	for _, c := range u.Credentials {
		if c.Type == t {
			n++
		}
	}
	return n
}
