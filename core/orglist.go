package core

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// ListOrgs says which orgs to list and which page of them. The zero ListOrgs asks for the first 100 of all orgs by
// name.
type ListOrgs struct {
	Reference  *string  // exactly this, byte for byte; nil = any. "" is no reference, and no org's
	State      State    // StateActive or StateInactive; "" = any
	After      OrgID    // go on after this org's place in the order; "" = from the start
	Limit      int      // orgs on the page, 1 to MaxRange; default 100
	Sort       OrgOrder // default OrgByName
	Descending bool     // the last first
}

// OrgPage is a page of a list of orgs.
type OrgPage struct {
	Orgs []*Org
	More bool // there are orgs after these
}

// errAfterOrg says that After is no org whose place is known.
var errAfterOrg = invalid("after", "After must be the id of an org")

// validate fills the defaults and returns what is wrong, all of it, as KindInvalid.
func (in *ListOrgs) validate() error {
	defaultTo(&in.Limit, defaultPage)
	defaultTo(&in.Sort, OrgByName)
	var errs fieldErrors
	errs.check(slices.Contains([]State{"", StateActive, StateInactive}, in.State), "state", "State must be active or inactive")
	errs.check(in.Limit >= 1 && in.Limit <= MaxRange, "max_results", "Max results must be from 1 to 1000")
	errs.check(slices.Contains(orgOrders, in.Sort), "sort", "Sort must be id or name")
	if in.After != "" && !validID(prefixOrg, string(in.After)) {
		errs.add(errAfterOrg)
	}
	return errs.err()
}

// groups returns the groups that together are the orgs asked for.
func (in *ListOrgs) groups() []orgGroup {
	if in.Reference != nil && *in.Reference == "" {
		return nil
	}
	var groups []orgGroup
	for _, s := range []State{StateActive, StateInactive} {
		if in.State == "" || in.State == s {
			g := orgGroup{state: s}
			if in.Reference != nil {
				g.reference = *in.Reference
			}
			groups = append(groups, g)
		}
	}
	return groups
}

// List returns a page of a realm's orgs. Any page costs the same. It fails with KindInvalid, also where After is no org or
// was deleted more than 24 hours ago, and with ErrRealmNotFound.
func (o *Orgs) List(ctx context.Context, realm RealmID, in ListOrgs) (OrgPage, error) {
	if err := in.validate(); err != nil {
		return OrgPage{}, err
	}
	state, now, err := (&Users{o.d}).begin(ctx, realm)
	if err != nil {
		return OrgPage{}, err
	}
	after, err := o.placeOf(ctx, state.Realm, in.After, in.Sort, now)
	if err != nil {
		return OrgPage{}, fmt.Errorf("core: list orgs: %w", err)
	}
	m := &orgMerge{merge: merge{store: o.d.store, descending: in.Descending}, realm: state.Realm, sort: in.Sort, groups: map[*lane]orgGroup{}}
	for _, g := range in.groups() {
		name, prefix := orgIndex(g)
		for _, p := range state.partitions() {
			m.groups[m.addFrom(Index{p, name(in.Sort)}, prefix, "", after)] = g
		}
	}
	orgs, more, err := pageOf(ctx, &m.merge, in.Limit, m.read)
	if err != nil {
		return OrgPage{}, fmt.Errorf("core: list orgs: %w", err)
	}
	return OrgPage{orgs, more}, nil
}

// orgMerge reads the indexes that hold the orgs asked for as one.
type orgMerge struct {
	merge
	realm  *Realm
	sort   OrgOrder
	groups map[*lane]orgGroup
}

// read returns the orgs that entries are of, in their order, but for those that have changed their place since.
func (m *orgMerge) read(ctx context.Context, entries []listed) ([]*Org, error) {
	keys := make([]Key, len(entries))
	for i, e := range entries {
		keys[i] = orgKey(e.lane.rest.Index.Partition, orgAt(e.member))
	}
	recs, err := m.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	orgs := make([]*Org, 0, len(entries))
	for i, e := range entries {
		org := &Org{}
		found, err := decode(keys[i], recs[i], org)
		if err != nil {
			return nil, err
		}
		if found && org.Realm == m.realm.ID && m.groups[e.lane].holds(org) && e.member == e.lane.prefix+org.place(m.sort) {
			orgs = append(orgs, org)
		}
	}
	return orgs, nil
}

// formerOrg is what is left of a deleted org until keepPlace is over, so that whoever is reading a list can go on.
type formerOrg struct {
	ID     OrgID               `json:"id"`
	Realm  RealmID             `json:"realm"`
	Places map[OrgOrder]string `json:"places"`
}

func (f *formerOrg) key(p Partition) Key { return formerOrgKey(p, f.ID) }

// former returns what to leave of an org.
func (o *Org) former() *formerOrg {
	f := &formerOrg{ID: o.ID, Realm: o.Realm, Places: map[OrgOrder]string{}}
	for _, order := range orgOrders {
		f.Places[order] = o.place(order)
	}
	return f
}

// placeOf returns where an org is in an order, or was when deleted. The place of "" is "".
func (o *Orgs) placeOf(ctx context.Context, realm *Realm, id OrgID, order OrgOrder, now time.Time) (string, error) {
	if id == "" {
		return "", nil
	}
	p, _ := realm.owner(string(id))
	keys := []Key{orgKey(p, id), formerOrgKey(p, id)}
	recs, err := o.d.store.Get(ctx, keys...)
	if err != nil {
		return "", err
	}
	var org Org
	if is, err := decode(keys[0], recs[0], &org); err != nil {
		return "", err
	} else if is && org.Realm == realm.ID {
		return org.place(order), nil
	}
	var former formerOrg
	if was, err := decode(keys[1], recs[1], &former); err != nil {
		return "", err
	} else if was && former.Realm == realm.ID && now.Before(recs[1].Expires) {
		return former.Places[order], nil
	}
	return "", errAfterOrg
}

// readAll returns those of some orgs that are there, by id, with the versions of their records.
func (o *Orgs) readAll(ctx context.Context, realm *Realm, ids []OrgID) (map[OrgID]*Org, map[OrgID]uint64, error) {
	if len(ids) == 0 { // as for most users who are made
		return nil, nil, nil
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	ids = slices.DeleteFunc(ids, func(id OrgID) bool { return !validID(prefixOrg, string(id)) })
	if len(ids) == 0 {
		return nil, nil, nil
	}
	keys := make([]Key, len(ids))
	for i, id := range ids {
		p, _ := realm.owner(string(id))
		keys[i] = orgKey(p, id)
	}
	orgs, versions := map[OrgID]*Org{}, map[OrgID]uint64{}
	recs, err := o.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, nil, fmt.Errorf("core: read orgs: %w", err)
	}
	for i := range keys {
		org := &Org{}
		found, err := decode(keys[i], recs[i], org)
		if err != nil {
			return nil, nil, err
		}
		if found && org.Realm == realm.ID {
			orgs[org.ID], versions[org.ID] = org, recs[i].Version
		}
	}
	return orgs, versions, nil
}

// sweptOrgs is how many orgs a sweep of a realm removes, each in ten operations at most.
const sweptOrgs = 40

// sweepOrgs deletes some of a realm's orgs, once its users are gone, and reports whether there were any.
func (d *deps) sweepOrgs(ctx context.Context, realm *Realm, now time.Time) (more bool, err error) {
	m := &merge{store: d.store}
	for _, g := range (&ListOrgs{}).groups() {
		for _, p := range realm.partitions() {
			name, _ := orgIndex(g)
			m.addFrom(Index{p, name(OrgByID)}, "", "", "")
		}
	}
	entries, err := m.take(ctx, sweptOrgs)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	p := entries[0].lane.rest.Index.Partition
	c := d.change(p, now)
	for _, e := range entries {
		if e.lane.rest.Index.Partition != p {
			continue // next time
		}
		org := &Org{}
		version, found, err := d.load(ctx, orgKey(p, orgAt(e.member)), org)
		if err != nil {
			return false, err
		}
		if found {
			c.remove(org.key(p), version)
			c.reindexOrg(org, nil)
		} else {
			c.unindex(e.lane.rest.Index.Name, e.member)
		}
	}
	c.tx.Delete = append(c.tx.Delete, unsettledKey(p).Name)
	return true, c.commit(ctx)
}
