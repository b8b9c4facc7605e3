package core

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// realmName returns the form in which a realm's name is kept, or a KindInvalid error.
func realmName(s string) (string, error) {
	name := strings.TrimSpace(s)
	if name == "" {
		return "", invalid("name", "Name can't be blank")
	}
	if utf8.RuneCountInString(name) > 100 || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return "", invalid("name", "Name must have 1 to 100 characters")
	}
	if strings.HasPrefix(strings.ToLower(name), prefixRealm) {
		return "", invalid("name", "Name can't begin like an id")
	}
	for _, c := range name {
		if !unicode.IsPrint(c) {
			return "", invalid("name", "Name has characters that cannot be seen")
		}
	}
	return name, nil
}

// errRealmName says that a realm goes by the name already. Guards and pages are told of realms by name: whoever could give theirs
// the name of another would take its place, or have neither found.
var errRealmName = invalid("name", "Name has already been taken")

// realmClaim makes the name of a realm its own.
type realmClaim struct {
	Name  string  `json:"name"`
	Realm RealmID `json:"realm"`
}

func (c *realmClaim) key(Partition) Key { return realmNameKey(c.Name) }

// unnamed fails where a realm has a name that another is to have, claimed or from before there were claims, and for DefaultRealm, which
// is the first realm's alone.
func (r *Realms) unnamed(ctx context.Context, name string, another RealmID) error {
	if name == DefaultRealm {
		f, err := r.d.first(ctx)
		if err != nil {
			return err
		}
		if f != nil && f.Realm != another {
			return errRealmName
		}
	}
	members, err := r.d.store.Range(ctx, Range{Index: Index{Name: indexRealms}, From: name + "\x00", To: name + "\x01", Limit: 1})
	if err != nil {
		return fmt.Errorf("core: find realm: %w", err)
	}
	if len(members) > 0 {
		return errRealmName
	}
	return nil
}

// rename has c give a realm the name that it goes by after a change, in place of the one before. It fails with errRealmName.
func (r *Realms) rename(ctx context.Context, c *change, before, after *Realm) error {
	if before.Name == after.Name {
		return nil
	}
	if err := r.unnamed(ctx, after.Name, after.ID); err != nil {
		return err
	}
	c.unindex(indexRealms, before.member())
	c.index(indexRealms, after.member())
	c.tx.Delete = append(c.tx.Delete, realmNameKey(before.Name).Name)
	c.create(&realmClaim{after.Name, after.ID}, noExpiry)
	return nil
}
