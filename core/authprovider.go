package core

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// ProviderType is a way to sign in (Users API, "Auth providers").
type ProviderType string

// The ways that there are.
const (
	ProviderPassword ProviderType = "password" // every new realm has it; its rules are those in RealmSettings
	ProviderTOTP     ProviderType = "totp"     // clients look for it before they enrol; enrolling does not need it
)

// providerTypes are all of them, in the order of lists.
var providerTypes = []ProviderType{ProviderPassword, ProviderTOTP}

// AuthProvider is a way to sign in that a realm has. It is a view of the realm's settings, which hold all of it.
type AuthProvider struct {
	ID       AuthProviderID // follows from realm and type, of which there is one each
	Realm    RealmID
	Type     ProviderType
	State    State
	Settings RealmSettings // of the realm; a password's rules are among them
}

// Failures of auth providers.
var (
	ErrAuthProviderNotFound = &Error{Kind: KindNotFound, Code: "auth_provider_not_found", Detail: "auth provider not found"}
	errProviderType         = invalid("provider_type", "Provider type must be password or totp; signing in through others is not supported")
	errProviderExists       = invalid("provider_type", "Provider type has already been taken: the realm has this provider")
	errNoPasswords          = invalid("password", "Password can't be set: this realm does not take passwords")

	// ErrNoPasswordSignIn says that a realm takes no passwords, whoever's.
	ErrNoPasswordSignIn = &Error{Kind: KindForbidden, Code: "no_passwords", Detail: "this realm does not take passwords"}
)

// providers returns the ways to sign in that s says there are.
func (s RealmSettings) providers() map[ProviderType]State {
	if s.Providers == nil {
		return map[ProviderType]State{ProviderPassword: StateActive}
	}
	return s.Providers
}

// offers reports whether users may sign in in some way.
func (s RealmSettings) offers(t ProviderType) bool { return s.providers()[t] == StateActive }

// authProviderID returns the id of a realm's provider.
func authProviderID(realm RealmID, t ProviderType) AuthProviderID {
	sum := sha256.Sum256([]byte(string(realm) + " " + string(t)))
	b, _ := bucketOf(string(realm))
	return AuthProviderID(prefixAuthProvider + encode(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16]), idLength-bucketLength) + b.text())
}

// providerOf returns the id of the provider that credentials of a kind belong to, "" where the realm has none.
func (r *Realm) providerOf(t CredentialType) AuthProviderID {
	kind := ProviderType(t) // those that have one share its name
	if _, there := r.Settings.providers()[kind]; !there {
		return ""
	}
	return authProviderID(r.ID, kind)
}

// AuthProviders returns the ways to sign in that a realm has. It fails with ErrRealmNotFound.
func (r *Realms) AuthProviders(ctx context.Context, id RealmID) ([]AuthProvider, error) {
	realm, err := r.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return realm.authProviders(), nil
}

// authProviders returns a realm's providers.
func (r *Realm) authProviders() []AuthProvider {
	var list []AuthProvider
	for _, t := range providerTypes {
		if state, there := r.Settings.providers()[t]; there {
			list = append(list, AuthProvider{ID: authProviderID(r.ID, t), Realm: r.ID, Type: t, State: state, Settings: r.Settings})
		}
	}
	return list
}

// AuthProvider returns one of them, or ErrAuthProviderNotFound.
func (r *Realms) AuthProvider(ctx context.Context, realm RealmID, id AuthProviderID) (*AuthProvider, error) {
	list, err := r.AuthProviders(ctx, realm)
	if err != nil {
		return nil, err
	}
	return providerBy(id, list)
}

// providerBy returns the provider with an id, or ErrAuthProviderNotFound.
func providerBy(id AuthProviderID, list []AuthProvider) (*AuthProvider, error) {
	for _, p := range list {
		if p.ID == id {
			return &p, nil
		}
	}
	return nil, ErrAuthProviderNotFound
}

// AuthProviderChange is what is to be set of a provider. What is nil stays as it is.
type AuthProviderChange struct {
	State *State // StateActive or StateInactive

	// Of a password. They are the realm's settings.
	MinLength     *int // 0 = the default
	MinComplexity *int // 0 to 4, levels of zxcvbn
	Required      *[]CharacterKind
}

// apply sets what in asks for in a realm's settings.
func (in AuthProviderChange) apply(s *RealmSettings, t ProviderType) {
	s.Providers = map[ProviderType]State{t: StateActive}
	if in.State != nil {
		s.Providers[t] = *in.State
	}
	if in.MinLength != nil {
		s.PasswordMinLength = *in.MinLength
	}
	if in.MinComplexity != nil {
		s.PasswordComplexity = *in.MinComplexity
	}
	if in.Required != nil {
		s.PasswordRequired = *in.Required
	}
}

// validate refuses what a provider of a type cannot have.
func (in AuthProviderChange) validate(t ProviderType) error {
	var errs fieldErrors
	errs.check(in.State == nil || *in.State == StateActive || *in.State == StateInactive, "state", "State must be active or inactive")
	errs.check(t == ProviderPassword || in.MinLength == nil, "min_length", "Min length is for passwords only")
	errs.check(t == ProviderPassword || in.MinComplexity == nil, "min_complexity", "Min complexity is for passwords only")
	errs.check(t == ProviderPassword || in.Required == nil, "required_chars", "Required chars are for passwords only")
	errs.check(in.MinLength == nil || *in.MinLength == 0 || *in.MinLength >= 8 && *in.MinLength <= 128, "min_length", "Min length must be from 8 to 128")
	return errs.err()
}

// AddAuthProvider gives a realm a way to sign in that it has not. It fails with KindInvalid and ErrRealmNotFound.
func (r *Realms) AddAuthProvider(ctx context.Context, realm RealmID, t ProviderType, in AuthProviderChange, req Request) (*AuthProvider, error) {
	if !slices.Contains(providerTypes, t) {
		return nil, errProviderType
	}
	return r.changeProvider(ctx, realm, authProviderID(realm, t), eventProviderCreated, req, func(s *RealmSettings, _ ProviderType, there bool) error {
		if there {
			return errProviderExists
		}
		return in.set(s, t)
	})
}

// set validates in and sets it, leaving other providers as they are.
func (in AuthProviderChange) set(s *RealmSettings, t ProviderType) error {
	if err := in.validate(t); err != nil {
		return err
	}
	others := s.providers()
	state, there := others[t]
	if there && in.State == nil {
		in.State = &state
	}
	in.apply(s, t)
	for other, state := range others {
		if other != t {
			s.Providers[other] = state
		}
	}
	return nil
}

// UpdateAuthProvider changes a way to sign in. It fails with KindInvalid, ErrAuthProviderNotFound and ErrRealmNotFound.
func (r *Realms) UpdateAuthProvider(ctx context.Context, realm RealmID, id AuthProviderID, in AuthProviderChange, req Request) (*AuthProvider, error) {
	return r.changeProvider(ctx, realm, id, eventProviderUpdated, req, func(s *RealmSettings, t ProviderType, there bool) error {
		if !there {
			return ErrAuthProviderNotFound
		}
		return in.set(s, t)
	})
}

// DeleteAuthProvider takes a way to sign in from a realm. Sessions go on. Without the one of passwords nobody signs in
// with one or sets one; those that are there are kept, and good again once it is back. It fails with
// ErrAuthProviderNotFound and ErrRealmNotFound.
func (r *Realms) DeleteAuthProvider(ctx context.Context, realm RealmID, id AuthProviderID, req Request) error {
	_, err := r.changeProvider(ctx, realm, id, eventProviderDeleted, req, func(s *RealmSettings, t ProviderType, there bool) error {
		if !there {
			return ErrAuthProviderNotFound
		}
		left := map[ProviderType]State{}
		for other, state := range s.providers() {
			if other != t {
				left[other] = state
			}
		}
		s.Providers = left
		return nil
	})
	return err
}

// changeProvider changes a realm's settings as change says, which is told what type of provider an id is of and whether
// the realm has it.
func (r *Realms) changeProvider(ctx context.Context, realm RealmID, id AuthProviderID, event string, req Request,
	change func(s *RealmSettings, t ProviderType, there bool) error) (*AuthProvider, error) {
	at := slices.IndexFunc(providerTypes, func(t ProviderType) bool { return authProviderID(realm, t) == id })
	if at < 0 {
		return nil, ErrAuthProviderNotFound
	}
	t := providerTypes[at]
	e := Event{Type: event, AuthProvider: id, Request: req.clean()}
	after, err := r.change(ctx, realm, e, func(before *Realm) (*Realm, error) {
		after := *before
		_, there := after.Settings.providers()[t]
		if err := change(&after.Settings, t, there); err != nil {
			return nil, err
		}
		return &after, after.Settings.withDefaults().validate()
	})
	if err != nil {
		return nil, err
	}
	p, err := providerBy(id, after.authProviders())
	if err == ErrAuthProviderNotFound {
		return nil, nil // it was deleted just now
	}
	return p, err
}
