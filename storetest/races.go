package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/postern-auth/postern/core"
)

// crowd is how many callers race.
const crowd = 50

var races = chapter{"Races", []test{
	{"one takes a name", func(s *scene) { takeName(s, s) }},
	{"one spends a token", func(s *scene) { spendToken(s, s) }},
	{"every increment counts", func(s *scene) { increment(s, s) }},
}}

// takeName lets a crowd take one name, half of them through each client.
func takeName(a, b *scene) {
	var winners atomic.Int64
	together(crowd, func(i int) {
		s := turn(i, a, b)
		me := fmt.Sprintf("user-%02d", i)
		_, err := s.try(core.Transaction{
			Require: []core.Precondition{absent("name")},
			Put:     []core.Put{{Name: "name", Value: []byte(me)}},
			Index:   members("users", me),
			Append:  additions("events", 100, me),
		})
		s.countWin(&winners, err, "name")
	})
	a.wantOne(&winners)
	winner := string(a.get("name").Value)
	a.lists("users", winner)
	a.reads("events", winner)
}

// spendToken lets a crowd spend one token at the version that all of them read.
func spendToken(a, b *scene) {
	v := a.put("token", "fresh")
	var winners atomic.Int64
	together(crowd, func(i int) {
		s := turn(i, a, b)
		_, err := s.try(core.Transaction{
			Require: []core.Precondition{at("token", v)},
			Put:     []core.Put{{Name: "token", Value: []byte("spent")}},
			Append:  additions("events", 100, "spent"),
		})
		s.countWin(&winners, err, "token")
	})
	a.wantOne(&winners)
	a.reads("events", "spent")
}

// turn returns one of two clients.
func turn(i int, a, b *scene) *scene {
	if i%2 == 0 {
		return a
	}
	return b
}

// countWin counts a transaction that was done; any other must have been refused because of the record called name.
func (s *scene) countWin(winners *atomic.Int64, err error, name string) {
	conflict, ok := errors.AsType[*core.ConflictError](err)
	switch {
	case err == nil:
		winners.Add(1)
	case !ok || conflict.Key != s.key(name):
		s.Errorf("Apply = %v; want it done, or a ConflictError about %s", err, name)
	}
}

func (s *scene) wantOne(winners *atomic.Int64) {
	s.Helper()
	if n := winners.Load(); n != 1 {
		s.Fatalf("%d of %d won; want 1", n, crowd)
	}
}

// increment lets everyone in a crowd add one to a number, again and again until it is at the version that they read.
func increment(a, b *scene) {
	a.put("count", "0")
	together(crowd, func(i int) {
		s := turn(i, a, b)
		for s.incrementOnce() {
		}
	})
	a.holds("count", strconv.Itoa(crowd))
}

// incrementOnce reports whether someone else came first.
func (s *scene) incrementOnce() (again bool) {
	records, err := s.store.Get(s.ctx, s.key("count"))
	if err != nil {
		s.Errorf("Get = %v; want the count", err)
		return false
	}
	n, err := strconv.Atoi(string(records[0].Value))
	if err != nil {
		s.Errorf("Get(count) = %q; want a number", records[0].Value)
		return false
	}
	_, err = s.try(core.Transaction{
		Require: []core.Precondition{at("count", records[0].Version)},
		Put:     []core.Put{{Name: "count", Value: strconv.AppendInt(nil, int64(n+1), 10)}},
	})
	_, again = errors.AsType[*core.ConflictError](err)
	if err != nil && !again {
		s.Errorf("Apply = %v; want it done, or a ConflictError", err)
	}
	return again
}
