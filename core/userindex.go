package core

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// UserOrder is an order that users are listed in (Users API, "List users", sort). Each is an index of its own for
// every UserGroup, so that any filter is a merge of a few ranges.
type UserOrder string

// The orders. Names and usernames are compared without regard to case, bytewise, by their first 400 bytes. Users
// that are alike in an order follow each other by id.
const (
	OrderID        UserOrder = "id"         // the order in which users were made
	OrderLastLogin UserOrder = "last_login" // who never signed in comes first
	OrderName      UserOrder = "name"       // "First Last"
	OrderNameAlt   UserOrder = "name_alt"   // "Last, First"; of a program, its name
	OrderUsername  UserOrder = "username"
	OrderEmail     UserOrder = "email" // ours; lists only users who have an address
)

// userOrders are all of them.
var userOrders = []UserOrder{OrderID, OrderLastLogin, OrderName, OrderNameAlt, OrderUsername, OrderEmail}

// maxSortKey bounds the part of a name that decides its place, in bytes.
const maxSortKey = 400

// place returns where a user is in an order, for bytewise comparing: the sort key, NUL, and the id without its
// prefix, which tells users with one key apart. No sort key holds a NUL.
func (u *User) place(order UserOrder) string {
	id := strings.TrimPrefix(string(u.ID), prefixUser)
	key := ""
	switch order {
	case OrderID:
		return id
	case OrderLastLogin:
		key = hexMillis(u.lastLoginMillis())
	case OrderName:
		key = sortable(u.Name())
	case OrderNameAlt:
		key = sortable(u.nameAlt())
	case OrderUsername:
		key = u.Username
	case OrderEmail:
		key = u.Email
	}
	return cut(key, maxSortKey) + "\x00" + id
}

// userAt returns the id of the user that a place, or a member that ends with one, is of.
func userAt(place string) UserID { return UserID(prefixUser + place[len(place)-idLength:]) }

// userGroup is the users that one index lists, in each order: those of one state and type, and with a
// reference, those of them that carry it. Groups with references share their indexes with others of the same
// bucket; a prefix of each member tells them apart.
type userGroup struct {
	state     State
	kind      UserType
	reference string // "" = whatever the reference
}

// groups returns those that a user is in. Without a reference it is one, and takes no room for the other.
func (u *User) groups() []userGroup {
	groups := []userGroup{{u.State, u.Type, ""}}
	if u.Reference != "" {
		groups = append(groups, userGroup{u.State, u.Type, u.Reference})
	}
	return groups
}

// holds reports whether a user is in the group.
func (g userGroup) holds(u *User) bool {
	return u.State == g.state && u.Type == g.kind && (g.reference == "" || u.Reference == g.reference)
}

// placement is a place in an index.
type placement struct{ index, member string }

// members returns a user's place in every index; nil is in none.
func (u *User) members() []placement {
	if u == nil {
		return nil
	}
	groups := u.groups()
	all := make([]placement, 0, len(groups)*len(userOrders))
	for _, g := range groups {
		index, prefix := userIndex(g)
		for _, order := range userOrders {
			if order == OrderEmail && u.Email == "" {
				continue
			}
			all = append(all, placement{index(order), prefix + u.place(order)})
		}
	}
	return all
}

// lastLoginMillis is 0 for a user who never signed in.
func (u *User) lastLoginMillis() int64 {
	if u.LastLoginAt.IsZero() {
		return 0
	}
	return u.LastLoginAt.UnixMilli()
}

// nameAlt is "Last, First" for a person, the name for a program (Users API, "List users", sort).
func (u *User) nameAlt() string {
	if u.Type == UserHuman && u.LastName != "" && u.FirstName != "" {
		return u.LastName + ", " + u.FirstName
	}
	return u.Name()
}

// sortable brings a name to the form that it is ordered and searched by: folded as normalise folds it, without what cannot be seen, so
// that a heart in a name or a joiner between its letters hides nobody, with no spaces before it and single ones within.
func sortable(name string) string {
	if isVisibleASCII(name) {
		return singleSpaced(strings.ToLower(name)) // what it comes to, at a tenth of the cost
	}
	seen := func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !isSeen(r):
			return -1
		}
		return r
	}
	return singleSpaced(norm.NFKC.String(strings.Map(seen, fold(name))))
}

// singleSpaced leaves out spaces before a text, and all but one where several follow each other. The one that a prefix ends with stays.
func singleSpaced(s string) string {
	for strings.Contains(s, "  ") {
		s = strings.ReplaceAll(s, "  ", " ")
	}
	return strings.TrimPrefix(s, " ")
}

// reindex moves a user's index entries from before to after; nil stands for no user.
func (c *change) reindex(before, after *User) { c.move(before.members(), after.members()) }

// move takes what has moved from one set of places to another.
func (c *change) move(was, is []placement) {
	c.tx.Index = slices.Grow(c.tx.Index, len(is)) // all of them where something new is made
	for _, p := range was {
		if !slices.Contains(is, p) {
			c.unindex(p.index, p.member)
		}
	}
	for _, p := range is {
		if !slices.Contains(was, p) {
			c.index(p.index, p.member)
		}
	}
}
