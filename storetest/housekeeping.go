package storetest

import (
	"errors"
	"sync"
	"time"

	"github.com/postern-auth/postern/core"
)

var housekeeping = chapter{"Housekeeping", []test{
	{"check tells the clock and is content", checks},
	{"after close nothing can be known", closes},
	{"close ends a wait", closesUnderWait},
}}

func checks(s *scene) {
	before := time.Now()
	fitness, err := s.store.Check(s.ctx)
	if err != nil {
		s.Fatalf("Check = %v; want an answer", err)
	}
	if fitness.Server == "" {
		s.Errorf("Check = %+v; want it to say what the store is", fitness)
	}
	if off := fitness.Now.Sub(before); off < -time.Minute || off > time.Minute {
		s.Errorf("Check.Now = %v; want about %v", fitness.Now, before)
	}
	for _, f := range fitness.Findings {
		if f.Code == "" || f.Text == "" {
			s.Errorf("Check found %+v; want a code and a sentence", f)
		}
	}
}

func closes(s *scene) {
	s.put("a", "x")
	if err := s.store.Close(); err != nil {
		s.Errorf("Close = %v; want it closed", err)
	}
	if _, err := s.store.Get(s.ctx, s.key("a")); !errors.Is(err, core.ErrUnavailable) {
		s.Errorf("Get after Close = %v; want ErrUnavailable", err)
	}
	if _, err := s.try(core.Transaction{Delete: []string{"a"}}); !errors.Is(err, core.ErrUnavailable) {
		s.Errorf("Apply after Close = %v; want ErrUnavailable", err)
	}
	if _, err := s.store.Tail(s.ctx, []core.LogPosition{{Log: s.log("l")}}, patience); !errors.Is(err, core.ErrUnavailable) {
		s.Errorf("Tail after Close = %v; want ErrUnavailable", err)
	}
}

func closesUnderWait(s *scene) {
	var closing sync.WaitGroup
	defer closing.Wait()
	closing.Go(func() {
		time.Sleep(20 * time.Millisecond)
		if err := s.store.Close(); err != nil {
			s.Errorf("Close = %v; want it closed", err)
		}
	})
	start := time.Now()
	_, err := s.store.Tail(s.ctx, []core.LogPosition{{Log: s.log("l")}}, patience)
	if took := time.Since(start); took > patience/2 {
		s.Errorf("Tail = %v after %v; want it to end with the Close", err, took)
	}
}
