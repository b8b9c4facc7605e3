package boltstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
)

// A transaction like that of a sign-in: a record, two index changes and a log entry.
func transaction(id string) *core.Transaction {
	return &core.Transaction{
		ID:      id,
		Now:     time.Now(),
		Require: []core.Precondition{{Name: "session:" + id}},
		Put:     []core.Put{{Name: "session:" + id, Value: make([]byte, 300), Expires: time.Now().Add(time.Hour)}},
		Index:   []core.IndexChange{{Index: "sessions", Member: id}, {Index: "by-time", Member: id}},
		Append:  []core.Append{{Log: "events", Data: make([]byte, 150), Keep: 10_000}},
	}
}

func BenchmarkApply(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openTemp(b)
			var done atomic.Int64
			race := make(chan struct{})
			b.ResetTimer()
			for range writers {
				go func() {
					defer func() { race <- struct{}{} }()
					for i := done.Add(1); i <= int64(b.N); i = done.Add(1) {
						if _, err := s.Apply(b.Context(), transaction(fmt.Sprintf("op-%d", i))); err != nil {
							b.Errorf("Apply = %v; want it done", err)
							return
						}
					}
				}()
			}
			for range writers {
				<-race
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := openTemp(b)
	keys := make([]core.Key, 1000)
	for i := range keys {
		id := fmt.Sprintf("op-%d", i)
		keys[i].Name = "session:" + id
	}
	for i := 0; i < len(keys); i += 100 {
		tx := &core.Transaction{ID: fmt.Sprint(i), Now: time.Now()}
		for _, k := range keys[i : i+100] {
			tx.Put = append(tx.Put, core.Put{Name: k.Name, Value: make([]byte, 300)})
		}
		if _, err := s.Apply(b.Context(), tx); err != nil {
			b.Fatalf("Apply = %v; want it done", err)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if r, err := s.Get(b.Context(), keys[i%len(keys)]); err != nil || r[0].Version == 0 {
			b.Fatalf("Get = %+v, %v; want the record", r, err)
		}
	}
}
