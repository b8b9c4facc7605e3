package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
	"github.com/postern-auth/postern/redisstore"
)

// finding returns what Check finds under a code.
func finding(t *testing.T, s *redisstore.Store, code string) core.Finding {
	t.Helper()
	fitness, err := s.Check(t.Context())
	if err != nil {
		t.Fatalf("Check = %v", err)
	}
	for _, f := range fitness.Findings {
		if f.Code == code {
			return f
		}
	}
	return core.Finding{}
}

// TestCheck changes a running server's settings, as an operator might.
func TestCheck(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "appendonly yes")
	c := server.Client(t)
	s := open(t, options(server.URL()))
	for _, step := range []struct {
		setting, value string
		code           string
		found, refuse  bool
	}{
		{"maxmemory", "100mb", "eviction", false, false},
		{"maxmemory-policy", "allkeys-lru", "eviction", true, true},
		{"maxmemory", "0", "eviction", true, false},
		{"maxmemory-policy", "noeviction", "eviction", false, false},
		{"appendfsync", "no", "fsync", true, true},
		{"appendfsync", "everysec", "fsync", true, false},
		{"appendfsync", "always", "fsync", false, false},
		{"aof-load-truncated", "yes", "truncation", true, false},
		{"aof-load-truncated", "no", "truncation", false, false},
		{"appendonly", "no", "persistence", true, true},
		{"appendonly", "yes", "persistence", false, false},
	} {
		if err := c.ConfigSet(t.Context(), step.setting, step.value).Err(); err != nil {
			t.Fatal(err)
		}
		if f := finding(t, s, step.code); (f.Code != "") != step.found || f.Refuse != step.refuse {
			t.Errorf("with %s %s Check finds %+v; want found %t, refuse %t", step.setting, step.value, f, step.found, step.refuse)
		}
	}
}

func TestCheckTellsServerAndClock(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, server *redistest.Server) {
		s := open(t, shared(server))
		before := time.Now()
		fitness, err := s.Check(t.Context())
		after := time.Now()
		if err != nil || fitness.Now.Before(before.Add(-time.Second)) || fitness.Now.After(after.Add(time.Second)) {
			t.Errorf("Check = %+v, %v; want the time", fitness, err)
		}
		if server.Kind != "given" && !strings.HasPrefix(fitness.Server, server.Kind+" ") {
			t.Errorf("Check.Server = %q; want a %s", fitness.Server, server.Kind)
		}
	})
}

// TestCheckWithoutRights logs in as users who may not write, or not publish, which somebody who writes such a list easily leaves out. What was carried out
// and could only not be announced went well, and is found at the next poll.
func TestCheckWithoutRights(t *testing.T) {
	t.Parallel()
	const rights = " on >pw ~postern:* +@scripting +@read +@connection +info +time +subscribe "
	server := redistest.Start(t, "appendonly yes", "user reader"+rights+"&postern:* +@pubsub", "user mute"+rights+"+@write +@pubsub",
		"user shy"+rights+"+@write &postern:*")
	for user, refuse := range map[string]bool{"reader": true, "mute": false, "shy": false} {
		s := open(t, options(strings.Replace(server.URL(), "redis://", "redis://"+user+":pw@", 1)))
		if f := finding(t, s, "rights"); f.Code == "" || f.Refuse != refuse {
			t.Errorf("Check as %s finds %+v; want a finding that refuses: %t", user, f, refuse)
		}
		if refuse {
			continue
		}
		s.PollEvery(10 * time.Millisecond)
		if _, err := s.Apply(t.Context(), create("op-"+user, "n-"+user)); err != nil {
			t.Errorf("Apply as %s = %v", user, err)
		}
		feeds, err := s.Tail(t.Context(), []core.LogPosition{{Log: core.Log{Name: "l"}}}, time.Minute)
		if err != nil || len(feeds[0].Entries) == 0 {
			t.Errorf("Tail as %s = %+v, %v; want the entry", user, feeds, err)
		}
	}
}

// TestCheckWithoutReplicas takes a server's replicas away.
func TestCheckWithoutReplicas(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "appendonly yes", "min-replicas-to-write 1")
	s := open(t, options(server.URL()))
	if f := finding(t, s, "replicas"); !f.Refuse {
		t.Errorf("Check of a master without its replicas finds %+v; want a refusal", f)
	}
}

// TestCheckWithoutConfig logs in as a user with no more rights than doc.go names, but for CONFIG.
func TestCheckWithoutConfig(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "appendonly yes", "user postern on >pw ~postern:* &postern:* +@scripting +@read +@write +@pubsub +@connection +info +time +wait")
	s := open(t, options(strings.Replace(server.URL(), "redis://", "redis://postern:pw@", 1)))
	s.PollEvery(time.Hour) // it is woken
	if f := finding(t, s, "unknown"); f.Code == "" || f.Refuse {
		t.Errorf("Check without CONFIG finds %+v; want a warning of what is unknown", f)
	}
	put(t, s, core.Partition{}, "n", "x")
	get(t, s, core.Key{Name: "n"})
	late := make(chan error, 1)
	time.AfterFunc(50*time.Millisecond, func() { // when the reader waits; if it does not yet, it need not be woken
		_, err := s.Apply(t.Context(), create("op", "late"))
		late <- err
	})
	feeds, err := s.Tail(t.Context(), []core.LogPosition{{Log: core.Log{Name: "l"}}}, time.Minute)
	if err != nil || len(feeds[0].Entries) != 1 {
		t.Errorf("Tail = %+v, %v; want the entry when it came", feeds, err)
	}
	if err := <-late; err != nil { // the entry may be there before the answer is
		t.Errorf("Apply = %v", err)
	}
}
