package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/postern-auth/postern/core"
)

var cancellation = chapter{"Cancellation", []test{
	{"a call that is cancelled before it begins", cancelledBefore},
	{"a wait that is cancelled", cancelledWait},
	{"a wait beyond its deadline", waitPastDeadline},
}}

func cancelledBefore(s *scene) {
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	for name, call := range map[string]func() error{
		"Get": func() error { _, err := s.store.Get(ctx, s.key("a")); return err },
		"Apply": func() error {
			_, err := s.store.Apply(ctx, &core.Transaction{Partition: s.at, ID: "x", Now: noon, Put: []core.Put{{Name: "a", Value: []byte("x")}}})
			return err
		},
		"Range": func() error {
			_, err := s.store.Range(ctx, core.Range{Index: core.Index{Partition: s.at, Name: "i"}, Limit: 1})
			return err
		},
		"Hit": func() error {
			_, err := s.store.Hit(ctx, core.Bucket{Partition: s.at, Name: "b"}, core.Rate{Burst: 1, Every: time.Hour}, noon)
			return err
		},
		"Tail":  func() error { _, err := s.store.Tail(ctx, []core.LogPosition{{Log: s.log("l")}}, patience); return err },
		"Check": func() error { _, err := s.store.Check(ctx); return err },
	} {
		s.endsWith(name, context.Canceled, call)
	}
	s.holds("a", "")
	if out := s.apply(core.Transaction{ID: "x"}); out.Repeated {
		s.Errorf("Apply(x) = %+v; want it never done before", out)
	}
	if a := s.hit("b", core.Rate{Burst: 1, Every: time.Hour}, noon); !a.OK {
		s.Errorf("Hit(b) = %+v; want it never hit before", a)
	}
}

// endsWith checks that call returns promptly, with an error that wraps want.
func (s *scene) endsWith(name string, want error, call func() error) {
	s.Helper()
	start := time.Now()
	if err := call(); !errors.Is(err, want) || time.Since(start) > patience/2 {
		s.Errorf("%s = %v after %v; want %v at once", name, err, time.Since(start), want)
	}
}

func cancelledWait(s *scene) {
	ctx, cancel := context.WithCancel(s.ctx)
	time.AfterFunc(20*time.Millisecond, cancel)
	s.endsWith("Tail", context.Canceled, func() error {
		_, err := s.store.Tail(ctx, []core.LogPosition{{Log: s.log("l"), After: core.End}}, patience)
		return err
	})
}

func waitPastDeadline(s *scene) {
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Millisecond)
	defer cancel()
	s.endsWith("Tail", context.DeadlineExceeded, func() error {
		_, err := s.store.Tail(ctx, []core.LogPosition{{Log: s.log("l"), After: core.End}}, patience)
		return err
	})
}
