package storetest

import (
	"slices"
	"strings"

	"github.com/postern-auth/postern/core"
)

var ranges = chapter{"Ranges", []test{
	{"from, to, limit and direction", rangesOver},
	{"members are any bytes in bytewise order", ordersBytes},
	{"adding and removing again change nothing", addsAndRemoves},
	{"changes happen in their order", changesInOrder},
	{"a page follows another to the end", pages},
}}

func rangesOver(s *scene) {
	s.apply(core.Transaction{Index: members("i", "b", "ba", "c", "a", "d")})
	for _, c := range []struct {
		r    core.Range
		want string
	}{
		{core.Range{}, "a b ba c d"},
		{core.Range{Descending: true}, "d c ba b a"},
		{core.Range{From: "b"}, "b ba c d"},
		{core.Range{From: "aa"}, "b ba c d"},
		{core.Range{From: "b\x00"}, "ba c d"},
		{core.Range{To: "c"}, "a b ba"},
		{core.Range{To: "bz"}, "a b ba"},
		{core.Range{From: "b", To: "c"}, "b ba"},
		{core.Range{From: "b", To: "c", Descending: true}, "ba b"},
		{core.Range{From: "b", Descending: true}, "d c ba b"},
		{core.Range{To: "c", Descending: true}, "ba b a"},
		{core.Range{To: "z", Descending: true}, "d c ba b a"},
		{core.Range{Limit: 1}, "a"},
		{core.Range{Limit: 2, Descending: true}, "d c"},
		{core.Range{From: "b", To: "d", Limit: 2}, "b ba"},
		{core.Range{From: "b", To: "d", Limit: 2, Descending: true}, "c ba"},
		{core.Range{Limit: core.MaxRange}, "a b ba c d"},
		{core.Range{From: "b", To: "b"}, ""},
		{core.Range{From: "c", To: "b"}, ""},
		{core.Range{From: "c", To: "b", Descending: true}, ""},
		{core.Range{From: "e"}, ""},
		{core.Range{From: "e", Descending: true}, ""},
		{core.Range{To: "a"}, ""},
		{core.Range{To: "a", Descending: true}, ""},
	} {
		if got := strings.Join(s.members("i", c.r), " "); got != c.want {
			s.Errorf("Range(%+v) = %q; want %q", c.r, got, c.want)
		}
	}
	for _, descending := range []bool{false, true} {
		if got := s.members("nothing", core.Range{Descending: descending}); len(got) != 0 {
			s.Errorf("Range(nothing) = %q; want no members", got)
		}
	}
}

// members returns what adds members to an index.
func members(index string, all ...string) []core.IndexChange {
	var changes []core.IndexChange
	for _, m := range all {
		changes = append(changes, core.IndexChange{Index: index, Member: m})
	}
	return changes
}

func ordersBytes(s *scene) {
	want := []string{
		"\x00", "\x00\x00", "\x00a", "\x00\xff", " ", "(a", "+", "-", "A", "[a", "a",
		"a\x00", "a\x00\x00", "a\x00b", "a\x01", "ab", "a\xff", "{a}", "\x7f", "é", "\xff", "\xff\x00", "\xff\xff", strings.Repeat("\xff", core.MaxKeyLength),
	}
	shuffled := slices.Clone(want)
	for i := range shuffled {
		j := i * 7 % len(shuffled)
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	}
	s.apply(core.Transaction{Index: members("i", shuffled...)})
	s.lists("i", want...)
	for i, from := range want {
		for j, to := range want {
			var between []string
			if i < j {
				between = want[i:j]
			}
			if got := s.members("i", core.Range{From: from, To: to}); !slices.Equal(got, between) {
				s.Fatalf("Range(from %.9q, to %.9q) = %.50q; want %.50q", from, to, got, between)
			}
		}
	}
}

func addsAndRemoves(s *scene) {
	s.apply(core.Transaction{Index: members("i", "a", "b", "a")})
	s.apply(core.Transaction{Index: members("i", "b", "c")})
	s.lists("i", "a", "b", "c")
	for range 2 {
		s.apply(core.Transaction{Index: []core.IndexChange{
			{Index: "i", Member: "b", Remove: true},
			{Index: "i", Member: "never", Remove: true},
			{Index: "j", Member: "x", Remove: true},
		}})
		s.lists("i", "a", "c")
	}
}

func changesInOrder(s *scene) {
	s.apply(core.Transaction{Index: []core.IndexChange{
		{Index: "i", Member: "stays", Remove: true}, {Index: "i", Member: "stays"},
		{Index: "i", Member: "goes"}, {Index: "i", Member: "goes", Remove: true},
	}})
	s.lists("i", "stays")
}

func pages(s *scene) {
	all := numbered(1100)
	for part := range slices.Chunk(all, core.MaxOperations) {
		s.apply(core.Transaction{Index: members("i", part...)})
	}
	var up, down []string
	for from, more := "", true; more; {
		page := s.members("i", core.Range{From: from, Limit: 300})
		up = append(up, page...)
		if more = len(page) == 300; more {
			from = page[len(page)-1] + "\x00"
		}
	}
	for to, more := "", true; more; {
		page := s.members("i", core.Range{To: to, Limit: 300, Descending: true})
		down = append(down, page...)
		if more = len(page) == 300; more {
			to = page[len(page)-1]
		}
	}
	slices.Reverse(down)
	if !slices.Equal(up, all) || !slices.Equal(down, all) {
		s.Errorf("pages have %d members upwards, %d downwards; want the same %d", len(up), len(down), len(all))
	}
	if got := s.members("i", core.Range{}); len(got) != core.MaxRange {
		s.Errorf("Range = %d members; want %d", len(got), core.MaxRange)
	}
}
