package userfiles

import (
	"encoding/json"
	"io"
	"time"

	"github.com/postern-auth/postern/httpapi/wire"
)

// supabaseUser is a row of Supabase's table auth.users in JSON: select json_agg(u) from auth.users u, or a row a line.
type supabaseUser struct {
	ID               string                     `json:"id"`
	Audience         string                     `json:"aud"`
	Username         string                     `json:"username"`  // is no column of that table: other systems write it
	UserType         string                     `json:"user_type"` // likewise, and we do
	Email            string                     `json:"email"`
	Phone            string                     `json:"phone"`
	Password         string                     `json:"encrypted_password"`
	EmailConfirmedAt string                     `json:"email_confirmed_at"`
	LastSignInAt     string                     `json:"last_sign_in_at"`
	CreatedAt        string                     `json:"created_at"`
	BannedUntil      string                     `json:"banned_until"`
	DeletedAt        string                     `json:"deleted_at"`
	UserMetadata     map[string]json.RawMessage `json:"raw_user_meta_data"`
	AppMetadata      map[string]json.RawMessage `json:"raw_app_meta_data"`
}

// readSupabase reads users of Supabase. Those that were deleted, and are only marked so, are passed over. One who is
// banned is inactive.
func readSupabase(r io.Reader, _ Options, emit Emit) error {
	return each(r, "", func(u supabaseUser) error {
		if u.ID == "" || u.Email == "" && u.Phone == "" && u.Audience == "" || u.Username != "" || u.UserType != "" {
			return foreign("an id and an aud")
		}
		if u.DeletedAt != "" {
			return nil
		}
		banned := u.BannedUntil == "infinity" || at(u.BannedUntil).After(time.Now())
		first, last := u.names()
		var providers []string
		_ = json.Unmarshal(u.AppMetadata["providers"], &providers) // if there are any
		note := ""
		for _, provider := range providers {
			note = notes(note, unlinked(provider, "email", "phone"))
		}
		return emit(wire.UserLine{
			Source: "supabase:" + u.ID, Reference: u.ID, UserType: "human", State: state(!banned),
			Email: u.Email, EmailVerification: verified(u.EmailConfirmedAt != ""), FirstName: first, LastName: last,
			CreatedAt: at(u.CreatedAt), LastLoginAt: at(u.LastSignInAt), Custom: customOf(u.UserMetadata, u.AppMetadata, phone(u.Phone)),
			Password: hashed(u.Password),
		}, note)
	})
}

// names takes the full name from the metadata, where most sign-ups put it.
func (u supabaseUser) names() (first, last string) {
	for _, key := range []string{"full_name", "name"} {
		var name string
		if json.Unmarshal(u.UserMetadata[key], &name) == nil && name != "" {
			delete(u.UserMetadata, key)
			return split(name)
		}
	}
	return "", ""
}
