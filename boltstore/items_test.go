package boltstore

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/postern-auth/postern/core"
)

// FuzzItemAt reads keys back: what is taken for a key is written just so, and what is refused is nothing.
func FuzzItemAt(f *testing.F) {
	for _, p := range []core.Partition{{}, {Realm: "rl_a"}, {Realm: "rl_a", Number: 3843}} {
		f.Add(whereKey(p, "u:usr_x"))
		f.Add(memberKey(listPrefix(p, "us"), "\x00m\x00"))
		f.Add(entryKey(listPrefix(p, "ev"), 7))
	}
	for _, garbled := range []string{"", "_", "_\x00", "rl_a:01\x00x", "rl_a:-0\x00x", ":0\x00x", "rl_a\x00x"} {
		f.Add([]byte(garbled))
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		item, rest, err := itemAt(key)
		if err != nil {
			if item != (core.Item{}) || rest != nil || !errors.Is(err, errGarbled) {
				t.Errorf("itemAt(%q) = %+v, %q, %v; want nothing beside errGarbled", key, item, rest, err)
			}
			return
		}
		written := whereKey(item.Partition, item.Name)
		if len(written) < len(key) {
			written = append(listPrefix(item.Partition, item.Name), rest...)
		}
		if !bytes.Equal(written, key) {
			t.Errorf("itemAt(%q) = %+v, %q, which is written %q", key, item, rest, written)
		}
	})
}

// TestItems leaves out what is to be tidied away, says for how long the rest is kept, and ends with an error where something is damaged, the
// context is done or the store closed.
func TestItems(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	s, err := Open(Options{Path: filepath.Join(t.TempDir(), "postern.db"), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(name string, expires time.Time) core.Put {
		return core.Put{Name: name, Value: []byte("{}"), Expires: expires}
	}
	_, err = s.Apply(t.Context(), &core.Transaction{ID: "op", Now: now, Put: []core.Put{put("stays", time.Time{}), put("goes", now.Add(time.Minute)), put("later", now.Add(time.Hour))},
		Index: []core.IndexChange{{Index: "i", Member: "\x00"}}, Append: []core.Append{{Log: "l", Data: []byte("x"), Keep: 9}}})
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(10 * time.Minute)
	var names []string
	for item, err := range s.Items(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, item.Name)
		if want := 50*time.Minute + core.ExpirySlack; item.Name == "later" && item.Keep != want || item.Name == "stays" && item.Keep != 0 {
			t.Errorf("%s is kept for %v; want %v", item.Name, item.Keep, want)
		}
	}
	if got, want := strings.Join(names, " "), "later stays i l"; got != want {
		t.Errorf("Items = %s; want %s", got, want)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := lastError(s, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Items under a context that is done end with %v", err)
	}
	err = s.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(recordBucket).Put(whereKey(core.Partition{}, "bad"), []byte("garbled"))
	})
	if last := lastError(s, t.Context()); err != nil || !errors.Is(last, errGarbled) {
		t.Errorf("Items with a damaged record end with %v, %v; want errGarbled", last, err)
	}
	s.Close()
	if err := lastError(s, t.Context()); !errors.Is(err, core.ErrUnavailable) {
		t.Errorf("Items of a closed Store end with %v; want core.ErrUnavailable", err)
	}
}

// lastError returns what a walk over all Items ends with.
func lastError(s *Store, ctx context.Context) (last error) {
	for _, err := range s.Items(ctx) {
		last = err
	}
	return last
}
