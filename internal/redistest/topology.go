package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/internal/proctest"
)

// slots is how many hash slots a cluster has.
const slots = 16384

// clusterTimeout is after how long a cluster does without a node that does not answer.
const clusterTimeout = "cluster-node-timeout 2000"

// StartReplica starts a server that copies s, and waits until it has caught up.
func StartReplica(t testing.TB, s *Server, settings ...string) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	r := Start(t, append([]string{"replicaof " + host + " " + port}, settings...)...)
	master := s.Client(t)
	Eventually(t, "the replica is in step", func() bool {
		write := master.Pipeline() // one connection: WAIT answers for no other
		write.Set(t.Context(), "redistest", "", time.Second)
		confirmed := write.Do(t.Context(), "wait", 1, 1000)
		_, _ = write.Exec(t.Context())
		replicas, err := confirmed.Int()
		return err == nil && replicas > 0
	})
	return r
}

// Follow makes a server that runs a replica of another, and waits until it has caught up.
func Follow(t testing.TB, replica, master *Server) {
	t.Helper()
	host, port, err := net.SplitHostPort(master.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := replica.Client(t)
	if err := c.ReplicaOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the replica has caught up", func() bool {
		info, err := c.InfoMap(t.Context(), "replication").Result()
		return err == nil && info["Replication"]["role"] == "slave" && info["Replication"]["master_link_status"] == "up"
	})
}

// StartSentinel starts a Sentinel that watches master under the given name, with a quorum of one, and
// returns its address. It takes a server for gone that says nothing for three seconds: a shorter while may be a pause of the machine's, and with
// a promotion that nobody reckons with a test would wait in vain.
func StartSentinel(t testing.TB, master *Server, name string) string {
	t.Helper()
	addr := proctest.Free(t)
	_, port, _ := net.SplitHostPort(addr)
	host, masterPort, _ := net.SplitHostPort(master.addr)
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	config := fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\nsentinel monitor %s %s %s 1\n"+
		"sentinel down-after-milliseconds %s 3000\nsentinel failover-timeout %s 1000\n", port, dir, name, host, masterPort, name, name)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{Kind: "sentinel", addr: addr, url: "redis://" + addr}
	p, err := start(master.binary, "", file, "--sentinel")
	if err == nil {
		t.Cleanup(p.Kill)
		err = s.await(p)
	}
	if err != nil {
		t.Fatalf("start a sentinel: %v", err)
	}
	return addr
}

// SentinelClient returns a plain client of a Sentinel, closed with the test.
func SentinelClient(t testing.TB, addr string) *redis.SentinelClient {
	t.Helper()
	c := redis.NewSentinelClient(&redis.Options{Addr: addr, DialerRetries: 1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// StartCluster starts n masters that share the hash slots evenly, and waits until all agree on it.
func StartCluster(t testing.TB, n int) []*Server {
	t.Helper()
	nodes := make([]*Server, n)
	for i := range nodes {
		nodes[i] = Start(t, "cluster-enabled yes", clusterTimeout)
		c := nodes[i].Client(t)
		if err := c.ClusterAddSlotsRange(t.Context(), i*slots/n, (i+1)*slots/n-1).Err(); err != nil {
			t.Fatalf("give slots to node %d: %v", i, err)
		}
		host, port, _ := net.SplitHostPort(nodes[0].addr)
		if err := c.ClusterMeet(t.Context(), host, port).Err(); err != nil {
			t.Fatalf("join node %d: %v", i, err)
		}
	}
	for _, node := range nodes {
		c := node.Client(t)
		Eventually(t, "the cluster is whole", func() bool {
			info, err := c.ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r\n", n))
		})
	}
	return nodes
}

// StartClusterReplica starts a server that copies one of a cluster's masters, and waits until all of them know, so that it takes over
// where that one fails.
func StartClusterReplica(t testing.TB, nodes []*Server, master *Server) *Server {
	t.Helper()
	r := Start(t, "cluster-enabled yes", clusterTimeout)
	c, host := r.Client(t), "127.0.0.1"
	_, port, _ := net.SplitHostPort(master.addr)
	if err := c.ClusterMeet(t.Context(), host, port).Err(); err != nil {
		t.Fatalf("join a replica: %v", err)
	}
	id, self := master.Client(t).ClusterMyID(t.Context()).Val(), c.ClusterMyID(t.Context()).Val()
	Eventually(t, "the replica has met its master", func() bool { return c.ClusterReplicate(t.Context(), id).Err() == nil })
	for _, node := range nodes {
		admin := node.Client(t)
		Eventually(t, "the cluster knows the replica", func() bool {
			known, err := admin.Do(t.Context(), "cluster", "replicas", id).StringSlice()
			return err == nil && len(known) == 1 && strings.HasPrefix(known[0], self) && strings.Contains(known[0], " connected")
		})
	}
	Eventually(t, "the replica is in step", func() bool {
		info, err := c.InfoMap(t.Context(), "replication").Result()
		return err == nil && info["Replication"]["master_link_status"] == "up"
	})
	return r
}

// GiveSlot moves a hash slot, in which there is nothing, from one of a cluster's masters to another.
func GiveSlot(t testing.TB, nodes []*Server, slot int64, to *Server) {
	t.Helper()
	id := to.Client(t).ClusterMyID(t.Context()).Val()
	for _, node := range nodes {
		if err := node.Client(t).Do(t.Context(), "cluster", "setslot", slot, "node", id).Err(); err != nil {
			t.Fatalf("give slot %d away: %v", slot, err)
		}
	}
}

// Eventually waits until the condition holds, and fails the test after a minute: a Sentinel that finds its clock has jumped does nothing for
// half of one.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
