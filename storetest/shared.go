package storetest

import (
	"time"

	"github.com/postern-auth/postern/core"
)

// shared is what the contract says of two clients of one database.
var shared = []struct {
	name string
	run  func(a, b *scene)
}{
	{"one reads what the other wrote", readsOther},
	{"an append of one wakes the other", wakesOther},
	{"an id that one used is a repeat to the other", repeatsOther},
	{"both hit one bucket", hitsOther},
	{"one takes a name", takeName},
	{"one spends a token", spendToken},
	{"every increment counts", increment},
}

func readsOther(a, b *scene) {
	a.apply(core.Transaction{
		Put:    []core.Put{{Name: "x", Value: []byte("from a"), Schema: 3, Expires: noon.Add(time.Hour)}},
		Index:  members("i", "m"),
		Append: additions("l", 10, "e"),
	})
	b.holds("x", "from a")
	b.lists("i", "m")
	b.reads("l", "e")
	v := b.put("x", "from b")
	a.refuse(core.Transaction{Require: []core.Precondition{at("x", v-1)}}, "x")
	a.apply(core.Transaction{Require: []core.Precondition{at("x", v)}, Delete: []string{"x"}})
	b.holds("x", "")
}

func wakesOther(a, b *scene) {
	a.write("l", "old")
	defer a.appendSoon("l", "news")()
	start := time.Now()
	feed := b.tailAll(patience, core.LogPosition{Log: b.log("l"), After: core.End})[0]
	if len(feed.Entries) == 0 || string(feed.Entries[0].Data) != "news" {
		b.Errorf("Tail = %+v after %v; want the news", feed, time.Since(start))
	}
}

func repeatsOther(a, b *scene) {
	tx := core.Transaction{ID: "same", Require: []core.Precondition{absent("x")}, Put: []core.Put{{Name: "x", Value: []byte("once")}}}
	first := a.apply(tx)
	if again := b.apply(tx); again != (core.Outcome{Version: first.Version, Repeated: true}) {
		b.Errorf("Apply again = %+v; want %+v, repeated", again, first)
	}
}

func hitsOther(a, b *scene) {
	rate := core.Rate{Burst: 2, Every: time.Hour}
	a.hit("b", rate, noon)
	if got := b.hit("b", rate, noon); !got.OK || got.Remaining != 0 {
		b.Errorf("Hit = %+v; want the last unit", got)
	}
	a.apply(core.Transaction{Reset: []string{"b"}})
	if got := b.hit("b", rate, noon); !got.OK || got.Remaining != 1 {
		b.Errorf("Hit after a reset = %+v; want it filled up", got)
	}
}
