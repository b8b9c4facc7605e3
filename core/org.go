package core

import (
	"strings"
	"time"
)

// Org is a group of users, such as a customer's staff (Users API, "Orgs"). Users belong to it by memberships. While an
// org is inactive, the permissions of its members count nowhere: they are not in new tokens, and guards do not
// grant them. The memberships stay, and count again once it is active.
type Org struct {
	ID        OrgID   `json:"id"`
	Realm     RealmID `json:"realm"`
	Name      string  `json:"name"` // need not be unique
	State     State   `json:"state"`
	Reference string  `json:"ref,omitempty"`
	Custom    Custom  `json:"custom,omitempty"`
	CreatedAt Instant `json:"created"`
}

func (o *Org) key(p Partition) Key { return orgKey(p, o.ID) }

// Failures of orgs.
var (
	ErrOrgNotFound = &Error{Kind: KindNotFound, Code: "org_not_found", Detail: "org not found"}

	errUnsettled = &Error{Kind: KindUnavailable, Code: "contention", Detail: "too many orgs with many members are being changed; try again shortly", RetryAfter: 5 * time.Second}
)

// OrgChange is what a caller wants to set of an org. What is nil stays as it is.
type OrgChange struct {
	Name      *string
	State     *State // StateActive or StateInactive
	Reference *string
	Custom    *Custom // replaces all of it
}

// apply sets what in asks for.
func (o *Org) apply(in OrgChange) error {
	var errs fieldErrors
	errs.text(&o.Name, in.Name, "name", "Name")
	o.Name = strings.TrimSpace(o.Name)
	errs.check(o.Name != "", "name", "Name can't be blank")
	if in.State != nil {
		errs.check(*in.State == StateActive || *in.State == StateInactive, "state", "State must be active or inactive")
		o.State = *in.State
	}
	errs.text(&o.Reference, in.Reference, "reference", "Reference")
	if in.Custom != nil {
		errs.add(in.Custom.validate())
		o.Custom = *in.Custom
	}
	return errs.err()
}

// OrgOrder is an order that orgs are listed in. Each is an index of its own for every state.
type OrgOrder string

// The orders. Names are compared without regard to case, bytewise, by their first 400 bytes; orgs that are alike
// follow each other by id.
const (
	OrgByID   OrgOrder = "id" // the order in which orgs were made
	OrgByName OrgOrder = "name"
)

// orgOrders are all of them.
var orgOrders = []OrgOrder{OrgByID, OrgByName}

// place returns where an org is in an order: the sort key, NUL, and the id without its prefix.
func (o *Org) place(order OrgOrder) string {
	if order == OrgByName {
		return cut(sortable(o.Name), maxSortKey) + "\x00" + idBody(o.ID)
	}
	return idBody(o.ID)
}

// orgAt returns the org that a place, or a member that ends with one, is of.
func orgAt(place string) OrgID { return OrgID(prefixOrg + place[len(place)-idLength:]) }

// orgGroup is the orgs that one index lists, in each order: those of one state, and with a reference, those that
// carry it.
type orgGroup struct {
	state     State
	reference string // "" = whatever the reference
}

// holds reports whether an org is in the group.
func (g orgGroup) holds(o *Org) bool {
	return o.State == g.state && (g.reference == "" || o.Reference == g.reference)
}

// members returns an org's place in every index; nil is in none.
func (o *Org) members() []placement {
	if o == nil {
		return nil
	}
	groups := []orgGroup{{o.State, ""}}
	if o.Reference != "" {
		groups = append(groups, orgGroup{o.State, o.Reference})
	}
	var all []placement
	for _, g := range groups {
		index, prefix := orgIndex(g)
		for _, order := range orgOrders {
			all = append(all, placement{index(order), prefix + o.place(order)})
		}
	}
	return all
}

// reindexOrg moves an org's index entries from before to after; nil stands for no org.
func (c *change) reindexOrg(before, after *Org) { c.move(before.members(), after.members()) }
