package redistest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Environment names the variable with the URL of a running server to test against.
const Environment = "POSTERN_TEST_REDIS"

// kinds are the servers looked for, the one to prefer first.
var kinds = []string{"redis", "valkey"}

// find returns the path of a server of the given kind, "" if there is none.
func find(kind string) string {
	name := kind + "-server"
	if root := moduleRoot(); root != "" {
		fetched := filepath.Join(root, ".cache", "redis", name)
		if info, err := os.Stat(fetched); err == nil && info.Mode()&0o111 != 0 {
			return fetched
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

// moduleRoot returns the folder with go.mod at or above the one that the test runs in, "" if there is none.
func moduleRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// missing skips the test, or fails it where CI=true, because there is no server to test against.
func missing(t testing.TB) {
	t.Helper()
	const why = "NOT TESTED: no Redis server; run scripts/fetch-redis, install redis-server, or set " + Environment
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}
