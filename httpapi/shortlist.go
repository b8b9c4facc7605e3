package httpapi

import (
	"cmp"
	"slices"

	"github.com/postern-auth/postern/httpapi/wire"
)

// shortPage is which part is asked for of a list that is short enough to be read whole, in the order of ids.
type shortPage struct {
	after      string // id of the last one that was seen; "" = none
	descending bool
	limit      int
}

// pageByID reads a shortPage from the parameters of a list.
func pageByID(f *fields, values map[string]string) shortPage {
	f.byID(values)
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
