package redisstore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// clustered returns options for a Cluster.
func clustered(nodes []*redistest.Server) redisstore.Options {
	o := options("")
	o.Mode = redisstore.ModeCluster
	for _, n := range nodes {
		o.Addrs = append(o.Addrs, n.Addr())
	}
	return o
}

// homeOf returns a partition whose hash slot lies on the n-th of so many masters, and the slot.
func homeOf(t *testing.T, nodes []*redistest.Server, n int) (core.Partition, int64) {
	t.Helper()
	const slots = 16384
	admin := nodes[n].Client(t)
	for i := range 1000 {
		p := core.Partition{Realm: "rl_x", Number: i}
		slot := admin.ClusterKeySlot(t.Context(), fmt.Sprintf("{%s}", p)).Val()
		if begin := int64(n * slots / len(nodes)); slot >= begin && slot < begin+slots/int64(len(nodes)) {
			return p, slot
		}
	}
	t.Fatalf("no partition lies on node %d", n)
	return core.Partition{}, 0
}

// TestClusterFailover kills a master. Once its replica has taken over, the store finds it.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3)
	s := open(t, clustered(nodes))
	p, _ := homeOf(t, nodes, 2)
	put(t, s, p, "n", "x")
	replica := redistest.StartClusterReplica(t, nodes, nodes[2])
	nodes[2].Stop(t)
	admin := replica.Client(t)
	redistest.Eventually(t, "the replica has taken over", func() bool {
		info, err := admin.InfoMap(t.Context(), "replication").Result()
		return err == nil && info["Replication"]["role"] == "master"
	})
	soon(t, "the store reads there", func() bool {
		found, err := s.Get(t.Context(), core.Key{Partition: p, Name: "n"})
		return err == nil && string(found[0].Value) == "x"
	})
}

// soon makes a call until it holds, but not for so long that the client would ask by itself who has which slots, as it does once a minute.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); {
		if holds() {
			return
		}
	}
	t.Errorf("all calls of 20 seconds were in vain; want that %s", what)
}

// TestDurableFollowsSlot gives a slot to another master. A durable write, which goes to the slot's node itself, finds it there.
func TestDurableFollowsSlot(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3)
	o := clustered(nodes)
	o.Durability, o.WaitTimeout = redisstore.DurabilityReplicas, 10*time.Millisecond
	s := open(t, o)
	p, slot := homeOf(t, nodes, 0)
	durable := core.Rate{Burst: 100, Every: time.Hour, Durable: true}
	hit := func() error { // no replica confirms it
		_, err := s.Hit(t.Context(), core.Bucket{Partition: p, Name: "b"}, durable, now)
		return err
	}
	if err := hit(); !errors.Is(err, core.ErrOutcomeUnknown) {
		t.Fatalf("durable Hit without a replica = %v; want ErrOutcomeUnknown", err)
	}
	if err := nodes[0].Client(t).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	redistest.GiveSlot(t, nodes, slot, nodes[1])
	key := "postern:{" + p.String() + "}b:b"
	admin := nodes[1].Client(t)
	soon(t, "a durable Hit is taken where the slot is", func() bool {
		_ = hit()
		n, err := admin.Exists(t.Context(), key).Result()
		return err == nil && n == 1
	})
}

// TestCheckOfACluster holds that its masters are always told of in one order. The first tells the time: a clock that goes by another each minute is set back again
// and again.
func TestCheckOfACluster(t *testing.T) {
	t.Parallel()
	s := open(t, clustered(redistest.StartCluster(t, 3)))
	for range 20 {
		fitness, err := s.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, f := range fitness.Findings {
			if f.Code == "persistence" {
				told = append(told, f.Text)
			}
		}
		if len(told) != 3 || !slices.IsSorted(told) {
			t.Fatalf("Check finds %q; want it of each master, in order", told)
		}
	}
}
