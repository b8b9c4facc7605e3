package client

import (
	"context"
	"iter"

	"github.com/postern-auth/postern/httpapi/wire"
)

// What calls about keys answer with.
type (
	APTKey        = wire.APTKey
	JWTKey        = wire.JWTKey
	ManagementKey = wire.ManagementKey
)

// APTKeys are the public keys of a realm's account providers. All calls need the manage permission.
type APTKeys struct{ c *Client }

// List returns all keys of the realm, of which there are few.
func (s *APTKeys) List(ctx context.Context) (*List[APTKey], error) {
	return do[List[APTKey]](ctx, s.c, to("GET", "/v1/apt_keys"), nil)
}

// Get returns a key. It fails with ErrNotFound.
func (s *APTKeys) Get(ctx context.Context, key string, opts ...CallOption) (*APTKey, error) {
	return do[APTKey](ctx, s.c, to("GET", "/v1/apt_keys/{key}", key), opts)
}

// APTKeyCreate is a key to be made: of the public half that is given, or generated.
type APTKeyCreate struct {
	Name      string `json:"name,omitempty"`
	PublicKey string `json:"public_key,omitempty"` // PEM
	Alg       string `json:"alg,omitempty"`        // where the public key fits several: "PS256"
	Generate  string `json:"generate,omitempty"`   // "RS256", "ES256" or "EdDSA", in place of a public key
}

// Create makes a key. Where it is generated, the private half is in this answer alone; GenerateAPTKey makes one that never leaves
// this machine. It fails with ErrInvalid, and with ErrConflict where five are active or the key is there in another form.
func (s *APTKeys) Create(ctx context.Context, in APTKeyCreate, opts ...CallOption) (*APTKey, error) {
	return do[APTKey](ctx, s.c, to("POST", "/v1/apt_keys").about("apt_key", in), opts)
}

// APTKeyUpdate is what is to be set of a key. What is nil stays as it is.
type APTKeyUpdate struct {
	Name        *string `json:"name,omitempty"`
	NotAfter    *Time   `json:"not_after,omitempty"`    // until when it is good; the zero Time takes the limit away
	State       *string `json:"state,omitempty"`        // active or retired
	EndSessions bool    `json:"end_sessions,omitempty"` // with retirement: ends all that the key vouched for
}

// Update changes a key. It fails with ErrNotFound and ErrInvalid.
func (s *APTKeys) Update(ctx context.Context, key string, in APTKeyUpdate, opts ...CallOption) (*APTKey, error) {
	return do[APTKey](ctx, s.c, to("PUT", "/v1/apt_keys/{key}", key).about("apt_key", in), opts)
}

// Delete deletes a key. It fails with ErrNotFound, and with ErrConflict while sessions that it had ended could be alive without it.
func (s *APTKeys) Delete(ctx context.Context, key string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/apt_keys/{key}", key), nil, opts)
}

// JWTKeys are the keys of a realm's session tokens (Users API, "JWT keys"). All calls need the manage permission.
type JWTKeys struct{ c *Client }

// List returns all keys of the realm, of which there are few, the oldest first.
func (s *JWTKeys) List(ctx context.Context) (*List[JWTKey], error) {
	return do[List[JWTKey]](ctx, s.c, to("GET", "/v1/jwt_keys"), nil)
}

// Get returns a key. It fails with ErrNotFound.
func (s *JWTKeys) Get(ctx context.Context, key string, opts ...CallOption) (*JWTKey, error) {
	return do[JWTKey](ctx, s.c, to("GET", "/v1/jwt_keys/{key}", key), opts)
}

// Create makes a new key of the realm's algorithm, which signs nobody out. It fails with ErrConflict while another is about to sign.
func (s *JWTKeys) Create(ctx context.Context, opts ...CallOption) (*JWTKey, error) {
	return do[JWTKey](ctx, s.c, to("POST", "/v1/jwt_keys"), opts)
}

// Delete has all that a key signed refused from now on. It fails with ErrNotFound, and with ErrConflict where the key has no successor.
func (s *JWTKeys) Delete(ctx context.Context, key string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/jwt_keys/{key}", key), nil, opts)
}

// ManagementKeys are the rights of back ends to call the API. All calls need a key for all realms with the manage permission.
type ManagementKeys struct{ c *Client }

// List returns a page of keys.
func (s *ManagementKeys) List(ctx context.Context, p Page) (*List[ManagementKey], error) {
	return do[List[ManagementKey]](ctx, s.c, to("GET", "/v1/management_keys").asking(p.values()), nil)
}

// All returns all keys from a page on.
func (s *ManagementKeys) All(ctx context.Context, p Page) iter.Seq2[*ManagementKey, error] {
	return all(ctx, p, s.List, func(one *ManagementKey) string { return one.ID })
}

// Get returns a key. It fails with ErrNotFound.
func (s *ManagementKeys) Get(ctx context.Context, key string, opts ...CallOption) (*ManagementKey, error) {
	return do[ManagementKey](ctx, s.c, to("GET", "/v1/management_keys/{key}", key), opts)
}

// ManagementKeyCreate is a key to be made.
type ManagementKeyCreate struct {
	Name        string   `json:"name"`
	RealmID     string   `json:"-"`           // by id or name; "" = the client's, and all realms where that has none
	AllRealms   bool     `json:"-"`           // it is for all realms, whatever the client's is, unless RealmID says which
	Permissions []string `json:"permissions"` // read, write, manage
	ExpiresAt   *Time    `json:"expires_at,omitempty"`
}

// Create makes a key. Its secret is in this answer alone. It fails with ErrInvalid.
func (s *ManagementKeys) Create(ctx context.Context, in ManagementKeyCreate, opts ...CallOption) (*ManagementKey, error) {
	r := to("POST", "/v1/management_keys")
	if in.AllRealms || in.RealmID != "" {
		return do[ManagementKey](ctx, s.c, r.about("management_key", struct {
			ManagementKeyCreate
			RealmID *string `json:"realm_id"` // null = all
		}{in, orNull(in.RealmID)}), opts)
	}
	return do[ManagementKey](ctx, s.c, r.about("management_key", in), opts)
}

// orNull returns nil for an empty text.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// ManagementKeyUpdate is what is to be set of a key. What is nil stays as it is.
type ManagementKeyUpdate struct {
	Name        *string  `json:"name,omitempty"`
	Permissions []string `json:"permissions,omitempty"`
	ExpiresAt   *Time    `json:"expires_at,omitempty"` // the zero Time takes the limit away
}

// Update changes a key. It fails with ErrNotFound and ErrInvalid.
func (s *ManagementKeys) Update(ctx context.Context, key string, in ManagementKeyUpdate, opts ...CallOption) (*ManagementKey, error) {
	return do[ManagementKey](ctx, s.c, to("PUT", "/v1/management_keys/{key}", key).about("management_key", in), opts)
}

// Delete has a key refused from now on. It fails with ErrNotFound.
func (s *ManagementKeys) Delete(ctx context.Context, key string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/management_keys/{key}", key), nil, opts)
}
