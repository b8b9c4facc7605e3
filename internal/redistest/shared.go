package redistest

import (
	"os"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9/logging"
)

// shared holds the servers that all tests of this process use, by kind. They run until Main ends them.
var shared struct {
	sync.Mutex
	servers map[string]*Server
}

// Main runs the tests of a package that uses Shared or Each, ends the shared servers, and returns the
// exit code: func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }
// It silences the Redis client's own log, as the failures that tests bring about fill it.
func Main(m *testing.M) int {
	logging.Disable()
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	for _, s := range shared.servers {
		s.kill()
	}
	shared.servers = nil
	return code
}

// Shared returns a server that other tests use at the same time: keep to a key prefix of your own, and
// change no setting.
func Shared(t testing.TB) *Server {
	t.Helper()
	servers := available(t)
	if len(servers) == 0 {
		missing(t)
	}
	return servers[0]
}

// Each runs the test as a subtest over a shared server of every kind there is.
func Each(t *testing.T, test func(t *testing.T, s *Server)) {
	t.Helper()
	servers := available(t)
	if len(servers) == 0 {
		missing(t)
	}
	for _, s := range servers {
		t.Run(s.Kind, func(t *testing.T) { test(t, s) })
	}
}

// available returns the shared servers, started if need be, the one to prefer first.
func available(t testing.TB) []*Server {
	t.Helper()
	if url := os.Getenv(Environment); url != "" {
		return []*Server{{Kind: "given", url: url}}
	}
	shared.Lock()
	defer shared.Unlock()
	var found []*Server
	for _, kind := range kinds {
		binary := find(kind)
		if binary == "" {
			continue
		}
		if shared.servers[kind] == nil {
			s, err := launch(kind, binary, []string{"dir " + os.TempDir()}) // where it writes nothing
			if err != nil {
				t.Fatal(err)
			}
			if shared.servers == nil {
				shared.servers = make(map[string]*Server)
			}
			shared.servers[kind] = s
		}
		found = append(found, shared.servers[kind])
	}
	return found
}
