package core

import (
	"context"
	"fmt"
)

// roster lets a limit on how many of a kind a realm has hold where several are made at once. Whoever makes one reads the roster,
// then counts, and replaces the roster as it was read: of two who counted the same, the second meets a conflict and counts
// again. Whoever deletes one only makes room, and passes it by.
type roster struct {
	Of    string  `json:"of"`
	Realm RealmID `json:"realm,omitempty"` // "" = of all realms
}

func (r *roster) key(Partition) Key { return rosterKey(r.Of, r.Realm) }

// The kinds that have a roster.
const (
	rosterHooks    = "hooks"
	rosterPolicies = "policies"
)

// rosterKinds are all of them, which go with their realm.
var rosterKinds = []string{rosterHooks, rosterPolicies}

// roster reads the roster of a kind in a realm, and returns what enters something new in it, in the Transaction that makes it. It is
// to be read before what is there is counted.
func (d *deps) roster(ctx context.Context, kind string, realm RealmID) (enter func(*change), err error) {
	r := &roster{Of: kind, Realm: realm}
	version, _, err := d.load(ctx, r.key(Partition{}), r)
	if err != nil {
		return nil, fmt.Errorf("core: read roster of %s: %w", kind, err)
	}
	return func(c *change) { c.replace(r, version, noExpiry) }, nil
}
