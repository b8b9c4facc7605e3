package main_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/postern-auth/postern/internal/redistest"
)

// TestBackup backs a server up that is being written to, loses the data, and restores it as docs/backup.md says: who was there at the moment of
// the backup is there again, with their session.
func TestBackup(t *testing.T) {
	folder := t.TempDir()
	data, backup := filepath.Join(folder, "postern-data"), filepath.Join(folder, "postern-backup.db")
	refused(t, "there is no data yet", "backup", backup, "--data", data)
	if _, err := os.Stat(data); err == nil {
		t.Error("a backup of what is not there makes it")
	}
	server := dev(t, "--json", "--data", data)
	facts := server.facts(t)
	token := createUser(t, facts)
	busy, stop := make(chan int, 1), make(chan struct{})
	go func() {
		made := 0
		for c := (&crashed{T: t, facts: facts, http: http.DefaultClient}); t.Context().Err() == nil; made++ {
			select {
			case <-stop:
				busy <- made
				return
			default:
				c.manage("POST", "/orgs", `{"org":{"name":"made meanwhile"}}`)
			}
		}
	}()
	for range 3 { // each in the place of the one before
		must(t, "They are of use only with the master key, "+filepath.Join(data, "master.key"), "backup", backup, "--data", data)
	}
	close(stop)
	if made := <-busy; made == 0 {
		t.Error("nothing was written meanwhile")
	}
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup's mode = %v, %v; want 0600", info.Mode(), err)
	}
	c := &crashed{T: t, facts: facts, http: http.DefaultClient}
	if status, _ := c.manage("POST", "/users", `{"user":{"user_type":"human","username":"late","email":"late@example.com","password":"`+crashPassword+`"}}`); status != http.StatusCreated {
		t.Fatalf("create a user = %d", status)
	}
	_, late := c.manage("POST", "/users/late/authenticate", `{"password":"`+crashPassword+`"}`)
	if status, _ := fetch(t, facts.GuardURL, late.Token); status != http.StatusOK {
		t.Errorf("a session from after the backup = %d before restoring it; want 200", status)
	}
	server.interrupt(t)

	if err := os.Rename(filepath.Join(data, "master.key"), filepath.Join(folder, "master.key.copy")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "postern.db"), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	restore(t, folder)
	server = dev(t, "--json", "--data", data)
	facts = server.facts(t)
	if status, _ := fetch(t, facts.GuardURL, token); status != http.StatusOK {
		t.Errorf("a session from before the backup = %d after restoring it; want 200", status)
	}
	if status, _ := fetch(t, facts.GuardURL, late.Token); status != http.StatusUnauthorized {
		t.Errorf("a session from after the backup = %d after restoring it; want 401", status)
	}
	server.interrupt(t)

	must(t, "They are of use only with", "backup", backup, "--data", data)
	file, err := os.ReadFile(backup)
	if out, failed := command(t, "backup", "-", "--data", data).Output(); failed != nil || err != nil || !bytes.Equal(out, file) {
		t.Errorf("backup - = %v with %d bytes; want the %d that a file gets", failed, len(out), len(file))
	}
	refused(t, "means of its own", "backup", backup, "--data", data, "--redis", "redis://127.0.0.1:1/0")
	refused(t, "cannot write", "backup", filepath.Join(folder, "nowhere", "x"), "--data", data)
}

// restore runs what docs/backup.md says to run.
func restore(t *testing.T, folder string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/backup.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)## Restore it.*?```sh\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("docs/backup.md does not say how to restore")
	}
	sh := exec.Command("sh", "-ec", string(block[1]))
	sh.Dir = folder
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", block[1], err, out)
	}
}

// TestCopyToRedis goes on over Redis with what was in the embedded store.
func TestCopyToRedis(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	redis := redistest.Start(t, "appendonly yes")
	copied := []string{"copy-to-redis", "--data", data, "--redis", redis.URL()}
	refused(t, "there is no data to copy", copied...)
	server := dev(t, "--json", "--data", data)
	facts := server.facts(t)
	token := createUser(t, facts)
	refused(t, "in use by another Postern process", copied...)
	server.interrupt(t)
	refused(t, "name the Redis", copied[:3]...)
	refused(t, "not fit to keep users", append(copied[:4:4], redistest.Start(t).URL())...)
	must(t, "Start servers over that with the same master key, "+filepath.Join(data, "master.key"), copied...)
	refused(t, "nothing was copied to Redis: there is Postern data already", copied...)

	server = dev(t, "--json", "--data", data, "--redis", redis.URL())
	after := server.facts(t)
	if after.RealmID != facts.RealmID {
		t.Errorf("the realm over Redis is %s; want %s", after.RealmID, facts.RealmID)
	}
	if status, _ := fetch(t, after.GuardURL, token); status != http.StatusOK {
		t.Errorf("a session from before the copy = %d; want 200", status)
	}
	server.interrupt(t)
}
