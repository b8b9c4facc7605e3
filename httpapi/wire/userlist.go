package wire

import "encoding/json"

// ListedUser is a user as lists show one (Users API, "List users"): User without membership_count and credentials,
// and with custom only where that was asked for.
type ListedUser struct {
	ID                string                     `json:"id"`
	RealmID           string                     `json:"realm_id"`
	Username          string                     `json:"username"`
	State             string                     `json:"state"`
	UserType          string                     `json:"user_type"`
	Reference         *string                    `json:"reference"`
	Custom            map[string]json.RawMessage `json:"custom,omitzero"` // nil = not asked for
	Name              string                     `json:"name"`
	Email             *string                    `json:"email"`
	EmailVerification string                     `json:"email_verification"`
	Object            string                     `json:"object"` // "user"
	LastLoginAt       Time                       `json:"last_login_at"`
	CreatedAt         Time                       `json:"created_at"`
	FirstName         *string                    `json:"first_name"`
	LastName          *string                    `json:"last_name"`
}
