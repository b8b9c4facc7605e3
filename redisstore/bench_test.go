package redisstore_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// user returns the transaction that makes a user: three records, five index members, two log entries.
func user(n int64) *core.Transaction {
	id := fmt.Sprintf("usr_%022d", n)
	return &core.Transaction{
		Partition: core.Partition{Realm: "rl_0000000000000000000000"}, ID: fmt.Sprintf("%022d", n), Now: now,
		Require: []core.Precondition{{Name: "n:" + id}, {Name: "u:" + id}},
		Put: []core.Put{
			{Name: "u:" + id, Value: []byte(strings.Repeat("x", 621))},
			{Name: "p:" + id, Value: []byte(strings.Repeat("x", 150))},
			{Name: "n:" + id, Value: []byte(id)},
		},
		Index: []core.IndexChange{
			{Index: "u:id:ah", Member: id}, {Index: "u:name:ah", Member: "name " + id}, {Index: "u:name_alt:ah", Member: "alt " + id},
			{Index: "u:username:ah", Member: "user " + id}, {Index: "u:last_login:ah", Member: "0 " + id},
		},
		Append: []core.Append{{Log: "ev", Data: []byte(strings.Repeat("x", 200)), Keep: 1000}, {Log: "inv", Data: []byte(id), Keep: 1000}},
	}
}

func benchmarkStore(b *testing.B) *redisstore.Store {
	o := shared(redistest.Shared(b))
	return open(b, o)
}

func BenchmarkApplyUser(b *testing.B) {
	s := benchmarkStore(b)
	var n atomic.Int64
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Apply(b.Context(), user(n.Add(1))); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkGetTwo(b *testing.B) {
	s := benchmarkStore(b)
	tx := user(1)
	if _, err := s.Apply(b.Context(), tx); err != nil {
		b.Fatal(err)
	}
	keys := []core.Key{{Partition: tx.Partition, Name: tx.Put[0].Name}, {Partition: tx.Partition, Name: tx.Put[1].Name}}
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Get(b.Context(), keys...); err != nil {
				b.Fatal(err)
			}
		}
	})
}
