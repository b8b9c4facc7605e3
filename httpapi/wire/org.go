package wire

import "encoding/json"

// Org is an org (Users API, "Orgs").
type Org struct {
	Tagged
	ID        string                     `json:"id"`
	RealmID   string                     `json:"realm_id"`
	Name      string                     `json:"name"`
	State     string                     `json:"state"` // active, inactive
	Reference *string                    `json:"reference"`
	Custom    map[string]json.RawMessage `json:"custom,omitzero"` // nil = not asked for, in lists
	CreatedAt Time                       `json:"created_at"`
	Object    string                     `json:"object"` // "org"
}

// Membership is a user's membership in an org, or in none (Users API, "Memberships").
type Membership struct {
	Tagged
	ID          string                     `json:"id"`
	OrgID       *string                    `json:"org_id"`
	UserID      string                     `json:"user_id"`
	Permissions []string                   `json:"permissions"`
	ExpiresAt   *Seconds                   `json:"expires_at"`
	Custom      map[string]json.RawMessage `json:"custom"`
	CreatedAt   Time                       `json:"created_at"`
	Object      string                     `json:"object"`         // "membership"
	Org         *Org                       `json:"org,omitempty"`  // in what is one user's
	User        *ListedUser                `json:"user,omitempty"` // in lists of one org's
}
