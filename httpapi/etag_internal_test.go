package httpapi

import (
	"slices"
	"strings"
	"testing"
)

// FuzzTags holds that what is read of If-Match is what was sent, tag by tag, and that the list read back is the same.
func FuzzTags(f *testing.F) {
	for _, seed := range []string{`*`, `"a"`, `"a", W/"b","c"`, `W/"a`, `a`, ``, ` , ,"a,b" `, `"a" "b"`, `*, "a"`, "\"\x7f\"", `W/`, `w/"a"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := parseTags([]string{line})
		if got.any && strings.Trim(line, " \t") != "*" {
			t.Errorf("parseTags(%q) matches anything", line)
		}
		for _, tag := range got.list {
			if !strings.Contains(line, tag) || tagEnd(tag) != len(tag) {
				t.Errorf("parseTags(%q) has %q, which is not a tag that was sent", line, tag)
			}
		}
		again := parseTags(got.list)
		if !got.any && !slices.Equal(again.list, got.list) {
			t.Errorf("parseTags(%q) = %q, which reads back as %q", line, got.list, again.list)
		}
	})
}
