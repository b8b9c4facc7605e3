package storetest

import (
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

var transactions = chapter{"Transactions", []test{
	{"preconditions", preconditions},
	{"the first precondition that fails is named", namesFirst},
	{"a refused transaction leaves nothing", leavesNothing},
	{"preconditions alone are a transaction", preconditionsAlone},
	{"everything happens together", happensTogether},
	{"of two puts of a record the later stays", laterStays},
}}

var outcomes = chapter{"Outcomes", []test{
	{"a repeat is answered with the first outcome", repeats},
	{"a repeat of what put nothing", repeatsWithoutPut},
	{"an id counts in its partition only", repeatsElsewhere},
	{"a refused id may be tried again", triesAgain},
	{"repeats at the same time", repeatsAtOnce},
}}

func preconditions(s *scene) {
	old := s.put("a", "old")
	v := s.put("a", "now")
	for _, c := range []struct {
		name    string
		version uint64
		ok      bool
	}{
		{"a", v, true},
		{"a", 0, false},
		{"a", old, false},
		{"a", v + 1, false},
		{"a", 1<<64 - 1, false},
		{"missing", 0, true},
		{"missing", v, false},
		{"missing", 1, false},
	} {
		tx := core.Transaction{Require: []core.Precondition{{Name: c.name, Version: c.version}}}
		if c.ok {
			s.apply(tx)
		} else {
			s.refuse(tx, c.name)
		}
	}
	s.holds("a", "now")
	s.holds("missing", "")
}

func namesFirst(s *scene) {
	v := s.put("a", "x")
	s.refuse(core.Transaction{Require: []core.Precondition{at("a", v), absent("b"), at("c", 7), absent("a"), at("d", 7)}}, "c")
	s.refuse(core.Transaction{Require: []core.Precondition{at("a", v), absent("a"), at("c", 7)}}, "a")
	s.refuse(core.Transaction{Require: []core.Precondition{at("d", 7), at("c", 7)}}, "d")
	s.refuse(core.Transaction{Require: []core.Precondition{absent("b"), absent("c"), absent("a"), absent("d")}}, "a")
}

// everyChange returns a transaction that does one of everything.
func everyChange() core.Transaction {
	return core.Transaction{
		Put:    []core.Put{{Name: "new", Value: []byte("x")}, {Name: "kept", Value: []byte("changed")}},
		Delete: []string{"doomed"},
		Index:  []core.IndexChange{{Index: "i", Member: "new"}, {Index: "i", Member: "old", Remove: true}},
		Append: []core.Append{{Log: "l", Data: []byte("second"), Keep: 10}, {Log: "m", Data: []byte("first"), Keep: 10}},
		Reset:  []string{"rate"},
	}
}

// prepare makes everything that everyChange changes. It leaves the rate bucket empty.
func prepare(s *scene, rate core.Rate) {
	s.apply(core.Transaction{
		Put:    []core.Put{{Name: "kept", Value: []byte("as it was")}, {Name: "doomed", Value: []byte("x")}},
		Index:  []core.IndexChange{{Index: "i", Member: "old"}},
		Append: []core.Append{{Log: "l", Data: []byte("first"), Keep: 10}},
	})
	for s.hit("rate", rate, noon).OK {
	}
}

func leavesNothing(s *scene) {
	rate := core.Rate{Burst: 2, Every: time.Hour}
	prepare(s, rate)
	tx := everyChange()
	tx.ID = s.operation()
	tx.Require = []core.Precondition{absent("new"), absent("kept")}
	for range 2 { // the id of a refused transaction is not remembered either
		s.refuse(tx, "kept")
	}
	s.holds("new", "")
	s.holds("kept", "as it was")
	s.holds("doomed", "x")
	s.lists("i", "old")
	s.reads("l", "first")
	s.reads("m")
	if a := s.hit("rate", rate, noon); a.OK {
		s.Errorf("Hit = %+v; want the bucket as empty as before", a)
	}
}

func preconditionsAlone(s *scene) {
	v := s.put("a", "x")
	tx := core.Transaction{ID: "alone", Require: []core.Precondition{at("a", v), absent("b")}}
	if out := s.apply(tx); out.Repeated {
		s.Errorf("Apply = %+v; want it not repeated", out)
	}
	if got := s.get("a").Version; got != v {
		s.Errorf("Get(a) = version %d; want %d, untouched", got, v)
	}
	s.put("a", "y")
	if out := s.apply(tx); !out.Repeated {
		s.Errorf("Apply again = %+v; want it repeated, whatever a is at now", out)
	}
}

func happensTogether(s *scene) {
	rate := core.Rate{Burst: 2, Every: time.Hour}
	prepare(s, rate)
	tx := everyChange()
	tx.Durable = true
	tx.Require = []core.Precondition{absent("new"), at("kept", s.get("kept").Version)}
	s.apply(tx)
	s.holds("new", "x")
	s.holds("kept", "changed")
	s.holds("doomed", "")
	s.lists("i", "new")
	s.reads("l", "first", "second")
	s.reads("m", "first")
	if a := s.hit("rate", rate, noon); !a.OK || a.Remaining != 1 {
		s.Errorf("Hit = %+v; want the bucket filled up", a)
	}
}

func laterStays(s *scene) {
	expires := noon.Add(time.Hour)
	s.apply(core.Transaction{Put: []core.Put{
		{Name: "a", Value: []byte("for ever")}, {Name: "b", Value: []byte("for a while"), Expires: expires}, {Name: "c", Value: []byte("first")},
		{Name: "a", Value: []byte("for a while"), Expires: expires}, {Name: "b", Value: []byte("for ever")}, {Name: "c", Value: []byte("second")},
	}})
	s.holds("a", "for a while")
	s.holds("b", "for ever")
	s.holds("c", "second")
	if a, b := s.get("a").Expires, s.get("b").Expires; !a.Equal(expires) || !b.IsZero() {
		s.Errorf("Get = records that expire at %s and %s; want %s and never", a, b, expires)
	}
}

func repeats(s *scene) {
	rate := core.Rate{Burst: 2, Every: time.Hour}
	prepare(s, rate)
	tx := everyChange()
	tx.ID = strings.Repeat("i", 64)
	tx.Require = []core.Precondition{absent("new"), at("doomed", s.get("doomed").Version)}
	first := s.apply(tx)
	if first.Repeated {
		s.Errorf("Apply = %+v; want it not repeated", first)
	}
	s.apply(core.Transaction{Delete: []string{"kept"}, Index: []core.IndexChange{{Index: "i", Member: "old"}}})
	for s.hit("rate", rate, noon).OK {
	}
	for range 2 {
		if again := s.apply(tx); again != (core.Outcome{Version: first.Version, Repeated: true}) {
			s.Errorf("Apply again = %+v; want %+v, repeated", again, first)
		}
	}
	s.holds("kept", "")
	s.lists("i", "new", "old")
	s.reads("l", "first", "second")
	if a := s.hit("rate", rate, noon); a.OK {
		s.Errorf("Hit = %+v; want a bucket that the repeat did not fill", a)
	}
}

func repeatsWithoutPut(s *scene) {
	tx := core.Transaction{ID: "append", Append: additions("l", 10, "once")}
	first := s.apply(tx)
	if again := s.apply(tx); again != (core.Outcome{Version: first.Version, Repeated: true}) {
		s.Errorf("Apply again = %+v; want %+v, repeated", again, first)
	}
	s.reads("l", "once")
}

func repeatsElsewhere(s *scene) {
	for _, p := range []core.Partition{{}, {Realm: realm}, {Realm: realm, Number: 1}, {Realm: "rl_other"}} {
		other := s.in(p)
		if out := other.apply(core.Transaction{ID: "same", Append: additions("l", 10, "x")}); out.Repeated {
			s.Errorf("Apply in %s = %+v; want it not repeated", p, out)
		}
		other.reads("l", "x")
	}
}

func triesAgain(s *scene) {
	s.put("name", "taken")
	tx := core.Transaction{ID: "take", Require: []core.Precondition{absent("name")}, Put: []core.Put{{Name: "name", Value: []byte("mine")}}}
	s.refuse(tx, "name")
	s.apply(core.Transaction{Delete: []string{"name"}})
	if out := s.apply(tx); out.Repeated {
		s.Errorf("Apply = %+v; want it done now", out)
	}
	s.holds("name", "mine")
}

func repeatsAtOnce(s *scene) {
	tx := core.Transaction{
		ID:      "once",
		Require: []core.Precondition{absent("name")},
		Put:     []core.Put{{Name: "name", Value: []byte("x")}},
		Append:  additions("l", 10, "x"),
	}
	var outcomes [20]core.Outcome
	together(len(outcomes), func(i int) {
		var err error
		if outcomes[i], err = s.try(tx); err != nil {
			s.Errorf("Apply = %v; want an outcome", err)
		}
	})
	firsts := 0
	for _, out := range outcomes {
		if !out.Repeated {
			firsts++
		}
		if out.Version != outcomes[0].Version {
			s.Errorf("Apply = version %d; want %d, as the others", out.Version, outcomes[0].Version)
		}
	}
	if firsts != 1 {
		s.Errorf("%d of %d were not repeated; want 1", firsts, len(outcomes))
	}
	s.reads("l", "x")
}
