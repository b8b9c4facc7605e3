package client_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goBlock is a piece of Go in a page.
var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// TestDocsAreRun holds that all Go in docs/client.md stands in an Example, which is run.
func TestDocsAreRun(t *testing.T) {
	page, err := os.ReadFile("../docs/client.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("example*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var examples strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		examples.Write(text)
	}
	blocks := goBlock.FindAllSubmatch(page, -1)
	if len(blocks) == 0 {
		t.Error("docs/client.md holds no Go")
	}
	for _, block := range blocks {
		var b strings.Builder
		for line := range strings.Lines(string(block[1])) {
			if line != "\n" {
				line = "\t" + line
			}
			b.WriteString(line)
		}
		if !strings.Contains(examples.String(), b.String()) {
			t.Errorf("docs/client.md shows what no Example runs:\n%s", block[1])
		}
	}
}
