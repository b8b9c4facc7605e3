package httpapi

import (
	"cmp"
	"slices"
	"strings"

	"github.com/postern-auth/postern/httpapi/wire"
)

// shortPage is which part is asked for of a list that is short enough to be read whole, in the order of ids.
type shortPage struct {
	after      string // id of the last one that was seen; "" = none
	descending bool
	limit      int
}

// pageByID reads a shortPage from the parameters of a list of one kind: "an app hook", whose ids begin with prefix.
func pageByID(f *fields, values map[string]string, prefix, kind string) shortPage {
	f.byID(values)
	if after := values["after"]; after != "" && (!strings.HasPrefix(after, prefix) || len(after) != len(prefix)+22) {
		f.complain("after", "must be the id of "+kind)
	}
	return shortPage{after: values["after"], descending: f.descending(values), limit: cmp.Or(f.limit(values), 100)}
}

// listed returns a page of all as it is answered. all is in the order of ids.
func listed[T, B any](p shortPage, all []T, id func(T) string, body func(T) B) wire.List[B] {
	if p.descending {
		slices.Reverse(all)
	}
	if p.after != "" {
		all = slices.DeleteFunc(all, func(one T) bool {
			return !p.descending && id(one) <= p.after || p.descending && id(one) >= p.after
		})
	}
	list := wire.List[B]{MoreResults: len(all) > p.limit, Collection: []B{}}
	for _, one := range all[:min(p.limit, len(all))] {
		list.Collection = append(list.Collection, body(one))
	}
	return list
}
