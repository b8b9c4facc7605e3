package difftest_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
)

// history is one sequence of random calls to all sides.
type history struct {
	*rapid.T
	sides     []*side
	sent      []*step                   // whether or not they were carried out
	forgotten int                       // so many were sent before those
	commits   int                       // so many were
	giver     map[core.Key]int          // who gave the record its version, as far as the drawing of preconditions cares
	givers    map[core.Key][]int        // and everybody who ever did
	entries   map[core.Log][]core.Entry // all there ever were
	keep      map[core.Log]int          // the least that a log was ever to keep
	now       time.Time

	drawPartition                   *rapid.Generator[core.Partition]
	drawName, drawMember, drawBound *rapid.Generator[string]
}

// begin is when a history begins.
var begin = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// newHistory draws what a history is about: few things in few places, so that they meet.
func newHistory(t *rapid.T, sides []*side) *history {
	h := &history{T: t, sides: sides, giver: map[core.Key]int{}, givers: map[core.Key][]int{}, entries: map[core.Log][]core.Entry{}, keep: map[core.Log]int{}, now: begin}
	h.drawPartition = rapid.SampledFrom(few(t, "partitions", partitions, 2))
	h.drawName = rapid.SampledFrom(few(t, "names", names, 3))
	known := rapid.SampledFrom(few(t, "members", members, 5))
	h.drawMember = rapid.OneOf(known, known, known, drawAny)
	h.drawBound = rapid.OneOf(rapid.Just(""), h.drawMember)
	return h
}

// few draws some of all.
func few[T comparable](t *rapid.T, what string, all []T, most int) []T {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, most, rapid.ID[T]).Draw(t, what)
}

// play draws calls and compares what they answer, and in the end all there is.
func (h *history) play() {
	h.Repeat(map[string]func(*rapid.T){
		"apply":   h.apply,
		"again":   h.again,
		"invalid": h.invalid,
		"get":     h.get,
		"range":   h.rangeOver,
		"hit":     h.hit,
		"tail":    h.tail,
	})
	h.compareAll()
}

// What histories are about.
var (
	partitions = []core.Partition{{}, {Realm: "rl_a"}, {Realm: "rl_a", Number: 1}, {Realm: "rl_a", Number: 11}, {Realm: "rl_b", Number: 1}}
	names      = []string{"a", "b", "a:b", "~"}

	members = []string{"m", "m\x00", "m\xff", "mm", "n", "\x00", "\xff", "+", "-", "(m", "[m"}

	drawAny  = rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(rapid.Byte(), 1, 6).Draw(t, "bytes")) })
	drawFew  = rapid.Custom(func(t *rapid.T) data { return rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes") })
	drawData = rapid.OneOf(drawFew, rapid.SampledFrom([]data{nil, {' '}, data("1 2 3"), bytes.Repeat([]byte("x"), 6000)}))
)

// data is bytes that the log of a failed history shows in brief.
type data []byte

// GoString implements fmt.GoStringer.
func (d data) GoString() string { return brief(d) }

// some draws a number, of things as a rule.
func some(t *rapid.T, what string, most int) int { return rapid.IntRange(0, most).Draw(t, what) }

func (h *history) apply(t *rapid.T) { h.carryOut(h.draw(t)) }

// again sends what was sent before, byte for byte: what was carried out is so no second time, what was refused is
// judged anew.
func (h *history) again(t *rapid.T) {
	if len(h.sent) == 0 {
		t.Skip("nothing was sent")
	}
	h.carryOut(h.sent[some(t, "again", len(h.sent)-1)])
}

// draw draws a transaction.
func (h *history) draw(t *rapid.T) *step {
	s := &step{}
	s.Partition, s.Now, s.Durable = h.drawPartition.Draw(t, "partition"), h.now, rapid.Bool().Draw(t, "durable")
	s.ID = h.operation(t, s.Partition)
	for range some(t, "preconditions", 3) {
		name := h.drawName.Draw(t, "required")
		s.Require = append(s.Require, core.Precondition{Name: name})
		s.required = append(s.required, h.required(t, core.Key{Partition: s.Partition, Name: name}))
	}
	for range some(t, "puts", 3) {
		s.Put = append(s.Put, core.Put{Name: h.drawName.Draw(t, "put"), Value: drawData.Draw(t, "value"), Schema: some(t, "schema", core.MaxSchema), Expires: h.expiry(t)})
	}
	for range some(t, "deletes", 1) {
		s.Delete = append(s.Delete, h.drawName.Draw(t, "delete"))
	}
	for range some(t, "index changes", 3) {
		s.Index = append(s.Index, core.IndexChange{Index: h.drawName.Draw(t, "index"), Member: h.drawMember.Draw(t, "member"), Remove: rapid.Bool().Draw(t, "remove")})
	}
	for range some(t, "entries", 3) {
		s.Append = append(s.Append, core.Append{Log: h.drawName.Draw(t, "log"), Data: drawData.Draw(t, "data"), Keep: rapid.IntRange(1, 10).Draw(t, "keep")})
	}
	for range some(t, "resets", 1) {
		s.Reset = append(s.Reset, h.drawName.Draw(t, "reset"))
	}
	return s
}

// operation draws an id that no operation in the partition had; one in another partition may have had it.
func (h *history) operation(t *rapid.T, p core.Partition) string {
	if len(h.sent) > 0 && rapid.IntRange(0, 4).Draw(t, "id from elsewhere") == 0 {
		id := h.sent[some(t, "namesake", len(h.sent)-1)].ID
		if !slices.ContainsFunc(h.sent, func(s *step) bool { return s.Partition == p && s.ID == id }) {
			return id
		}
	}
	return fmt.Sprintf("op-%d", h.forgotten+len(h.sent)+1)
}

// required draws whose version a record must have: as a rule, the one that it has, else one that it had. What another
// record has proves nothing, as versions of two records may happen to be equal.
func (h *history) required(t *rapid.T, key core.Key) int {
	if rapid.IntRange(0, 4).Draw(t, "wrong") > 0 {
		return h.giver[key]
	}
	return rapid.SampledFrom(append([]int{never, absent}, h.givers[key]...)).Draw(t, "giver")
}

// expiry draws until when a record is kept. None is so long past that a store may tidy it away.
func (h *history) expiry(t *rapid.T) time.Time {
	switch some(t, "expiry", 3) {
	case 0, 1:
		return time.Time{}
	case 2:
		left := time.Duration(rapid.Int64Range(-200_000, 1e10).Draw(t, "left")) * time.Millisecond
		return h.now.Add(left).In(time.FixedZone("", 3600))
	default:
		return time.Date(9999, 12, 30, 0, 0, 0, 1e6, time.UTC)
	}
}

// carryOut has all sides carry a step out.
func (h *history) carryOut(s *step) {
	n, committed := h.commits+1, false
	h.compare(s.text(n), func(side *side) (answer string, err error) {
		answer, committed, err = side.apply(h.Context(), s, n)
		return answer, err
	})
	if !slices.Contains(h.sent, s) {
		h.sent = append(h.sent, s)
	}
	if committed {
		h.commits = n
		h.note(s, n)
	}
}

// note remembers what a committed step leads to later.
func (h *history) note(s *step, n int) {
	for _, p := range s.Put {
		key := core.Key{Partition: s.Partition, Name: p.Name}
		h.giver[key], h.givers[key] = n, append(h.givers[key], n)
	}
	for _, name := range s.Delete {
		h.giver[core.Key{Partition: s.Partition, Name: name}] = absent
	}
	for _, a := range s.Append {
		log := core.Log{Partition: s.Partition, Name: a.Log}
		at := core.Position{Sequence: uint64(len(h.entries[log]) + 1), Operation: s.ID}
		h.entries[log] = append(h.entries[log], core.Entry{Position: at, Data: a.Data})
		if least, ok := h.keep[log]; !ok || a.Keep < least {
			h.keep[log] = a.Keep
		}
	}
}

// invalid asks for something out of bounds beside things that are not: every side refuses all of it.
func (h *history) invalid(t *rapid.T) {
	s := h.draw(t)
	faults := map[string]func(){
		"operation": func() { s.ID = strings.Repeat("x", 65) },
		"partition": func() { s.Partition.Number = 5000 },
		"put":       func() { s.Put = append(s.Put, core.Put{Name: "a b"}) },
		"schema":    func() { s.Put = append(s.Put, core.Put{Name: "a", Schema: core.MaxSchema + 1}) },
		"value":     func() { s.Put = append(s.Put, core.Put{Name: "a", Value: make([]byte, core.MaxValueSize+1)}) },
		"delete":    func() { s.Delete = append(s.Delete, "") },
		"member":    func() { s.Index = append(s.Index, core.IndexChange{Index: "a"}) },
		"keep":      func() { s.Append = append(s.Append, core.Append{Log: "a"}) },
		"reset":     func() { s.Reset = append(s.Reset, "{a}") },
	}
	kinds := []string{"operation", "partition", "put", "schema", "value", "delete", "member", "keep", "reset"}
	fault := rapid.SampledFrom(kinds).Draw(t, "fault")
	faults[fault]()
	h.compare("Apply with an invalid "+fault, func(side *side) (string, error) {
		_, _, err := side.apply(h.Context(), s, 0)
		return fmt.Sprintf("refused: %t", err != nil), nil
	})
}

func (h *history) get(t *rapid.T) {
	var keys []core.Key
	for range rapid.IntRange(1, 5).Draw(t, "keys") {
		keys = append(keys, core.Key{Partition: h.drawPartition.Draw(t, "partition"), Name: h.drawName.Draw(t, "name")})
	}
	h.compareGet(keys)
}

func (h *history) compareGet(keys []core.Key) {
	h.compare(fmt.Sprintf("Get(%v)", keys), func(s *side) (string, error) { return s.get(h.Context(), keys) })
}

func (h *history) rangeOver(t *rapid.T) {
	h.compareRange(core.Range{
		Index:      core.Index{Partition: h.drawPartition.Draw(t, "partition"), Name: h.drawName.Draw(t, "index")},
		From:       h.drawBound.Draw(t, "from"),
		To:         h.drawBound.Draw(t, "to"),
		Limit:      rapid.IntRange(1, 8).Draw(t, "limit"),
		Descending: rapid.Bool().Draw(t, "descending"),
	})
}

func (h *history) compareRange(r core.Range) {
	h.compare(fmt.Sprintf("Range(%s from %q to %q limit %d descending %t)", r.Index, r.From, r.To, r.Limit, r.Descending), func(s *side) (string, error) { return s.rangeOver(h.Context(), r) })
}

// hit lets time pass too, forwards as a rule, and does not keep to one rate.
func (h *history) hit(t *rapid.T) {
	h.now = h.now.Add(time.Duration(rapid.Int64Range(-30e6, 180e6).Draw(t, "passed")) * time.Microsecond)
	bucket := core.Bucket{Partition: h.drawPartition.Draw(t, "partition"), Name: h.drawName.Draw(t, "bucket")}
	every := rapid.SampledFrom([]time.Duration{time.Minute, time.Minute, 10 * time.Second, 24 * time.Hour, time.Microsecond}).Draw(t, "every")
	rate := core.Rate{Burst: rapid.IntRange(1, 4).Draw(t, "burst"), Every: every}
	h.compare(fmt.Sprintf("Hit(%v, %+v, %s)", bucket, rate, moment(h.now)), func(s *side) (string, error) {
		return s.hit(h.Context(), bucket, rate, h.now)
	})
}

// tail reads on in some logs from positions that they once had, or never had.
func (h *history) tail(t *rapid.T) {
	var logs []core.LogPosition
	for range rapid.IntRange(1, 3).Draw(t, "logs") {
		log := core.Log{Partition: h.drawPartition.Draw(t, "partition"), Name: h.drawName.Draw(t, "log")}
		logs = append(logs, core.LogPosition{Log: log, After: h.position(t, log)})
	}
	h.compareTail(logs)
}

// position draws a position in a log.
func (h *history) position(t *rapid.T, log core.Log) core.Position {
	choices := []core.Position{
		{}, core.End, {Sequence: 0, Operation: "lost"}, {Sequence: 1, Operation: "lost"}, {Sequence: 1}, {Sequence: 1000, Operation: "op-1"},
		{Sequence: core.End.Sequence, Operation: "op-1"}, {Sequence: core.End.Sequence - 1, Operation: "op-1"},
	}
	for _, e := range h.entries[log] {
		choices = append(choices, e.Position, core.Position{Sequence: e.Position.Sequence + 1, Operation: e.Position.Operation})
	}
	return rapid.SampledFrom(choices).Draw(t, "after")
}

// compareTail compares feeds. Where a log need not go back to the asked position, a side may say that there is a gap,
// or have all entries still.
func (h *history) compareTail(logs []core.LogPosition) {
	h.compare(fmt.Sprintf("Tail(%v)", logs), func(s *side) (string, error) {
		feeds, err := s.store.Tail(h.Context(), logs, 0)
		if err != nil || len(feeds) != len(logs) {
			return "", fmt.Errorf("%d feeds of %d logs, %w", len(feeds), len(logs), err)
		}
		var all []string
		for i, f := range feeds {
			if !f.Gap && h.mayBeGone(logs[i]) && slices.EqualFunc(f.Entries, h.entries[f.Log][logs[i].After.Sequence:], sameEntry) {
				f.Gap, f.Entries = true, nil
			}
			all = append(all, feedText(f))
		}
		return strings.Join(all, "; "), nil
	})
}

// mayBeGone reports whether l is a place where its log was once, and need not go back to.
func (h *history) mayBeGone(l core.LogPosition) bool {
	entries, after := h.entries[l.Log], l.After
	was := after == core.Position{} || after.Sequence <= uint64(len(entries)) && after.Sequence > 0 && entries[after.Sequence-1].Position == after
	return was && int(after.Sequence)+h.keep[l.Log] <= len(entries) && len(entries) > 0
}

func sameEntry(a, b core.Entry) bool { return a.Position == b.Position && bytes.Equal(a.Data, b.Data) }

// compareAll compares all that the history can have left.
func (h *history) compareAll() {
	var keys []core.Key
	var logs []core.LogPosition
	for _, p := range partitions {
		for _, name := range names {
			keys = append(keys, core.Key{Partition: p, Name: name})
			log := core.Log{Partition: p, Name: name}
			logs = append(logs, core.LogPosition{Log: log}, core.LogPosition{Log: log, After: core.End})
			h.compareRange(core.Range{Index: core.Index{Partition: p, Name: name}, Limit: core.MaxRange})
		}
	}
	h.compareGet(keys)
	h.compareTail(logs)
}

// compare asks all sides and ends the history where they do not answer alike. The call and the answer go into the
// log, which is shown for a history that failed.
func (h *history) compare(call string, ask func(*side) (string, error)) {
	answers := make([]string, len(h.sides))
	for i, s := range h.sides {
		var err error
		if answers[i], err = ask(s); err != nil {
			h.Fatalf("%s: %s fails: %v", call, s.name, err)
		}
	}
	for i, s := range h.sides {
		if answers[i] != answers[0] {
			h.Fatalf("%s:\n  %s answers %s\n  %s answers %s", call, h.sides[0].name, answers[0], s.name, answers[i])
		}
	}
	h.Logf("%s = %s", call, answers[0])
}

// text shows a step.
func (s *step) text(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d Apply(%s %s at %s", n, s.Partition, s.ID, moment(s.Now))
	for i, p := range s.Require {
		fmt.Fprintf(&b, ", require %s by %d", p.Name, s.required[i])
	}
	for _, p := range s.Put {
		fmt.Fprintf(&b, ", put %s %s schema %d until %s", p.Name, brief(p.Value), p.Schema, moment(p.Expires))
	}
	for _, name := range s.Delete {
		fmt.Fprintf(&b, ", delete %s", name)
	}
	for _, c := range s.Index {
		fmt.Fprintf(&b, ", index %s %q remove %t", c.Index, c.Member, c.Remove)
	}
	for _, a := range s.Append {
		fmt.Fprintf(&b, ", append %s %s keep %d", a.Log, brief(a.Data), a.Keep)
	}
	for _, name := range s.Reset {
		fmt.Fprintf(&b, ", reset %s", name)
	}
	return b.String() + ")"
}
