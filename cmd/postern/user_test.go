package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUserByCommand makes a user with 'postern user', who signs in, gets a new password and signs in with that; and is refused, in a sentence,
// what the API refuses.
func TestUserByCommand(t *testing.T) {
	facts := dev(t, "--json", "--data", filepath.Join(t.TempDir(), "data")).facts(t)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(*facts.ManagementKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &crashed{T: t, facts: facts, http: http.DefaultClient}
	const first, second = "four words make it long", "another four words for it"
	for _, tt := range []struct {
		args  string
		typed string
		fails bool
		want  string
		in    string // a password that ann signs in with afterwards; "" = she is not there
	}{
		{"add ann@example.com --username ann", first + "\r\nmore", false, "ann@example.com can sign in as ann.", first},
		{"add ann@example.com", first, true, "postern: Username has already been taken", first},
		{"add bob@example.com", "short\n", true, "postern: Password is too short (minimum is 15 characters)", first},
		{"add bob@example.com", "", true, "a password is needed, as the first line of standard input", first},
		{"add bob@example.com --last-name Li", first, false, "bob@example.com can sign in as bob@example.com.", first},
		{"password ann", "", true, "a password is needed", first},
		{"password ann", second, false, "ann has a new password. All their sessions have ended.", second},
		{"password nobody", second, true, "postern: User not found", second},
		{"password nobody --realm nowhere", second, true, "postern: Realm not found", second},
	} {
		call := command(t, append(strings.Fields("user "+tt.args), "--api", facts.APIURL, "--key-file", key)...)
		call.Stdin = strings.NewReader(tt.typed)
		out, err := call.CombinedOutput()
		if (err != nil) != tt.fails || !strings.Contains(string(out), tt.want) {
			t.Errorf("postern user %s = %v: %q; want %q", tt.args, err, out, tt.want)
		}
		body, _ := json.Marshal(map[string]string{"password": tt.in})
		if status, answer := c.manage("POST", "/users/ann/authenticate", string(body)); status != http.StatusOK || answer.Token == "" {
			t.Errorf("after postern user %s, ann signs in = %d; want 200", tt.args, status)
		}
	}
}

// TestHelp asks every command for help, which says what it does and names its flags, and shows the more telling ones in use.
func TestHelp(t *testing.T) {
	for _, command := range []string{"dev", "serve", "check", "explain", "user add", "user password", "import", "export", "backup", "copy-to-redis",
		"events verify", "apt sign"} {
		if out, err := postern(t, append(strings.Fields(command), "--help")...); err != nil || !strings.Contains(out, "Examples:\n  postern "+command) {
			t.Errorf("postern %s --help = %v: %q; want an example", command, err, out)
		}
	}
	must(t, "Exit codes: 0 for success", "--help")
	for args, want := range map[string]string{
		"key":         "Usage:\n  postern key\n",
		"hash --help": "Usage:\n  postern hash\n",
	} {
		must(t, want, strings.Fields(args)...)
	}
	for args, want := range map[string]string{
		"key forge":                           `unknown command "forge" for "postern key"; it has rotate, rotate-master, management`,
		"events forge --all":                  "unknown flag: --all",
		"explain GET":                         `use it as: postern explain METHOD URL [flags]; "postern explain --help" says more`,
		"backup":                              "use it as: postern backup FILE [flags]",
		"serve":                               "upstream, the app to guard, is not set; name it as in --upstream",
		"explain GET / --data " + t.TempDir(): "or where the data is in Redis, that with --redis",
	} {
		refused(t, want, strings.Fields(args)...)
	}
}

// TestUserWithoutServer names the program once where the API cannot be reached.
func TestUserWithoutServer(t *testing.T) {
	c := command(t, "user", "password", "ann", "--api", "http://127.0.0.1:1")
	c.Env, c.Stdin = append(os.Environ(), "POSTERN_MANAGEMENT_KEY=ko_nobodys"), strings.NewReader("four words make it long\n")
	out, err := c.CombinedOutput()
	if err == nil || strings.Count(string(out), "postern: ") != 1 || !strings.Contains(string(out), "the server cannot be reached") {
		t.Errorf("postern user without a server: %v, %q; want that it cannot be reached", err, out)
	}
}
