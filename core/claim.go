package core

import "slices"

// nameClaim makes a username or an e-mail address unique in its realm. Both share one namespace, since
// both sign in.
type nameClaim struct {
	Realm RealmID `json:"realm"`
	User  UserID  `json:"user"`
	Name  string  `json:"name"` // normalised
}

func (n *nameClaim) key(p Partition) Key { return nameKey(p, n.Name) }

// arbitraryIDClaim makes an arbitrary_id unique in its realm.
type arbitraryIDClaim struct {
	Realm       RealmID `json:"realm"`
	User        UserID  `json:"user"`
	ArbitraryID string  `json:"arbitrary_id"` // exact bytes
}

func (a *arbitraryIDClaim) key(p Partition) Key { return arbitraryIDKey(p, a.ArbitraryID) }

// claims returns what a user's names make unique.
func (u *User) claims(realm *Realm) []entity {
	var all []entity
	for _, name := range u.names(realm) {
		all = append(all, &nameClaim{Realm: u.Realm, User: u.ID, Name: name})
	}
	if u.ArbitraryID != "" {
		all = append(all, &arbitraryIDClaim{Realm: u.Realm, User: u.ID, ArbitraryID: u.ArbitraryID})
	}
	return all
}

// names returns the names that a user signs in with.
func (u *User) names(realm *Realm) []string {
	names := []string{u.Username}
	if u.Email != "" && u.Email != u.Username && !realm.Settings.SharedEmails {
		names = append(names, u.Email)
	}
	return names
}

// reclaim takes the names that a change brings, and frees those that it drops.
func (c *change) reclaim(realm *Realm, before, after *User) {
	was, is := before.names(realm), after.names(realm)
	if after.Email != before.Email {
		c.unclaimed(realm, after)
	}
	for _, name := range is {
		if !slices.Contains(was, name) {
			c.create(&nameClaim{Realm: after.Realm, User: after.ID, Name: name}, noExpiry)
		}
	}
	for _, name := range was {
		if !slices.Contains(is, name) {
			c.tx.Delete = append(c.tx.Delete, nameKey(c.tx.Partition, name).Name)
		}
	}
}

// claimed says which claim of a user stood in the way of a Transaction, if one did.
func (u *Users) claimed(realm *Realm, user *User, err error) error {
	p, _ := realm.owner(string(user.ID))
	switch {
	case err == nil:
		return nil
	case user.ArbitraryID != "" && conflictOn(err, arbitraryIDKey(p, user.ArbitraryID)):
		return ErrUserExists.with("this arbitrary_id is taken in this environment")
	case conflictOn(err, nameKey(p, user.Username)):
		return invalid("username", "Username has already been taken")
	case conflictOn(err, nameKey(p, user.Email)):
		return invalid("email", "Email has already been taken")
	}
	return err
}
