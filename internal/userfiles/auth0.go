package userfiles

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/postern-auth/postern/httpapi/wire"
)

// auth0User is a user in an export of Auth0 (a job of users-exports, NDJSON), and in the files that it imports itself.
type auth0User struct {
	UserID        string                     `json:"user_id"`
	OtherID       json.RawMessage            `json:"id"`      // has nobody in a file of Auth0: what most other systems write
	FirebaseID    string                     `json:"localId"` // likewise
	Email         string                     `json:"email"`
	EmailVerified bool                       `json:"email_verified"`
	Username      string                     `json:"username"`
	GivenName     string                     `json:"given_name"`
	FamilyName    string                     `json:"family_name"`
	Name          string                     `json:"name"`
	Phone         string                     `json:"phone_number"`
	Blocked       bool                       `json:"blocked"`
	CreatedAt     string                     `json:"created_at"`
	LastLogin     string                     `json:"last_login"`
	UserMetadata  map[string]json.RawMessage `json:"user_metadata"`
	AppMetadata   map[string]json.RawMessage `json:"app_metadata"`
	PasswordHash  string                     `json:"password_hash"`
	CustomHash    *struct {
		Algorithm string `json:"algorithm"`
		Hash      struct {
			Value string `json:"value"`
		} `json:"hash"`
	} `json:"custom_password_hash"`
	Multifactor []json.RawMessage `json:"multifactor"`
	Identities  []struct {
		Provider string `json:"provider"`
	} `json:"identities"`
}

// auth0Hash is a line of the export of password hashes that Auth0's support makes.
type auth0Hash struct {
	ID struct {
		OID string `json:"$oid"`
	} `json:"_id"`
	PasswordHash string `json:"passwordHash"`
}

// readAuth0 reads users of Auth0.
func readAuth0(r io.Reader, o Options, emit Emit) error {
	hashes := map[string]string{}
	if o.Hashes != nil {
		err := each(o.Hashes, "", func(h auth0Hash) error {
			hashes[h.ID.OID] = h.PasswordHash
			return nil
		})
		if err != nil {
			return fmt.Errorf("the password hashes: %w", err)
		}
	}
	return each(r, "", func(u auth0User) error {
		// What Auth0 imports may have the address alone, but no id by another name.
		if u.UserID == "" && (u.Email == "" || u.OtherID != nil || u.FirebaseID != "") {
			return foreign("a user_id")
		}
		line, note := u.line()
		if line.Password == nil {
			_, id, _ := strings.Cut(u.UserID, "|")
			line.Password = hashed(hashes[id])
		}
		return emit(line, note)
	})
}

// line returns the user as one to import.
func (u auth0User) line() (wire.UserLine, string) {
	first, last := u.GivenName, u.FamilyName
	if first == "" && last == "" && u.Name != u.Email && u.Name != u.Phone { // either stands there for a name that nobody gave
		first, last = split(u.Name)
	}
	line := wire.UserLine{
		Source: "auth0:" + cmp.Or(u.UserID, u.Email), Reference: u.UserID, UserType: "human", State: state(!u.Blocked),
		Username: u.Username, Email: u.Email, EmailVerification: verified(u.EmailVerified), FirstName: first, LastName: last,
		CreatedAt: at(u.CreatedAt), LastLoginAt: at(u.LastLogin), Custom: customOf(u.UserMetadata, u.AppMetadata, phone(u.Phone)),
	}
	note := noteIf(len(u.Multifactor) > 0, "second factors are not imported")
	for _, identity := range u.Identities {
		note = notes(note, unlinked(identity.Provider, "auth0"))
	}
	hash := u.PasswordHash
	if c := u.CustomHash; c != nil {
		// The others are kept apart from their salts in ways that have no text of their own.
		if slices.Contains([]string{"bcrypt", "argon2", "pbkdf2", "ldap"}, c.Algorithm) {
			hash = c.Hash.Value
		} else {
			note = notes(note, "a password hash of the kind "+c.Algorithm+" is not imported")
		}
	}
	line.Password = hashed(hash)
	return line, note
}

// split returns the first word of a name and the rest.
func split(name string) (first, last string) {
	first, last, _ = strings.Cut(strings.TrimSpace(name), " ")
	return first, strings.TrimSpace(last)
}

// phone returns a telephone number as a custom attribute.
func phone(number string) map[string]json.RawMessage {
	if number == "" {
		return nil
	}
	return map[string]json.RawMessage{"phone": text(number)}
}
