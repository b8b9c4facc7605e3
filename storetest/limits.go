package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postern-auth/postern/core"
)

var limits = chapter{"Limits", []test{
	{"the largest of everything", largest},
	{"too large a transaction is refused", refusesTransactions},
	{"too large a range is refused", refusesRanges},
	{"names that are none are refused", refusesNames},
	{"rates that are none are refused", refusesRates},
}}

func largest(s *scene) {
	name := strings.Repeat("n", core.MaxKeyLength)
	s.apply(core.Transaction{
		ID:     strings.Repeat("i", 64),
		Put:    []core.Put{{Name: name, Value: make([]byte, core.MaxValueSize), Schema: 999}},
		Index:  []core.IndexChange{{Index: name, Member: name}},
		Append: []core.Append{{Log: name, Data: make([]byte, core.MaxValueSize), Keep: 1 << 31}},
		Reset:  []string{name},
	})
	s.lists(name, name)
	if e := s.tail(name, core.Position{}).Entries; len(e) != 1 || len(e[0].Data) != core.MaxValueSize {
		s.Errorf("Tail = %d entries; want 1 of %d bytes", len(e), core.MaxValueSize)
	}
	s.hit(name, core.Rate{Burst: 1, Every: time.Microsecond}, noon)
	s.apply(fill(core.MaxOperations))
	s.lists("i", numbered(core.MaxOperations-1)...)
}

// fill returns a transaction of n operations.
func fill(n int) core.Transaction {
	tx := core.Transaction{Require: []core.Precondition{absent("a")}}
	for _, m := range numbered(n - 1) {
		tx.Index = append(tx.Index, core.IndexChange{Index: "i", Member: m})
	}
	return tx
}

// numbered returns n index members in their order.
func numbered(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("m%05d", i))
	}
	return all
}

func refusesTransactions(s *scene) {
	tooLong := strings.Repeat("n", core.MaxKeyLength+1)
	for name, spoil := range map[string]func(tx *core.Transaction){
		"operations": func(tx *core.Transaction) { tx.Index = append(tx.Index, fill(core.MaxOperations-6).Index...) },
		"value":      func(tx *core.Transaction) { tx.Put[1].Value = make([]byte, core.MaxValueSize+1) },
		"schema":     func(tx *core.Transaction) { tx.Put[1].Schema = 1000 },
		"id":         func(tx *core.Transaction) { tx.ID = strings.Repeat("i", 65) },
		"required":   func(tx *core.Transaction) { tx.Require = []core.Precondition{absent(tooLong)} },
		"put":        func(tx *core.Transaction) { tx.Put[1].Name = tooLong },
		"delete":     func(tx *core.Transaction) { tx.Delete[0] = tooLong },
		"index":      func(tx *core.Transaction) { tx.Index[0].Index = tooLong },
		"member":     func(tx *core.Transaction) { tx.Index[0].Member = tooLong },
		"no member":  func(tx *core.Transaction) { tx.Index[0].Member = "" },
		"log":        func(tx *core.Transaction) { tx.Append[1].Log = tooLong },
		"keep":       func(tx *core.Transaction) { tx.Append[1].Keep = 0 },
		"reset":      func(tx *core.Transaction) { tx.Reset[0] = tooLong },
	} {
		tx := everyChange()
		spoil(&tx)
		_, err := s.try(tx)
		s.isMistake("Apply with too large a "+name, err)
	}
	s.holds("new", "")
	s.lists("i")
	s.reads("l")
}

// isMistake checks that a call was refused because of what it asked for.
func (s *scene) isMistake(call string, err error) {
	s.Helper()
	_, conflict := errors.AsType[*core.ConflictError](err)
	if err == nil || conflict || errors.Is(err, core.ErrUnavailable) || errors.Is(err, core.ErrOutcomeUnknown) {
		s.Errorf("%s = %v; want an error that says what was wrong with it", call, err)
	}
}

func refusesRanges(s *scene) {
	for _, limit := range []int{-1, 0, core.MaxRange + 1} {
		_, err := s.store.Range(s.ctx, core.Range{Index: core.Index{Partition: s.at, Name: "i"}, Limit: limit})
		s.isMistake(fmt.Sprintf("Range(limit %d)", limit), err)
	}
}

func refusesNames(s *scene) {
	for _, name := range []string{"", strings.Repeat("n", core.MaxKeyLength+1)} {
		_, err := s.store.Get(s.ctx, s.key("fine"), s.key(name))
		s.isMistake(fmt.Sprintf("Get(%.9q)", name), err)
		_, err = s.store.Range(s.ctx, core.Range{Index: core.Index{Partition: s.at, Name: name}, Limit: 1})
		s.isMistake(fmt.Sprintf("Range(%.9q)", name), err)
		_, err = s.store.Hit(s.ctx, core.Bucket{Partition: s.at, Name: name}, core.Rate{Burst: 1, Every: time.Second}, noon)
		s.isMistake(fmt.Sprintf("Hit(%.9q)", name), err)
		_, err = s.store.Tail(s.ctx, []core.LogPosition{{Log: s.log(name)}}, 0)
		s.isMistake(fmt.Sprintf("Tail(%.9q)", name), err)
	}
}

func refusesRates(s *scene) {
	for _, rate := range []core.Rate{
		{}, {Burst: 0, Every: time.Second}, {Burst: -1, Every: time.Second},
		{Burst: 1}, {Burst: 1, Every: time.Nanosecond}, {Burst: 1, Every: -time.Second},
	} {
		_, err := s.store.Hit(s.ctx, core.Bucket{Partition: s.at, Name: "b"}, rate, noon)
		s.isMistake(fmt.Sprintf("Hit(%+v)", rate), err)
	}
}
