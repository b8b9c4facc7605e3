package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"

	"github.com/postern-auth/postern/httpapi/wire"
)

// What calls about realms answer with.
type (
	Realm = wire.Realm
	Usage = wire.Usage
)

// Realms are isolated sets of users with their keys and policies (Users API, "Realms"). Their calls name the realm themselves; all but
// KeySet need the manage permission.
type Realms struct{ c *Client }

// RealmListOptions says which realms to list. The zero value is all that the key is for.
type RealmListOptions struct {
	Page
	Sort      string  // id, which is the default, or name
	Desc      bool    // the last first
	Reference *string // of exactly this reference
	State     string  // active or inactive
}

// List returns a page of realms, without their JWT keys.
func (s *Realms) List(ctx context.Context, o RealmListOptions) (*List[Realm], error) {
	v := o.values()
	order(v, o.Sort, o.Desc)
	if o.Reference != nil {
		v.Set("reference", *o.Reference)
	}
	put(v, "state", o.State)
	return do[List[Realm]](ctx, s.c, to("GET", "/v1/realms").asking(v), nil)
}

// All returns all realms from a page on.
func (s *Realms) All(ctx context.Context, o RealmListOptions) iter.Seq2[*Realm, error] {
	return all(ctx, o.Page, func(ctx context.Context, p Page) (*List[Realm], error) {
		part := o // the iterator may be run twice, or by two at once
		part.Page = p
		return s.List(ctx, part)
	}, func(one *Realm) string { return one.ID })
}

// Get returns a realm by its id. It fails with ErrNotFound.
func (s *Realms) Get(ctx context.Context, realm string, opts ...CallOption) (*Realm, error) {
	return do[Realm](ctx, s.c, to("GET", "/v1/realms/{realm}", realm), opts)
}

// RealmChange is what is to be set of a realm, or of one to be made. What is nil stays as it is, or is the default; a zero or an
// empty text brings the default back. Times are in seconds unless the name says minutes.
type RealmChange struct {
	Name          *string         `json:"name,omitempty"`
	State         *string         `json:"state,omitempty"` // active or inactive
	Reference     *string         `json:"reference,omitempty"`
	Custom        map[string]any  `json:"custom,omitzero"`         // replaces all there are; empty and not nil removes all
	ResourceLinks json.RawMessage `json:"resource_links,omitzero"` // kept as it is

	JWTAlgo                 *string  `json:"jwt_algo,omitempty"`                  // HS256, RS256, ES256, EdDSA
	JWTFields               []string `json:"jwt_fields,omitzero"`                 // custom, memberships, orgs; empty and not nil = none
	UsernameValidationHuman *string  `json:"username_validation_human,omitempty"` // standard or email
	RequireUniqueEmails     *bool    `json:"require_unique_emails,omitempty"`
	APIKeyPolicy            *string  `json:"api_key_policy,omitempty"`  // hash, or encrypt: keys can be shown again
	APIKeyMinutes           *int64   `json:"api_key_minutes,omitempty"` // of tokens that stand for API keys; 0 = there are none
	APIKeyPrefix            *string  `json:"api_key_prefix,omitempty"`
	SessionType             *string  `json:"session_type,omitempty"`    // managed, or unmanaged: people's sessions are kept all the same
	SessionMinutes          *Minutes `json:"session_minutes,omitempty"` // 0 = SessionIdle and SessionAbsolute bound a session

	TokenLifetime         *int64  `json:"token_lifetime,omitempty"`
	APTTokenLifetime      *int64  `json:"apt_token_lifetime,omitempty"`
	SessionIdle           *int64  `json:"session_idle,omitempty"`
	SessionAbsolute       *int64  `json:"session_absolute,omitempty"`
	APTLifetime           *int64  `json:"apt_lifetime,omitempty"`
	APTSkew               *int64  `json:"apt_skew,omitempty"`
	APTRequireJTI         *bool   `json:"apt_require_jti,omitempty"`
	APTRequireArbitraryID *bool   `json:"apt_require_arbitrary_id,omitempty"`
	APTEncryption         *string `json:"apt_encryption,omitempty"` // accept, require, or "" for off
	KeyRotation           *int64  `json:"key_rotation,omitempty"`
	PasswordMinLength     *int    `json:"password_min_length,omitempty"`
	EmailTokenLifetime    *int64  `json:"email_token_lifetime,omitempty"`
	PasswordTokenLifetime *int64  `json:"password_token_lifetime,omitempty"`
	EventRetention        *int64  `json:"event_retention,omitempty"`
}

// Minutes is a number of minutes, of which 0 is none.
type Minutes int64

// MarshalJSON writes a number, or null.
func (m Minutes) MarshalJSON() ([]byte, error) {
	if m == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(int64(m))
}

// Create makes a realm. What is not said is as the Users API's clients expect it: HS256, sessions of 360 minutes. It needs a key for
// all realms, and fails with ErrInvalid.
func (s *Realms) Create(ctx context.Context, in RealmChange, opts ...CallOption) (*Realm, error) {
	return do[Realm](ctx, s.c, to("POST", "/v1/realms").about("realm", in), opts)
}

// Update changes a realm. It fails with ErrNotFound and ErrInvalid.
func (s *Realms) Update(ctx context.Context, realm string, in RealmChange, opts ...CallOption) (*Realm, error) {
	return do[Realm](ctx, s.c, to("PUT", "/v1/realms/{realm}", realm).about("realm", in), opts)
}

// Delete deletes a realm and all that it holds. It is gone at once. It needs a key for all realms. It fails with ErrNotFound, and with
// ErrConflict for the realm that the data store was set up with.
func (s *Realms) Delete(ctx context.Context, realm string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/realms/{realm}", realm), nil, opts)
}

// Reset deletes all users and orgs of a realm. While that goes on, Realm.Resetting is true.
func (s *Realms) Reset(ctx context.Context, realm string, opts ...CallOption) (*Realm, error) {
	return do[Realm](ctx, s.c, to("POST", "/v1/realms/{realm}/reset", realm), opts)
}

// RotateKeys makes new signing keys, with nobody signed out. It fails with ErrConflict while new ones are about to sign.
func (s *Realms) RotateKeys(ctx context.Context, realm string, opts ...CallOption) error {
	return s.c.send(ctx, to("POST", "/v1/realms/{realm}/rotate_keys", realm), nil, opts)
}

// KeySet returns a realm's public keys, which verify its tokens, as a JWK Set (RFC 7517 §5). A realm of "" is the one that is called
// default. No key is needed. They may be kept for five minutes.
func (s *Realms) KeySet(ctx context.Context, realm string, opts ...CallOption) (json.RawMessage, error) {
	r := to("GET", "/.well-known/jwks.json")
	if realm != "" {
		r = to("GET", "/v1/realms/{realm}/.well-known/jwks.json", realm)
	}
	set, err := do[json.RawMessage](ctx, s.c, r, opts)
	if err != nil {
		return nil, err
	}
	return *set, nil
}

// UsageOptions says which days to tell of, like "2026-11-23" (UTC), both included. The zero value is the last 30.
type UsageOptions struct{ From, To string }

// Usage returns what happened in a realm, a line for each day and APT key, the oldest first. Where there is more than a thousand
// lines, MoreResults is true: ask for fewer days.
func (s *Realms) Usage(ctx context.Context, realm string, o UsageOptions) (*List[Usage], error) {
	v := url.Values{}
	put(v, "from", o.From)
	put(v, "to", o.To)
	return do[List[Usage]](ctx, s.c, to("GET", "/v1/realms/{realm}/usage", realm).asking(v), nil)
}
