package core

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestHostNames holds the rules for host names against the same rules as expressions, over all short texts of letters that matter and at
// the bounds of length.
func TestHostNames(t *testing.T) {
	label := regexp.MustCompile(`\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z`)
	name := regexp.MustCompile(`\A([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z`)
	texts := []string{"", "\n", "a\n", "ä", strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 63) + ".b", strings.Repeat("a.", 126) + "b", strings.Repeat("a.", 127) + "b"}
	for length := range 4 {
		for _, text := range slices.Clone(texts) {
			if len(text) == length {
				for _, c := range "a9-.Z" {
					texts = append(texts, text+string(c))
				}
			}
		}
	}
	for _, text := range texts {
		if got, want := isHostLabel(text), label.MatchString(text); got != want {
			t.Errorf("isHostLabel(%q) = %v; want %v", text, got, want)
		}
		if got, want := isHostName(text), len(text) <= 253 && name.MatchString(text); got != want {
			t.Errorf("isHostName(%q) = %v; want %v", text, got, want)
		}
	}
}
