package main_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/redistest"
)

// postern runs the binary and returns what it printed.
func postern(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := command(t, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// must runs the binary, which must succeed and say want.
func must(t *testing.T, want string, args ...string) {
	t.Helper()
	if out, err := postern(t, args...); err != nil || !strings.Contains(out, want) {
		t.Errorf("postern %s = %v: %q; want %q", strings.Join(args, " "), err, out, want)
	}
}

// refused runs the binary, which must fail and say want.
func refused(t *testing.T, want string, args ...string) {
	t.Helper()
	if out, err := postern(t, args...); err == nil || !strings.Contains(out, want) {
		t.Errorf("postern %s = %v: %q; want a failure with %q", strings.Join(args, " "), err, out, want)
	}
}

// fetch returns the body of a page that needs no key, or of the app with a token.
func fetch(t *testing.T, url, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// TestKeyRotate rotates the keys of a running server, over each store.
func TestKeyRotate(t *testing.T) {
	stores(t, func(t *testing.T, flags []string) {
		server := dev(t, append(flags, "--json")...)
		facts := server.facts(t)
		token := createUser(t, facts)
		rotate := append([]string{"key", "rotate"}, flags...)
		must(t, "Realm default has new signing keys.", rotate...)
		refused(t, "are about to sign", rotate...)
		refused(t, "realm not found", append(rotate, "--realm", "nowhere")...)
		if _, set := fetch(t, facts.APIURL+"/realms/"+facts.RealmID+"/.well-known/jwks.json", ""); strings.Count(set, `"kid"`) != 4 {
			t.Errorf("the key set after a rotation = %s; want four keys", set)
		}
		if status, _ := fetch(t, facts.GuardURL, token); status != http.StatusOK {
			t.Errorf("a token from before the rotation = %d; want 200", status)
		}
		server.interrupt(t)
	})
}

// TestKeyManagement makes a management key under a running server and after it, and uses both.
func TestKeyManagement(t *testing.T) {
	stores(t, func(t *testing.T, flags []string) {
		server := dev(t, append(flags, "--json")...)
		server.facts(t)
		command := append([]string{"key", "management"}, flags...)
		running, err := postern(t, command...)
		if err != nil {
			t.Fatalf("postern key management = %v: %s", err, running)
		}
		server.interrupt(t)
		stopped, err := postern(t, command...)
		if err != nil || stopped == running {
			t.Fatalf("postern key management, no server running = %v: %s", err, stopped)
		}
		server = dev(t, append(flags, "--json")...)
		facts := server.facts(t)
		for _, key := range []string{running, stopped} {
			if status, body := fetch(t, facts.APIURL+"/realms/"+facts.RealmID, key); status != http.StatusOK {
				t.Errorf("a key that was made by command = %d %s; want 200", status, body)
			}
		}
		server.interrupt(t)
	})
}

// TestKeyRotateMaster replaces the master key of the embedded store: by the server that runs over it, by the command itself, and
// after an interruption, which no server minds.
func TestKeyRotateMaster(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	current := filepath.Join(data, "master.key")
	key := func() string {
		text, err := os.ReadFile(current)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	rotate := []string{"key", "rotate-master", "--data", data}
	server := dev(t, "--json", "--data", data)
	facts := server.facts(t)
	token := createUser(t, facts)
	first := key()
	must(t, "default: all ", "events", "verify", "--data", data) // so that there is a key that events are sealed with
	must(t, "3 keys are sealed under the new master key", rotate...)
	if status, _ := fetch(t, facts.GuardURL, token); status != http.StatusOK {
		t.Errorf("a token under a server that replaced its master key = %d; want 200", status)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte(strings.Repeat("1", 64)), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, "does not have this key as its master key", append(rotate, "--new-master-key-file", other)...)
	server.interrupt(t)

	second := key()
	must(t, "3 keys are sealed under the new master key", rotate...)
	if third := key(); first == second || second == third || first == third {
		t.Errorf("the master keys are %q, %q and %q; want three", first, second, third)
	}

	// Interrupted between sealing and putting the new key in its place: a server knows both, and calling again mends it.
	if err := os.Rename(current, current+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(current, []byte(second), 0o600); err != nil {
		t.Fatal(err)
	}
	server = dev(t, "--json", "--data", data)
	if status, _ := fetch(t, server.facts(t).GuardURL, token); status != http.StatusOK {
		t.Errorf("a token from before = %d; want 200", status)
	}
	must(t, "0 keys", rotate...)
	server.interrupt(t)
	if _, err := os.Stat(current + ".new"); !os.IsNotExist(err) || key() == second {
		t.Errorf("after the mending there is still a new master key: %v", err)
	}
	must(t, "3 keys", rotate...)
}

// TestKeyRotateMasterRedis replaces the master key over Redis, under a server that knows both.
func TestKeyRotateMasterRedis(t *testing.T) {
	redis := []string{"--redis", redistest.Start(t, "appendonly yes").URL()}
	folder := t.TempDir()
	key := func(name, digit string) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(strings.Repeat(digit, 64)), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	old, fresh := key("old", "1"), key("new", "2")
	data := []string{"--data", filepath.Join(folder, "data")}
	first := dev(t, slices.Concat([]string{"--json", "--master-key-file", old}, data, redis)...)
	token := createUser(t, first.facts(t))
	first.interrupt(t)
	must(t, "default: all ", slices.Concat([]string{"events", "verify", "--master-key-file", old}, redis)...) // as above

	both := dev(t, slices.Concat([]string{"--json", "--master-key-file", fresh, "--former-master-key-file", old}, data, redis)...)
	facts := both.facts(t)
	refused(t, "--new-master-key-file", slices.Concat([]string{"key", "rotate-master", "--master-key-file", old}, redis)...)
	must(t, "3 keys are sealed", slices.Concat([]string{"key", "rotate-master", "--master-key-file", old, "--new-master-key-file", fresh}, redis)...)
	if status, _ := fetch(t, facts.GuardURL, token); status != http.StatusOK {
		t.Errorf("a token while the master key is replaced = %d; want 200", status)
	}
	both.interrupt(t)
	alone := dev(t, slices.Concat([]string{"--json", "--master-key-file", fresh}, data, redis)...)
	if status, _ := fetch(t, alone.facts(t).GuardURL, token); status != http.StatusOK {
		t.Errorf("a token under the new master key alone = %d; want 200", status)
	}
	alone.interrupt(t)
}
