package client_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/client"
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

// TestDocsTellAll holds that docs/client.md names every service, and each method that not all have.
func TestDocsTellAll(t *testing.T) {
	page, err := os.ReadFile("../docs/client.md")
	if err != nil {
		t.Fatal(err)
	}
	common := []string{"List", "All", "Get", "Create", "Update", "Delete"}
	for service := range services(&client.Client{}) {
		names := []string{service.Type().Elem().Name()}
		for i := range service.Type().NumMethod() {
			if name := service.Type().Method(i).Name; !slices.Contains(common, name) {
				names = append(names, name)
			}
		}
		for _, name := range names {
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/client.md does not name %s of %s", name, names[0])
			}
		}
	}
}
