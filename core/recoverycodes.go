package core

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// RecoveryCodes is what only a credential of the kind recovery_codes has: codes that work once each in place of an
// authenticator's.
type RecoveryCodes struct {
	Hashes []string `json:"hashes"` // of those that are left, by a key: fifty bits are too few for a plain hash

	// HashKey is that key, sealed under the realm's data key, where the codes were made in another realm; "" = the data key has it.
	HashKey string `json:"hash_key,omitempty"`
}

// Recovery codes are ten characters of five bits each.
const (
	recoveryCount  = 10
	recoveryLength = 10
	recoveryDigits = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's: none looks like another
)

// NewRecoveryCodes gives a human user ten new recovery codes, shown this once; those before are good for nothing. It fails
// with KindInvalid and ErrUserNotFound.
func (s *SecondFactors) NewRecoveryCodes(ctx context.Context, realm RealmID, idOrName string, req Request) (credential *Credential, codes []string, err error) {
	err = retry(func() (err error) {
		credential, codes, err = s.renewCodes(ctx, realm, idOrName, req)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return credential, codes, nil
}

// renewCodes tries once.
func (s *SecondFactors) renewCodes(ctx context.Context, realm RealmID, idOrName string, req Request) (*Credential, []string, error) {
	state, now, err := s.users.begin(ctx, realm)
	if err != nil {
		return nil, nil, err
	}
	user, version, err := s.users.find(ctx, state.Realm, idOrName)
	if err != nil {
		return nil, nil, err
	}
	if user.Type != UserHuman {
		return nil, nil, invalid("credential_type", "Recovery codes are for human users only")
	}
	data, err := s.d.realms.sealer(ctx, state)
	if err != nil {
		return nil, nil, err
	}
	p, _ := state.owner(string(user.ID))
	c := s.d.change(p, now)
	after := *user
	if id, had := user.has(CredentialRecovery); had {
		after.Credentials = slices.DeleteFunc(slices.Clone(after.Credentials), func(r CredentialRef) bool { return r.ID == id })
		c.tx.Delete = append(c.tx.Delete, credentialKey(p, id).Name)
	}
	credential, err := s.d.newCredential(&after, CredentialRecovery, "", Instant{now})
	if err != nil {
		return nil, nil, err
	}
	codes, err := newCodes(s.d.random)
	if err != nil {
		return nil, nil, err
	}
	credential.Recovery = recoveryOf(data, credential.ID, codes)
	c.replace(&after, version, noExpiry)
	c.create(credential, noExpiry)
	c.event(Event{Realm: realm, Type: eventUserUpdated, User: user.ID, Credential: credential.ID, Request: req.clean()})
	c.tx.Durable = true
	return credential, codes, c.commit(ctx)
}

// recoveryOf returns what is kept of recovery codes.
func recoveryOf(data *dataKey, id CredentialID, codes []string) *RecoveryCodes {
	kept := &RecoveryCodes{Hashes: []string{}}
	for _, code := range codes {
		kept.Hashes = append(kept.Hashes, data.hash(string(id), bareCode(code)))
	}
	return kept
}

// newCodes makes recovery codes, written in two halves.
func newCodes(random io.Reader) ([]string, error) {
	bytes := make([]byte, recoveryCount*recoveryLength)
	if _, err := io.ReadFull(random, bytes); err != nil {
		return nil, fmt.Errorf("core: make recovery codes: %w", err)
	}
	codes := make([]string, recoveryCount)
	for i := range codes {
		text := make([]byte, recoveryLength)
		for j := range text {
			text[j] = recoveryDigits[bytes[i*recoveryLength+j]%32]
		}
		codes[i] = string(text[:recoveryLength/2]) + "-" + string(text[recoveryLength/2:])
	}
	return codes, nil
}

// bareCode returns a recovery code as it was made, however a person wrote it.
func bareCode(code string) string {
	return strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(strings.ToLower(plainCode(code)))
}

// hashKey returns the key of the hashes.
func (r *RecoveryCodes) hashKey(data *dataKey, id CredentialID) (hashKey, error) {
	if r.HashKey == "" {
		return data.hashKey, nil
	}
	key, err := data.open(hashKeyPlace(id), r.HashKey)
	return key, err
}

// hashKeyPlace is where the key of recovery codes from another realm is sealed for.
func hashKeyPlace(id CredentialID) string { return string(id) + " hash key" }

// redeem returns the credential without the code, or nil where that is not among those that are left.
func (h *held) redeem(data *dataKey, code string, now time.Time) (*Credential, error) {
	key, err := h.Recovery.hashKey(data, h.ID)
	if err != nil {
		return nil, err
	}
	sum := key.hash(string(h.ID), bareCode(code))
	left := slices.DeleteFunc(slices.Clone(h.Recovery.Hashes), func(kept string) bool {
		return subtle.ConstantTimeCompare([]byte(kept), []byte(sum)) == 1
	})
	if len(left) == len(h.Recovery.Hashes) {
		return nil, nil
	}
	after := *h.Credential
	after.Recovery, after.LastUsedAt = &RecoveryCodes{Hashes: left, HashKey: h.Recovery.HashKey}, Instant{now}
	return &after, nil
}
