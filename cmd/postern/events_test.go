package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/boltstore"
	"github.com/postern-auth/postern/core"
	"github.com/postern-auth/postern/internal/redistest"
)

// TestEventsVerify holds the events of a server against their seals, while it runs and not, over the embedded store and over the
// Redis that it was copied to; then it puts a backup back, and alters an event in the file.
func TestEventsVerify(t *testing.T) {
	folder := t.TempDir()
	data, backup, said := filepath.Join(folder, "postern-data"), filepath.Join(folder, "postern-backup.db"), filepath.Join(folder, "said")
	verify := []string{"events", "verify", "--data", data}
	since := append(verify[:4:4], "--since", said)
	server := dev(t, "--json", "--data", data)
	server.facts(t)
	must(t, "default: all ", verify...)
	refused(t, "no such file", since...)
	must(t, "They are of use only with", "backup", backup, "--data", data)
	must(t, "has new signing keys", "key", "rotate", "--data", data)
	keep(t, said, verify...)
	must(t, "no realm: all ", since...)
	must(t, "default: all ", append(since, "--realm", "default")...)
	server.interrupt(t)
	must(t, "default: all ", since...)
	must(t, "sealed under the new master key", "key", "rotate-master", "--data", data)
	must(t, "default: all ", since...)

	redis := redistest.Start(t, "appendonly yes")
	must(t, "Start servers over that", "copy-to-redis", "--data", data, "--redis", redis.URL())
	must(t, "default: all ", append(since, "--redis", redis.URL(), "--master-key-file", filepath.Join(data, "master.key"))...)

	for lines, want := range map[string]string{"": "is empty", "nothing of ours\n": "no line that begins with", "seal: -/-:1:x\n": "is no mark of events"} {
		if err := os.WriteFile(said+".other", []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, want, append(verify, "--since", said+".other")...)
	}

	alter(t, data)
	refused(t, "default: event ev_", verify...)
}

// TestEventsVerifyARollback puts a backup back, and holds that what was noted after it tells so.
func TestEventsVerifyARollback(t *testing.T) {
	folder := t.TempDir()
	data, backup, said := filepath.Join(folder, "postern-data"), filepath.Join(folder, "postern-backup.db"), filepath.Join(folder, "said")
	verify := []string{"events", "verify", "--data", data}
	server := dev(t, "--json", "--data", data)
	server.facts(t)
	server.interrupt(t)
	keep(t, said, verify...)
	must(t, "They are of use only with", "backup", backup, "--data", data)
	must(t, "has new signing keys", "key", "rotate", "--data", data)
	later := said + ".later"
	keep(t, later, verify...)
	if err := os.Rename(backup, filepath.Join(data, "postern.db")); err != nil {
		t.Fatal(err)
	}
	must(t, "default: all ", append(verify, "--since", said)...)
	refused(t, "newer ones were removed", append(verify, "--since", later)...)
}

// keep runs the binary and writes what it says to a file.
func keep(t *testing.T, file string, args ...string) {
	t.Helper()
	out, err := postern(t, args...)
	if err != nil {
		t.Fatalf("postern %v = %v: %s", args, err, out)
	}
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
}

// alter changes when the first event of a realm was made, in the store in a data folder.
func alter(t *testing.T, data string) {
	t.Helper()
	store, err := boltstore.Open(boltstore.Options{Path: filepath.Join(data, "postern.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	realms, err := store.Range(t.Context(), core.Range{Index: core.Index{Name: "realms"}, Limit: 1})
	if err != nil || len(realms) != 1 {
		t.Fatalf("the store has realms %q, %v; want one", realms, err)
	}
	_, realm, _ := strings.Cut(realms[0], "\x00")
	events, err := store.Range(t.Context(), core.Range{Index: core.Index{Name: "er:" + realm}, Limit: 1})
	if err != nil || len(events) != 1 {
		t.Fatalf("the store has events %q, %v; want one", events, err)
	}
	_, id, _ := strings.Cut(events[0], "\x00")
	key := core.Key{Name: "e:ev_" + id}
	recs, err := store.Get(t.Context(), key)
	if err != nil || recs[0].Version == 0 {
		t.Fatalf("the store has no record %s, %v", key.Name, err)
	}
	altered := []byte(strings.Replace(string(recs[0].Value), `"at":`, `"at":1`, 1))
	_, err = store.Apply(t.Context(), &core.Transaction{ID: "altered", Now: time.Now(), Put: []core.Put{{Name: key.Name, Value: altered, Schema: recs[0].Schema}}})
	if err != nil {
		t.Fatal(err)
	}
}
