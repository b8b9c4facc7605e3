package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// inventory is what is in a realm's partition, and what should be, by name; a member of an index behind the index's name.
type inventory struct {
	c      *Core
	realm  *Realm
	p      Partition
	there  map[string]bool
	due    map[string]string // by whom
	faults []string
}

// Disagreements returns in what the records of a realm with one partition and its indexes disagree, of all that the store was ever
// told: what finds nobody, what nobody is found by, and what nobody owns.
func (c *Core) Disagreements(ctx context.Context, realm RealmID, records []Key, indexes []Index) []string {
	state, err := c.d.realms.state(ctx, realm)
	if err != nil {
		return []string{err.Error()}
	}
	inv := &inventory{c: c, realm: state.Realm, p: state.partitions()[0], there: map[string]bool{}, due: map[string]string{}}
	for _, index := range indexes {
		if index.Partition == inv.p {
			inv.note(inv.takeIndex(ctx, index))
		}
	}
	for _, key := range records {
		if key.Partition == inv.p {
			inv.note(inv.takeRecord(ctx, key))
		}
	}
	for what, whose := range inv.due {
		if !inv.there[what] {
			inv.faults = append(inv.faults, fmt.Sprintf("%q of %s is missing", what, whose))
		}
	}
	for what := range inv.there {
		if _, due := inv.due[what]; !due {
			inv.faults = append(inv.faults, fmt.Sprintf("%q is nobody's", what))
		}
	}
	return inv.faults
}

func (inv *inventory) note(err error) {
	if err != nil {
		inv.faults = append(inv.faults, err.Error())
	}
}

func (inv *inventory) want(whose any, what string) { inv.due[what] = fmt.Sprint(whose) }

// takeIndex notes the members of an index. Places of dead sessions are swept when their user signs in again.
func (inv *inventory) takeIndex(ctx context.Context, index Index) error {
	kind, _, _ := strings.Cut(index.Name, ":")
	if strings.HasPrefix(kind, "e") || index.Name == indexDue || index.Name == indexUsage {
		return nil
	}
	members, err := inv.c.d.store.Range(ctx, Range{Index: index, Limit: MaxRange})
	for _, m := range members {
		if kind == "us" && m < hexMillis(inv.c.Now().UnixMilli()) {
			continue
		}
		inv.there[index.Name+" "+m] = true
	}
	return err
}

// takeRecord notes a record, and what should be there since it is.
func (inv *inventory) takeRecord(ctx context.Context, key Key) error {
	recs, err := inv.c.d.store.Get(ctx, key)
	if err != nil || recs[0].Version == 0 {
		return err
	}
	kind, _, _ := strings.Cut(key.Name, ":")
	switch kind {
	case "u":
		inv.want("itself", key.Name)
		err = inv.takeUser(key, recs[0])
	case "o":
		org := &Org{}
		_, err = decode(key, recs[0], org)
		inv.want("itself", key.Name)
		for _, m := range org.members() {
			inv.want(org.ID, m.index+" "+m.member)
		}
	case "b":
		err = inv.takeMemberships(key, recs[0])
	case "c":
		credential := &Credential{}
		if _, err = decode(key, recs[0], credential); err == nil && credential.APIKey != nil {
			inv.want(credential.ID, credential.claim().key(inv.p).Name)
		}
	case "s":
		session := &Session{}
		_, err = decode(key, recs[0], session)
		if session.deadline().Before(inv.c.Now()) {
			return err
		}
		inv.want("itself", key.Name)
		inv.want(session.ID, userKey(inv.p, session.User).Name)
		inv.want(session.ID, userSessionsIndex(inv.p, session.User).Name+" "+sessionMember(session))
	case "n", "i", "p", "ak":
	default:
		return err
	}
	inv.there[key.Name] = true
	return err
}

// takeUser notes what finds a user, and the credentials that the user lists.
func (inv *inventory) takeUser(key Key, rec Record) error {
	user := &User{}
	_, err := decode(key, rec, user)
	for _, claim := range user.claims(inv.realm) {
		inv.want(user.ID, claim.key(inv.p).Name)
	}
	for _, m := range user.members() {
		inv.want(user.ID, m.index+" "+m.member)
	}
	for _, ref := range user.Credentials {
		if ref.Type == CredentialPassword {
			inv.want(user.ID, passwordKey(inv.p, user.ID).Name)
		} else {
			inv.want(user.ID, credentialKey(inv.p, ref.ID).Name)
		}
	}
	return err
}

// takeMemberships notes the places of a user's memberships, and the orgs.
func (inv *inventory) takeMemberships(key Key, rec Record) error {
	list := &memberships{}
	_, err := decode(key, rec, list)
	if len(list.List) == 0 {
		err = errors.Join(err, fmt.Errorf("%s is empty", key.Name))
	}
	list.own()
	inv.want("itself", key.Name)
	inv.want(key.Name, userKey(inv.p, list.User).Name)
	for _, m := range list.List {
		inv.want(m.ID, indexMemberships+" "+m.member())
		if m.Org != "" {
			inv.want(m.ID, orgMembersIndex(inv.p, m.Org).Name+" "+m.member())
			inv.want(m.ID, orgKey(inv.p, m.Org).Name)
		}
	}
	return err
}
