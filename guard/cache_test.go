package guard

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/core"
)

// found returns what c knows of a session token.
func found(c *cache, token string, now time.Time) known {
	return foundAs(c, question{token: token}, now)
}

func foundAs(c *cache, q question, now time.Time) known {
	c.expect(&q)
	k, _ := c.get(&q, now)
	return k
}

// remember has c remember what a guard would.
func remember(c *cache, token string, who core.Identity) known {
	return rememberAs(c, question{token: token}, who)
}

func rememberAs(c *cache, q question, who core.Identity) known {
	g := &Guard{cache: c, c: &compiled{}}
	q.heard = c.heard()
	c.expect(&q)
	return g.remember(&q, &reading{who: who, at: time.Unix(0, 0), stamps: c.stampsOf(&who)})
}

// TestKindsOfCredentialsAreKeptApart shows an API key as a session token.
func TestKindsOfCredentialsAreKeptApart(t *testing.T) {
	c := newCache(8)
	now := time.Unix(1_800_000_000, 0)
	k := rememberAs(c, question{token: "text", byKey: true}, core.Identity{ExpiresAt: now.Add(time.Hour)})
	if found(c, "text", now) != "" {
		t.Error("an API key is taken for a session token")
	}
	if foundAs(c, question{token: "text", byKey: true}, now) != k {
		t.Error("what was put is not found")
	}
}

// TestCacheIsBoundedInBytes has one user, of whom there is much to tell, show as many tokens as a cache remembers.
func TestCacheIsBoundedInBytes(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for size, length := range map[int]int{4096: 16 << 10, 4095: 1 << 10, 1: 2 * leastRoom} {
		c := newCache(size)
		who := core.Identity{User: "usr_a", ExpiresAt: now.Add(time.Hour), Custom: core.Custom{"long": json.RawMessage(strings.Repeat("1", length))}}
		for i := range 4096 * 4096 / length {
			if token := fmt.Sprint("token", i); found(c, token, now) == "" && remember(c, token, who) != found(c, token, now) {
				t.Fatalf("token %d is forgotten at once", i)
			}
		}
		for i := range c.shards {
			s, wanted := &c.shards[i], 0
			for at := range s.byTag.slots {
				wanted += int(s.byTag.slots[at].spot.length)
			}
			if s.shelf.wanted != wanted || wanted > s.room && s.byTag.count > 1 {
				t.Errorf("size %d: a shard keeps %d bytes of %d tokens, and says %d; there is room for %d", size, wanted, s.byTag.count, s.shelf.wanted, s.room)
			}
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	for _, size := range []int{1, 3, 511, 512, 5000} {
		c := newCache(size)
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
	c := newCache(8)
	now := time.Unix(1_800_000_000, 0)
	for _, change := range []func(*tag){func(g *tag) { g.high++ }, func(g *tag) { g.low += 1 << 63 }} {
		other := c.tagger.tagOf("token", false)
		change(&other)
		r := reading{who: core.Identity{ExpiresAt: now.Add(time.Hour)}, tag: other}
		c.put(r.known(nil))
		if got := found(c, "token", now); got != "" {
			t.Errorf("get(token) = what is known of the tag %x, and the token's is %x", got.tag(), c.tagger.tagOf("token", false))
		}
	}
}

// tagOf returns the tag of a credential.
func (t *tagger) tagOf(text string, byKey bool) tag {
	return t.tag(&question{token: text, byKey: byKey, home: t.home(text, byKey)})
}

// TestTagsDependOnEveryByte changes each byte of a text in turn, and its length.
func TestTagsDependOnEveryByte(t *testing.T) {
	tagger := newTagger()
	text := strings.Repeat("abcdefgh", 100)
	seen := map[tag]string{tagger.tagOf(text, false): "itself"}
	note := func(g tag, what string) {
		if as := seen[g]; as != "" {
			t.Errorf("%s has the tag of %s", what, as)
		}
		seen[g] = what
	}
	note(tagger.tagOf(text, true), "the text as an API key")
	for i := range text {
		note(tagger.tagOf(text[:i]+"X"+text[i+1:], false), fmt.Sprint("another byte at ", i))
		note(tagger.tagOf(text[:i], false), fmt.Sprint("the first ", i))
	}
	note(newTagger().tagOf(text, false), "the text, under another key,")
	if tagger.tagOf(text, false) != tagger.tagOf(strings.Clone(text), false) {
		t.Error("the same text has two tags")
	}
}

// TestHomes holds that session tokens are looked for by how they end, and API keys, whose end somebody may choose, by all of it.
func TestHomes(t *testing.T) {
	tagger := newTagger()
	signature := strings.Repeat("s", lastBytes)
	if tagger.home("one."+signature, false) != tagger.home("another."+signature, false) {
		t.Error("tokens that end alike have two homes")
	}
	tokens, keys := map[uint32]bool{}, map[uint32]bool{}
	for i := range 1000 {
		tokens[tagger.home("one."+signature[1:]+string(rune('a'+i)), false)] = true
		keys[tagger.home(fmt.Sprint(i)+signature, true)] = true
	}
	if len(tokens) < 990 || len(keys) < 990 {
		t.Errorf("1000 tokens have %d homes, 1000 API keys %d", len(tokens), len(keys))
	}
}

// TestTokensThatEndAlike keeps many in one place, each as itself, and makes room among them.
func TestTokensThatEndAlike(t *testing.T) {
	c := newCache(5000)
	now := time.Unix(1_800_000_000, 0)
	token := func(i int) string { return fmt.Sprint(i, ".", strings.Repeat("s", lastBytes)) }
	for i := range 2000 {
		k := remember(c, token(i), core.Identity{User: core.UserID(fmt.Sprint("usr_", i)), ExpiresAt: now.Add(time.Hour)})
		if got := found(c, token(i), now); got != k {
			t.Fatalf("token %d is %+v, want what was put", i, got.identity())
		}
		if found(c, token(i+1), now) != "" {
			t.Fatalf("token %d is known, and was never put", i+1)
		}
	}
}

// TestSlotIsOneLine holds that a hit waits for one line of memory, and that what is remembered has no pointers.
func TestSlotIsOneLine(t *testing.T) {
	if size := unsafe.Sizeof(slot{}); size != 64 {
		t.Errorf("a slot has %d bytes, want 64", size)
	}
	for f := range reflect.TypeFor[slot]().Fields() {
		if kind := f.Type.Kind(); kind == reflect.Pointer || kind == reflect.String || kind == reflect.Slice {
			t.Errorf("%s of a slot is a %s, which the garbage collector has to follow", f.Name, kind)
		}
	}
}

// TestTable holds a table to a map, with tags that collide often.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		real, model := newTable(), map[tag]spot{}
		for _, h := range rapid.SliceOfN(rapid.Uint64Range(0, 40), 0, 300).Draw(t, "tags") {
			g := tag{h, h / 20, uint32(h%5*maxShards + h/5<<34)} // few homes
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
				real.put(slot{low: g.low, high: g.high, mark: g.home << 1, spot: lies})
				real.get(g).mark |= uint32(h % 2)
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
	c := newCache(100)
	now := time.Unix(1_800_000_000, 0)
	remember(c, "popular", core.Identity{ExpiresAt: now.Add(time.Hour)})
	for i := range 5000 {
		if found(c, "popular", now) == "" {
			t.Fatalf("what is used all the time made way for the token %d, seen once", i)
		}
		remember(c, fmt.Sprint("token", i), core.Identity{ExpiresAt: now.Add(time.Hour)})
	}
}
