package guard

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
)

// remembered returns what a guard over c would remember.
func remembered(c *cache, token string, who core.Identity) *known {
	return newKnown(&question{token: token, heard: c.heard()}, who, time.Unix(0, 0), &Guard{cache: c, c: &compiled{}})
}

// TestKindsOfCredentialsAreKeptApart shows an API key as a session token.
func TestKindsOfCredentialsAreKeptApart(t *testing.T) {
	c := newCache(8)
	now := time.Unix(1_800_000_000, 0)
	k := newKnown(&question{token: "text", byKey: true}, core.Identity{ExpiresAt: now.Add(time.Hour)}, now, &Guard{cache: c, c: &compiled{}})
	c.put(k)
	if c.get(&question{token: "text"}, now) != nil {
		t.Error("an API key is taken for a session token")
	}
	if c.get(&question{token: "text", byKey: true}, now) != k {
		t.Error("what was put is not found")
	}
}

func TestCacheIsBounded(t *testing.T) {
	for _, size := range []int{1, 3, 511, 512, 5000} {
		c := newCache(size)
		now := time.Unix(1_800_000_000, 0)
		for i := range 3 * size {
			k := remembered(c, fmt.Sprint("token", i), core.Identity{User: "usr_a", Session: "kss_a", ExpiresAt: now.Add(time.Hour)})
			c.put(k)
			if c.get(&question{token: k.token}, now) != k {
				t.Fatalf("size %d: token %d is forgotten at once", size, i)
			}
			if i%7 == 0 {
				c.drop(k)
			}
		}
		kept := 0
		for i := range c.shards {
			kept += c.shards[i].byHash.count
			if len(c.shards[i].ring) > c.shards[i].limit {
				t.Errorf("size %d: a shard keeps %d, more than %d", size, len(c.shards[i].ring), c.shards[i].limit)
			}
		}
		if kept > size {
			t.Errorf("a cache of %d keeps %d", size, kept)
		}
	}
}

func TestHashIsNoProof(t *testing.T) {
	c := newCache(8)
	now := time.Unix(1_800_000_000, 0)
	k := remembered(c, "token", core.Identity{ExpiresAt: now.Add(time.Hour)})
	c.put(k)
	s := c.shard(k.hash)
	k2 := remembered(c, "another", core.Identity{ExpiresAt: now.Add(time.Hour)})
	k2.hash = k.hash // as if they collided
	s.put(k2)
	if got := c.get(&question{token: "token"}, now); got != nil {
		t.Errorf("get(token) = %q, want nothing", got.token)
	}
}

func TestPackKeepsEveryText(t *testing.T) {
	who := core.Identity{Realm: "rlm_1", User: "usr_1", Session: "kss_1", Type: core.UserAPI, Username: "u", Email: "", Name: "n m",
		ArbitraryID: "\xff", SignedInAt: time.Unix(1, 0), ExpiresAt: time.Unix(2, 0), RecheckAt: time.Unix(3, 0)}
	if token, got := pack("t.t.t", who); token != "t.t.t" || !reflect.DeepEqual(got, who) {
		t.Errorf("pack = %q, %+v; want t.t.t, %+v", token, got, who)
	}
}

// TestTable holds a table to a map, with hashes that collide often.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		real, model := newTable(), map[uint64]*known{}
		hashes := rapid.SliceOfN(rapid.Uint64Range(0, 40), 0, 300).Draw(t, "hashes")
		for _, h := range hashes {
			hash := h%5<<32 | h/5<<34 | h // few homes
			if rapid.Bool().Draw(t, "remove") {
				real.remove(hash)
				delete(model, hash)
			} else {
				k := &known{hash: hash}
				real.put(k)
				model[hash] = k
			}
			if real.count != len(model) {
				t.Fatalf("count = %d, want %d", real.count, len(model))
			}
			for hash, k := range model {
				if real.get(hash) != k {
					t.Fatalf("get(%x) = %v, want %v", hash, real.get(hash), k)
				}
			}
		}
	})
}
