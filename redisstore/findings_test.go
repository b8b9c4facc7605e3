package redisstore

import (
	"crypto/tls"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// sound returns the facts about a server with nothing to say against it.
func sound() *facts {
	return &facts{
		options: &Options{Addrs: []string{"10.0.0.1:6379"}, Mode: ModeSingle, Password: "secret", Durability: DurabilityDefault},
		info: map[string]string{
			"redis_version": "8.2.2", "redis_mode": "standalone", "role": "master", "loading": "0", "aof_enabled": "1",
			"maxmemory": "1000000000", "maxmemory_policy": "noeviction", "used_memory": "100000000",
			"total_system_memory": "2000000000", "connected_slaves": "0",
		},
		config: map[string]string{"appendfsync": "always", "aof-load-truncated": "no"},
	}
}

func TestFindings(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*facts)
		want   string // codes; those that refuse end in "!"
	}{
		{"sound", func(*facts) {}, ""},
		{"old", func(f *facts) { f.info["redis_version"] = "6.0.16" }, "version! scripting"},
		{"rather old", func(f *facts) { f.info["redis_version"] = "6.2.20" }, "version"},
		{"7.0 has no fix", func(f *facts) { f.info["redis_version"] = "7.0.15" }, "scripting"},
		{"7.2 before its fix", func(f *facts) { f.info["redis_version"] = "7.2.10" }, "scripting"},
		{"7.2 with its fix", func(f *facts) { f.info["redis_version"] = "7.2.11" }, ""},
		{"after all fixes", func(f *facts) { f.info["redis_version"] = "9.0.0" }, ""},
		{"valkey before its fix", func(f *facts) {
			maps.Copy(f.info, map[string]string{"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.0.1"})
		}, "scripting"},
		{"valkey with its fix", func(f *facts) {
			maps.Copy(f.info, map[string]string{"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.1.4"})
		}, ""},
		{"a cluster's node", func(f *facts) { f.info["redis_mode"] = "cluster" }, "mode!"},
		{"a replica", func(f *facts) { f.info["role"] = "slave" }, "replica!"},
		{"loading", func(f *facts) { f.info["loading"] = "1" }, "loading!"},
		{"evicts", func(f *facts) { f.info["maxmemory_policy"] = "allkeys-lru" }, "eviction!"},
		{"would evict", func(f *facts) { f.info["maxmemory_policy"], f.info["maxmemory"] = "volatile-ttl", "0" }, "eviction"},
		{"nearly full", func(f *facts) { f.info["used_memory"] = "900000000" }, "memory"},
		{"without a limit on a small machine", func(f *facts) { f.info["maxmemory"], f.info["total_system_memory"] = "0", "150000000" }, "memory"},
		{"without persistence", func(f *facts) { f.info["aof_enabled"] = "0" }, "persistence!"},
		{"without persistence, for trying out", func(f *facts) { f.info["aof_enabled"] = "0"; f.options.Durability = DurabilityNone }, "persistence"},
		{"without persistence, with a replica", func(f *facts) { f.info["aof_enabled"], f.info["connected_slaves"] = "0", "1" }, "persistence failover"},
		{"never syncs", func(f *facts) { f.config["appendfsync"] = "no" }, "fsync!"},
		{"syncs each second", func(f *facts) { f.config["appendfsync"] = "everysec" }, "fsync"},
		{"loads half a file", func(f *facts) { f.config["aof-load-truncated"] = "yes" }, "truncation"},
		{"CONFIG is forbidden", func(f *facts) { clear(f.config) }, "unknown"},
		{"replicas without a minimum", func(f *facts) { f.info["connected_slaves"] = "2" }, "failover"},
		{"replicas with a minimum", func(f *facts) { f.info["connected_slaves"], f.info["min_slaves_good_slaves"] = "2", "2" }, ""},
		{"sentinel without a minimum", func(f *facts) { f.options.Mode = ModeSentinel }, "failover"},
		{"no WAITAOF", func(f *facts) { f.options.Durability = DurabilityDisk; f.info["redis_version"] = "7.0.15" }, "scripting durability!"},
		{"too few replicas to wait for", func(f *facts) { f.options.Durability, f.options.WaitReplicas = DurabilityReplicas, 1 }, "durability"},
		{"open to the network", func(f *facts) { f.options.Password = "" }, "access"},
		{"open on loopback", func(f *facts) { f.options.Password, f.options.Addrs = "", []string{"[::1]:6379"} }, ""},
		{"open behind TLS", func(f *facts) { f.options.Password, f.options.TLS = "", new(tls.Config) }, ""},
		{"a user that only reads", func(f *facts) { f.write, f.announce = "NOPERM", "NOPERM" }, "rights!"},
		{"a user without our channel", func(f *facts) { f.announce = "NOPERM" }, "rights"},
		{"without its replicas", func(f *facts) { f.write = "NOREPLICAS" }, "replicas!"},
		{"without its replicas, which stops no script", func(f *facts) { f.write, f.info["redis_version"] = "NOREPLICAS", "6.2.20" }, "version"},
		{"clock a little off", func(f *facts) { f.ahead = 3 * time.Second }, "clock"},
		{"clock far off", func(f *facts) { f.ahead = -2 * time.Minute }, "clock!"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := sound()
			c.change(f)
			var got []string
			for _, finding := range f.judge() {
				code := finding.Code
				if finding.Refuse {
					code += "!"
				}
				got = append(got, code)
				if !strings.Contains(finding.Text, ": ") || strings.Contains(finding.Text, "%!") {
					t.Errorf("%s says %q; want what is wrong, and how to mend it", finding.Code, finding.Text)
				}
			}
			if !slices.Equal(got, strings.Fields(c.want)) {
				t.Errorf("judge = %v; want %v", got, c.want)
			}
		})
	}
}

// TestFindingsStay holds that a text stays the same while what was measured moves a little: each new one is logged.
func TestFindingsStay(t *testing.T) {
	said := func(used string, ahead time.Duration, limit string) (all []string) {
		f := sound()
		f.info["used_memory"], f.info["maxmemory"], f.ahead = used, limit, ahead
		for _, finding := range f.judge() {
			all = append(all, finding.Text)
		}
		return all
	}
	for _, limit := range []string{"1500000000", "0"} {
		first, later := said("1300000000", 3*time.Second, limit), said("1310000000", 3*time.Second+7*time.Millisecond, limit)
		if len(first) != 2 || !slices.Equal(first, later) {
			t.Errorf("judge = %q, and a minute later %q; want the same two", first, later)
		}
	}
}
