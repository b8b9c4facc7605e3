package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-auth/postern/core"
)

var logs = chapter{"Logs", []test{
	{"sequence and position", positions},
	{"entries are any bytes", entriesOfAnyBytes},
	{"a log that is not there", tailsNothing},
	{"the end is where the newest entry is", tailsFromEnd},
	{"an answer is at most MaxTail long", tailsLong},
	{"several logs at once", tailsSeveral},
	{"a gap: the log does not hold the position", gapUnknown},
	{"a gap: the log was trimmed", gapTrimmed},
	{"the newest entry is never trimmed", keepsNewest},
	{"trimming a log leaves its neighbours alone", trimsOneLog},
	{"waiting ends with an append", wakes},
	{"waiting at the end ends with an append", wakesAtEnd},
	{"waiting ends with an append to any of the logs", wakesForAny},
	{"waiting ends with nothing", waitsInVain},
	{"a follower misses nothing unsaid", follows},
}}

func positions(s *scene) {
	s.apply(core.Transaction{ID: "one", Append: additions("l", 100, "a", "b")})
	s.apply(core.Transaction{ID: "two", Append: append(append(additions("l", 100, "c"), additions("m", 100, "x")...), additions("l", 100, "d")...)})
	want := []core.Entry{
		{Position: core.Position{Sequence: 1, Operation: "one"}, Data: []byte("a")},
		{Position: core.Position{Sequence: 2, Operation: "one"}, Data: []byte("b")},
		{Position: core.Position{Sequence: 3, Operation: "two"}, Data: []byte("c")},
		{Position: core.Position{Sequence: 4, Operation: "two"}, Data: []byte("d")},
	}
	after := core.Position{}
	for i := 0; i <= len(want); i++ {
		feed := s.tail("l", after)
		newest := want[len(want)-1].Position
		if feed.Gap || feed.Next != newest || feed.Log != s.log("l") || !slices.EqualFunc(feed.Entries, want[i:], sameEntry) {
			s.Errorf("Tail(after %v) = %+v; want %v, next %v", after, feed, want[i:], newest)
		}
		if i < len(want) {
			after = want[i].Position
		}
	}
	s.reads("m", "x")
}

func sameEntry(a, b core.Entry) bool {
	return a.Position == b.Position && string(a.Data) == string(b.Data)
}

func entriesOfAnyBytes(s *scene) {
	want := []string{"", string(allBytes()), "\x00", "\xff\xff", "\r\n", strings.Repeat("\x00\xff", 5000)}
	s.write("l", want...)
	s.reads("l", want...)
}

func tailsNothing(s *scene) {
	for _, after := range []core.Position{{}, core.End} {
		if feed := s.tail("l", after); feed.Gap || len(feed.Entries) != 0 || feed.Next != (core.Position{}) {
			s.Errorf("Tail(nothing, after %v) = %+v; want nothing, next the start", after, feed)
		}
	}
}

func tailsFromEnd(s *scene) {
	s.apply(core.Transaction{ID: "one", Append: additions("l", 10, "a", "b")})
	feed := s.tail("l", core.End)
	if want := (core.Position{Sequence: 2, Operation: "one"}); feed.Gap || len(feed.Entries) != 0 || feed.Next != want {
		s.Fatalf("Tail(End) = %+v; want nothing, next %v", feed, want)
	}
	s.write("l", "c")
	if feed = s.tail("l", feed.Next); !slices.Equal(texts(feed), []string{"c"}) {
		s.Errorf("Tail = %q; want what came after the end", texts(feed))
	}
}

func tailsLong(s *scene) {
	all := numbered(core.MaxTail + 200)
	for part := range slices.Chunk(all, 400) {
		s.write("l", part...)
	}
	first := s.tail("l", core.Position{})
	if !slices.Equal(texts(first), all[:core.MaxTail]) {
		s.Errorf("Tail = %d entries; want the first %d", len(first.Entries), core.MaxTail)
	}
	if rest := s.tail("l", first.Next); !slices.Equal(texts(rest), all[core.MaxTail:]) {
		s.Errorf("Tail on = %d entries; want the other 200", len(rest.Entries))
	}
}

func tailsSeveral(s *scene) {
	second := s.in(core.Partition{Realm: realm, Number: 1})
	system := s.in(core.Partition{})
	s.write("l", "a", "b")
	second.write("l", "c")
	at := s.tail("l", core.Position{}).Entries[0].Position
	feeds := s.tailAll(0,
		core.LogPosition{Log: system.log("l")},
		core.LogPosition{Log: second.log("l")},
		core.LogPosition{Log: s.log("l"), After: core.End},
		core.LogPosition{Log: s.log("l"), After: core.Position{Sequence: 77, Operation: "lost"}},
		core.LogPosition{Log: s.log("l"), After: at},
	)
	for i, want := range []struct {
		log     core.Log
		entries string
		gap     bool
	}{
		{system.log("l"), "", false},
		{second.log("l"), "c", false},
		{s.log("l"), "", false},
		{s.log("l"), "", true},
		{s.log("l"), "b", false},
	} {
		if f := feeds[i]; f.Log != want.log || f.Gap != want.gap || strings.Join(texts(f), " ") != want.entries {
			s.Errorf("Tail[%d] = %+v; want %+v", i, f, want)
		}
	}
}

func gapUnknown(s *scene) {
	s.apply(core.Transaction{ID: "one", Append: additions("l", 10, "a", "b")})
	s.apply(core.Transaction{ID: "two", Append: additions("l", 10, "c")})
	newest := core.Position{Sequence: 3, Operation: "two"}
	for _, after := range []core.Position{
		{Sequence: 2, Operation: "two"},
		{Sequence: 3, Operation: "one"},
		{Sequence: 3, Operation: "tw"},
		{Sequence: 3, Operation: "two2"},
		{Sequence: 3},
		{Sequence: 4, Operation: "two"},
		{Sequence: 1 << 40, Operation: "one"},
	} {
		if feed := s.tail("l", after); !feed.Gap || len(feed.Entries) != 0 || feed.Next != newest {
			s.Errorf("Tail(after %v) = %+v; want a gap, next %v", after, feed, newest)
		}
	}
	start := time.Now()
	feeds := s.tailAll(patience, core.LogPosition{Log: s.log("none"), After: core.Position{Sequence: 1, Operation: "one"}})
	if !feeds[0].Gap || feeds[0].Next != (core.Position{}) || time.Since(start) >= patience {
		s.Errorf("Tail(none, after an entry) = %+v after %v; want a gap at once, next the start", feeds[0], time.Since(start))
	}
}

func gapTrimmed(s *scene) {
	const keep, rounds = 10, 8
	early := core.Position{Sequence: 1, Operation: "trim-0"}
	for i := range rounds {
		s.apply(core.Transaction{ID: fmt.Sprintf("trim-%d", i), Append: additions("l", keep, numbered(400)...)})
	}
	newest := core.Position{Sequence: rounds * 400, Operation: fmt.Sprintf("trim-%d", rounds-1)}
	for _, after := range []core.Position{{}, early} {
		if feed := s.tail("l", after); !feed.Gap || len(feed.Entries) != 0 || feed.Next != newest {
			s.Errorf("Tail(after %v) = gap %t, %d entries, next %v; want a gap, next %v", after, feed.Gap, len(feed.Entries), feed.Next, newest)
		}
	}
	held := core.Position{Sequence: newest.Sequence - keep + 1, Operation: newest.Operation}
	if feed := s.tail("l", held); feed.Gap || len(feed.Entries) != keep-1 {
		s.Errorf("Tail(after %v) = gap %t, %d entries; want the %d newest", held, feed.Gap, len(feed.Entries), keep-1)
	}
}

// trimsOneLog trims much of a log and appends to its neighbours, all in one transaction.
func trimsOneLog(s *scene) {
	long := strings.Repeat("x", 6000)
	s.write("a", "first")
	s.write("b", slices.Repeat([]string{long}, 10)...)
	s.write("c", "first")
	s.apply(core.Transaction{ID: "trim", Append: slices.Concat(additions("b", 1, long), additions("a", 10, "second"), additions("c", 10, "second"))})
	s.reads("a", "first", "second")
	s.reads("c", "first", "second")
	if feed, want := s.tail("b", core.End), (core.Position{Sequence: 11, Operation: "trim"}); feed.Next != want {
		s.Errorf("Tail(b, at the end) = next %v; want %v", feed.Next, want)
	}
}

func keepsNewest(s *scene) {
	for i := range 20 {
		out := core.Position{Sequence: uint64(i + 1), Operation: fmt.Sprintf("new-%d", i)}
		s.apply(core.Transaction{ID: out.Operation, Append: additions("l", 1, "x")})
		if feed := s.tail("l", out); feed.Gap || feed.Next != out {
			s.Fatalf("Tail(after the newest, %v) = %+v; want it held", out, feed)
		}
	}
}

// appendSoon appends to a log after a moment, as often as it takes until stop is called. Once would not do: who tails
// from the end may only begin after it.
func (s *scene) appendSoon(log, entry string) (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-time.After(15 * time.Millisecond):
				if _, err := s.try(core.Transaction{Append: additions(log, 100, entry)}); err != nil {
					s.Errorf("Apply = %v; want it done", err)
				}
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// wakesIn checks that a Tail which waits is woken by an append to log.
func (s *scene) wakesIn(log string, logs ...core.LogPosition) {
	s.Helper()
	defer s.appendSoon(log, "news")()
	start := time.Now()
	feeds := s.tailAll(patience, logs...)
	for _, f := range feeds {
		if f.Log == s.log(log) && len(f.Entries) > 0 && string(f.Entries[0].Data) == "news" {
			return
		}
	}
	s.Errorf("Tail = %+v after %v; want the news in %s", feeds, time.Since(start), log)
}

func wakes(s *scene) { s.wakesIn("l", core.LogPosition{Log: s.log("l")}) }

func wakesAtEnd(s *scene) {
	s.write("l", "old")
	s.wakesIn("l", core.LogPosition{Log: s.log("l"), After: core.End})
}

func wakesForAny(s *scene) {
	s.write("m", "old")
	system := s.in(core.Partition{})
	s.wakesIn("m",
		core.LogPosition{Log: s.log("l")},
		core.LogPosition{Log: system.log("m")},
		core.LogPosition{Log: s.log("m"), After: s.tail("m", core.End).Next},
		core.LogPosition{Log: s.log("n"), After: core.End})
}

func waitsInVain(s *scene) {
	s.write("l", "old")
	s.write("m", "elsewhere")
	end := s.tail("l", core.End).Next
	for _, wait := range []time.Duration{-time.Second, 0, 40 * time.Millisecond} {
		start := time.Now()
		feed := s.tailAll(wait, core.LogPosition{Log: s.log("l"), After: core.End})[0]
		if took := time.Since(start); took < wait || took > wait+patience {
			s.Errorf("Tail(wait %v) took %v", wait, took)
		}
		if feed.Gap || len(feed.Entries) != 0 || feed.Next != end {
			s.Errorf("Tail(wait %v) = %+v; want nothing, next %v", wait, feed, end)
		}
	}
}

// follows tails a log while several writers append to it and it is trimmed.
func follows(s *scene) {
	const writers, each, keep = 4, 40, 12
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	var done sync.WaitGroup
	done.Go(func() {
		together(writers, func(w int) {
			for i := range each {
				if _, err := s.try(core.Transaction{Append: additions("l", keep, fmt.Sprintf("%d-%d", w, i))}); err != nil {
					s.Errorf("Apply = %v; want it done", err)
				}
			}
		})
	})
	defer done.Wait()
	at, seen := core.Position{}, map[string]bool{}
	for at.Sequence < writers*each {
		feeds, err := s.store.Tail(ctx, []core.LogPosition{{Log: s.log("l"), After: at}}, time.Second)
		if errors.Is(err, context.DeadlineExceeded) {
			s.Fatalf("the follower is at %v; want it at the end by now", at)
		}
		if err != nil {
			s.Fatalf("Tail(after %v) = %v; want entries", at, err)
		}
		next := at.Sequence
		for _, e := range feeds[0].Entries {
			next++
			if e.Position.Sequence != next || seen[string(e.Data)] {
				s.Fatalf("Tail(after %v) has entry %+v; want number %d, once", at, e, next)
			}
			seen[string(e.Data)] = true
		}
		at = feeds[0].Next
	}
}
