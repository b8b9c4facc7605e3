package core

import (
	"context"
	"slices"
	"strings"
)

// lane is what is left to read of one index.
type lane struct {
	prefix string   // of its members; what follows is their place in the order
	rest   Range    // not yet read
	ahead  []string // members read and not yet taken
	ended  bool     // there is nothing in rest
	sparse bool     // less than a fair share is expected of it, and so no more is read at once
}

// place returns the place of the next member.
func (l *lane) place() string { return l.ahead[0][len(l.prefix):] }

// merge reads several indexes as one, in the order of the places in them. It is for one goroutine.
type merge struct {
	store      Store
	descending bool
	lanes      []*lane
}

// add adds a range of an index whose members all begin with prefix.
func (m *merge) add(prefix string, r Range) *lane {
	l := &lane{prefix: prefix, rest: r}
	m.lanes = append(m.lanes, l)
	return l
}

// addFrom adds the members of an index that begin with prefix and, behind that, with begin, from after a place on; "" adds
// all.
func (m *merge) addFrom(index Index, prefix, begin, after string) *lane {
	r := Range{Index: index, From: prefix + begin, Descending: m.descending}
	if r.From != "" {
		r.To = r.From + "\xff" // beyond all text that goes on
	}
	if after != "" {
		r.narrow(prefix + after)
	}
	return m.add(prefix, r)
}

// narrow moves the start of r to just after a member, unless r begins beyond it.
func (r *Range) narrow(after string) {
	if r.Descending && (r.To == "" || after < r.To) || !r.Descending && after >= r.From {
		r.goOn(after)
	}
}

// goOn moves the start of r to just after a member.
func (r *Range) goOn(after string) {
	if r.Descending {
		r.To = after
	} else {
		r.From = after + "\x00" // nothing is between the two
	}
}

// listed is a member of an index.
type listed struct {
	lane   *lane
	member string
}

// pageOf reads the next limit of what a merge lists, and reports whether there is more. read turns members into what they
// stand for, less those whose record is no longer what the index says.
func pageOf[T any](ctx context.Context, m *merge, limit int, read func(context.Context, []listed) ([]T, error)) ([]T, bool, error) {
	var all []T
	for {
		entries, err := m.take(ctx, limit-len(all))
		if err != nil {
			return nil, false, err
		}
		if len(entries) > 0 {
			some, err := read(ctx, entries)
			if err != nil {
				return nil, false, err
			}
			all = append(all, some...)
		}
		if err := m.fill(ctx, 1); err != nil {
			return nil, false, err
		}
		more := m.first() != nil
		if !more || len(all) == limit {
			return all, more, nil
		}
	}
}

// take returns the next n members, or all that are left.
func (m *merge) take(ctx context.Context, n int) ([]listed, error) {
	var taken []listed
	for len(taken) < n {
		if err := m.fill(ctx, n-len(taken)+1); err != nil { // one more, to know whether there is one
			return nil, err
		}
		l := m.first()
		if l == nil {
			break
		}
		taken = append(taken, listed{l, l.ahead[0]})
		l.ahead = l.ahead[1:]
		l.sparse = l.sparse && len(l.ahead) > 0 // one that is used up before the others has more to come
	}
	return taken, nil
}

// first returns the lane with the next member of all, or nil where all have ended.
func (m *merge) first() *lane {
	var first *lane
	for _, l := range m.lanes {
		if len(l.ahead) == 0 {
			continue
		}
		if first == nil || m.descending == (strings.Compare(l.place(), first.place()) > 0) {
			first = l
		}
	}
	return first
}

// spare is what is read of a sparse lane beyond its fair share, so that chance alone hardly ever uses it up: of a hundred members in four
// lanes alike, one has more than 33 once in forty times.
const spare = 8

// fill sees to it that every lane has a next member, unless it has ended. Where one has not, it reads of all lanes: n
// members of those that have none, and of sparse ones what is missing of their share of n. So n members take one reading where they
// lie as expected, at worst another for each sparse lane, and never more than n of a lane.
func (m *merge) fill(ctx context.Context, n int) error {
	if !slices.ContainsFunc(m.lanes, (*lane).dry) {
		return nil
	}
	n = min(n, MaxRange)
	var short []*lane
	var rests []Range
	for _, l := range m.lanes {
		missing := 0
		switch {
		case l.sparse:
			missing = min(n, n/len(m.lanes)+spare) - len(l.ahead)
		case len(l.ahead) == 0:
			missing = n
		}
		if missing > 0 && !l.ended {
			l.rest.Limit = missing
			short, rests = append(short, l), append(rests, l.rest)
		}
	}
	found, err := ranges(ctx, m.store, rests)
	if err != nil {
		return err
	}
	for i, l := range short {
		l.add(found[i])
	}
	return nil
}

// dry reports whether a lane has to be read before it is known what comes next in it.
func (l *lane) dry() bool { return len(l.ahead) == 0 && !l.ended }

// add notes the members that the rest of a lane was found to begin with: all that are left, where they are fewer than it was asked for.
func (l *lane) add(members []string) {
	if l.ended = len(members) < l.rest.Limit; !l.ended {
		l.rest.goOn(members[len(members)-1])
	}
	l.ahead = append(l.ahead, members...)
}
