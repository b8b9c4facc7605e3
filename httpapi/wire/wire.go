// Package wire holds the JSON of /v1 as Go types, for the server and for clients. It has no logic beyond what
// reading and writing them takes.
package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Time is a time as the Users API writes it: seconds since the epoch, with milliseconds as a fraction. The zero
// Time is null.
type Time struct{ time.Time }

// MarshalJSON writes 1392447538.275, or null.
func (t Time) MarshalJSON() ([]byte, error) { return t.AppendJSON(nil), nil }

// AppendJSON appends what MarshalJSON writes.
func (t Time) AppendJSON(b []byte) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// Bounds of times in seconds since the epoch: well within what a time of milliseconds holds, and after the zero Time, which stands for none.
const (
	firstSecond = -60_000_000_000 // in the year 68
	lastSecond  = 253_402_300_800 // the end of the year 9999
)

// UnmarshalJSON reads a number of seconds, or null.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return err
	}
	if seconds < firstSecond || seconds > lastSecond {
		return fmt.Errorf("%s is no time in seconds since 1970", b)
	}
	t.Time = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	return nil
}

// Tagged is what whatever has an address of its own has besides its JSON.
type Tagged struct {
	ETag string `json:"-"` // of the answer, where there was one: for If-Match
}

// SetETag is for whoever read the answer.
func (t *Tagged) SetETag(etag string) { t.ETag = etag }

// User is a user in full (Users API, "Fields"), as Get answers.
type User struct {
	Tagged
	ID                string                     `json:"id"`
	RealmID           string                     `json:"realm_id"`
	Username          string                     `json:"username"`
	State             string                     `json:"state"`
	UserType          string                     `json:"user_type"`
	Reference         *string                    `json:"reference"`
	Custom            map[string]json.RawMessage `json:"custom"`
	Name              string                     `json:"name"`
	Email             *string                    `json:"email"`
	EmailVerification string                     `json:"email_verification"`
	EmailChanged      bool                       `json:"email_changed,omitempty"` // it was another address that was verified
	Object            string                     `json:"object"`                  // "user"
	LastLoginAt       Time                       `json:"last_login_at"`
	CreatedAt         Time                       `json:"created_at"`
	FirstName         *string                    `json:"first_name"`
	LastName          *string                    `json:"last_name"`
	MembershipCount   int                        `json:"membership_count"`
	Memberships       []Membership               `json:"memberships,omitzero"` // nil = not asked for; each with its org
	Credentials       []CredentialRef            `json:"credentials"`
	ArbitraryID       string                     `json:"arbitrary_id,omitempty"` // of users made with an APT
	Token             string                     `json:"token,omitempty"`        // where one was minted
	APIKey            string                     `json:"api_key,omitempty"`      // where one was made, or the realm has the policy encrypt
	Device            string                     `json:"device,omitempty"`       // where the call named one, to be kept by the device
}

// TokenUser is a user in part, with a token to be sent to them (Users API, "Request email verification" and "Generate a
// password token").
type TokenUser struct {
	ID                 string `json:"id"`
	RealmID            string `json:"realm_id"`
	Username           string `json:"username"`
	Email              string `json:"email,omitempty"`
	Object             string `json:"object"` // "user"
	Token              string `json:"token"`
	PasswordResetToken string `json:"password_reset_token,omitempty"` // the same, as older clients know it
}

// UserToken is a parked signup (Users API, "user_tokens").
type UserToken struct {
	Tagged
	ID             string  `json:"id"` // the token itself
	RealmID        string  `json:"realm_id"`
	Username       string  `json:"username"`
	Email          *string `json:"email"`
	FirstName      *string `json:"first_name"`
	LastName       *string `json:"last_name"`
	CredentialType *string `json:"credential_type"` // "password", or null where the user will have none
	CreatedAt      Time    `json:"created_at"`
	ExpiresAt      Seconds `json:"expires_at"`
	Object         string  `json:"object"` // "user_token"
}

// Session is a session (Users API, "Sessions").
type Session struct {
	Tagged
	ID        string   `json:"id"`
	UserID    string   `json:"user_id"`
	CreatedAt Time     `json:"created_at"`
	ExpiresAt Seconds  `json:"expires_at"`
	SeenAt    Time     `json:"last_seen_at"`
	IP        *string  `json:"ip"`              // where it began, as the back end said
	Client    *string  `json:"client"`          // what began it, as the back end said
	Request   *Request `json:"request"`         // the same two, as older clients know them
	Token     string   `json:"token,omitempty"` // where one was minted
	Object    string   `json:"object"`          // "session"
	User      *User    `json:"user,omitempty"`
}

// Seconds is a time in whole seconds since the epoch.
type Seconds int64

// Time returns the time.
func (s Seconds) Time() time.Time { return time.Unix(int64(s), 0).UTC() }

// Request is what a back end says of the request that it acts for.
type Request struct {
	Client string `json:"client,omitempty"`
	IP     string `json:"ip,omitempty"`
}

// List is a page of a list.
type List[T any] struct {
	MoreResults bool   `json:"more_results"`
	Collection  []T    `json:"collection"`
	Next        string `json:"next,omitempty"` // of a search: what after is for the next page
}

// Document is a JSON:API document with one user (Work-API, "Answer").
type Document struct {
	Data Resource `json:"data"`
}

// Resource is a user as JSON:API shows it.
type Resource struct {
	ID         string     `json:"id"`
	Type       string     `json:"type"` // "user"
	Attributes Attributes `json:"attributes"`
}

// Attributes are all that a Work-API client bears to be told of a user.
type Attributes struct {
	ArbitraryID string `json:"arbitrary_id"`
	Token       string `json:"token,omitempty"`
}
