package core

import (
	"slices"
	"strings"
)

// The orders that users are listed in (Users API, "List users"). Each is an index of its own for every pair of
// state and type, so that any filter is a merge of at most four ranges.
const (
	orderID        = "id"
	orderLastLogin = "last_login"
	orderName      = "name"
	orderNameAlt   = "name_alt"
	orderUsername  = "username"
)

// maxSortKey bounds the part of a name that decides its place, in bytes.
const maxSortKey = 400

// members returns a user's place in every order: index -> member. A member is the sort key, NUL and the id.
func (u *User) members() map[string]string {
	suffix := ":" + string(u.State[0]) + string(u.Type[0])
	member := func(sort string) string { return cut(sort, maxSortKey) + "\x00" + string(u.ID) }
	return map[string]string{
		"u:" + orderID + suffix:        string(u.ID),
		"u:" + orderLastLogin + suffix: member(hexMillis(u.lastLoginMillis())),
		"u:" + orderName + suffix:      member(sortable(u.Name())),
		"u:" + orderNameAlt + suffix:   member(sortable(u.nameAlt())),
		"u:" + orderUsername + suffix:  member(u.Username),
	}
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

// sortable brings a name to the form that it is ordered by.
func sortable(name string) string {
	if folded, ok := normalise(strings.ReplaceAll(name, "\x00", "")); ok {
		return folded
	}
	return strings.ReplaceAll(name, "\x00", "")
}

// reindex moves a user's index entries from before to after; nil stands for no user.
func (c *change) reindex(before, after *User) {
	was, is := map[string]string{}, map[string]string{}
	if before != nil {
		was = before.members()
	}
	if after != nil {
		is = after.members()
	}
	for _, index := range sortedKeys(was) {
		if is[index] != was[index] {
			c.unindex(index, was[index])
		}
	}
	for _, index := range sortedKeys(is) {
		if is[index] != was[index] {
			c.index(index, is[index])
		}
	}
}

// sortedKeys returns the keys of m in order, so that a Transaction repeated is the same to the byte.
func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
