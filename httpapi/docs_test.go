package httpapi_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestSafeWritesAsDocumented runs the lines of docs/safe-writes.md in a shell, in order, with the tag that the server gave in the
// place of the one that the page shows, and holds each against the comment below it: its status, and a header.
func TestSafeWritesAsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/safe-writes.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.human("ann")
	lines := regexp.MustCompile("(?m)^(curl -i .*)\n# (\\d+)(?:, (.*))?$").FindAllStringSubmatch(string(text), -1)
	if len(lines) != strings.Count(string(text), "curl ") || len(lines) < 6 {
		t.Fatalf("%d lines to run; want all %d", len(lines), strings.Count(string(text), "curl "))
	}
	shown := regexp.MustCompile(`"[\w-]{22}"`)
	tag := ""
	for _, line := range lines {
		command, status, header := shown.ReplaceAllLiteralString(line[1], tag), line[2], shown.ReplaceAllLiteralString(line[3], "")
		run := exec.CommandContext(w.ctx, "bash", "-c", "set -u; "+command)
		run.Env = append(os.Environ(), "API="+w.server.URL+"/v1", "KEY="+w.key, "REALM="+string(w.realm.ID), "no_proxy=*")
		out, err := run.Output()
		if err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 "+status+" ") || !strings.Contains(strings.ToLower(string(out)), strings.ToLower(header)) {
			t.Errorf("%s\n= %s, %v; want %s %s", command, out, err, status, header)
		}
		if got := shown.FindString(string(out)); tag == "" {
			tag = got
		}
	}
}

// TestUsersAsDocumented runs the lines of docs/users.md in a shell, in order, and holds each answer against the comment below it: its status, and a piece of it.
func TestUsersAsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/users.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	prelude := regexp.MustCompile(`(?m)^api\(\) .*$`).FindString(string(text))
	lines := regexp.MustCompile("(?m)^(api .*)\n# (\\d+)(?:, (.*))?$").FindAllStringSubmatch(string(text), -1)
	if want := strings.Count(string(text), "\napi "); len(lines) != want || want < 8 || prelude == "" {
		t.Fatalf("%d lines to run after %q; want all %d", len(lines), prelude, want)
	}
	for _, line := range lines {
		run := exec.CommandContext(w.ctx, "bash", "-c", "set -u; "+prelude+"; "+line[1])
		run.Env = append(os.Environ(), "API="+w.server.URL+"/v1", "KEY="+w.key, "REALM="+string(w.realm.ID), "no_proxy=*")
		out, err := run.Output()
		if err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 "+line[2]+" ") || !strings.Contains(string(out), line[3]) {
			t.Errorf("%s\n= %s, %v; want %s %s", line[1], out, err, line[2], line[3])
		}
	}
}
