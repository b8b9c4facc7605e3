package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAPTKeyAsDocumented pastes the first block of docs/account-providers.md into a shell, and makes a user with the APT that it ends with.
func TestAPTKeyAsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/account-providers.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/account-providers.md has no block to paste")
	}
	facts := dev(t, "--json", "--data", filepath.Join(t.TempDir(), "data")).facts(t)
	shell := exec.Command("bash", "-c", "set -eu\n"+string(block[1])+
		`curl -s $API/users -H "Authorization: Bearer $APT" -H "Content-Type: application/json" -d '{"user":{"arbitrary_id":"customer-7"}}'`)
	shell.Dir = t.TempDir()
	shell.Env = append(os.Environ(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"), "API="+facts.APIURL, "KEY="+*facts.ManagementKey, "REALM=default", "no_proxy=*")
	out, err := shell.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"object":"apt_key"`) || !strings.Contains(string(out), `"arbitrary_id":"customer-7"`) || !strings.Contains(string(out), `"token":"ey`) {
		t.Errorf("the first block of docs/account-providers.md: %v\n%s", err, out)
	}
}

// TestDocsCallWhatIsThere holds that each call of the program in the documentation has a command and flags that it knows.
func TestDocsCallWhatIsThere(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range regexp.MustCompile("(?:(?m:^)(?: {4})?|`|\\()postern ([a-z][^`#>|)\n]*)").FindAllSubmatch(text, -1) {
			calls++
			args := strings.Fields(string(call[1]))
			out, err := command(t, append(args, "value", "--help")...).CombinedOutput() // the value of a flag that is named alone
			if err != nil || !strings.Contains(string(out), "Usage:\n  postern "+args[0]) {
				t.Errorf("%s: postern %s: %v\n%.300s", page, call[1], err, out)
			}
		}
	}
	if calls < 40 {
		t.Errorf("the documentation calls the program %d times; want all its calls found", calls)
	}
}
