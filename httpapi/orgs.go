package httpapi

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// listOrgs serves GET /v1/orgs.
func (a *API) listOrgs(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionRead)
	if err != nil {
		return err
	}
	in, custom, err := orgQuery(c.URL.RawQuery)
	if err != nil {
		return err
	}
	page, err := a.core.Orgs.List(c.Context(), realm, in)
	if err != nil {
		return err
	}
	list := wire.List[wire.Org]{MoreResults: page.More, Collection: make([]wire.Org, 0, len(page.Orgs))}
	for _, o := range page.Orgs {
		body := orgBody(o)
		if !custom {
			body.Custom = nil
		}
		list.Collection = append(list.Collection, body)
	}
	write(w, http.StatusOK, mediaJSON, list)
	return nil
}

// orgQuery reads which orgs to list, and whether with their custom attributes. It fails with KindInvalid.
func orgQuery(query string) (in core.ListOrgs, custom bool, err error) {
	q := fields{}
	values := q.query(query, "reference", "state")
	if reference, there := values["reference"]; there {
		in.Reference = &reference
	}
	in.State, in.After, in.Sort = core.State(values["state"]), core.OrgID(values["after"]), core.OrgOrder(values["sort"])
	in.Limit, in.Descending = q.limit(values), q.descending(values)
	custom = slices.Contains(expanded(query), "custom")
	return in, custom, q.wrong()
}

// wrong returns the complaints about a query as one KindInvalid error, or nil.
func (f *fields) wrong() error {
	if len(f.errs) == 0 {
		return nil
	}
	return &core.Error{Kind: core.KindInvalid, Code: "validation", Fields: f.errs}
}

// getOrg serves GET /v1/orgs/{org}.
func (a *API) getOrg(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionRead)
	if err != nil {
		return err
	}
	org, err := a.core.Orgs.Get(c.Context(), realm, core.OrgID(c.segment("org")))
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, orgBody(org))
	return nil
}

// createOrg serves POST /v1/orgs.
func (a *API) createOrg(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "org")
	if err != nil {
		return err
	}
	in := orgChange(&b.object)
	if err := b.end(); err != nil {
		return err
	}
	org, err := a.core.Orgs.Create(c.Context(), realm, in, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusCreated, mediaJSON, orgBody(org))
	return nil
}

// updateOrg serves PUT /v1/orgs/{org}.
func (a *API) updateOrg(w http.ResponseWriter, c *call) error {
	b, realm, err := a.manageBody(w, c, core.PermissionWrite, "org")
	if err != nil {
		return err
	}
	in := orgChange(&b.object)
	if err := b.end(); err != nil {
		return err
	}
	org, err := a.core.Orgs.Update(c.Context(), realm, core.OrgID(c.segment("org")), in, b.request)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, mediaJSON, orgBody(org))
	return nil
}

// deleteOrg serves DELETE /v1/orgs/{org}.
func (a *API) deleteOrg(w http.ResponseWriter, c *call) error {
	from, realm, err := a.manageRequest(w, c, core.PermissionWrite, "org")
	if err != nil {
		return err
	}
	if err := a.core.Orgs.Delete(c.Context(), realm, core.OrgID(c.segment("org")), from); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// orgChange reads the attributes of an org that a management key may set.
func orgChange(f *fields) core.OrgChange {
	in := core.OrgChange{Name: f.text("name"), State: word[core.State](f, "state"), Reference: f.reference(), Custom: f.custom()}
	f.ignore("id", "object", "created_at", "realm_id")
	return in
}

// orgBody returns an org as Get answers.
func orgBody(o *core.Org) wire.Org {
	return wire.Org{ID: string(o.ID), RealmID: string(o.Realm), Name: o.Name, State: string(o.State), Reference: orNull(o.Reference),
		Custom: customBody(o.Custom), CreatedAt: wire.Time{Time: o.CreatedAt.Time}, Object: "org"}
}

// customBody returns custom attributes as an object, also where there are none.
func customBody(c core.Custom) map[string]json.RawMessage {
	if c == nil {
		return map[string]json.RawMessage{}
	}
	return c
}
