package guard

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
)

// cacheOf returns a cache of at most size entries.
func cacheOf(t testing.TB, size int) *cache {
	c, err := newCache(size)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// found returns what c knows of a session token.
func found(c *cache, token string, now time.Time) known {
	k, _ := c.get(&question{token: token}, now)
	return k
}

// remember has c remember what a guard would.
func remember(c *cache, token string, who core.Identity) known {
	return rememberAs(c, question{token: token}, who)
}

func rememberAs(c *cache, q question, who core.Identity) known {
	g := &Guard{cache: c, c: &compiled{}}
	q.heard = c.heard()
	return g.remember(&q, &reading{who: who, at: time.Unix(0, 0), stamps: c.stampsOf(&who)})
}

// TestKindsOfCredentialsAreKeptApart shows an API key as a session token.
func TestKindsOfCredentialsAreKeptApart(t *testing.T) {
	c := cacheOf(t, 8)
	now := time.Unix(1_800_000_000, 0)
	k := rememberAs(c, question{token: "text", byKey: true}, core.Identity{ExpiresAt: now.Add(time.Hour)})
	if found(c, "text", now) != "" {
		t.Error("an API key is taken for a session token")
	}
	if got, _ := c.get(&question{token: "text", byKey: true}, now); got != k {
		t.Error("what was put is not found")
	}
}

func TestCacheIsBounded(t *testing.T) {
	for _, size := range []int{1, 3, 511, 512, 5000} {
		c := cacheOf(t, size)
		now := time.Unix(1_800_000_000, 0)
		for i := range 3 * size {
			token := fmt.Sprint("token", i)
			k := remember(c, token, core.Identity{User: "usr_a", Session: "kss_a", ExpiresAt: now.Add(time.Hour)})
			if found(c, token, now) != k {
				t.Fatalf("size %d: token %d is forgotten at once", size, i)
			}
			if i%7 == 0 {
				c.drop(k)
			}
		}
		kept := 0
		for i := range c.shards {
			kept += c.shards[i].byTag.count
			if c.shards[i].byTag.count > c.shards[i].limit {
				t.Errorf("size %d: a shard keeps %d, more than %d", size, c.shards[i].byTag.count, c.shards[i].limit)
			}
		}
		if kept > size {
			t.Errorf("a cache of %d keeps %d", size, kept)
		}
	}
}

// TestHalfATagIsNoProof holds that all 128 bits of a tag are compared.
func TestHalfATagIsNoProof(t *testing.T) {
	c := cacheOf(t, 8)
	now := time.Unix(1_800_000_000, 0)
	for _, change := range []func(*tag){func(g *tag) { g.high++ }, func(g *tag) { g.low += 1 << 63 }} {
		other := c.tagger.tag("token", false)
		change(&other)
		r := reading{who: core.Identity{ExpiresAt: now.Add(time.Hour)}, tag: other}
		c.put(r.known(nil))
		if got := found(c, "token", now); got != "" {
			t.Errorf("get(token) = what is known of the tag %x, and the token's is %x", got.tag(), c.tagger.tag("token", false))
		}
	}
}

// TestTagsDependOnEveryByte changes each byte of a text in turn, and its length.
func TestTagsDependOnEveryByte(t *testing.T) {
	tagger, err := newTagger()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("abcdefgh", 100)
	seen := map[tag]string{tagger.tag(text, false): "itself"}
	note := func(g tag, what string) {
		if as := seen[g]; as != "" {
			t.Errorf("%s has the tag of %s", what, as)
		}
		seen[g] = what
	}
	note(tagger.tag(text, true), "the text as an API key")
	for i := range text {
		note(tagger.tag(text[:i]+"X"+text[i+1:], false), fmt.Sprint("another byte at ", i))
		note(tagger.tag(text[:i], false), fmt.Sprint("the first ", i))
	}
	other, err := newTagger()
	if err != nil {
		t.Fatal(err)
	}
	note(other.tag(text, false), "the text, under another key,")
	if tagger.tag(text, false) != tagger.tag(strings.Clone(text), false) {
		t.Error("the same text has two tags")
	}
}

// TestTagsInParallel makes tags from several goroutines, which share buffers.
func TestTagsInParallel(t *testing.T) {
	tagger, err := newTagger()
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	for i := range 8 {
		text := fmt.Sprint("token", i)
		want := tagger.tag(text, false)
		work.Go(func() {
			for range 2000 {
				if got := tagger.tag(text, false); got != want {
					t.Errorf("tag(%s) = %x, want %x", text, got, want)
					return
				}
			}
		})
	}
	work.Wait()
}

// TestTable holds a table to a map, with tags that collide often.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		real, model := newTable(), map[tag]spot{}
		for _, h := range rapid.SliceOfN(rapid.Uint64Range(0, 40), 0, 300).Draw(t, "tags") {
			g := tag{h%5<<32 | h/5<<34 | h, h / 20} // few homes
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				real.remove(g)
				delete(model, g)
			case 2:
				if real.count > 0 {
					before := real.count
					real.evict()
					if real.count != before-1 {
						t.Fatalf("evict left %d of %d", real.count, before)
					}
					for g := range model {
						if real.get(g) == nil {
							delete(model, g)
						}
					}
				}
			default:
				lies := spot{book: rapid.Uint32().Draw(t, "book"), length: 1}
				real.put(slot{tag: g, spot: lies})
				real.get(g).used = uint32(h % 2)
				model[g] = lies
			}
			if real.count != len(model) {
				t.Fatalf("count = %d, want %d", real.count, len(model))
			}
			for g, lies := range model {
				if s := real.get(g); s == nil || s.spot != lies {
					t.Fatalf("get(%x) = %v, want %v", g, s, lies)
				}
			}
		}
	})
}

// TestEvictionSparesWhatIsUsed fills a table and makes room again and again, while one entry is used.
func TestEvictionSparesWhatIsUsed(t *testing.T) {
	c := cacheOf(t, 100)
	now := time.Unix(1_800_000_000, 0)
	remember(c, "popular", core.Identity{ExpiresAt: now.Add(time.Hour)})
	for i := range 5000 {
		if found(c, "popular", now) == "" {
			t.Fatalf("what is used all the time made way for the token %d, seen once", i)
		}
		remember(c, fmt.Sprint("token", i), core.Identity{ExpiresAt: now.Add(time.Hour)})
	}
}
