package redisstore

import (
	"crypto/tls"
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
	o := Options{URL: "rediss://user:p%2Fw@redis.example/3"}
	if err := o.validate(); err != nil {
		t.Fatal(err)
	}
	if o.Addrs[0] != "redis.example:6379" || o.Username != "user" || o.Password != "p/w" || o.DB != 3 || o.TLS == nil || o.TLS.MinVersion < tls.VersionTLS12 {
		t.Errorf("validate read %s %s DB %d; want what the URL says, with TLS 1.2 or later", o.Addrs[0], o.Username, o.DB)
	}
}
