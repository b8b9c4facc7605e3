package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// TestWritesInACrowd has many writers, some of whom leave, with replies that are cut, delayed and lost. What is sent stands in room that is
// wiped and used again as soon as the call is over: had anybody else still been reading it, records would hold what others wrote, or
// nothing, and the race detector would say so.
func TestWritesInACrowd(t *testing.T) {
	t.Parallel()
	for _, durability := range []redisstore.Durability{redisstore.DurabilityDefault, redisstore.DurabilityReplicas} { // a command, or a pipeline
		t.Run(string(durability), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			p := redistest.NewProxy(t, server)
			o := shared(server)
			o.URL, o.PoolSize, o.ReadTimeout, o.CallTimeout = p.URL(), 8, 100*time.Millisecond, time.Second
			o.Durability, o.WaitAll = durability, durability == redisstore.DurabilityReplicas
			if o.WaitAll {
				o.WaitTimeout = time.Millisecond // nobody confirms anything
			}
			s := open(t, o)
			var crowd sync.WaitGroup
			for writer := range 16 {
				crowd.Go(func() { write(t, s, writer) })
			}
			for range 10 {
				for _, fault := range []redistest.Fault{redistest.CutOne(), redistest.SwallowOne(), redistest.CutMidReply(), redistest.InjectOne([]byte("$-1\r\n")), nil} {
					p.Set(fault)
					time.Sleep(2 * time.Millisecond) // they come at any moment
				}
			}
			crowd.Wait()
			there := 0
			o.URL, o.ReadTimeout, o.CallTimeout = server.URL(), 10*time.Second, 20*time.Second
			reader := open(t, o)
			for writer := range 16 {
				for n := range 30 {
					name, value := written(writer, n)
					r := get(t, reader, core.Key{Name: name})[0]
					if r.Version != 0 && string(r.Value) != value {
						t.Errorf("%s holds %.40q; want what was written to it", name, r.Value)
					}
					if r.Version != 0 {
						there++
					}
				}
			}
			if there == 0 {
				t.Error("nothing was written")
			}
		})
	}
}

// written returns what the n-th write of a writer puts, and where.
func written(writer, n int) (name, value string) {
	name = fmt.Sprintf("w%d-%d", writer, n)
	return name, strings.Repeat(name+" ", 50*(n%7+1))
}

// write puts thirty records. Any of them may fail.
func write(t *testing.T, s *redisstore.Store, writer int) {
	for n := range 30 {
		name, value := written(writer, n)
		ctx, cancel := context.WithCancel(t.Context())
		if n%3 == 0 {
			time.AfterFunc(time.Duration(n)*20*time.Microsecond, cancel)
		}
		tx := create(name, name)
		tx.Put[0].Value = []byte(value)
		_, err := s.Apply(ctx, tx)
		cancel()
		if conflict := (*core.ConflictError)(nil); errors.As(err, &conflict) {
			t.Errorf("Apply %s = %v; nobody else writes it", name, err)
		}
	}
}
