package guard_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/postern-auth/postern/guard"
)

// TestDocsAreWhole holds that docs/guard.md speaks of every setting and field.
func TestDocsAreWhole(t *testing.T) {
	text, err := os.ReadFile("../docs/guard.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range slices.Concat(guard.Words(), guard.FieldNames()) {
		if !strings.Contains(string(text), "`"+word) && !strings.Contains(string(text), "\n"+word+":") && word != "realm" {
			t.Errorf("docs/guard.md does not speak of %s", word)
		}
	}
}
