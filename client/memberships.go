package client

import (
	"context"
	"iter"

	"github.com/postern-auth/postern/httpapi/wire"
)

// Membership is what calls about memberships answer with.
type Membership = wire.Membership

// Memberships are who is in which org, or in none, and may do what there (Users API, "Memberships").
type Memberships struct{ c *Client }

// MembershipListOptions says which memberships to list. Those of one user come with their orgs, those of one org with its users.
type MembershipListOptions struct {
	Page          // in the order in which they were made
	Desc   bool   // the last first
	OrgID  string // in which org; "" = any
	UserID string // whose; "" = anybody's
}

// List returns a page of memberships.
func (s *Memberships) List(ctx context.Context, o MembershipListOptions) (*List[Membership], error) {
	v := o.values()
	order(v, "", o.Desc)
	put(v, "org_id", o.OrgID)
	put(v, "user_id", o.UserID)
	return do[List[Membership]](ctx, s.c, to("GET", "/v1/memberships").asking(v), nil)
}

// All returns all memberships from a page on.
func (s *Memberships) All(ctx context.Context, o MembershipListOptions) iter.Seq2[*Membership, error] {
	return all(ctx, o.Page, func(ctx context.Context, p Page) (*List[Membership], error) {
		part := o // the iterator may be run twice, or by two at once
		part.Page = p
		return s.List(ctx, part)
	}, func(one *Membership) string { return one.ID })
}

// Get returns a membership. It fails with ErrNotFound.
func (s *Memberships) Get(ctx context.Context, membership string, opts ...CallOption) (*Membership, error) {
	return do[Membership](ctx, s.c, to("GET", "/v1/memberships/{membership}", membership), opts)
}

// MembershipCreate is a membership to be made.
type MembershipCreate struct {
	UserID      string         `json:"user_id"`
	OrgID       string         `json:"org_id,omitempty"` // "" = in none
	Permissions []string       `json:"permissions,omitempty"`
	ExpiresAt   *Time          `json:"expires_at,omitempty"` // nil = never
	Custom      map[string]any `json:"custom,omitzero"`
}

// Create makes a membership. It fails with ErrInvalid, also where there is no such user or org.
func (s *Memberships) Create(ctx context.Context, in MembershipCreate, opts ...CallOption) (*Membership, error) {
	return do[Membership](ctx, s.c, to("POST", "/v1/memberships").about("membership", in), opts)
}

// MembershipUpdate is what is to be set of a membership. What is nil stays as it is.
type MembershipUpdate struct {
	Permissions []string       `json:"permissions,omitzero"` // replaces all there are; empty and not nil removes all
	ExpiresAt   *Time          `json:"expires_at,omitempty"` // the zero Time takes the limit away
	Custom      map[string]any `json:"custom,omitzero"`      // replaces all there are; empty and not nil removes all
}

// Update changes a membership. It fails with ErrNotFound and ErrInvalid.
func (s *Memberships) Update(ctx context.Context, membership string, in MembershipUpdate, opts ...CallOption) (*Membership, error) {
	return do[Membership](ctx, s.c, to("PUT", "/v1/memberships/{membership}", membership).about("membership", in), opts)
}

// Delete ends a membership. It fails with ErrNotFound.
func (s *Memberships) Delete(ctx context.Context, membership string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/memberships/{membership}", membership), nil, opts)
}
