package core

import (
	"context"
	"fmt"
	"time"
)

// Orgs creates, finds, changes and deletes orgs. Safe for concurrent use.
type Orgs struct{ d *deps }

// Create makes an org. It fails with KindInvalid.
func (o *Orgs) Create(ctx context.Context, realm RealmID, in OrgChange, req Request) (*Org, error) {
	state, now, err := (&Users{o.d}).begin(ctx, realm)
	if err != nil {
		return nil, err
	}
	b, err := o.d.ids.bucket()
	if err != nil {
		return nil, err
	}
	org, err := o.d.newOrg(realm, b, in, now)
	if err != nil {
		return nil, err
	}
	p, _ := state.owner(string(org.ID))
	c := o.d.change(p, now)
	c.found(org, req)
	if err := c.commit(ctx); err != nil {
		return nil, fmt.Errorf("core: create org: %w", err)
	}
	return org, nil
}

// newOrg returns an org in a bucket.
func (d *deps) newOrg(realm RealmID, b bucket, in OrgChange, now time.Time) (*Org, error) {
	id, err := d.ids.id(prefixOrg, b)
	if err != nil {
		return nil, err
	}
	org := &Org{ID: OrgID(id), Realm: realm, State: StateActive, CreatedAt: Instant{now}}
	return org, org.apply(in)
}

// found makes an org: its record, its places in the lists, its event.
func (c *change) found(org *Org, req Request) {
	c.create(org, noExpiry)
	c.reindexOrg(nil, org)
	c.event(Event{Realm: org.Realm, Type: eventOrgCreated, Org: org.ID, Request: req.clean()})
}

// Get returns an org, or ErrOrgNotFound.
func (o *Orgs) Get(ctx context.Context, realm RealmID, id OrgID) (*Org, error) {
	state, err := o.d.realms.state(ctx, realm)
	if err != nil {
		return nil, err
	}
	org, _, err := o.byID(ctx, state.Realm, id)
	return org, err
}

// byID reads an org.
func (o *Orgs) byID(ctx context.Context, realm *Realm, id OrgID) (*Org, uint64, error) {
	p, ok := realm.owner(string(id))
	if !ok || !validID(prefixOrg, string(id)) {
		return nil, 0, ErrOrgNotFound
	}
	org := &Org{}
	version, found, err := o.d.load(ctx, orgKey(p, id), org)
	if err != nil {
		return nil, 0, fmt.Errorf("core: get org: %w", err)
	}
	if !found || org.Realm != realm.ID {
		return nil, 0, ErrOrgNotFound
	}
	return org, version, nil
}
