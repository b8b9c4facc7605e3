package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/httpapi/wire"
)

// listUsers serves GET /v1/users (Users API, "List users").
func (a *API) listUsers(w http.ResponseWriter, c *call) error {
	realm, err := a.manage(c, core.PermissionRead)
	if err != nil {
		return err
	}
	in, custom, err := listQuery(c.URL.RawQuery)
	if err != nil {
		return err
	}
	page, err := a.core.Users.List(c.Context(), realm, in)
	if err != nil {
		return err
	}
	list := wire.List[wire.ListedUser]{MoreResults: page.More, Collection: make([]wire.ListedUser, 0, len(page.Users))}
	for _, u := range page.Users {
		list.Collection = append(list.Collection, listedUser(u, custom))
	}
	if page.Next != (core.UserPlace{}) {
		list.Next = string(page.Next.By) + "." + string(page.Next.ID)
	}
	write(w, http.StatusOK, mediaJSON, list)
	return nil
}

// paging are what the query of every list may say, each once.
var paging = []string{"after", "max_results", "sort", "direction"}

// apart are what the query of every call may say besides, and lists do not read: some clients write a request there that nobody can read.
var apart = []string{"realm_id", "expand", "request"}

// unnarrowed refuses a call for a list that nothing narrows, if it says what to narrow it by.
func (c *call) unnarrowed() error {
	q := fields{}
	values := q.query(c.URL.RawQuery)
	q.limit(values)
	q.descending(values)
	return q.wrong()
}

// several returns all values of a parameter of a query, as far as it can be read: expand=custom, expand[]=custom, expand[0]=custom.
func several(query, name string) (all []string) {
	if query == "" { // as nearly always
		return nil
	}
	values, _ := url.ParseQuery(query)
	for key, list := range values {
		if key == name || strings.HasPrefix(key, name+"[") {
			all = append(all, list...)
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// listQuery reads which users to list, and whether with their custom attributes. An empty parameter is as good as
// none, but for reference, whose empty value is nobody's: who looks for somebody by a reference that is missing must
// not be shown everybody. It fails with KindInvalid; the words and bounds that core knows are left to it.
func listQuery(query string) (in core.ListUsers, custom bool, err error) {
	q := fields{}
	values := q.query(query, "reference", "state", "user_type", "prefix")
	if reference, there := values["reference"]; there {
		in.Reference = &reference
	}
	if values["user_type"] != "all" {
		in.Type = core.UserType(values["user_type"])
	}
	in.State, in.After, in.Sort = core.State(values["state"]), core.UserID(values["after"]), core.UserOrder(values["sort"])
	if by, id, place := strings.Cut(values["after"], "."); place && by != "" { // what next was; see listUsers
		in.After, in.AfterBy = core.UserID(id), core.UserOrder(by)
	}
	in.Limit, in.Descending, in.Prefix = q.limit(values), q.descending(values), values["prefix"]
	custom = slices.Contains(expanded(query), "custom")
	if len(q.errs) > 0 {
		return core.ListUsers{}, false, &core.Error{Kind: core.KindInvalid, Code: "validation", Fields: q.errs}
	}
	return in, custom, nil
}

// limit reads how many to list; 0 where that is not said.
func (f *fields) limit(values map[string]string) int {
	text := values["max_results"]
	if text == "" {
		return 0
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > core.MaxRange {
		f.complain("max_results", "must be from 1 to 1000")
	}
	return limit
}

// descending reads whether the last comes first.
func (f *fields) descending(values map[string]string) bool {
	if !slices.Contains([]string{"", "asc", "desc"}, values["direction"]) {
		f.complain("direction", "must be asc or desc")
	}
	return values["direction"] == "desc"
}

// byID complains of another order than by id, where a list has no other.
func (f *fields) byID(values map[string]string) {
	if sort := values["sort"]; sort != "" && sort != "id" {
		f.complain("sort", "must be id")
	}
}

// query reads the parameters of a list that can be narrowed by some filters. One that cannot be read, that is there twice or
// that the list does not have is complained about: a filter that is passed over shows more than was asked for, and its caller takes the
// first that is shown for the one that was meant. net/url would pass over it. state[]=active is an array of one, as clients write it who
// were given an array: it says what state=active says. A filter in the form of an array, types[], may be there several times, and is read by several.
func (f *fields) query(query string, filters ...string) map[string]string {
	values := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		escaped, text, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(escaped)
		if err != nil {
			name = escaped
		}
		name, _, _ = strings.Cut(name, "[")
		if pair == "" || slices.Contains(apart, name) || slices.Contains(filters, name+"[]") {
			continue
		}
		known := slices.Contains(paging, name) || slices.Contains(filters, name)
		value, err := url.QueryUnescape(text)
		switch former, there := values[name]; {
		case !known:
			f.complain(name, "can't narrow this list")
		case err != nil || !utf8.ValidString(value):
			f.complain(name, "is not encoded as UTF-8 in a URL")
		case there && former != value:
			f.complain(name, "must be given once")
		}
		values[name] = value
	}
	return values
}

// filled complains of filters without a value: who looks for what is somebody's, and has lost whose, must not be shown all.
func (f *fields) filled(values map[string]string, filters ...string) {
	for _, filter := range filters {
		if value, there := values[filter]; there && value == "" {
			f.complain(filter, "can't be blank")
		}
	}
}

// listedUser returns a user as a list shows one.
func listedUser(u *core.User, custom bool) wire.ListedUser {
	body := userBody(u)
	listed := wire.ListedUser{
		ID: body.ID, RealmID: body.RealmID, Username: body.Username, State: body.State, UserType: body.UserType,
		Reference: body.Reference, Name: body.Name, Email: body.Email, EmailVerification: body.EmailVerification,
		Object: body.Object, LastLoginAt: body.LastLoginAt, CreatedAt: body.CreatedAt,
		FirstName: body.FirstName, LastName: body.LastName,
	}
	if custom {
		listed.Custom = body.Custom
	}
	return listed
}
