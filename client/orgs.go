package client

import (
	"context"
	"iter"

	"github.com/postern-auth/postern/httpapi/wire"
)

// Org is what calls about orgs answer with.
type Org = wire.Org

// Orgs are the orgs of a realm (Users API, "Orgs").
type Orgs struct{ c *Client }

// OrgListOptions says which orgs to list. The zero value is all of them.
type OrgListOptions struct {
	Page
	Sort      string  // id, which is the default, or name
	Desc      bool    // the last first
	Reference *string // of exactly this reference
	State     string  // active or inactive
	Custom    bool    // with their custom attributes
}

// List returns a page of orgs.
func (s *Orgs) List(ctx context.Context, o OrgListOptions) (*List[Org], error) {
	v := o.values()
	order(v, o.Sort, o.Desc)
	if o.Reference != nil {
		v.Set("reference", *o.Reference)
	}
	put(v, "state", o.State)
	if o.Custom {
		v.Set("expand", "custom")
	}
	return do[List[Org]](ctx, s.c, to("GET", "/v1/orgs").asking(v), nil)
}

// All returns all orgs from a page on.
func (s *Orgs) All(ctx context.Context, o OrgListOptions) iter.Seq2[*Org, error] {
	return all(ctx, o.Page, func(ctx context.Context, p Page) (*List[Org], error) {
		part := o // the iterator may be run twice, or by two at once
		part.Page = p
		return s.List(ctx, part)
	}, func(one *Org) string { return one.ID })
}

// Get returns an org. It fails with ErrNotFound.
func (s *Orgs) Get(ctx context.Context, org string, opts ...CallOption) (*Org, error) {
	return do[Org](ctx, s.c, to("GET", "/v1/orgs/{org}", org), opts)
}

// OrgCreate is an org to be made.
type OrgCreate struct {
	Name      string         `json:"name"`
	State     string         `json:"state,omitempty"` // active or inactive
	Reference string         `json:"reference,omitempty"`
	Custom    map[string]any `json:"custom,omitzero"`
}

// Create makes an org. It fails with ErrInvalid.
func (s *Orgs) Create(ctx context.Context, in OrgCreate, opts ...CallOption) (*Org, error) {
	return do[Org](ctx, s.c, to("POST", "/v1/orgs").about("org", in), opts)
}

// OrgUpdate is what is to be set of an org. What is nil stays as it is; an empty text clears.
type OrgUpdate struct {
	Name      *string        `json:"name,omitempty"`
	State     *string        `json:"state,omitempty"`
	Reference *string        `json:"reference,omitempty"`
	Custom    map[string]any `json:"custom,omitzero"` // replaces all there are; empty and not nil removes all
}

// Update changes an org. It fails with ErrNotFound and ErrInvalid.
func (s *Orgs) Update(ctx context.Context, org string, in OrgUpdate, opts ...CallOption) (*Org, error) {
	return do[Org](ctx, s.c, to("PUT", "/v1/orgs/{org}", org).about("org", in), opts)
}

// Delete deletes an org and the memberships in it. It fails with ErrNotFound.
func (s *Orgs) Delete(ctx context.Context, org string, opts ...CallOption) error {
	return s.c.send(ctx, to("DELETE", "/v1/orgs/{org}", org), nil, opts)
}
