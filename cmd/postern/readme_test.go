package main_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReadme holds what README says to what there is: each call of the program has flags that it knows, each file that it
// points to is there, each target is made, and the output that it shows is what the walk shows.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	calls := regexp.MustCompile(`(?m)^(?:[A-Z_]+=\S+ )*bin/postern ([^#\n]*)`).FindAllStringSubmatch(readme, -1)
	if len(calls) < 3 {
		t.Errorf("README calls bin/postern %d times; want all its calls found", len(calls))
	}
	for _, call := range calls {
		args := append(strings.Fields(call[1]), "--help")
		if out, err := command(t, args...).CombinedOutput(); err != nil {
			t.Errorf("README's bin/postern %s: %v\n%s", call[1], err, out)
		}
	}
	for _, link := range regexp.MustCompile(`(?:\]\(|src=")([A-Za-z][\w./-]*)[)"#]`).FindAllStringSubmatch(readme, -1) {
		if _, err := os.Stat("../../" + link[1]); err != nil {
			t.Errorf("README points to %s: %v", link[1], err)
		}
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range regexp.MustCompile("(?:^|[`\n])make ([a-z]+)").FindAllStringSubmatch(readme, -1) {
		if !strings.Contains(string(makefile), "\n"+target[1]+":") {
			t.Errorf("README says make %s, which the Makefile does not know", target[1])
		}
	}
}
