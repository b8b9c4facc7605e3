package wire

import "encoding/json"

// UserLine is a user in an export, and one to import: a line of NDJSON. What is missing or null is empty.
type UserLine struct {
	ID                string                     `json:"id,omitempty"`     // usr_..., kept where it is free
	Source            string                     `json:"source,omitempty"` // imports only: who the user is in another system; without an id, one is made of it
	UserType          string                     `json:"user_type,omitempty"`
	State             string                     `json:"state,omitempty"`
	Username          string                     `json:"username,omitempty"`
	Email             string                     `json:"email,omitempty"`
	EmailVerification string                     `json:"email_verification,omitempty"`
	FirstName         string                     `json:"first_name,omitempty"`
	LastName          string                     `json:"last_name,omitempty"`
	Name              string                     `json:"name,omitempty"` // api users only
	Reference         string                     `json:"reference,omitempty"`
	ArbitraryID       string                     `json:"arbitrary_id,omitempty"`
	Custom            map[string]json.RawMessage `json:"custom,omitempty"`
	CreatedAt         Time                       `json:"created_at,omitzero"`
	LastLoginAt       Time                       `json:"last_login_at,omitzero"`
	Password          *PasswordLine              `json:"password,omitempty"`
}

// PasswordLine is a password in an export. With the hash alone it is one of another system.
type PasswordLine struct {
	Hash      string `json:"hash"`
	Own       bool   `json:"own,omitempty"` // made by Postern, which prepares a password before it hashes it
	CreatedAt Time   `json:"created_at,omitzero"`
}

// ImportLine says what became of a line of an import.
type ImportLine struct {
	Line   int      `json:"line"`             // from 1 on
	Status string   `json:"status"`           // created, exists or failed; in a dry run created stands for what would be
	ID     string   `json:"id,omitempty"`     // of the user
	Errors []string `json:"errors,omitempty"` // whole sentences
}

// ImportSummary is the last line of the answer to an import. Without it, the import did not come to its end.
type ImportSummary struct {
	Lines   int    `json:"lines"`
	Created int    `json:"created"`
	Exists  int    `json:"exists"`
	Failed  int    `json:"failed"`
	DryRun  bool   `json:"dry_run"`
	Object  string `json:"object"` // "import"
}
