package core

import (
	"context"
	"slices"
	"strings"
)

// searchOrders are where a search looks, one after the other: usernames, e-mail addresses, last names ("Last, First"), and full names, which
// begin with the first name.
var searchOrders = []UserOrder{OrderUsername, OrderEmail, OrderNameAlt, OrderName}

// maxPassed is how many users one page of a search passes over because an earlier order has them: what bounds its cost. Prefixes
// of which most finds have both the username and the address are common, and then nothing tells the rest from these but their records.
const maxPassed = MaxRange

// UserPlace is a place in a search: a user's, in one of the orders that it looks at.
type UserPlace struct {
	By UserOrder
	ID UserID
}

// errSearchAfter says that there is nothing to go on from.
var errSearchAfter = invalid("after", "After must be what next was, or the id of a user whom the prefix finds")

// searches reports whether a prefix is looked for in every order that has names.
func (in *ListUsers) searches() bool { return in.Sort == "" && sortable(in.Prefix) != "" }

// userSearch reads a page of a search. It is for one goroutine.
type userSearch struct {
	d      *deps
	realm  *Realm
	in     ListUsers
	prefix string // as names are ordered
	page   UserPage
	passed int // users that are not on the page and were read for it
}

// search reads the next page of all users of whom some name begins with a prefix: those whose username does, by username; then, of the
// others, those whose address does, by address; and so on along searchOrders. Each user is there once, and whether they come
// earlier is known from their record alone, so nothing is kept between pages. Descending is the same backwards.
//
// A page costs a list's page in each order at worst, and what it passes over. A page that has passed over maxPassed ends there, with fewer users
// than asked for, even none, and says where to go on.
func (d *deps) search(ctx context.Context, realm *Realm, in ListUsers, places func(UserOrder) string) (UserPage, error) {
	s := &userSearch{d: d, realm: realm, in: in, prefix: sortable(in.Prefix)}
	orders := slices.Clone(searchOrders)
	if in.Descending {
		slices.Reverse(orders)
	}
	after := ""
	if in.After != "" {
		by := in.AfterBy
		if by == "" {
			by = foundBy(s.prefix, places)
		}
		if by == "" || !strings.HasPrefix(places(by), s.prefix) {
			return UserPage{}, errSearchAfter
		}
		orders, after = orders[slices.Index(orders, by):], places(by)
	}
	for _, order := range orders {
		if err := s.along(ctx, order, after); err != nil {
			return UserPage{}, err
		}
		if s.page.More {
			return s.page, nil
		}
		after = ""
	}
	s.page.Next = UserPlace{}
	return s.page, nil
}

// foundBy returns the first order in which a user with these places is found; "" is in none.
func foundBy(prefix string, places func(UserOrder) string) UserOrder {
	for _, order := range searchOrders {
		if strings.HasPrefix(places(order), prefix) {
			return order
		}
	}
	return ""
}

// along adds to the page whom one order is the first to find, from after a place on.
func (s *userSearch) along(ctx context.Context, order UserOrder, after string) error {
	in := s.in
	in.Sort = order
	m := s.d.merge(s.realm, in, after)
	for {
		entries, err := m.take(ctx, s.ahead())
		if err != nil || len(entries) == 0 {
			return err
		}
		users, err := m.read(ctx, entries)
		if err != nil {
			return err
		}
		s.passed += len(entries)
		for _, u := range users {
			if foundBy(s.prefix, u.place) != order {
				continue
			}
			if len(s.page.Users) == in.Limit {
				s.page.More = true
				return nil
			}
			s.page.Users, s.page.Next = append(s.page.Users, u), UserPlace{order, u.ID}
			s.passed--
		}
		if s.passed >= maxPassed {
			s.page.More, s.page.Next = true, UserPlace{order, userAt(entries[len(entries)-1].member)}
			return nil
		}
	}
}

// ahead returns how many to read at once: what the page lacks, and one to know whether there are more; as many as were passed over, if
// that is more, so that a long way is made in few steps.
func (s *userSearch) ahead() int {
	return min(max(s.in.Limit+1-len(s.page.Users), s.passed), MaxRange)
}
