package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"

	"github.com/postern-auth/postern/httpapi/wire"
)

// List is a page of a list. Where MoreResults, the next page begins after Next, or where that is empty, the id of the last in Collection.
type List[T any] = wire.List[T]

// Time is a time as the API writes it. The zero Time is none.
type Time = wire.Time

// At returns a time for what is to be set of a resource.
func At(t time.Time) *Time { return &Time{Time: t} }

// Page says which part of a list to return. The zero Page is the first 100.
type Page struct {
	After string // the id of the last one before the page, or the Next of the page before; "" = from the beginning
	Max   int    // how many at most, 1 to 1000; 0 = 100
}

// values returns the parameters of a page.
func (p Page) values() url.Values {
	v := url.Values{}
	put(v, "after", p.After)
	if p.Max != 0 {
		v.Set("max_results", strconv.Itoa(p.Max))
	}
	return v
}

// order has a list sorted by one of the resource's own words, "" for the resource's own order, and the last come first.
func order(v url.Values, sort string, desc bool) {
	put(v, "sort", sort)
	if desc {
		v.Set("direction", "desc")
	}
}

// put sets a parameter unless it is empty.
func put(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}

// asking sets the query of a call.
func (r *call) asking(v url.Values) *call {
	r.query = v
	return r
}

// all returns all of a list, page by page from one on, as they are asked for. What goes wrong ends it.
func all[T any](ctx context.Context, first Page, get func(context.Context, Page) (*List[T], error), id func(*T) string) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		page := first
		for {
			list, err := get(ctx, page)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range list.Collection {
				if !yield(&list.Collection[i], nil) {
					return
				}
			}
			if !list.MoreResults {
				return
			}
			next := list.Next
			if n := len(list.Collection); next == "" && n > 0 {
				next = id(&list.Collection[n-1])
			}
			if next == "" || next == page.After {
				yield(nil, &Error{Kind: KindInternal, Code: CodeNotPostern, Detail: "a list does not come to its end"})
				return
			}
			page.After = next
		}
	}
}
