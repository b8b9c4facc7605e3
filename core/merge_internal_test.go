package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// shelf is a store of indexes alone, which counts what is read of each.
type shelf struct {
	Store
	indexes map[string][]string // sorted

	mu   sync.Mutex
	read map[string][]int // members of each range, by index
}

// Local has its ranges read at once, or in turn where there are many.
func (s *shelf) Local() bool { return len(s.indexes) > 2 }

func (s *shelf) Range(_ context.Context, r Range) ([]string, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	var found []string
	for _, member := range s.indexes[r.Index.Name] {
		if member >= r.From && (r.To == "" || member < r.To) {
			found = append(found, member)
		}
	}
	if r.Descending {
		slices.Reverse(found)
	}
	found = found[:min(len(found), r.Limit)]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read[r.Index.Name] = append(s.read[r.Index.Name], len(found))
	return found, nil
}

// shelve lays each number into one of so many lanes, of which all but the first are expected to be sparse, and returns what merges
// them.
func shelve(lanes, numbers int, descending bool, laneOf func(i int) int) (*shelf, *merge) {
	s := &shelf{indexes: map[string][]string{}, read: map[string][]int{}}
	for i := range numbers {
		name := fmt.Sprint("lane-", laneOf(i))
		s.indexes[name] = append(s.indexes[name], fmt.Sprintf("%s:%05d", name, i))
	}
	m := &merge{store: s, descending: descending}
	for i := range lanes {
		name := fmt.Sprint("lane-", i)
		m.addFrom(Index{Partition{Realm: "rl"}, name}, name+":", "", "").sparse = i > 0
	}
	return s, m
}

// TestMergeAnyLanes takes members from lanes that hold any share of them, in stretches or mixed: they must come in order, each once, and
// what is asked for at first must take no more than that of any lane.
func TestMergeAnyLanes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for range 10 { // as a check draws few histories here
			mergeAnyLanes(t)
		}
	})
}

func mergeAnyLanes(t *rapid.T) {
	lanes, numbers := rapid.IntRange(1, 4).Draw(t, "lanes"), rapid.IntRange(0, 400).Draw(t, "members")
	stretch, descending := rapid.SampledFrom([]int{1, 3, 50, 200}).Draw(t, "stretch"), rapid.Bool().Draw(t, "descending")
	turns := rapid.SliceOfN(rapid.IntRange(0, lanes-1), 16, 16).Draw(t, "whose turn")
	s, m := shelve(lanes, numbers, descending, func(i int) int { return turns[i/stretch%len(turns)] })
	asked := rapid.SliceOfN(rapid.IntRange(1, 150), 1, 8).Draw(t, "asked for")
	for at, call := 0, 0; ; call++ {
		n := asked[call%len(asked)]
		entries, err := m.take(t.Context(), n)
		if err != nil || len(entries) != min(n, numbers-at) {
			t.Fatalf("take(%d) after %d of %d = %d members, %v", n, at, numbers, len(entries), err)
		}
		for i, e := range entries {
			want := at + i
			if descending {
				want = numbers - 1 - want
			}
			if !strings.HasSuffix(e.member, fmt.Sprintf(":%05d", want)) {
				t.Fatalf("take(%d) after %d of %d has %s at %d; want the one with %d", n, at, numbers, e.member, i, want)
			}
		}
		for lane, read := range s.read {
			if sum := total(read); call == 0 && sum > n+1 {
				t.Fatalf("take(%d) reads %d members of %s; want %d at most", n, sum, lane, n+1)
			}
		}
		if at += len(entries); len(entries) < n {
			return
		}
	}
}

func total(numbers []int) (sum int) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}

// TestMergeReadings counts what a hundred members take, by where they lie: one reading where it is as expected, and another whenever a lane that was
// to be sparse is used up.
func TestMergeReadings(t *testing.T) {
	mixed := []int{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 2, 2, 2, 3} // as in bench/list
	for _, c := range []struct {
		name   string
		laneOf func(i int) int
		want   string // what was read of each lane
	}{
		{"all in the first", func(int) int { return 0 }, "[101] [0] [0] [0]"},
		{"most in the first", func(i int) int { return mixed[i%16] }, "[101] [33] [33] [33]"},
		{"as many in all", func(i int) int { return i % 4 }, "[101] [33] [33] [33]"},
		{"none in the first", func(i int) int { return 1 + i%3 }, "[0] [33 4] [33 3] [33 3]"},
		{"all in the second", func(int) int { return 1 }, "[0] [33 68] [0] [0]"},
		{"all in the last", func(int) int { return 3 }, "[0] [0] [0] [33 68]"},
		{"one after the other", func(i int) int { return 3 - min(i/40, 3) }, "[101] [33] [33 7] [33 7]"},
	} {
		s, m := shelve(4, 1600, false, c.laneOf)
		if _, err := m.take(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range 4 {
			got = append(got, fmt.Sprint(s.read[fmt.Sprint("lane-", i)]))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("a hundred members, %s, take %s; want %s", c.name, strings.Join(got, " "), c.want)
		}
	}
}
