package httpapi

import (
	"net/http"
	"slices"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// listMemberships serves GET /v1/memberships. One user's come with their orgs, one org's with its users; those of one
// user in one org with neither.
func (a *API) listMemberships(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionRead)
	if err != nil {
		return err
	}
	q := fields{}
	values := q.query(c.URL.RawQuery, "org_id", "user_id")
	in := core.ListMemberships{Org: core.OrgID(values["org_id"]), User: core.UserID(values["user_id"]),
		After: core.MembershipID(values["after"]), Limit: q.limit(values), Descending: q.descending(values)}
	q.filled(values, "org_id", "user_id")
	q.byID(values)
	if err := q.wrong(); err != nil {
		return err
	}
	if in.User, err = a.owner(c, realm, string(in.User)); err != nil {
		return err
	}
	page, err := a.core.Memberships.List(c.Context(), realm, in)
	if err != nil {
		return err
	}
	list := wire.List[wire.Membership]{MoreResults: page.More, Collection: make([]wire.Membership, 0, len(page.Memberships))}
	for _, m := range page.Memberships {
		body := membershipBody(m)
		switch {
		case in.Org == "" && in.User != "":
			body.Org = embeddedOrg(page.Orgs[m.Org])
		case in.Org != "" && in.User == "":
			if u := page.Users[m.User]; u != nil {
				listed := listedUser(u, false)
				body.User = &listed
			}
		}
		list.Collection = append(list.Collection, body)
	}
	write(w, http.StatusOK, mediaJSON, list)
	return nil
}

// embeddedOrg returns the org of a membership; nil where it is in none.
func embeddedOrg(o *core.Org) *wire.Org {
	if o == nil {
		return nil
	}
	body := orgBody(o)
	return &body
}

// getMembership serves GET /v1/memberships/{membership}.
func (a *API) getMembership(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionRead)
	if err != nil {
		return err
	}
	m, err := a.core.Memberships.Get(c.Context(), realm, core.MembershipID(c.segment("membership")))
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, membershipBody(m))
	return nil
}

// createMembership serves POST /v1/memberships.
func (a *API) createMembership(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "membership")
	if err != nil {
		return err
	}
	in := core.NewMembership{User: core.UserID(orEmpty(b.object.text("user_id"))), Org: core.OrgID(orEmpty(b.object.text("org_id"))),
		MembershipChange: membershipChange(&b.object)}
	if err := b.end(); err != nil {
		return err
	}
	if in.User == "" {
		return errNoOwner
	}
	if in.User, err = a.owner(c, realm, string(in.User)); err != nil {
		return err
	}
	m, err := a.core.Memberships.Create(c.Context(), realm, in, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusCreated, mediaJSON, membershipBody(m))
	return nil
}

// updateMembership serves PUT /v1/memberships/{membership}. Whose it is, and in which org, stays.
func (a *API) updateMembership(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "membership")
	if err != nil {
		return err
	}
	in := membershipChange(&b.object)
	id := core.MembershipID(c.segment("membership"))
	if err := a.sameMembership(c, realm, id, &b.object); err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	m, err := a.core.Memberships.Update(c.Context(), realm, id, in, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, membershipBody(m))
	return nil
}

// sameMembership lets user and org be sent back as they were got, and complains about others.
func (a *API) sameMembership(c *call, realm core.RealmID, id core.MembershipID, f *fields) error {
	user, org := f.members.has("user_id"), f.members.has("org_id")
	if !user && !org {
		return nil
	}
	m, err := a.core.Memberships.Get(c.Context(), realm, id)
	if err != nil {
		return err
	}
	if sent := f.optional("user_id"); sent != nil && *sent != string(m.User) {
		f.complain("user_id", "can't be changed")
	}
	if sent := f.optional("org_id"); sent != nil && *sent != string(m.Org) {
		f.complain("org_id", "can't be changed")
	}
	return nil
}

// deleteMembership serves DELETE /v1/memberships/{membership}.
func (a *API) deleteMembership(w http.ResponseWriter, c *call) error {
	from, realm, err := a.manageRequest(w, c, core.PermissionWrite, "membership")
	if err != nil {
		return err
	}
	if err := a.core.Memberships.Delete(c.Context(), realm, core.MembershipID(c.segment("membership")), from); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// membershipChange reads the attributes of a membership that may be changed.
func membershipChange(f *fields) core.MembershipChange {
	in := core.MembershipChange{Permissions: f.granted(), ExpiresAt: f.time("expires_at"), Custom: f.custom()}
	f.ignore("id", "object", "created_at", "realm_id", "org", "user")
	return in
}

// granted takes permissions, one or an array. Those that are missing give nil, null gives none.
func (f *fields) granted() *[]string {
	if !f.members.has("permissions") {
		return nil
	}
	list := f.texts("permissions")
	return &list
}

// membershipBody returns a membership as Get answers.
func membershipBody(m *core.Membership) wire.Membership {
	body := wire.Membership{ID: string(m.ID), OrgID: orNull(string(m.Org)), UserID: string(m.User), Permissions: slices.Clone(m.Permissions),
		Custom: customBody(m.Custom), CreatedAt: wire.Time{Time: m.CreatedAt.Time}, Object: "membership"}
	if body.Permissions == nil {
		body.Permissions = []string{}
	}
	if !m.ExpiresAt.IsZero() {
		at := wire.Seconds(m.ExpiresAt.Unix())
		body.ExpiresAt = &at
	}
	return body
}

// expands reports whether a call asks for a part that is left out otherwise, in its query or its body.
func (c *call) expands(part string) bool {
	return c.body != nil && slices.Contains(c.body.expand, part) || slices.Contains(expanded(c.URL.RawQuery), part)
}

// expanded returns the parts that a query asks for: expand=custom, expand[]=custom, expand[0]=custom. Words that name no part
// of an answer ask for nothing, as in a body.
func expanded(query string) []string { return several(query, "expand") }

// membershipsOf returns a user's memberships, each with its org.
func (a *API) membershipsOf(c *call, user *core.User) ([]wire.Membership, error) {
	page, err := a.core.Memberships.List(c.Context(), user.Realm, core.ListMemberships{User: user.ID})
	if err != nil {
		return nil, err
	}
	list := []wire.Membership{}
	for _, m := range page.Memberships {
		body := membershipBody(m)
		body.Org = embeddedOrg(page.Orgs[m.Org])
		list = append(list, body)
	}
	return list, nil
}

// joinedElsewhere complains about what is said only of a new user: passing over permissions that somebody takes for changed
// would be worse.
func joinedElsewhere(b *body) {
	for _, f := range []*fields{&b.object, &b.top} {
		for _, name := range []string{"org", "org_ids", "permissions"} {
			if _, there := f.take(name); there {
				f.complain(name, "can be given when a user is made; afterwards it is changed at /v1/memberships")
			}
		}
	}
}

// joins reads what a new user is to be a member of: from beside the user or, as most clients send it, from inside.
func joins(b *body, in *core.UserChange) {
	for _, f := range []*fields{&b.top, &b.object} {
		if raw, there := f.take("org"); there && string(raw) != "null" {
			org := fields{members: membersOrNone(raw)}
			if org.members == nil {
				f.complain("org", "must be an object")
				continue
			}
			change := orgChange(&org)
			in.Org = &change
			f.errs = append(f.errs, org.rest()...)
		}
		for _, id := range f.texts("org_ids") {
			in.OrgIDs = append(in.OrgIDs, core.OrgID(id))
		}
		if list := f.granted(); list != nil {
			in.Permissions = list
		}
	}
}
