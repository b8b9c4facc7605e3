package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/postern-auth/postern/core"
)

// pageSize is how many users a measured page has, in the small realm too.
const pageSize = 100

// filters are what is listed.
var filters = []struct {
	name string
	core.ListUsers
}{
	{"all", core.ListUsers{}},
	{"active", core.ListUsers{State: core.StateActive}},
	{"api", core.ListUsers{Type: core.UserAPI}},
	{"active human", core.ListUsers{State: core.StateActive, Type: core.UserHuman}},
	{"reference", core.ListUsers{Reference: new(shared)}},
	{"reference active human", core.ListUsers{Reference: new(shared), State: core.StateActive, Type: core.UserHuman}},
}

// orders are the five of core.
var orders = []core.UserOrder{core.OrderID, core.OrderLastLogin, core.OrderName, core.OrderNameAlt, core.OrderUsername}

// compare reads every page in both realms by turns, and prints medians.
func compare(ctx context.Context, small, large *crowd, repeat int) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(out, "filter\torder\tpage\tsmall\tlarge\tratio\t")
	var ratios []float64
	for _, f := range filters {
		for _, order := range orders {
			for _, far := range []bool{false, true} {
				in := f.ListUsers
				in.Sort, in.Limit = order, pageSize
				few, many, err := measure(ctx, small.from(in, far), large.from(in, far), repeat)
				if err != nil {
					return err
				}
				ratio := float64(many) / float64(few)
				ratios = append(ratios, ratio)
				_, _ = fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%.2f\t\n", f.name, order, map[bool]string{true: "far", false: "first"}[far], few, many, ratio)
			}
		}
	}
	slices.Sort(ratios)
	_, _ = fmt.Fprintf(out, "ratio\t\t\tleast %.2f\tmedian %.2f\tmost %.2f\t\n", ratios[0], ratios[len(ratios)/2], ratios[len(ratios)-1])
	return out.Flush()
}

// reader reads one page again and again.
type reader struct {
	*crowd
	in core.ListUsers
}

// from returns a reader of the first page, or of one far on: nine tenths of the way, or as far as there is still
// a whole page.
func (c *crowd) from(in core.ListUsers, far bool) reader {
	if !far {
		return reader{c, in}
	}
	var matching []*core.User
	for _, u := range c.sample {
		if (in.State == "" || u.State == in.State) && (in.Type == "" || u.Type == in.Type) && (in.Reference == nil || u.Reference == *in.Reference) {
			matching = append(matching, u)
		}
	}
	slices.SortFunc(matching, func(a, b *core.User) int {
		return cmp.Or(strings.Compare(key(in.Sort, a), key(in.Sort, b)), strings.Compare(string(a.ID), string(b.ID)))
	})
	in.After = matching[min(len(matching)*9/10, len(matching)-pageSize-1)].ID
	return reader{c, in}
}

// key is what a user is ordered by.
func key(order core.UserOrder, u *core.User) string {
	switch {
	case order == core.OrderName, order == core.OrderNameAlt && u.Type == core.UserAPI:
		return strings.ToLower(u.Name())
	case order == core.OrderNameAlt:
		return strings.ToLower(u.LastName + ", " + u.FirstName)
	case order == core.OrderUsername:
		return u.Username
	}
	return "" // by id, and nobody has signed in
}

// read reads the page once.
func (r reader) read(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	page, err := r.users.List(ctx, r.realm, r.in)
	took := time.Since(begun)
	if err == nil && len(page.Users) != pageSize {
		err = fmt.Errorf("a page of %+v has %d users; want %d", r.in, len(page.Users), pageSize)
	}
	return took, err
}

// measure returns the median times of two readers that take turns.
func measure(ctx context.Context, small, large reader, repeat int) (few, many time.Duration, err error) {
	var times [2][]time.Duration
	for range repeat {
		for i, r := range []reader{small, large} {
			took, err := r.read(ctx)
			if err != nil {
				return 0, 0, err
			}
			times[i] = append(times[i], took)
		}
	}
	for _, t := range times {
		slices.Sort(t)
	}
	return times[0][repeat/2], times[1][repeat/2], nil
}
