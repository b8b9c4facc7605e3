package sidecar

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestSettingsAreDocumented holds that docs/sidecar.md lists the settings as they are.
func TestSettingsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/sidecar.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, s := range Settings {
		value := s.Default
		if value != "" {
			value += " "
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s|\n", s.Name, s.Usage, value)
	}
	if !strings.Contains(string(text), want.String()) {
		t.Errorf("docs/sidecar.md should have these lines:\n%s", want.String())
	}
}

// TestExampleLoads loads the configuration that docs/sidecar.md shows.
func TestExampleLoads(t *testing.T) {
	text, err := os.ReadFile("../docs/sidecar.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
	if example == nil {
		t.Fatal("there is no example")
	}
	o, err := Load(Source{File: configured(t, string(example[1]))})
	if err != nil || o.TLSKey == "" || !o.AccessLog {
		t.Errorf("Load = %+v, %v", o, err)
	}
}

// TestGuardSnippetsLoad loads every configuration that docs/guard.md and docs/issuers.md show.
func TestGuardSnippetsLoad(t *testing.T) {
	for _, file := range []string{"../docs/guard.md", "../docs/issuers.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		snippets := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
		if len(snippets) < 4 {
			t.Fatalf("%s has %d configurations; want more", file, len(snippets))
		}
		for _, s := range snippets {
			if _, err := Load(Source{File: configured(t, string(s[1]))}); err != nil {
				t.Errorf("%s\nis refused: %v", s[1], err)
			}
		}
	}
}
