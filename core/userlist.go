package core

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// ListUsers says which users to list and which page of them (Users API, "List users"). The zero ListUsers asks for
// the first 100 of all users by username.
type ListUsers struct {
	Reference  *string   // exactly this, byte for byte; nil = any. "" is no reference, and nobody's
	State      State     // StateActive or StateInactive; "" = any
	Type       UserType  // "" = any
	After      UserID    // go on after this user's place in the order, whether or not the filter holds for them; "" = from the start
	AfterBy    UserOrder // of a search: the order in which After's place is; "" = the one that finds them
	Limit      int       // users on the page, 1 to MaxRange; default 100
	Sort       UserOrder // default OrderUsername, but for a search
	Descending bool      // the last first
	Prefix     string    // only users whose name in Sort's order, of a name, begins so, in any case; at most 400 bytes. Without Sort it is a search
}

// UserPage is a page of a list of users.
type UserPage struct {
	Users []*User
	More  bool      // there are users after these; of a search: there may be
	Next  UserPlace // of a search with More: what the next page comes after
}

// defaultPage is how many users a page has unless it is said.
const defaultPage = 100

// validate fills the defaults and returns what is wrong, all of it, as KindInvalid.
func (in *ListUsers) validate() error {
	defaultTo(&in.Limit, defaultPage)
	if !in.searches() {
		defaultTo(&in.Sort, OrderUsername)
	}
	var errs fieldErrors
	errs.check(slices.Contains([]State{"", StateActive, StateInactive}, in.State), "state", "State must be active or inactive")
	errs.check(slices.Contains([]UserType{"", UserHuman, UserAPI}, in.Type), "user_type", "User type must be all, human or api")
	errs.check(in.Limit >= 1 && in.Limit <= MaxRange, "max_results", "Max results must be from 1 to 1000")
	errs.check(in.searches() || slices.Contains(userOrders, in.Sort), "sort", "Sort must be id, last_login, name, name_alt, username or email")
	errs.check(in.Prefix == "" || in.searches() || slices.Contains(searchOrders, in.Sort), "prefix", "Prefix is for lists by name, name_alt, username or email")
	errs.check(utf8.ValidString(in.Prefix) && len(sortable(in.Prefix)) <= maxSortKey, "prefix", "Prefix is too long (maximum is 400 bytes)")
	by := in.AfterBy == "" || in.After != "" && in.searches() && slices.Contains(searchOrders, in.AfterBy)
	errs.check(by && (in.After == "" || validID(prefixUser, string(in.After))), errAfter.Fields[0].Attribute, errAfter.Fields[0].Message)
	return errs.err()
}

// groups returns the groups that together are the users asked for, at most four.
func (in *ListUsers) groups() []userGroup {
	if in.Reference != nil && *in.Reference == "" {
		return nil
	}
	var groups []userGroup
	for _, s := range []State{StateActive, StateInactive} {
		for _, t := range []UserType{UserHuman, UserAPI} {
			if (in.State == "" || in.State == s) && (in.Type == "" || in.Type == t) {
				g := userGroup{state: s, kind: t}
				if in.Reference != nil {
					g.reference = *in.Reference
				}
				groups = append(groups, g)
			}
		}
	}
	return groups
}

// List returns a page of a realm's users. Any page of any list costs the same: ranges of the groups' indexes, all
// read at once, and one read of the records, after one of the place of After where that is given. Where more
// programs or inactive users come next than is usual, their indexes are read again, at worst three times; and a page of
// 1000 may take another range to know whether there are more. Users that change while a list is read may be missed or met
// twice on its later pages, as their place moves. A search takes a few such readings more, see search.
//
// It fails with KindInvalid, also where After is nobody, or was deleted more than 24 hours ago, and with
// ErrRealmNotFound.
func (u *Users) List(ctx context.Context, realm RealmID, in ListUsers) (UserPage, error) {
	if err := in.validate(); err != nil {
		return UserPage{}, err
	}
	state, now, err := u.begin(ctx, realm)
	if err != nil {
		return UserPage{}, err
	}
	places, err := u.placesOf(ctx, state.Realm, in.After, now)
	if err != nil {
		return UserPage{}, fmt.Errorf("core: list users: %w", err)
	}
	var page UserPage
	if in.searches() {
		page, err = u.d.search(ctx, state.Realm, in, places)
	} else {
		page, err = u.d.merge(state.Realm, in, places(in.Sort)).page(ctx, in.Limit)
	}
	if err != nil {
		return UserPage{}, fmt.Errorf("core: list users: %w", err)
	}
	return page, nil
}

// keepPlace is for how long a deleted user's place in the lists is known, so that whoever is reading one can go on.
const keepPlace = 24 * time.Hour

// formerUser is what is left of a deleted user until keepPlace is over.
type formerUser struct {
	ID     UserID               `json:"id"`
	Realm  RealmID              `json:"realm"`
	Places map[UserOrder]string `json:"places"`
}

func (f *formerUser) key(p Partition) Key { return formerUserKey(p, f.ID) }

// former returns what to leave of a user.
func (u *User) former() *formerUser {
	f := &formerUser{ID: u.ID, Realm: u.Realm, Places: map[UserOrder]string{}}
	for _, order := range userOrders {
		f.Places[order] = u.place(order)
	}
	return f
}

// errAfter says that After is nobody whose place is known.
var errAfter = invalid("after", "After must be the id of a user")

// placesOf returns where a user is in the orders, or was when deleted. The place of "" is "" in all.
func (u *Users) placesOf(ctx context.Context, realm *Realm, id UserID, now time.Time) (func(UserOrder) string, error) {
	if id == "" {
		return func(UserOrder) string { return "" }, nil
	}
	p, _ := realm.owner(string(id))
	keys := []Key{userKey(p, id), formerUserKey(p, id)}
	recs, err := u.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	var user User
	if is, err := decode(keys[0], recs[0], &user); err != nil {
		return nil, err
	} else if is && user.Realm == realm.ID {
		return user.place, nil
	}
	var former formerUser
	if was, err := decode(keys[1], recs[1], &former); err != nil {
		return nil, err
	} else if was && former.Realm == realm.ID && now.Before(recs[1].Expires) {
		return func(order UserOrder) string { return former.Places[order] }, nil
	}
	return nil, errAfter
}

// userMerge reads the indexes that hold the users asked for as one. It is for one goroutine.
type userMerge struct {
	merge
	d      *deps
	realm  *Realm
	in     ListUsers
	groups map[*lane]userGroup
}

// merge returns the merge of all indexes that hold users asked for, from after a place on.
func (d *deps) merge(realm *Realm, in ListUsers, after string) *userMerge {
	m := &userMerge{merge: merge{store: d.store, descending: in.Descending}, d: d, realm: realm, in: in, groups: map[*lane]userGroup{}}
	for i, g := range in.groups() {
		name, prefix := userIndex(g)
		for _, p := range realm.partitions() {
			l := m.addFrom(Index{p, name(in.Sort)}, prefix, sortable(in.Prefix), after)
			l.sparse = i > 0 // most users are active, and people
			m.groups[l] = g
		}
	}
	return m
}

// page reads the next page. Members whose record is no longer what the index says are passed over.
func (m *userMerge) page(ctx context.Context, limit int) (UserPage, error) {
	users, more, err := pageOf(ctx, &m.merge, limit, m.read)
	return UserPage{Users: users, More: more}, err
}

// read returns the users that entries are of, in their order, but for those that have changed their place since.
func (m *userMerge) read(ctx context.Context, entries []listed) ([]*User, error) {
	keys := make([]Key, len(entries))
	for i, e := range entries {
		keys[i] = userKey(e.lane.rest.Index.Partition, userAt(e.member))
	}
	recs, err := m.d.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	users := make([]*User, 0, len(entries))
	for i, e := range entries {
		user := &User{}
		found, err := decode(keys[i], recs[i], user)
		if err != nil {
			return nil, err
		}
		if found && user.Realm == m.realm.ID && m.groups[e.lane].holds(user) && e.member == e.lane.prefix+user.place(m.in.Sort) {
			users = append(users, user)
		}
	}
	return users, nil
}
