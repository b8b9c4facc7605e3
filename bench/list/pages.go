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

// pair is one page in the small realm and in the large one, and what it took to read them.
type pair struct {
	name  string // columns
	of    [2]reader
	times [2][]time.Duration
	least [2]work
}

// pairs returns every page.
func pairs(small, large *crowd) (all []*pair) {
	for _, f := range filters {
		for _, order := range orders {
			for _, far := range []bool{false, true} {
				in := f.ListUsers
				in.Sort, in.Limit = order, pageSize
				name := fmt.Sprintf("%s\t%s\t%s", f.name, order, map[bool]string{true: "far", false: "first"}[far])
				all = append(all, &pair{name: name, of: [2]reader{small.from(in, far), large.from(in, far)}})
			}
		}
	}
	return all
}

// spells is how many spells the readings of a page are spread over. What disturbs the machine for a moment disturbs no page alone.
const spells = 10

// compare reads every page in both realms by turns, and prints how they differ.
func compare(ctx context.Context, small, large *crowd, repeat int) error {
	all := pairs(small, large)
	for range spells {
		for _, p := range all {
			if err := p.read(ctx, (repeat+spells-1)/spells); err != nil {
				return err
			}
		}
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(out, "filter\torder\tpage\tsmall\tlarge\tquickest\twork\tratio\t")
	var ratios, quickest []float64
	same := 0
	for _, p := range all {
		few, many := p.cost(0), p.cost(1)
		work := "same"
		if few.work != many.work {
			work = fmt.Sprintf("%s/%s", few.work, many.work)
		} else {
			same++
		}
		ratio, least := float64(many.median)/float64(few.median), float64(many.least)/float64(few.least)
		ratios, quickest = append(ratios, ratio), append(quickest, least)
		_, _ = fmt.Fprintf(out, "%s\t%s\t%s\t%.2f\t%s\t%.2f\t\n", p.name, few.median, many.median, least, work, ratio)
	}
	slices.Sort(ratios)
	slices.Sort(quickest)
	_, _ = fmt.Fprintf(out, "quickest\t\t\t%.2f to %.2f\tmedian %.2f\t\tsame work\t%d of %d\t\n", quickest[0], quickest[len(quickest)-1], quickest[len(quickest)/2], same, len(ratios))
	_, _ = fmt.Fprintf(out, "ratio\t\t\tleast %.2f\tmedian %.2f\tmost %.2f\t\t\t\n", ratios[0], ratios[len(ratios)/2], ratios[len(ratios)-1])
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
func (r reader) read(ctx context.Context) (time.Duration, work, error) {
	before, begun := r.store.so(), time.Now()
	page, err := r.users.List(ctx, r.realm, r.in)
	took, did := time.Since(begun), r.store.so().since(before)
	if err == nil && len(page.Users) != pageSize {
		err = fmt.Errorf("a page of %+v has %d users; want %d", r.in, len(page.Users), pageSize)
	}
	return took, did, err
}

// cost is what a page takes.
type cost struct {
	median, least time.Duration
	work          work
}

// read reads the two by turns, so often.
func (p *pair) read(ctx context.Context, times int) error {
	for range times {
		for i, r := range p.of {
			took, did, err := r.read(ctx)
			if err != nil {
				return err
			}
			if len(p.times[i]) > 0 {
				did = did.least(p.least[i])
			}
			p.times[i], p.least[i] = append(p.times[i], took), did
		}
	}
	return nil
}

// cost returns what one of the two took.
func (p *pair) cost(i int) cost {
	t := slices.Sorted(slices.Values(p.times[i]))
	return cost{median: t[len(t)/2], least: t[0], work: p.least[i]}
}
