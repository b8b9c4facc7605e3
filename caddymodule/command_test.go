package caddymodule

import (
	"context"
	"encoding/base64"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/postern-auth/postern/client"
	"github.com/postern-auth/postern/internal/proctest"
)

// caddy runs a command of the program caddy, and returns what it prints and what it complains about.
func (w *world) caddy(args ...string) (said, complaint string, err error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(os.Environ(), beCaddy+"=1")
	c.Dir = w.TempDir()
	var complaints strings.Builder
	c.Stderr = &complaints
	out, err := c.Output()
	return strings.TrimSpace(string(out)), complaints.String(), err
}

// commands runs a command that must succeed and say want, and returns what it says.
func (w *world) commands(want string, args ...string) string {
	w.Helper()
	said, complaint, err := w.caddy(args...)
	if err != nil || !strings.Contains(said, want) {
		w.Fatalf("caddy %s = %v: %q, %s; want %q", strings.Join(args, " "), err, said, complaint, want)
	}
	return said
}

// refuses runs a command that must fail and complain about want.
func (w *world) refuses(want string, args ...string) {
	w.Helper()
	if said, complaint, err := w.caddy(args...); err == nil || !strings.Contains(complaint, want) {
		w.Errorf("caddy %s = %v: %q, %s; want it refused: %q", strings.Join(args, " "), err, said, complaint, want)
	}
}

// TestCommandsShowExamples holds that the help of each command shows how to call it, as a command of Caddy.
func TestCommandsShowExamples(t *testing.T) {
	root := &cobra.Command{Use: "postern"}
	addCommands(root)
	all := 0
	for left := root.Commands(); len(left) > 0; left = left[1:] {
		c := left[0]
		if left = append(left, c.Commands()...); c.HasSubCommands() {
			continue
		}
		all++
		for line := range strings.SplitSeq(c.Example, "\n") {
			if !strings.HasPrefix(line, "  caddy "+c.CommandPath()) || strings.Contains(line, " --key-file ") != strings.Contains(line, " --api ") {
				t.Errorf("%s shows %q; want a call of Caddy, with the address of the API where it takes one", c.CommandPath(), line)
			}
		}
	}
	if all < 12 {
		t.Errorf("only %d commands were found", all)
	}
}

// TestCaddyCommands has 'caddy postern' work on the data that a Caddyfile names: with Caddy running over the embedded store,
// and by itself afterwards.
func TestCaddyCommands(t *testing.T) {
	w := newWorld(t)
	p := w.settle()
	admin := proctest.Free(t)
	config := withAdmin(w.config("postern {\n\t\tdata "+w.folder+"\n\t}", guarded), admin)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(config)
	w.get("/", p.tokens.Valid).seen(t)
	w.eventually("the control socket is there", func() bool { _, err := os.Stat(filepath.Join(w.folder, "control.sock")); return err == nil })
	w.commands("Realm default has new signing keys.", "postern", "key", "rotate", "--config", file)
	key := w.commands("ko_", "postern", "key", "management", "--config", file)
	if got := w.get("/v1/realms/"+string(p.realm.ID), key); got.status != http.StatusOK {
		t.Errorf("a key that was made by command = %+v; want 200", got)
	}
	w.commands("default: all ", "postern", "events", "verify", "--config", file)
	w.commands("keys are sealed under the new master key", "postern", "key", "rotate-master", "--config", file)
	w.commands("allow", "postern", "explain", "GET", "http://"+w.site+"/page", "--token", p.tokens.Valid, "--config", file)
	w.commands("deny, 401", "postern", "explain", "GET", "http://"+w.site+"/page", "--address", admin)
	w.commands(`"answers": true`, "postern", "status", "--config", file)

	keyFile, export := filepath.Join(t.TempDir(), "key"), filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(keyFile, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	call := []string{"--api", "http://" + w.site + "/v1", "--key-file", keyFile}
	w.commands("", append([]string{"postern", "export", "-o", export}, call...)...)
	w.commands("0 users made, 5 were there already, 0 failed.", append([]string{"postern", "import", export}, call...)...)

	w.load(withAdmin(w.config("", "respond ok"), admin))
	w.refuses("does not use Postern", "postern", "status", "--address", admin)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	w.commands("ko_", "postern", "key", "management", "--config", file)
	w.refuses("this asks the admin API of the running Caddy", "postern", "status", "--config", file)
	w.refuses("realm not found", "postern", "key", "rotate", "--realm", "nowhere", "--config", file)
	w.refuses("no such file", "postern", "key", "rotate", "--config", "/nowhere/Caddyfile")
	if err := os.Truncate(filepath.Join(w.folder, storeFile), 0); err != nil {
		t.Fatal(err)
	}
	w.refuses("postern.db is empty", "postern", "key", "management", "--config", file)
}

// TestCaddyCommandsElsewhere has them work on nothing, on data in Redis, and on no data.
func TestCaddyCommandsElsewhere(t *testing.T) {
	w := newWorld(t)
	w.refuses("master.key", "postern", "key", "management") // nothing was set up, and nothing is now
	if _, err := os.Stat(w.folder); err == nil {
		t.Error("a command that was refused made a data folder")
	}
	private, _, err := client.GenerateAPTKey()
	if err != nil {
		t.Fatal(err)
	}
	provider := filepath.Join(t.TempDir(), "provider.pem")
	if err := os.WriteFile(provider, private, 0o600); err != nil {
		t.Fatal(err)
	}
	apt := w.commands(".", "postern", "apt", "sign", "--key", provider, "--environment", "5a1b")
	head, _, _ := strings.Cut(apt, ".")
	if text, err := base64.RawURLEncoding.DecodeString(head); err != nil || !strings.Contains(string(text), `"alg"`) {
		t.Errorf("apt sign = %q", apt)
	}
	w.commands("in a Caddyfile:", "postern", "hash", "calibrate", "--longest", "1ms")

	w.useRedis()
	w.load(w.config(overRedis, guarded))
	token := w.signedIn()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(w.config(overRedis, guarded)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.commands("Realm default has new signing keys.", "postern", "key", "rotate", "--config", file)
	w.refuses("name the file with the new master key", "postern", "key", "rotate-master", "--config", file)

	// The key is replaced, as docs/caddy.md says: the configuration names both.
	t.Setenv("TEST_FORMER_KEY", os.Getenv("TEST_MASTER_KEY"))
	t.Setenv("TEST_MASTER_KEY", strings.Repeat("a5", 32))
	both := w.config(strings.Replace(overRedis, "postern {", "postern {\n\t\tformer_master_key {env.TEST_FORMER_KEY}", 1), guarded)
	if err := os.WriteFile(file, []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	w.load(both)
	w.commands("keys are sealed under the new master key, of the configuration", "postern", "key", "rotate-master", "--config", file)
	w.load(w.config(overRedis, guarded)) // the new one alone
	w.eventually("all is well", func() bool { return w.get("/v1/users/me", token).status == http.StatusOK })
}
