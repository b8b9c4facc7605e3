package core

import (
	"slices"
	"strings"
	"time"
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
	Type              UserType          `json:"type,omitempty"`
	State             State             `json:"state,omitempty"`
	Username          string            `json:"username"` // normalised
	Email             string            `json:"email,omitempty"`
	EmailVerification EmailVerification `json:"email_verification,omitempty"`
	EmailChanged      bool              `json:"email_changed,omitempty"` // Email took the place of the one that was verified; nothing is proven of it
	FirstName         string            `json:"first,omitempty"`
	LastName          string            `json:"last,omitempty"`
	APIName           string            `json:"name,omitempty"` // api users only
	Reference         string            `json:"ref,omitempty"`
	ArbitraryID       string            `json:"arbitrary_id,omitempty"` // exact bytes, set by an APT, immutable
	Custom            Custom            `json:"custom,omitempty"`
	Credentials       []CredentialRef   `json:"credentials,omitempty"`
	CreatedAt         Instant           `json:"created"`
	LastLoginAt       Instant           `json:"last_login,omitzero"`

	// Since is when the user was imported under an id that somebody may have had before; zero where nobody can. See theirs.
	Since Instant `json:"since,omitzero"`

	// Generation grows when all sessions of the user end at once; a session of another is over.
	Generation int `json:"gen,omitempty"`

	// Memberships is how many the user had when it was read. It is not kept here, and lists leave it at 0.
	Memberships int `json:"-"`

	// NewAPIKey is the API key that was made, or taken, with a change through UserChange.APIKey; shown this once.
	NewAPIKey string `json:"-"`

	// NewDevice is what the device keeps that a password was reset from by a token: see Request.Device.
	NewDevice string `json:"-"`

	// Series says, by kind, which of the user's one-time tokens are alive.
	Series map[string]TokenSeries `json:"series,omitempty"`
}

func (u *User) key(p Partition) Key { return userKey(p, u.ID) }

// lean leaves out what a person has who was just made, and the id of a password, which follows from the user's.
func (u *User) lean() any {
	kept := *u
	leaveOut(&kept.Type, UserHuman)
	leaveOut(&kept.State, StateActive)
	leaveOut(&kept.EmailVerification, EmailNone)
	kept.Credentials = slices.Clone(u.Credentials)
	for i := range kept.Credentials {
		leaveOut(&kept.Credentials[i].ID, passwordID(u.ID))
	}
	return &kept
}

func (u *User) fill() {
	defaultTo(&u.Type, UserHuman)
	defaultTo(&u.State, StateActive)
	defaultTo(&u.EmailVerification, EmailNone)
	for i := range u.Credentials {
		defaultTo(&u.Credentials[i].ID, passwordID(u.ID))
	}
}

// provenEmail reports whether the user's address was proven to be theirs: a user stays verified whose address changes (Users API,
// "Email verification"), but that says nothing of the new one.
func (u *User) provenEmail() bool { return u.EmailVerification == EmailVerified && !u.EmailChanged }

// theirs reports whether a session or token made at a time is u's, and not of somebody who had the id before and was deleted. Their
// generation and series say nothing: an import begins them anew.
func (u *User) theirs(made Instant) bool { return !made.Before(u.Since.Time) }

// at returns the time of something new of u's: now, and no earlier than u by a clock that was ahead.
func (u *User) at(now time.Time) Instant {
	if now.Before(u.Since.Time) {
		return u.Since
	}
	return Instant{now}
}

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

// Failures of users.
var (
	ErrUserNotFound = &Error{Kind: KindNotFound, Code: "user_not_found", Detail: "user not found"}
	ErrUserExists   = &Error{Kind: KindConflict, Code: "user_already_exists", Detail: "user already exists"}
	ErrUserInactive = &Error{Kind: KindForbidden, Code: "user_inactive", Detail: "user is inactive"}
)
