package main

import (
	"cmp"
	"context"
	"errors"
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

// ways are how a page is read: over the API, as a client gets it, and the list alone.
var ways = [...]func(reader, context.Context) (time.Duration, error){reader.call, reader.list}

// overAPI and alone are the places of the two in ways.
const overAPI, alone = 0, 1

// pair is one page in the small realm and in the large one, and what it took to read them.
type pair struct {
	name string // columns
	of   [2]reader
	took [len(ways)][2]series
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
	for _, p := range all {
		if err := errors.Join(p.of[0].check(ctx), p.of[1].check(ctx)); err != nil {
			return err
		}
	}
	for range spells {
		for _, p := range all {
			if err := p.read(ctx, (repeat+spells-1)/spells); err != nil {
				return err
			}
		}
	}
	return table(all)
}

// table prints how the two differ, page by page and all in all. The last line is what the goal is about.
func table(all []*pair) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(out, "filter\torder\tpage\tsmall\tlarge\tquickest\twork\tlist alone\tratio\t")
	var quickest, lists, ratios []float64
	same := 0
	for _, p := range all {
		few, many := p.took[overAPI][0].cost(), p.took[overAPI][1].cost()
		work := "same"
		if few.work != many.work {
			work = fmt.Sprintf("%s/%s", few.work, many.work)
		} else {
			same++
		}
		least := float64(many.least) / float64(few.least)
		quickest, lists, ratios = append(quickest, least), append(lists, p.ratio(alone)), append(ratios, p.ratio(overAPI))
		_, _ = fmt.Fprintf(out, "%s\t%s\t%s\t%.2f\t%s\t%.2f\t%.2f\t\n", p.name, few.median, many.median, least, work, p.ratio(alone), p.ratio(overAPI))
	}
	least, median, most := spread(quickest)
	_, _ = fmt.Fprintf(out, "quickest\t\t\t%.2f to %.2f\tmedian %.2f\t\tsame work\t%d of %d\t\t\n", least, most, median, same, len(ratios))
	least, median, most = spread(lists)
	_, _ = fmt.Fprintf(out, "list alone\t\t\tleast %.2f\tmedian %.2f\tmost %.2f\t\t\t\t\n", least, median, most)
	least, median, most = spread(ratios)
	_, _ = fmt.Fprintf(out, "ratio\t\t\tleast %.2f\tmedian %.2f\tmost %.2f\t\t\t\t\n", least, median, most)
	return out.Flush()
}

// spread returns the least, the middle and the most of some ratios.
func spread(ratios []float64) (least, median, most float64) {
	sorted := slices.Sorted(slices.Values(ratios))
	return sorted[0], sorted[len(sorted)/2], sorted[len(sorted)-1]
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

// list lists the page once, without the API.
func (r reader) list(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	page, err := r.users.List(ctx, r.realm, r.in)
	took := time.Since(begun)
	if err == nil && len(page.Users) != pageSize {
		err = fmt.Errorf("a page of %+v has %d users; want %d", r.in, len(page.Users), pageSize)
	}
	return took, err
}

// read reads the page in one way and then in the other, in the two realms by turns, so often. The ways take no turns: the garbage of
// the one would be collected at the cost of the other, and of one realm more than of the other.
func (p *pair) read(ctx context.Context, times int) error {
	for way, read := range ways {
		for turn := range 2 * times {
			i := turn % 2
			before := p.of[i].store.so()
			took, err := read(p.of[i], ctx)
			if err != nil {
				return err
			}
			p.took[way][i].add(took, p.of[i].store.so().since(before))
		}
	}
	return nil
}

// ratio returns how much longer the page took in the large realm, read in one way.
func (p *pair) ratio(way int) float64 {
	return float64(p.took[way][1].cost().median) / float64(p.took[way][0].cost().median)
}

// series is what the readings of a page took.
type series struct {
	times []time.Duration
	least work
}

// add adds a reading.
func (s *series) add(took time.Duration, did work) {
	if len(s.times) > 0 {
		did = did.least(s.least)
	}
	s.times, s.least = append(s.times, took), did
}

// cost is what a page takes.
type cost struct {
	median, least time.Duration
	work          work
}

// cost returns what they took.
func (s *series) cost() cost {
	t := slices.Sorted(slices.Values(s.times))
	return cost{median: t[len(t)/2], least: t[0], work: s.least}
}
