package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/demo"
	"github.com/postern-auth/postern/internal/proctest"
	"github.com/postern-auth/postern/internal/redistest"
)

// program is the binary under test.
var program string

// patience is how long a test waits for what the program ought to do soon, on however busy a machine.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "postern-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		http.DefaultClient.Timeout = patience
		program = filepath.Join(dir, "postern")
		if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			fmt.Printf("go build: %v\n%s", err, out)
			return 1
		}
		return redistest.Main(m)
	}())
}

// running is a started 'postern dev'.
type running struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr *bytes.Buffer
}

// command is a call of the program, which is killed if it does not end by itself.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, program, args...)
}

// soon has a process killed that makes a test wait for longer than it should, until over is called: then the wait ends, and what it was for can be said.
func (r *running) soon() (over func() bool) {
	return time.AfterFunc(patience, func() { _ = r.cmd.Process.Kill() }).Stop
}

// wait waits until the process ends.
func (r *running) wait() error {
	defer r.soon()()
	return r.cmd.Wait()
}

// dev starts 'postern dev' on free ports.
func dev(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{cmd: exec.Command(program, append([]string{"dev", "--listen", "127.0.0.1:0"}, args...)...), stderr: &bytes.Buffer{}}
	r.cmd.Stderr = r.stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stdout = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	return r
}

// until reads what is printed, up to the line that has mark.
func (r *running) until(t *testing.T, mark string) string {
	t.Helper()
	defer r.soon()()
	var text strings.Builder
	for {
		line, err := r.stdout.ReadString('\n')
		text.WriteString(line)
		if strings.Contains(line, mark) {
			return text.String()
		}
		if err != nil {
			t.Fatalf("postern dev printed %q and on stderr %q; want a line with %q", text.String(), r.stderr, mark)
		}
	}
}

// facts reads the line that --json prints.
func (r *running) facts(t *testing.T) demo.Facts {
	t.Helper()
	var f demo.Facts
	if err := json.Unmarshal([]byte(r.until(t, "\n")), &f); err != nil {
		t.Fatalf("postern dev --json: %v", err)
	}
	return f
}

// interrupt ends it as Ctrl-C does, and asserts that it takes that well.
func (r *running) interrupt(t *testing.T) {
	t.Helper()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, r.stdout) }()
	if err := r.wait(); err != nil {
		t.Errorf("after Ctrl-C: %v; stderr %q; want exit code 0", err, r.stderr)
	}
}

// stores runs a test over each store, with the flags that name it.
func stores(t *testing.T, test func(t *testing.T, flags []string)) {
	t.Run("bolt", func(t *testing.T) { test(t, []string{"--data", filepath.Join(t.TempDir(), "it's a folder")}) })
	t.Run("redis", func(t *testing.T) {
		server := redistest.Start(t, "appendonly yes")
		test(t, []string{"--data", filepath.Join(t.TempDir(), "data"), "--redis", server.URL()})
	})
}

// pasted returns the commands of the walk as a script, which says where each block begins and leaves the last
// token in a file.
func pasted(walk string) string {
	var script strings.Builder
	for line := range strings.Lines(walk) {
		if text, ok := strings.CutPrefix(line, "     "); ok {
			script.WriteString(text)
		} else if regexp.MustCompile(`^  \d\. `).MatchString(line) {
			fmt.Fprintf(&script, "echo '=== %c'\n", line[2])
		}
	}
	return "set -u\n" + script.String() + "echo \"$TOKEN\" > token\n"
}

// TestWalk pastes every block that 'postern dev' prints into a shell, and looks at what each answers.
func TestWalk(t *testing.T) {
	stores(t, func(t *testing.T, flags []string) {
		r := dev(t, flags...)
		script := pasted(r.until(t, "Ctrl-C stops it"))
		shell := exec.Command("bash")
		shell.Dir = t.TempDir()
		shell.Stdin = strings.NewReader(script)
		out, err := shell.CombinedOutput()
		if err != nil {
			t.Fatalf("the walk: %v\n%s\n--- of ---\n%s", err, out, script)
		}
		answers := strings.Split(string(out), "=== ")
		if len(answers) != 10 {
			t.Fatalf("the walk has %d blocks; want 9\n%s", len(answers)-1, out)
		}
		for i, want := range []string{`^0\n$`, `HTTP/1.1 401`, `"token":"[^"]+"`, `Hello, user_\w+\. You are user usr_\w{22}\.`, `\n[\w-]+\.[\w-]+\.[\w-]+\n$`,
			`"credential_type":"password"[\s\S]*\n[\w-]+\.[\w-]+\.[\w-]+\n$`, `(?s)^6\n\r?.*204\n.*HTTP/1.1 401`, `Hello, user_\w+\.`,
			`ann@example.com can sign in as ann@example.com`} {
			if !regexp.MustCompile(want).MatchString(answers[i+1]) {
				t.Errorf("block %d of the walk answers\n%s\nwant %s", i, answers[i+1], want)
			}
		}
		r.interrupt(t)

		token, err := os.ReadFile(filepath.Join(shell.Dir, "token"))
		if err != nil {
			t.Fatal(err)
		}
		again := dev(t, append(flags, "--json")...)
		facts := again.facts(t)
		if facts.ManagementKey != nil {
			t.Error("the second start shows the management key again")
		}
		req, _ := http.NewRequest("GET", facts.GuardURL, nil)
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		res, err := http.DefaultClient.Do(req)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("a token from before the restart = %v, %v; want 200", res, err)
		}
		again.interrupt(t)
	})
}

// TestJSONFacts holds the line that scripts read.
func TestJSONFacts(t *testing.T) {
	r := dev(t, "--json", "--data", filepath.Join(t.TempDir(), "data"))
	var facts map[string]any
	if err := json.Unmarshal([]byte(r.until(t, "\n")), &facts); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"guard_url": `^http://127\.0\.0\.1:\d+$`, "api_url": `^http://127\.0\.0\.1:\d+/v1$`,
		"management_key": `^ko_\w{30}$`, "realm_id": `^rl_\w{22}$`, "environment_guid": `^[0-9a-f-]{36}$`, "apt_key_file": `\.pem$`} {
		text, _ := facts[name].(string)
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("%s = %v; want %s", name, facts[name], want)
		}
	}
	if len(facts) != 6 {
		t.Errorf("%d facts; want 6: %v", len(facts), facts)
	}
	r.interrupt(t)
}

// TestStartRefusals starts what cannot start: each must end non-zero with one clear sentence, and soon.
func TestStartRefusals(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	used := filepath.Join(t.TempDir(), "data")
	first := dev(t, "--json", "--data", used)
	first.facts(t)
	defer first.interrupt(t)

	locked := redistest.Start(t, "requirepass secret")
	idle := filepath.Join(t.TempDir(), "data") // set up by dev, and free again
	once := dev(t, "--json", "--data", idle)
	once.facts(t)
	once.interrupt(t)
	served := filepath.Join(t.TempDir(), "data") // set up by serve, its key taken away
	serveOnce(t, served)
	if err := os.Remove(filepath.Join(served, "management.key")); err != nil {
		t.Fatal(err)
	}
	keyless := filepath.Join(t.TempDir(), "data") // the same, and its master key lost
	serveOnce(t, keyless)
	if err := os.Remove(filepath.Join(keyless, "master.key")); err != nil {
		t.Fatal(err)
	}
	emptied := filepath.Join(t.TempDir(), "data") // the same, and all else lost
	serveOnce(t, emptied)
	if err := os.Truncate(filepath.Join(emptied, "postern.db"), 0); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "postern.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	goodKey := filepath.Join(t.TempDir(), "good")
	if err := os.WriteFile(goodKey, bytes.Repeat([]byte("a"), 64), 0o600); err != nil {
		t.Fatal(err)
	}

	fresh := func() string { return filepath.Join(t.TempDir(), "data") }
	badKey := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(badKey, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	openKey := filepath.Join(t.TempDir(), "open")
	if err := os.WriteFile(openKey, bytes.Repeat([]byte("0"), 64), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"port taken", []string{"dev", "--listen", taken.Addr().String(), "--data", fresh()}, "is taken by another program; stop it, or choose another address with --listen"},
		{"API port taken", []string{"dev", "--listen", "127.0.0.1:0", "--api-listen", taken.Addr().String(), "--data", fresh()}, "choose another address with --api-listen"},
		{"data in use", []string{"dev", "--listen", "127.0.0.1:0", "--data", used}, "in use by another Postern process"},
		{"bad master key", []string{"dev", "--listen", "127.0.0.1:0", "--data", fresh(), "--master-key-file", badKey}, "must be 32 random bytes in base64 or hex"},
		{"open master key", []string{"dev", "--listen", "127.0.0.1:0", "--data", fresh(), "--master-key-file", openKey}, "can be read by others; run: chmod 600"},
		{"no master key", []string{"serve", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--data", fresh(), "--redis", "redis://127.0.0.1:1"}, "a master key file is required"},
		{"redis away", []string{"dev", "--listen", "127.0.0.1:0", "--data", fresh(), "--redis", "redis://:hunter2@127.0.0.1:1"}, "cannot use Redis: dial tcp"},
		{"redis password", []string{"dev", "--listen", "127.0.0.1:0", "--data", fresh(), "--redis", "redis://:hunter2@" + locked.Addr()}, "cannot use Redis: WRONGPASS"},
		{"redis without password", []string{"dev", "--listen", "127.0.0.1:0", "--data", fresh(), "--redis", "redis://" + locked.Addr()}, "cannot use Redis: NOAUTH"},
		{"redis database", []string{"dev", "--listen", "127.0.0.1:0", "--data", fresh(), "--redis", "redis://:secret@" + locked.Addr() + "/99"}, "cannot use Redis: ERR DB index is out of range"},
		{"redis that forgets", []string{"serve", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--data", fresh(), "--redis", "redis://:secret@" + locked.Addr(), "--master-key-file", goodKey}, "is not fit to keep users"},
		{"another's data", []string{"dev", "--listen", "127.0.0.1:0", "--data", served}, "set up by something else than 'postern dev'"},
		{"another master key", []string{"dev", "--listen", "127.0.0.1:0", "--data", idle, "--master-key-file", goodKey}, "was sealed under another master key than the one given"},
		{"lost master key", []string{"serve", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--data", keyless}, "master.key is missing, and without it nobody can use the data"},
		{"emptied data", []string{"serve", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--data", emptied}, "postern.db is empty, and was not when its master.key was made; put a backup in its place"},
		{"emptied data, which is to be copied", []string{"copy-to-redis", "--data", emptied, "--redis", "redis://127.0.0.1:1"}, "postern.db is empty"},
		{"master key in a folder", []string{"dev", "--listen", "127.0.0.1:0", "--data", fresh(), "--master-key-file", keyless}, "is a folder; name the file in it"},
		{"data that is a folder", []string{"dev", "--listen", "127.0.0.1:0", "--data", folder}, "postern.db: is a directory"},
		{"socket that is a file", []string{"dev", "--listen", "unix:" + goodKey, "--api-listen", "off", "--data", fresh()}, "there is a file that is no socket; move it away"},
		{"socket with a long path", []string{"serve", "--listen", "unix:/" + strings.Repeat("x", 107), "--upstream", "http://127.0.0.1:1", "--data", fresh()}, "sockets have paths of 107 at most"},
		{"address of another machine", []string{"dev", "--listen", "203.0.113.7:8080", "--data", fresh()}, "203.0.113.7:8080 is no address of this machine; choose another with --listen"},
		{"flag twice", []string{"serve", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:1", "--upstream", "http://127.0.0.1:1"}, "it is there twice"},
		{"no such realm", []string{"serve", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--data", idle, "--realm", "nowhere"}, `there is no realm "nowhere" to guard for; there are default; choose one with --realm`},
		{"redis URL", []string{"dev", "--listen", "127.0.0.1:0", "--data", fresh(), "--redis", "http://:hunter2@127.0.0.1:1"}, "redis://"},
		{"no such flag", []string{"dev", "--lisen", "x"}, "unknown flag: --lisen; see 'postern dev --help'"},
		{"apt key missing", []string{"apt", "sign", "--key", "/nonexistent.pem", "--environment", "x"}, "cannot read the private key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := command(t, tt.args...)
			began := time.Now()
			out, err := cmd.CombinedOutput()
			exit, ok := err.(*exec.ExitError)
			if !ok || exit.ExitCode() != 1 || !strings.Contains(string(out), tt.want) || strings.Count(strings.TrimSpace(string(out)), "\n") > 1 {
				t.Errorf("postern %s = %v:\n%s\nwant exit code 1 and %q", strings.Join(tt.args, " "), err, out, tt.want)
			}
			if strings.Contains(string(out), "hunter2") {
				t.Errorf("the password is in the error:\n%s", out)
			}
			if d := time.Since(began); d > 20*time.Second {
				t.Errorf("took %s", d)
			}
		})
	}
}

// serveOnce starts 'postern serve' over a data folder and ends it.
func serveOnce(t *testing.T, data string) {
	t.Helper()
	r := served(t, "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--data", data)
	r.until(t, `"serving"`)
	r.interrupt(t)
}

// served starts 'postern serve', of which until reads the log.
func served(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{cmd: exec.Command(program, append([]string{"serve"}, args...)...), stderr: &bytes.Buffer{}}
	log, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	r.stdout = bufio.NewReader(log)
	return r
}

// TestKeyOutlivesPrinting starts dev with nowhere to print to: the management key must not be lost with that.
func TestKeyOutlivesPrinting(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full: %v", err)
	}
	defer full.Close()
	data := filepath.Join(t.TempDir(), "data")
	cmd := command(t, "dev", "--json", "--listen", "127.0.0.1:0", "--data", data)
	cmd.Stdout = full
	if err := cmd.Run(); err == nil {
		t.Error("postern dev > /dev/full = exit code 0")
	}
	again := dev(t, "--json", "--data", data)
	if facts := again.facts(t); facts.ManagementKey == nil {
		t.Error("the management key is lost: the second start does not show it")
	}
	again.interrupt(t)
}

// TestInterruptFinishesRequests lets a request be under way when Ctrl-C comes.
func TestInterruptFinishesRequests(t *testing.T) {
	entered, finish := make(chan struct{}), make(chan struct{})
	app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-finish
		_, _ = io.WriteString(w, "done")
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = app.Serve(l) }()
	defer app.Close()

	data := filepath.Join(t.TempDir(), "data")
	first := dev(t, "--json", "--data", data) // for its realm, a user and a token
	facts := first.facts(t)
	token := createUser(t, facts)
	first.interrupt(t)

	listen := proctest.Free(t)
	r := &running{cmd: exec.Command(program, "serve", "--listen", listen, "--api-listen", "127.0.0.1:0", "--upstream", "http://"+l.Addr().String(), "--data", data), stderr: &bytes.Buffer{}}
	r.cmd.Stderr = r.stderr
	r.stdout = bufio.NewReader(strings.NewReader(""))
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	answer := make(chan string, 1)
	go func() {
		req, _ := http.NewRequest("GET", "http://"+listen, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		for {
			res, err := http.DefaultClient.Do(req)
			if errors.Is(err, syscall.ECONNREFUSED) && t.Context().Err() == nil {
				time.Sleep(10 * time.Millisecond) // not listening yet
				continue
			}
			if err != nil {
				answer <- err.Error()
				return
			}
			body, err := io.ReadAll(res.Body)
			answer <- fmt.Sprintf("%d %s %v", res.StatusCode, body, err)
			return
		}
	}()
	select {
	case <-entered:
	case got := <-answer:
		t.Fatalf("the guard answered %q; want the app to be asked", got)
	case <-time.After(patience):
		t.Fatal("no request reached the app")
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // let the signal arrive before the app answers
	close(finish)
	if got := <-answer; got != "200 done <nil>" {
		t.Errorf("a request under way at the stop = %q; want 200 done", got)
	}
	if err := r.wait(); err != nil {
		t.Errorf("after SIGTERM: %v; stderr %q; want exit code 0", err, r.stderr)
	}
}

// createUser makes a user with an APT, as a back end would, and returns the token.
func createUser(t *testing.T, facts demo.Facts) string {
	t.Helper()
	apt, err := command(t, "apt", "sign", "--key", facts.APTKeyFile, "--environment", facts.EnvironmentGUID).Output()
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest("POST", facts.APIURL+"/users", strings.NewReader(`{"data":{"attributes":{"arbitrary_id":"somebody"},"type":"user"}}`))
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(apt)))
	req.Header.Set("Content-Type", "application/vnd.api+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Data struct{ Attributes struct{ Token string } }
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Data.Attributes.Token == "" {
		t.Fatalf("create user = %d, %v; want a token", res.StatusCode, err)
	}
	return answer.Data.Attributes.Token
}
