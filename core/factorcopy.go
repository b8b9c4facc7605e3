package core

import (
	"context"
	"fmt"
	"slices"

	"github.com/postern-auth/postern/internal/fastjson"
)

// AuthenticatorCopy is a user's authenticator for one-time codes, on its way from realm to realm.
type AuthenticatorCopy struct {
	ID         CredentialID
	Name       string
	Sealed     string // the secret under the master key: it opens where that is the same
	Step       int64  // the last thirty seconds since 1970 of which a code was accepted; no code up to then counts again
	New        bool   // no good code was seen
	CreatedAt  Instant
	LastUsedAt Instant
}

// RecoveryCopy is a user's recovery codes on their way from realm to realm: those that are left.
type RecoveryCopy struct {
	ID         CredentialID
	Sealed     string // a sealedCodes under the master key: it opens where that is the same
	CreatedAt  Instant
	LastUsedAt Instant
}

// sealedCodes are recovery codes as they are kept, with the key without which their hashes are good for nothing. The key is that of
// a whole realm: it must never leave the seal.
type sealedCodes struct {
	Hashes []string `json:"hashes"`
	Key    []byte   `json:"key"`
}

// copyPlace is where what is secret of a credential is sealed for on its way from realm to realm. What may be read of one that is new
// may not of one that counts, nor of one of another kind, so none opens as the other.
func copyPlace(id CredentialID, kind CredentialType, isNew bool) string {
	place := "copy:" + string(kind) + ":" + string(id)
	if isNew {
		place += ":new"
	}
	return place
}

// copyFactor adds a second factor to what an export has of its user.
func (u *Users) copyFactor(ctx context.Context, state *realmState, to *UserParts, c *Credential) error {
	data, err := u.d.realms.sealer(ctx, state)
	switch {
	case err != nil:
	case c.TOTP != nil:
		var one AuthenticatorCopy
		one, err = u.copyAuthenticator(data, c)
		to.Authenticators = append(to.Authenticators, one)
	case c.Recovery != nil:
		to.RecoveryCodes, err = u.copyRecovery(data, c)
	}
	return err
}

// copyAuthenticator returns an authenticator as an export has it.
func (u *Users) copyAuthenticator(data *dataKey, c *Credential) (AuthenticatorCopy, error) {
	one := AuthenticatorCopy{ID: c.ID, Name: c.Name, Step: c.TOTP.Step, New: !c.TOTP.Active, CreatedAt: c.CreatedAt, LastUsedAt: c.LastUsedAt}
	secret, err := data.open(string(c.ID), c.TOTP.Sealed)
	if err != nil {
		return one, err
	}
	one.Sealed, err = u.d.master.seal(u.d.random, copyPlace(c.ID, CredentialTOTP, one.New), secret)
	return one, err
}

// copyRecovery returns recovery codes as an export has them.
func (u *Users) copyRecovery(data *dataKey, c *Credential) (*RecoveryCopy, error) {
	key, err := c.Recovery.hashKey(data, c.ID)
	if err != nil {
		return nil, err
	}
	text, err := fastjson.Marshal(sealedCodes{c.Recovery.Hashes, key})
	if err != nil {
		return nil, err
	}
	sealed, err := u.d.master.seal(u.d.random, copyPlace(c.ID, CredentialRecovery, false), text)
	return &RecoveryCopy{ID: c.ID, Sealed: sealed, CreatedAt: c.CreatedAt, LastUsedAt: c.LastUsedAt}, err
}

// bringAuthenticator makes an authenticator, and seals its secret for the realm.
func (u *Users) bringAuthenticator(ctx context.Context, c *change, state *realmState, user *User, in AuthenticatorCopy, dry bool) error {
	if user.Type != UserHuman || user.count(CredentialTOTP) >= maxTOTPs {
		return invalid("authenticators", fmt.Sprintf("Authenticators are for human users only, and at most %d", maxTOTPs))
	}
	secret, err := u.d.master.open(copyPlace(in.ID, CredentialTOTP, in.New), in.Sealed)
	if err != nil {
		return invalid("authenticators", "Authenticators are sealed under another master key than this server has")
	}
	made, err := u.copied(user, in.ID, CredentialTOTP, in.Name, in.CreatedAt)
	if err != nil {
		return err
	}
	user.Credentials[len(user.Credentials)-1].New = in.New
	made.LastUsedAt = in.LastUsedAt
	made.TOTP = &TOTP{Active: !in.New, Step: min(max(in.Step, 0), totpStep(c.tx.Now))} // a step to come would lock the user out
	if !dry {                                                                          // which writes nothing, and so makes no key to seal with
		data, err := u.d.realms.sealer(ctx, state)
		if err != nil {
			return err
		}
		if made.TOTP.Sealed, err = data.seal(u.d.random, string(made.ID), secret); err != nil {
			return err
		}
	}
	c.create(made, noExpiry)
	return nil
}

// bringRecovery makes recovery codes, and seals the key of their hashes for the realm.
func (u *Users) bringRecovery(ctx context.Context, c *change, state *realmState, user *User, in RecoveryCopy, dry bool) error {
	if user.Type != UserHuman {
		return invalid("recovery_codes", "Recovery codes are for human users only")
	}
	text, err := u.d.master.open(copyPlace(in.ID, CredentialRecovery, false), in.Sealed)
	if err != nil {
		return invalid("recovery_codes", "Recovery codes are sealed under another master key than this server has")
	}
	var codes sealedCodes
	if err := fastjson.Unmarshal(text, &codes); err != nil || len(codes.Hashes) > recoveryCount || slices.ContainsFunc(codes.Hashes, isNoDigest) {
		return invalid("recovery_codes", "Recovery codes are not as an export has them")
	}
	made, err := u.copied(user, in.ID, CredentialRecovery, "", in.CreatedAt)
	if err != nil {
		return err
	}
	made.LastUsedAt, made.Recovery = in.LastUsedAt, &RecoveryCodes{Hashes: codes.Hashes}
	if !dry { // which writes nothing, and so makes no key to seal with
		data, err := u.d.realms.sealer(ctx, state)
		if err != nil {
			return err
		}
		if made.Recovery.HashKey, err = data.seal(u.d.random, hashKeyPlace(made.ID), codes.Key); err != nil {
			return err
		}
	}
	c.create(made, noExpiry)
	return nil
}

// isNoDigest reports whether a text cannot be a hash.
func isNoDigest(s string) bool { return !isDigest(s) }
