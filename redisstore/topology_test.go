package redisstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// appendTo adds entries to the log "l", each in an operation of its own.
func appendTo(t *testing.T, s *redisstore.Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		tx := &core.Transaction{ID: id, Now: now, Append: []core.Append{{Log: "l", Data: []byte(id), Keep: 100}}}
		if _, err := s.Apply(t.Context(), tx); err != nil {
			t.Fatalf("append %s: %v", id, err)
		}
	}
}

// tailOne reads on in the log "l".
func tailOne(t *testing.T, s *redisstore.Store, after core.Position) core.Feed {
	t.Helper()
	feeds, err := s.Tail(t.Context(), []core.LogPosition{{Log: core.Log{Name: "l"}, After: after}}, 0)
	if err != nil {
		t.Fatalf("Tail = %v", err)
	}
	return feeds[0]
}

// TestPromotedReplica promotes a replica while the master, unaware, goes on for a while.
func TestPromotedReplica(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	old, promoted := open(t, options(master.URL())), open(t, options(replica.URL()))
	appendTo(t, old, "a", "b")
	put(t, old, core.Partition{}, "r", "x")
	if n, err := master.Client(t).Wait(t.Context(), 1, 20*time.Second).Result(); err != nil || n != 1 {
		t.Fatalf("wait for the replica = %d, %v", n, err)
	}

	if _, err := promoted.Apply(t.Context(), create("x", "x")); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Apply on a replica = %v; want ErrUnavailable", err)
	}
	if _, err := promoted.Apply(t.Context(), create("y", "r")); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Apply on a replica of what would be a conflict = %v; want ErrUnavailable, as it may see old data", err)
	}
	if _, err := promoted.Tail(t.Context(), []core.LogPosition{{Log: core.Log{Name: "l"}}}, time.Minute); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Tail on a replica = %v; want ErrUnavailable, as it may see old data", err)
	}

	if err := replica.Client(t).ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	appendTo(t, old, "c", "d")
	put(t, old, core.Partition{}, "r", "lost")
	seen := tailOne(t, old, core.Position{}).Next
	lost := get(t, old, core.Key{Name: "r"})[0].Version
	if f := tailOne(t, promoted, seen); !f.Gap || f.Next.Operation != "b" {
		t.Errorf("Tail after an entry that was lost = %+v; want a gap, next after b", f)
	}
	appendTo(t, promoted, "e", "f", "g") // 3, 4 and 5: 4 was seen as d
	f := tailOne(t, promoted, seen)
	if !f.Gap || len(f.Entries) != 0 || f.Next != (core.Position{Sequence: 5, Operation: "g"}) {
		t.Errorf("Tail after a number that was used again = %+v; want a gap, next after g", f)
	}
	later := &core.Transaction{ID: "later", Now: now.Add(time.Second), Put: []core.Put{{Name: "r", Value: []byte("y")}}}
	if out, err := promoted.Apply(t.Context(), later); err != nil || out.Version == lost {
		t.Errorf("Apply = %+v, %v; want another version than %d, which was given to a put that was lost", out, err, lost)
	}
}

// TestDeposedMaster cuts a master off from its replica, where min-replicas-to-write tells it so.
func TestDeposedMaster(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t, "min-replicas-to-write 1", "min-replicas-max-lag 2")
	replica := redistest.StartReplica(t, master)
	s := open(t, options(master.URL()))
	redistest.Eventually(t, "the master sees its replica", func() bool {
		_, err := s.Apply(t.Context(), create("first", "first"))
		return err == nil
	})
	replica.Stop(t)
	start := time.Now()
	_, err := s.Tail(t.Context(), []core.LogPosition{{Log: core.Log{Name: "l"}, After: core.End}}, 10*time.Second)
	if !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Tail on a master without its replica = %v after %v; want ErrUnavailable", err, time.Since(start))
	}
	if _, err := s.Apply(t.Context(), create("n", "n")); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Apply = %v; want ErrUnavailable", err)
	}
}

func TestDurabilityReplicas(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	o := options(master.URL())
	o.Durability, o.WaitTimeout = redisstore.DurabilityReplicas, 9*time.Second
	s := open(t, o)
	durable := func(id, name string) error {
		tx := create(id, name)
		tx.Durable = true
		_, err := s.Apply(t.Context(), tx)
		return err
	}
	if err := durable("a", "a"); err != nil {
		t.Errorf("durable Apply with its replica = %v; want it done", err)
	}
	if _, ok := errors.AsType[*core.ConflictError](durable("b", "a")); !ok {
		t.Error("durable Apply of what collides is no conflict")
	}
	hit := func(name string, durable bool) (core.Allowance, error) {
		rate := core.Rate{Burst: 1, Every: time.Hour, Durable: durable}
		return s.Hit(t.Context(), core.Bucket{Name: name}, rate, time.Now())
	}
	if a, err := hit("a", true); err != nil || !a.OK {
		t.Errorf("durable Hit with its replica = %+v, %v; want it taken", a, err)
	}
	o.WaitTimeout = 50 * time.Millisecond
	s = open(t, o)
	replica.Pause(t)
	if a, err := hit("a", true); err != nil || a.OK {
		t.Errorf("durable Hit of what is empty = %+v, %v; want a refusal, which needs no replica", a, err)
	}
	if _, err := hit("b", true); !errors.Is(err, core.ErrOutcomeUnknown) {
		t.Errorf("durable Hit without its replica = %v; want ErrOutcomeUnknown", err)
	}
	if a, err := hit("c", false); err != nil || !a.OK {
		t.Errorf("Hit without its replica = %+v, %v; want it taken, as it is not durable", a, err)
	}
	if err := durable("c", "c"); !errors.Is(err, core.ErrOutcomeUnknown) {
		t.Errorf("durable Apply without its replica = %v; want ErrOutcomeUnknown", err)
	}
	if _, err := s.Apply(t.Context(), create("d", "d")); err != nil {
		t.Errorf("Apply without its replica = %v; want it done, as it is not durable", err)
	}
	if err := durable("c", "c"); !errors.Is(err, core.ErrOutcomeUnknown) {
		t.Errorf("the same again = %v; want ErrOutcomeUnknown, as nothing is safer than before", err)
	}
	replica.Resume(t)
	redistest.Eventually(t, "the same operation is confirmed", func() bool { return durable("c", "c") == nil })
}

func TestDurabilityDisk(t *testing.T) {
	t.Parallel()
	server := redistest.StartKind(t, "valkey", "appendonly yes", "appendfsync everysec")
	o := options(server.URL())
	o.Durability, o.WaitAll, o.WaitTimeout = redisstore.DurabilityDisk, true, 9*time.Second
	s := open(t, o)
	if out, err := s.Apply(t.Context(), create("a", "a")); err != nil || out.Repeated {
		t.Errorf("Apply with a wait for the disk = %+v, %v; want it done", out, err)
	}
	if err := server.Client(t).ConfigSet(t.Context(), "appendonly", "no").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), create("b", "b")); !errors.Is(err, core.ErrOutcomeUnknown) {
		t.Errorf("Apply with a wait for a disk that is not used = %v; want ErrOutcomeUnknown", err)
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.StartReplica(t, master)
	sentinel := redistest.StartSentinel(t, master, "main")
	admin := redistest.SentinelClient(t, sentinel)
	if err := admin.Set(t.Context(), "main", "down-after-milliseconds", "60000").Err(); err != nil { // or a busy machine begins a failover of its own
		t.Fatal(err)
	}
	o := options("")
	o.Mode, o.Addrs, o.MasterName = redisstore.ModeSentinel, []string{sentinel}, "main"
	s := open(t, o)
	put(t, s, core.Partition{}, "n", "x")
	redistest.Eventually(t, "the sentinel knows the replica", func() bool {
		found, err := admin.Replicas(t.Context(), "main").Result()
		return err == nil && len(found) == 1 && found[0]["master-link-status"] == "ok"
	})
	redistest.Eventually(t, "the sentinel begins a failover", func() bool { return admin.Failover(t.Context(), "main").Err() == nil }) // not while it hears nothing of the replica
	redistest.Eventually(t, "the store writes to the new master", func() bool {
		fitness, err := s.Check(t.Context())
		if err != nil || len(fitness.Findings) == 0 {
			return false
		}
		info, err := replica.Client(t).InfoMap(t.Context(), "replication").Result()
		if err != nil || info["Replication"]["role"] != "master" {
			return false
		}
		_, err = s.Apply(t.Context(), create("after", "after"))
		return err == nil
	})
	if r := get(t, s, core.Key{Name: "n"})[0]; string(r.Value) != "x" {
		t.Errorf("Get after the failover = %q; want x", r.Value)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3)
	s := open(t, clustered(nodes))
	const partitions = 12
	var keys []core.Key
	var logs []core.LogPosition
	for i := range partitions {
		p := core.Partition{Realm: "rl_x", Number: i}
		tx := create(fmt.Sprintf("op-%d", i), "n")
		tx.Partition, tx.Put[0].Value = p, fmt.Append(nil, i)
		if _, err := s.Apply(t.Context(), tx); err != nil {
			t.Fatalf("Apply in partition %d = %v", i, err)
		}
		keys = append(keys, core.Key{Partition: p, Name: "n"}, core.Key{Partition: p, Name: "none"})
		logs = append(logs, core.LogPosition{Log: core.Log{Partition: p, Name: "l"}})
	}
	for i, r := range get(t, s, keys...) {
		if want := fmt.Sprint(i / 2); i%2 == 0 && string(r.Value) != want || i%2 == 1 && r.Version != 0 {
			t.Errorf("Get %v = %q; want %s", keys[i], r.Value, want)
		}
	}
	feeds, err := s.Tail(t.Context(), logs, time.Second)
	if err != nil {
		t.Fatalf("Tail = %v", err)
	}
	for i, f := range feeds {
		if len(f.Entries) != 1 || f.Entries[0].Position.Operation != fmt.Sprintf("op-%d", i) {
			t.Errorf("Tail of partition %d = %+v; want its one entry", i, f)
		}
		logs[i].After = f.Next
	}
	late := make(chan error, 1)
	time.AfterFunc(100*time.Millisecond, func() {
		tx := create("late", "late")
		tx.Partition = core.Partition{Realm: "rl_x", Number: 7}
		_, err := s.Apply(t.Context(), tx)
		late <- err
	})
	if feeds, err = s.Tail(t.Context(), logs, time.Minute); err != nil || len(feeds[7].Entries) != 1 {
		t.Errorf("Tail while partition 7 changes = %+v, %v; want its entry", feeds, err)
	}
	if err := <-late; err != nil { // the entry may be there before the answer is
		t.Errorf("Apply = %v", err)
	}
	fitness, err := s.Check(t.Context())
	if err != nil || len(fitness.Findings) < len(nodes) {
		t.Errorf("Check = %+v, %v; want something about each of %d masters", fitness, err, len(nodes))
	}
}
