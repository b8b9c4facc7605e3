package caddymodule

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// postern builds the program, and returns what runs it: it must succeed and say want, and its answer is returned.
func (w *world) postern() func(want string, args ...string) string {
	w.Helper()
	program := filepath.Join(w.TempDir(), "postern")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/postern").CombinedOutput(); err != nil {
		w.Fatalf("go build: %v\n%s", err, out)
	}
	return func(want string, args ...string) string {
		w.Helper()
		ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			w.Fatalf("postern %s = %v: %q; want %q", strings.Join(args, " "), err, out, want)
		}
		return strings.TrimSpace(string(out))
	}
}

// TestCommands has Caddy carry out what the program postern is asked, since the file with the data is Caddy's alone; also after
// reloads, with the same engine and with another.
func TestCommands(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	postern := w.postern()
	w.load(w.config("", guarded))
	w.get("/", p.tokens.Valid).seen(t)
	w.eventually("the control socket is there, for its owner alone", func() bool { // it is opened beside the first request
		info, err := os.Stat(filepath.Join(w.folder, "control.sock"))
		return err == nil && info.Mode().Perm() == 0o600
	})
	postern("Realm default has new signing keys.", "key", "rotate", "--data", w.folder)
	postern("They are of use only with the master key", "backup", filepath.Join(w.TempDir(), "backup"), "--data", w.folder)
	for _, config := range []string{
		w.config("", guarded),
		w.config("", guarded+"\n\theader X-Version 2"),
		w.config("postern {\n\t\tmax_staleness 6s\n\t}", guarded),
		w.config("", guarded),
	} {
		w.load(config)
		w.get("/", p.tokens.Valid).seen(t)
		key := postern("ko_", "key", "management", "--data", w.folder)
		if got := w.get("/v1/realms/"+string(p.realm.ID), key); got.status != http.StatusOK {
			t.Errorf("a key that was made by command = %+v; want 200", got)
		}
	}
	before, err := os.ReadFile(filepath.Join(w.folder, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	visitors := w.visit(p.tokens.Valid, "/", "/v1/users/me")
	visitors.served()
	postern("keys are sealed under the new master key", "key", "rotate-master", "--data", w.folder)
	visitors.served()
	w.load(w.config("postern {\n\t\tmax_staleness 6s\n\t}", guarded)) // an engine that reads the new master key
	visitors.served()
	visitors.leave()
	if after, err := os.ReadFile(filepath.Join(w.folder, "master.key")); err != nil || string(after) == string(before) {
		t.Errorf("the master key is as it was, %v; want a new one", err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	postern("ko_", "key", "management", "--data", w.folder) // by itself, now that Caddy has ended
}

// masterKeyFile writes a master key to a file.
func (w *world) masterKeyFile(file, digit string) {
	w.Helper()
	if err := os.WriteFile(file, []byte(strings.Repeat(digit, 64)), 0o600); err != nil {
		w.Fatal(err)
	}
}

// refreshed returns a new token for the session of a token.
func (w *world) refreshed(token string) string {
	w.Helper()
	got := w.get("/v1/users/me", token)
	var user struct{ Token string }
	if err := json.Unmarshal([]byte(got.body), &user); err != nil || user.Token == "" || user.Token == token {
		w.Fatalf("/v1/users/me = %+v; want a new token", got)
	}
	return user.Token
}

// TestMasterKeyIsReplaced replaces the master key over Redis while the guard and the API are asked without pause: what is
// in the file that the environment names changes, and the configuration names the former one until all is sealed anew.
func TestMasterKeyIsReplaced(t *testing.T) {
	w := newWorld(t)
	server := w.useRedis()
	postern := w.postern()
	current, former := filepath.Join(t.TempDir(), "current"), filepath.Join(t.TempDir(), "former")
	w.masterKeyFile(current, "1")
	t.Setenv("POSTERN_MASTER_KEY_FILE", current)
	const alone = "postern {\n\t\tredis {env.POSTERN_REDIS_URL} {\n\t\t\tdurability none\n\t\t}\n\t}"
	both := strings.Replace(alone, "postern {", "postern {\n\t\tformer_master_key {file."+former+"}", 1)
	w.load(w.config(alone, guarded))
	token := w.signedIn()

	unseen := w.refreshed(token) // by the guard

	visitors := w.visit(token, "/", "/v1/users/me")
	visitors.served()
	w.masterKeyFile(former, "1")
	w.masterKeyFile(current, "2")
	w.load(w.config(both, guarded))
	visitors.served()
	postern("keys are sealed under the new master key", "key", "rotate-master", "--redis", server.URL(), "--master-key-file", former, "--new-master-key-file", current)
	visitors.served()
	w.load(w.config(alone, guarded))
	visitors.served()
	visitors.leave()

	// Sealed anew by somebody else, under a key that this Caddy does not know: nothing is said about who asks.
	other := filepath.Join(t.TempDir(), "other")
	w.masterKeyFile(other, "3")
	postern("keys are sealed under the new master key", "key", "rotate-master", "--redis", server.URL(), "--master-key-file", current, "--new-master-key-file", other)
	w.eventually("the API cannot know", func() bool { return w.get("/v1/users/me", token).status == http.StatusServiceUnavailable })
	for _, path := range []string{"/v1/users/me", "/"} {
		if got := w.get(path, unseen); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
			t.Errorf("%s under another master key = %+v; want 503 with Retry-After", path, got)
		}
	}
	if len(w.logged("sealed under master key")) == 0 {
		t.Error("the log does not say that there is another master key")
	}
	w.masterKeyFile(current, "3")
	w.load(w.config(alone, guarded)) // not changed by a letter
	w.eventually("all is well", func() bool {
		return w.get("/v1/users/me", token).status == http.StatusOK && w.get("/", token).status == http.StatusOK
	})
}
