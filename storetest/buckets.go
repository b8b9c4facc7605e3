package storetest

import (
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/core"
)

var buckets = chapter{"Buckets", []test{
	{"burst, then refusal until a unit is back", empties},
	{"a refused hit takes nothing", takesNothing},
	{"passed time fills it up, but no further", fillsUp},
	{"resetting fills it up at once", resets},
	{"a clock that steps back grants nothing extra", stepsBack},
	{"rates small and large", extremeRates},
	{"times far from the store's", farTimes},
	{"hits at the same time", hitsAtOnce},
}}

// closeTo reports whether two times are the same but for a store's rounding.
func closeTo(a, b time.Duration) bool { return (a - b).Abs() <= time.Millisecond }

func empties(s *scene) {
	rate := core.Rate{Burst: 3, Every: 10 * time.Second}
	for left := 2; left >= 0; left-- {
		if a := s.hit("b", rate, noon); !a.OK || a.Remaining != left || a.RetryAfter != 0 {
			s.Errorf("Hit = %+v; want OK with %d remaining", a, left)
		}
	}
	a := s.hit("b", rate, noon)
	if a.OK || a.Remaining != 0 || !closeTo(a.RetryAfter, 10*time.Second) {
		s.Fatalf("Hit = %+v; want a refusal for 10s", a)
	}
	if early := s.hit("b", rate, noon.Add(7*time.Second)); early.OK || !closeTo(early.RetryAfter, 3*time.Second) {
		s.Errorf("Hit 7s later = %+v; want a refusal for 3s more", early)
	}
	if early := s.hit("b", rate, noon.Add(a.RetryAfter-2*time.Millisecond)); early.OK {
		s.Errorf("Hit just before RetryAfter = %+v; want a refusal", early)
	}
	if then := s.hit("b", rate, noon.Add(a.RetryAfter)); !then.OK || then.Remaining != 0 {
		s.Errorf("Hit after RetryAfter = %+v; want OK, once", then)
	}
	if again := s.hit("b", rate, noon.Add(a.RetryAfter)); again.OK {
		s.Errorf("Hit again = %+v; want a refusal", again)
	}
}

func takesNothing(s *scene) {
	rate := core.Rate{Burst: 1, Every: time.Minute}
	s.hit("b", rate, noon)
	for i := range 20 {
		now := noon.Add(time.Duration(i) * time.Second)
		if a := s.hit("b", rate, now); a.OK || !closeTo(a.RetryAfter, noon.Add(time.Minute).Sub(now)) {
			s.Fatalf("Hit at second %d = %+v; want a refusal until the minute is over", i, a)
		}
	}
	if a := s.hit("b", rate, noon.Add(time.Minute)); !a.OK {
		s.Errorf("Hit after a minute = %+v; want OK", a)
	}
}

func fillsUp(s *scene) {
	rate := core.Rate{Burst: 4, Every: time.Second}
	for range 4 {
		s.hit("b", rate, noon)
	}
	if a := s.hit("b", rate, noon.Add(2500*time.Millisecond)); !a.OK || a.Remaining != 1 {
		s.Errorf("Hit 2.5s later = %+v; want 1 of 2 left", a)
	}
	if a := s.hit("b", rate, noon.Add(time.Hour)); !a.OK || a.Remaining != 3 {
		s.Errorf("Hit an hour later = %+v; want 3 of 4 left", a)
	}
}

func resets(s *scene) {
	rate := core.Rate{Burst: 2, Every: time.Hour}
	for _, bucket := range []string{"b", "other"} {
		for s.hit(bucket, rate, noon).OK {
		}
	}
	s.apply(core.Transaction{Reset: []string{"b", "never-hit"}})
	if a := s.hit("b", rate, noon); !a.OK || a.Remaining != 1 {
		s.Errorf("Hit(b) after its reset = %+v; want it full", a)
	}
	if a := s.hit("other", rate, noon); a.OK {
		s.Errorf("Hit(other) after the reset of b = %+v; want it empty still", a)
	}
}

// stepsBack goes to and fro in time, where a naive bucket would be filled up by each step forward.
func stepsBack(s *scene) {
	rate := core.Rate{Burst: 5, Every: time.Hour}
	granted := 0
	for i := range 20 {
		now := noon
		if i%2 == 1 {
			now = noon.Add(-time.Duration(i) * time.Hour)
		}
		a := s.hit("b", rate, now)
		switch {
		case a.OK:
			granted++
		case a.RetryAfter <= 0:
			s.Errorf("Hit at %v = %+v; want a time to wait", now, a)
		}
		if a.Remaining < 0 || a.Remaining >= rate.Burst {
			s.Errorf("Hit at %v = %+v; want 0 to %d remaining", now, a, rate.Burst-1)
		}
	}
	if granted > rate.Burst {
		s.Errorf("%d hits granted by noon; want %d at most", granted, rate.Burst)
	}
}

func extremeRates(s *scene) {
	for name, rate := range map[string]core.Rate{
		"fast":  {Burst: 1_000_000, Every: time.Microsecond},
		"slow":  {Burst: 1, Every: 30 * 24 * time.Hour},
		"large": {Burst: 100_000, Every: time.Hour},
	} {
		if a := s.hit(name, rate, noon); !a.OK || a.Remaining != rate.Burst-1 {
			s.Errorf("Hit(%s) = %+v; want %d remaining", name, a, rate.Burst-1)
		}
	}
	if a := s.hit("slow", core.Rate{Burst: 1, Every: 30 * 24 * time.Hour}, noon); a.OK || !closeTo(a.RetryAfter, 30*24*time.Hour) {
		s.Errorf("Hit(slow) again = %+v; want a refusal for 30 days", a)
	}
}

func farTimes(s *scene) {
	rate := core.Rate{Burst: 1, Every: time.Minute}
	for name, now := range map[string]time.Time{
		"1960": time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC),
		"2001": time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC),
		"2100": time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if a := s.hit(name, rate, now); !a.OK {
			s.Errorf("Hit(%s) = %+v; want OK", name, a)
		}
		if a := s.hit(name, rate, now.Add(20*time.Second)); a.OK || !closeTo(a.RetryAfter, 40*time.Second) {
			s.Errorf("Hit(%s) 20s later = %+v; want a refusal for 40s", name, a)
		}
		if a := s.hit(name, rate, now.Add(time.Minute)); !a.OK {
			s.Errorf("Hit(%s) a minute later = %+v; want OK", name, a)
		}
	}
}

func hitsAtOnce(s *scene) {
	rate := core.Rate{Burst: 10, Every: time.Hour}
	var granted atomic.Int64
	together(50, func(int) {
		a, err := s.store.Hit(s.ctx, core.Bucket{Partition: s.at, Name: "b"}, rate, noon)
		if err != nil {
			s.Errorf("Hit = %v; want an answer", err)
		}
		if a.OK {
			granted.Add(1)
		}
	})
	if granted.Load() != 10 {
		s.Errorf("%d of 50 hits granted; want 10", granted.Load())
	}
}
