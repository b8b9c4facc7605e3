package core

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// TOTP is what only a credential of the kind totp has: the secret that an authenticator app shares.
type TOTP struct {
	Sealed string `json:"sealed"`           // under the realm's data key, for the credential's record
	Step   int64  `json:"step,omitempty"`   // the last that was accepted; no earlier one counts again
	Active bool   `json:"active,omitempty"` // a good code was seen
}

// maxTOTPs is how many authenticators a user may have.
const maxTOTPs = 5

// SecondFactors enrols authenticators and recovery codes, and completes sign-ins that wait for a code. Safe for
// concurrent use.
type SecondFactors struct {
	d        *deps
	users    *Users
	sessions *Sessions
}

// Enrolment is an authenticator that waits for its first good code.
type Enrolment struct {
	*Credential
	Secret string // base32, for whoever types it
	URI    string // otpauth://, for a QR code
}

// Enrol gives a human user an authenticator. It counts for nothing before Verify has seen a good code of it. It fails with
// KindInvalid and ErrUserNotFound.
func (s *SecondFactors) Enrol(ctx context.Context, realm RealmID, idOrName, name string, req Request) (*Enrolment, error) {
	var enrolment *Enrolment
	err := retry(func() error {
		state, now, err := s.users.begin(ctx, realm)
		if err != nil {
			return err
		}
		user, version, err := s.users.find(ctx, state.Realm, idOrName)
		if err != nil {
			return err
		}
		after := *user
		credential, key, err := s.newTOTP(ctx, state, &after, name, now)
		if err != nil {
			return err
		}
		p, _ := state.owner(string(user.ID))
		c := s.d.change(p, now)
		c.replace(&after, version, noExpiry)
		c.create(credential, noExpiry)
		c.event(Event{Realm: realm, Type: eventUserUpdated, User: user.ID, Credential: credential.ID, Request: req.clean()})
		enrolment = &Enrolment{credential, base32Secret(key), provisioningURI(state.Name, user.Username, key)}
		return c.commit(ctx)
	})
	if err != nil {
		return nil, err
	}
	return enrolment, nil
}

// newTOTP returns a new authenticator of a user, who lists it from now on as new, and its secret.
func (s *SecondFactors) newTOTP(ctx context.Context, state *realmState, user *User, name string, now time.Time) (*Credential, []byte, error) {
	switch {
	case user.Type != UserHuman:
		return nil, nil, invalid("credential_type", "One-time codes are for human users only")
	case strings.TrimSpace(name) == "":
		return nil, nil, invalid("name", "Name can't be blank")
	case user.count(CredentialTOTP) >= maxTOTPs:
		return nil, nil, invalid("user_id", fmt.Sprintf("User has %d authenticators already, which is the most", maxTOTPs))
	}
	data, err := s.d.realms.sealer(ctx, state)
	if err != nil {
		return nil, nil, err
	}
	credential, err := s.d.newCredential(user, CredentialTOTP, name, Instant{now})
	if err != nil {
		return nil, nil, err
	}
	credential.Provider = state.providerOf(CredentialTOTP)
	user.Credentials[len(user.Credentials)-1].New = true
	key := make([]byte, totpKeySize)
	if _, err := io.ReadFull(s.d.random, key); err != nil {
		return nil, nil, fmt.Errorf("core: make TOTP secret: %w", err)
	}
	sealed, err := data.seal(s.d.random, string(credential.ID), key)
	credential.TOTP = &TOTP{Sealed: sealed}
	return credential, key, err
}

// Enrolment returns an authenticator with its secret while it is new. Of an active one, it has no secret.
func (s *SecondFactors) Enrolment(ctx context.Context, realm RealmID, id CredentialID) (*Enrolment, error) {
	state, err := s.d.realms.state(ctx, realm)
	if err != nil {
		return nil, err
	}
	h, err := s.authenticator(ctx, state, id)
	if err != nil {
		return nil, err
	}
	if h.TOTP.Active {
		return &Enrolment{Credential: h.Credential}, nil
	}
	key, err := s.open(ctx, state, h.Credential)
	if err != nil {
		return nil, err
	}
	return &Enrolment{h.Credential, base32Secret(key), provisioningURI(state.Name, h.user.Username, key)}, nil
}

// authenticator finds a credential that is an authenticator. It fails with ErrCredentialNotFound.
func (s *SecondFactors) authenticator(ctx context.Context, state *realmState, id CredentialID) (*held, error) {
	h, err := s.d.held(ctx, state.Realm, id)
	if err != nil {
		return nil, err
	}
	if h.TOTP == nil {
		return nil, ErrCredentialNotFound
	}
	return h, nil
}

// open returns the secret of an authenticator.
func (s *SecondFactors) open(ctx context.Context, state *realmState, c *Credential) ([]byte, error) {
	data, err := s.d.realms.sealer(ctx, state)
	if err != nil {
		return nil, err
	}
	return data.open(string(c.ID), c.TOTP.Sealed)
}

// errVerification says that a code is not the authenticator's.
var errVerification = invalid("code", "Verification failed")

// Rename sets what people tell an authenticator by. It fails with KindInvalid and ErrCredentialNotFound.
func (s *SecondFactors) Rename(ctx context.Context, realm RealmID, id CredentialID, name string, req Request) error {
	return retry(func() error {
		state, now, err := s.users.begin(ctx, realm)
		if err != nil {
			return err
		}
		h, err := s.authenticator(ctx, state, id)
		if err != nil {
			return err
		}
		if strings.TrimSpace(name) == "" {
			return invalid("name", "Name can't be blank")
		}
		after := *h.Credential
		if err := after.rename(name); err != nil {
			return err
		}
		c := s.d.change(h.at, now)
		c.replace(&after, h.version, noExpiry)
		c.event(Event{Realm: realm, Type: eventUserUpdated, User: h.User, Credential: id, Request: req.clean()})
		return c.commit(ctx)
	})
}

// Verify takes a code of an authenticator. The first good one makes it count. Codes are counted like passwords before they
// are looked at, and those of one that counts once more: see wrongCodes. A device that is known has a count of its own. It fails with KindInvalid, ErrThrottled and ErrCredentialNotFound.
func (s *SecondFactors) Verify(ctx context.Context, realm RealmID, id CredentialID, code string, req Request) (*Credential, error) {
	state, now, err := s.users.begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	h, err := s.authenticator(ctx, state, id)
	if err != nil {
		return nil, err
	}
	tries := triesFrom(h.at, h.User, s.d.knownDevice(realm, h.user, req.Device, now))
	if err := s.countVerify(ctx, h, tries, code, now); err != nil {
		return nil, err
	}
	var verified *Credential
	err = retry(func() error {
		if h, err = s.authenticator(ctx, state, id); err != nil {
			return err
		}
		key, err := s.open(ctx, state, h.Credential)
		if err != nil {
			return err
		}
		step, ok := totpMatch(key, plainCode(code), now, h.TOTP.Step)
		if !ok {
			return errVerification
		}
		verified = h.accept(step, now)
		c := s.d.change(h.at, now)
		c.replace(verified, h.version, noExpiry)
		c.tx.Durable = true // the loss would let the code count again
		if h.TOTP.Active {
			c.tx.Reset = append(c.tx.Reset, tries.names()...)
		} else {
			c.activate(h, req)
		}
		return c.commit(ctx)
	})
	if err != nil {
		return nil, err
	}
	return verified, nil
}

// countVerify counts a code of an authenticator. Of one that is new it is no guess, since whoever enrols one has its secret: for the same reason a good one
// clears no count, or whoever has somebody's session enrols one after the other and guesses passwords in between, for ever.
func (s *SecondFactors) countVerify(ctx context.Context, h *held, at tries, code string, now time.Time) error {
	if !h.TOTP.Active {
		return s.d.take(ctx, at.failures, failedSignIns, now)
	}
	return s.count(ctx, at, code, now)
}

// accept returns an authenticator whose code of a step has been taken.
func (h *held) accept(step int64, now time.Time) *Credential {
	after, totp := *h.Credential, *h.TOTP
	totp.Step, totp.Active = step, true
	after.TOTP, after.LastUsedAt = &totp, Instant{now}
	return &after
}

// activate lets a new authenticator count from now on.
func (c *change) activate(h *held, req Request) {
	after := *h.user
	after.Credentials = slices.Clone(after.Credentials)
	for i := range after.Credentials {
		if after.Credentials[i].ID == h.ID {
			after.Credentials[i].New = false
		}
	}
	c.replace(&after, h.userVersion, noExpiry)
	c.event(Event{Realm: h.Realm, Type: eventUserUpdated, User: h.User, Credential: h.ID, Request: req.clean()})
}

// wrongCodes is how many wrong codes of authenticators in a row an account bears, however slowly they come: a hundred (NIST SP
// 800-63B-4, 3.2.2), then one a day. Of a million codes three are good at a time: whoever knows the password, and tries one a
// minute, would most likely be in within a year. A new password clears nothing here: whoever reads the user's mail sets
// as many as they like, and must not have the second factor for it.
var wrongCodes = Rate{Burst: 100, Every: 24 * time.Hour, Durable: true}

// tries is where it is counted what somebody tries: passwords and codes of every kind, and beside that what may be the codes of authenticators.
type tries struct{ failures, codes Bucket }

// triesFrom returns where tries are counted that come from a device which is known, "" = anywhere else.
func triesFrom(at Partition, user UserID, device string) tries {
	t := tries{failuresBucket(at, user), codesBucket(at, user, signedInFrom(device))}
	if device != "" {
		t.failures = deviceBucket(at, user, device)
	}
	return t
}

// names returns what a Transaction resets to clear both counts.
func (t tries) names() []string { return []string{t.failures.Name, t.codes.Name} }

// count takes one attempt of those that passwords take, and where the code may be an authenticator's, one of those too. Recovery codes are far
// too many to be guessed: they let the owner in while somebody has used up the others.
func (s *SecondFactors) count(ctx context.Context, at tries, code string, now time.Time) error {
	if err := s.d.take(ctx, at.failures, failedSignIns, now); err != nil {
		return err
	}
	if len(plainCode(code)) != totpDigits {
		return nil
	}
	return s.d.take(ctx, at.codes, wrongCodes, now)
}

// plainCode drops what people put into a code so that it reads better.
func plainCode(code string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, cut(code, 64))
}
