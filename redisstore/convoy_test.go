package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// crowded is a store over a server of its own that holds the records r0, r1 and so on. Readers of them are counted.
type crowded struct {
	*testing.T
	server  *redistest.Server
	store   *redisstore.Store
	readers sync.WaitGroup

	mu        sync.Mutex
	pipelines []int // how many commands were in each
}

func newCrowded(t *testing.T, records int, patience time.Duration) *crowded {
	server := redistest.Start(t)
	c := &crowded{T: t, server: server, store: open(t, shared(server))}
	c.store.WaitForCompany(patience)
	c.store.OnPipeline(func(commands int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.pipelines = append(c.pipelines, commands)
	})
	for i := range records {
		put(t, c.store, core.Partition{}, fmt.Sprintf("r%d", i), strconv.Itoa(i))
	}
	get(t, c.store, core.Key{Name: "r0"}) // the server knows the script then
	return c
}

// read begins to read the i-th record, which must be itself unless ctx ends.
func (c *crowded) read(ctx context.Context, i int) {
	c.readers.Go(func() {
		found, err := c.store.Get(ctx, core.Key{Name: fmt.Sprintf("r%d", i)})
		if ctx.Err() == nil && (err != nil || string(found[0].Value) != strconv.Itoa(i)) {
			c.Errorf("Get r%d = %v, %v; want %d", i, found, err, i)
		}
	})
}

// traffic waits until so many round trips are under way and so many reads wait.
func (c *crowded) traffic(going, waiting int) {
	c.Helper()
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		g, w := c.store.Traffic()
		if g == going && w == waiting {
			return
		}
		if time.Now().After(until) {
			c.Fatalf("Traffic() = %d, %d; want %d, %d", g, w, going, waiting)
		}
	}
}

// TestReadsTravelTogether has a hundred reads come while two are under way.
func TestReadsTravelTogether(t *testing.T) {
	t.Parallel()
	c := newCrowded(t, 102, time.Hour)
	c.server.Pause(t)
	c.read(t.Context(), 0)
	c.read(t.Context(), 1)
	c.traffic(2, 0)
	gone, leave := context.WithCancel(t.Context())
	c.read(gone, 2) // who sends the convoy has left by then
	c.traffic(2, 1)
	for i := 3; i < 102; i++ {
		c.read(t.Context(), i)
	}
	c.traffic(2, 100)
	leave()
	c.server.Resume(t)
	c.readers.Wait()
	c.traffic(0, 0)
	if len(c.pipelines) != 1 || c.pipelines[0] < 99 { // where the two come back at once, a third goes alone
		t.Errorf("102 reads were pipelines of %v; want two that went alone, and one of the others", c.pipelines)
	}
}

// TestReadsWaitForNoSlowServer has reads find two round trips under way that do not end.
func TestReadsWaitForNoSlowServer(t *testing.T) {
	t.Parallel()
	c := newCrowded(t, 4, time.Millisecond)
	c.server.Pause(t)
	for i := range 4 {
		c.read(t.Context(), i)
		c.traffic(i+1, 0) // it goes by itself
	}
	c.server.Resume(t)
	c.readers.Wait()
	c.traffic(0, 0)
}

// TestReadsFailEachByItself has the server forget the script that many reads travel with, while somebody has less time than
// it takes.
func TestReadsFailEachByItself(t *testing.T) {
	t.Parallel()
	c := newCrowded(t, 10, time.Hour)
	if err := c.server.Client(t).ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	c.server.Pause(t)
	c.read(t.Context(), 0)
	c.read(t.Context(), 1)
	c.traffic(2, 0) // or the second might take those along that came after it
	for i := 2; i < 10; i++ {
		c.read(t.Context(), i)
	}
	c.traffic(2, 8)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.store.Get(short, core.Key{Name: "r0"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get with 50ms = %v; want the deadline's error, whatever others wait for", err)
	}
	c.server.Resume(t)
	c.readers.Wait()
	c.traffic(0, 0)
}

// TestReadsInACrowd has many readers, some of whom leave, with replies that are cut and delayed.
func TestReadsInACrowd(t *testing.T) {
	t.Parallel()
	s, p := faulty(t)
	for i := range 20 {
		put(t, s, core.Partition{}, fmt.Sprintf("r%d", i), strconv.Itoa(i))
	}
	var crowd sync.WaitGroup
	for reader := range 32 {
		crowd.Go(func() {
			for n := range 50 {
				i := (reader + n) % 20
				ctx, cancel := context.WithCancel(t.Context())
				if n%5 == 0 {
					time.AfterFunc(time.Duration(n)*10*time.Microsecond, cancel)
				}
				found, err := s.Get(ctx, core.Key{Name: fmt.Sprintf("r%d", i)})
				cancel()
				if err == nil && string(found[0].Value) != strconv.Itoa(i) {
					t.Errorf("Get r%d = %q; want its own value or an error", i, found[0].Value)
				}
			}
		})
	}
	for _, fault := range []redistest.Fault{redistest.CutOne(), redistest.SwallowOne(), redistest.CutMidReply(), redistest.InjectOne([]byte("$-1\r\n"))} {
		p.Set(fault)
		time.Sleep(5 * time.Millisecond) // they come at any moment
	}
	crowd.Wait()
	p.Set(nil)
	recovers(t, s)
}
