package assembly_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-auth/postern/internal/assembly"
)

// TestRealPath gives one folder all kinds of names, before it is there and after.
func TestRealPath(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(root, "var"), 0o700), os.Symlink("var", filepath.Join(root, "link"))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	want := filepath.Join(root, "var/lib/data")
	for range 2 {
		for _, name := range []string{want, want + "/", "var/lib/data", "./var//lib/data/.", "link/lib/data", filepath.Join(root, "link") + "/lib/x/../data/"} {
			if got, err := assembly.RealPath(name); got != want || err != nil {
				t.Errorf("RealPath(%q) = %q, %v; want %q", name, got, err, want)
			}
		}
		if err := os.MkdirAll(want, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("round", "round"); err != nil {
		t.Fatal(err)
	}
	if got, err := assembly.RealPath("link/../round/data"); err != nil || got != filepath.Join(root, "round/data") {
		t.Errorf("RealPath of a link to itself = %q, %v; want it as it is spelled", got, err)
	}
}
