package redisstore

import (
	"crypto/tls"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	one := []string{"127.0.0.1:6379"}
	for _, c := range []struct {
		name string
		o    Options
		want string // a part of each complaint, separated by "|"; "" = none
	}{
		{"a URL", Options{URL: "redis://user:pw@redis.example:6380/3"}, ""},
		{"a socket", Options{URL: "unix:///run/redis.sock?db=2"}, ""},
		{"an address", Options{Addrs: one}, ""},
		{"sentinels", Options{Addrs: []string{"a:1", "b:1"}, Mode: ModeSentinel, MasterName: "main"}, ""},
		{"a cluster", Options{Addrs: []string{"a:1", "b:1"}, Mode: ModeCluster}, ""},
		{"waiting", Options{Addrs: one, Durability: DurabilityReplicas, WaitReplicas: 2, WaitAll: true}, ""},
		{"nothing", Options{}, "URL or Addrs"},
		{"both", Options{URL: "redis://h", Addrs: one}, "URL stands for"},
		{"two servers", Options{Addrs: []string{"a:1", "b:1"}}, "2 addresses"},
		{"no master", Options{Addrs: one, Mode: ModeSentinel}, "MasterName"},
		{"cluster with DB", Options{Addrs: one, Mode: ModeCluster, DB: 1}, "DB is 1"},
		{"cluster by socket", Options{URL: "unix:///run/redis.sock", Mode: ModeCluster}, "unix socket"},
		{"parameters", Options{URL: "redis://h?pool_size=7"}, "URL must be"},
		{"another scheme", Options{URL: "http://h"}, "URL must be"},
		{"a password with a number sign as it is", Options{URL: "redis://:p@ss#w@h"}, "URL must be"},
		{"sentinels without a master", Options{URL: "redis+sentinel://a,b"}, "URL must be"},
		{"a sentinel that is none", Options{URL: "redis+sentinel://a,,b/main"}, "URL must be"},
		{"a port that is none", Options{URL: "redis+sentinel://a:x/main"}, "URL must be"},
		{"a database that is none", Options{URL: "redis+sentinel://a/main/x"}, "URL must be"},
		{"a password as it is", Options{URL: "redis+sentinel://user:p/w@a/main"}, "URL must be"},
		{"parameters of sentinels", Options{URL: "redis+sentinel://a/main?db=1"}, "URL must be"},
		{"a cluster's database", Options{URL: "redis+cluster://a/1"}, "URL must be"},
		{"another way", Options{URL: "redis+ring://a"}, "URL must be"},
		{"another scheme of several", Options{URL: "http+cluster://a"}, "URL must be"},
		{"the mode twice", Options{URL: "redis+cluster://a", Mode: ModeCluster}, "set either"},
		{"all wrong", Options{Addrs: one, Mode: "x", KeyPrefix: "{", PoolSize: -1, DialTimeout: -1, Durability: "x"},
			"Mode is|KeyPrefix|PoolSize|DialTimeout|Durability"},
		{"wait without a class", Options{Addrs: one, WaitReplicas: 1}, "need Durability"},
		{"wait too long", Options{Addrs: one, Durability: DurabilityDisk, WaitTimeout: time.Second}, "WaitTimeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.o.validate()
			if c.want == "" {
				if err != nil {
					t.Errorf("validate = %v; want no complaint", err)
				}
				return
			}
			for _, part := range strings.Split(c.want, "|") {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("validate = %v; want a complaint about %q", err, part)
				}
			}
		})
	}
}

func TestOptionsFromURL(t *testing.T) {
	for text, want := range map[string]Options{
		"rediss://user:p%2Fw@redis.example/3": {Mode: ModeSingle, Addrs: []string{"redis.example:6379"}, Username: "user", Password: "p/w", DB: 3, TLS: &tls.Config{}},
		"redis+sentinel://user:p%2Fw@a,b:1,[::1]:2/main/3?sentinel_username=s&sentinel_password=q%26": {Mode: ModeSentinel, Addrs: []string{"a:26379", "b:1", "[::1]:2"},
			MasterName: "main", Username: "user", Password: "p/w", DB: 3, SentinelUsername: "s", SentinelPassword: "q&"},
		"rediss+sentinel://a/main":                   {Mode: ModeSentinel, Addrs: []string{"a:26379"}, MasterName: "main", TLS: &tls.Config{}},
		"redis+cluster://:pw@10.0.0.1:7000,10.0.0.2": {Mode: ModeCluster, Addrs: []string{"10.0.0.1:7000", "10.0.0.2:6379"}, Password: "pw"},
		"rediss+cluster://a/":                        {Mode: ModeCluster, Addrs: []string{"a:6379"}, TLS: &tls.Config{}},
	} {
		o := Options{URL: text}
		if err := o.validate(); err != nil {
			t.Errorf("validate of %s = %v", text, err)
			continue
		}
		if o.TLS != nil && o.TLS.MinVersion < tls.VersionTLS12 || (o.TLS != nil) != (want.TLS != nil) {
			t.Errorf("%s: TLS %+v; want it %t, 1.2 or later", text, o.TLS, want.TLS != nil)
		}
		got := Options{Mode: o.Mode, Addrs: o.Addrs, MasterName: o.MasterName, Username: o.Username, Password: o.Password, DB: o.DB,
			SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword, TLS: want.TLS}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %+v; want %+v", text, got, want)
		}
	}
}

// TestMeaning holds which options mean the same, however they are spelled. The first of each row means what those after it mean, and what none of
// another row does.
func TestMeaning(t *testing.T) {
	rows := [][]Options{
		{{URL: "redis://localhost"}, {URL: "redis://LocalHost:6379"}, {URL: "redis://localhost/"}, {URL: "redis://localhost:6379/0"}, {Addrs: []string{"localhost:6379"}},
			{Addrs: []string{"localhost:6379"}, Mode: ModeSingle, KeyPrefix: "postern:", CallTimeout: time.Second, Durability: DurabilityDefault, Now: time.Now}},
		{{URL: "redis://localhost:6380"}},
		{{URL: "redis://localhost/1"}, {Addrs: []string{"localhost:6379"}, DB: 1}},
		{{URL: "redis://u:p%2Fw@localhost"}, {URL: "redis://u:%70%2fw@localhost:6379"}, {Addrs: []string{"localhost:6379"}, Username: "u", Password: "p/w"}},
		{{URL: "redis://U:p%2Fw@localhost"}},
		{{URL: "rediss://localhost"}, {URL: "rediss://localhost:6379"}},
		{{URL: "redis://localhost", PoolSize: 7}},
		{{URL: "redis+cluster://a:6379,b"}, {URL: "redis+cluster://B,a/"}},
		{{URL: "redis+sentinel://a,b/main?sentinel_username=s&sentinel_password=q"}, {URL: "redis+sentinel://b:26379,a/main/0?sentinel_password=q&sentinel_username=s"}},
		{{URL: "redis+sentinel://a,b/other?sentinel_username=s&sentinel_password=q"}},
		{{URL: "unix:///run/redis.sock"}, {URL: "unix:///run/redis.sock?db=0"}},
		{{URL: "unix:///run/Redis.sock"}},
	}
	found := map[string]int{}
	for i, row := range rows {
		for _, o := range row {
			if err := o.Validate(); err != nil {
				t.Fatal(err)
			}
			meaning := o.Meaning()
			if other, there := found[meaning]; there && other != i || !there && meaning != row[0].Meaning() {
				t.Errorf("Meaning of %+v is not that of its row alone: %s", o, meaning)
			}
			found[meaning] = i
		}
	}
}

// FuzzURL reads any text, and complains without repeating what may be a password.
func FuzzURL(f *testing.F) {
	for _, text := range []string{"redis://:hunter2@h", "redis+sentinel://u:hunter2@a,b/main/1?sentinel_password=hunter2", "redis+cluster://:hunter2@a:1,b", "rediss+x://hunter2@", "redis+sentinel://@,/:@?#"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o := Options{URL: text}
		err := o.readURL()
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("readURL(%q) = %v, which repeats a secret", text, err)
		}
		if err == nil && text != "" && len(o.Addrs) == 0 {
			t.Errorf("readURL(%q) found no server and did not complain", text)
		}
	})
}
