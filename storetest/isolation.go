package storetest

import (
	"time"

	"github.com/postern-auth/postern/core"
)

var isolation = chapter{"Isolation", []test{
	{"partitions and realms know nothing of each other", isolatesPartitions},
	{"things of one name are not one thing", isolatesThings},
	{"names that begin alike are not alike", isolatesPrefixes},
}}

func isolatesPartitions(s *scene) {
	rate := core.Rate{Burst: 1, Every: time.Hour}
	partitions := []core.Partition{
		{}, {Realm: realm}, {Realm: realm, Number: 1}, {Realm: realm, Number: 11}, {Realm: realm, Number: 3843},
		{Realm: realm + "1"}, {Realm: realm + "1", Number: 1}, {Realm: "rl_1111111111111111111111"}, {Realm: "_"},
	}
	for _, p := range partitions {
		here := s.in(p)
		here.apply(core.Transaction{
			Require: []core.Precondition{absent("x")},
			Put:     []core.Put{{Name: "x", Value: []byte(p.String())}},
			Index:   members("x", p.String()),
			Append:  additions("x", 10, p.String()),
		})
		if a := here.hit("x", rate, noon); !a.OK {
			s.Errorf("Hit in %s = %+v; want a full bucket", p, a)
		}
	}
	for _, p := range partitions {
		here := s.in(p)
		here.holds("x", p.String())
		here.lists("x", p.String())
		here.reads("x", p.String())
	}
	s.apply(core.Transaction{Delete: []string{"x"}, Index: []core.IndexChange{{Index: "x", Member: s.at.String(), Remove: true}}, Reset: []string{"x"}})
	for _, p := range partitions {
		if here := s.in(p); p != s.at {
			here.holds("x", p.String())
			here.lists("x", p.String())
			if a := here.hit("x", rate, noon); a.OK {
				s.Errorf("Hit in %s = %+v; want it empty, whatever was reset elsewhere", p, a)
			}
		}
	}
}

func isolatesThings(s *scene) {
	rate := core.Rate{Burst: 1, Every: time.Hour}
	s.apply(core.Transaction{ID: "x", Put: []core.Put{{Name: "x", Value: []byte("record")}}})
	s.apply(core.Transaction{Index: members("x", "member", "x")})
	s.apply(core.Transaction{Append: additions("x", 10, "entry")})
	s.hit("x", rate, noon)

	s.apply(core.Transaction{Reset: []string{"x"}})
	s.holds("x", "record")
	s.lists("x", "member", "x")
	s.reads("x", "entry")

	s.hit("x", rate, noon)
	s.apply(core.Transaction{Delete: []string{"x"}})
	s.holds("x", "")
	s.lists("x", "member", "x")
	s.reads("x", "entry")
	if a := s.hit("x", rate, noon); a.OK {
		s.Errorf("Hit(x) = %+v; want it empty, whatever else is called x", a)
	}
	if out := s.apply(core.Transaction{ID: "x"}); !out.Repeated {
		s.Errorf("Apply(x) = %+v; want the outcome still known", out)
	}
}

func isolatesPrefixes(s *scene) {
	s.apply(core.Transaction{
		Index:  append(append(members("i", "jk", ":a"), members("ij", "k", "0")...), members("i:", "a")...),
		Append: append(append(additions("l", 10, "l"), additions("lm", 10, "lm")...), additions("l:", 10, "l:")...),
	})
	s.lists("i", ":a", "jk")
	s.lists("ij", "0", "k")
	s.lists("i:", "a")
	s.reads("l", "l")
	s.reads("lm", "lm")
	s.reads("l:", "l:")
	for _, index := range []string{"i", "ij", "i:"} {
		if got := s.members(index, core.Range{Descending: true, Limit: 1}); len(got) != 1 {
			s.Errorf("Range(%s, greatest) = %q; want one", index, got)
		}
	}
}
