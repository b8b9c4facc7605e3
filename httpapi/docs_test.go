package httpapi_test

import (
	"cmp"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// asDocumented runs the lines of a page that call the API in a shell, in order, with what said gives in the place of each, and holds each
// answer against the comment below the line: its status, and what else it has. heard gets the answers. A page may say what api does.
func (w *world) asDocumented(page string, said func(line string) string, heard func(answer string), env ...string) {
	w.Helper()
	text, err := os.ReadFile("../docs/" + page)
	w.must(err)
	prelude := regexp.MustCompile(`(?m)^api\(\) .*$`).FindString(string(text))
	lines := regexp.MustCompile("(?m)^((?:curl -i|api) .*)\n# (\\d+)(?:, (.*))?$").FindAllStringSubmatch(string(text), -1)
	if all := regexp.MustCompile("(?m)^(curl|api) ").FindAllString(string(text), -1); len(lines) != len(all) || len(lines) < 6 {
		w.Fatalf("%d lines to run; want all %d", len(lines), len(all))
	}
	for _, line := range lines {
		command, status, part := said(line[1]), line[2], said(line[3])
		run := exec.CommandContext(w.ctx, "bash", "-c", "set -u\n"+prelude+"\n"+command)
		run.Env = append(os.Environ(), append(env, "API="+w.server.URL+"/v1", "no_proxy=*")...)
		out, err := run.Output()
		if err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 "+status+" ") || !strings.Contains(strings.ToLower(string(out)), strings.ToLower(part)) {
			w.Errorf("%s\n= %s, %v; want %s %s", command, out, err, status, part)
		}
		heard(string(out))
	}
}

// TestUsersAsDocumented runs docs/users.md.
func TestUsersAsDocumented(t *testing.T) {
	w := newWorld(t)
	w.asDocumented("users.md", func(line string) string { return line }, func(string) {}, "KEY="+w.key, "REALM="+string(w.realm.ID))
}

// TestSafeWritesAsDocumented runs docs/safe-writes.md, with the tag that the server gave in the place of the one that the page shows.
func TestSafeWritesAsDocumented(t *testing.T) {
	w := newWorld(t)
	w.human("ann")
	shown := regexp.MustCompile(`"[\w-]{22}"`)
	tag := ""
	w.asDocumented("safe-writes.md", func(line string) string { return shown.ReplaceAllLiteralString(line, tag) },
		func(answer string) { tag = cmp.Or(tag, shown.FindString(answer)) }, "KEY="+w.key, "REALM="+string(w.realm.ID))
}

// TestAccountProvidersAsDocumented runs docs/account-providers.md, with the session token that the first answer has.
func TestAccountProvidersAsDocumented(t *testing.T) {
	w := newWorld(t)
	token := ""
	w.asDocumented("account-providers.md", func(line string) string { return strings.ReplaceAll(line, "$TOKEN", token) },
		func(answer string) { token = cmp.Or(token, tokenShape.FindString(answer)) }, "APT="+w.apt(""), "APT_7="+w.apt("customer-7"))
}
