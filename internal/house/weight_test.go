package house_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSidecarLeavesOutUnusedMethods holds what keeps the sidecar a third smaller than it would be. Where anything that is linked
// calls methods by names that are known only when it runs, as the template packages do, the linker must keep every exported method
// of every type, which go-redis has thousands of.
func TestSidecarLeavesOutUnusedMethods(t *testing.T) {
	program := filepath.Join(t.TempDir(), "postern")
	if out, err := exec.Command("go", "build", "-o", program, module+"/cmd/postern").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	symbols, err := exec.Command("go", "tool", "nm", program).Output()
	if err != nil {
		t.Fatalf("go tool nm: %v", err)
	}
	linked := string(symbols)
	if !strings.Contains(linked, "redis/go-redis/v9.(*Client).Process") {
		t.Fatal("go tool nm lists no method of go-redis: this test looks at the wrong thing")
	}
	for _, method := range []string{"text/template.(*Template).Execute", "redis/go-redis/v9.(*Client).GeoSearch"} {
		if strings.Contains(linked, method) {
			t.Errorf("the sidecar links %s; -ldflags=-dumpdep says on behalf of whom", method)
		}
	}
}
