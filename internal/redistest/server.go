package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/postern-auth/postern/internal/proctest"
)

// Server is a running Redis or Valkey server.
type Server struct {
	Kind string // "redis", "valkey", or "given" for the one that POSTERN_TEST_REDIS names

	url      string
	addr     string
	binary   string // "" for a given server
	settings []string
	running  *proctest.Program
}

// Start starts a server that belongs to the test and ends with it: Redis, or Valkey where there is no
// Redis. It keeps nothing on disk unless settings, in the form of redis.conf lines ("appendonly yes"), say so.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	for _, kind := range kinds {
		if find(kind) != "" {
			return StartKind(t, kind, settings...)
		}
	}
	missing(t)
	return nil
}

// StartKind is Start for a test that needs "redis" or "valkey". Without one, the test is skipped.
func StartKind(t testing.TB, kind string, settings ...string) *Server {
	t.Helper()
	binary := find(kind)
	if binary == "" {
		t.Skipf("NOT TESTED: no %s-server; run scripts/fetch-redis %s", kind, kind)
	}
	s, err := launch(kind, binary, append([]string{"dir " + t.TempDir()}, settings...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s
}

// Addr returns host:port.
func (s *Server) Addr() string { return s.addr }

// URL returns the server's redis:// URL.
func (s *Server) URL() string { return s.url }

// Stop kills the server at once (SIGKILL), as a crash would.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.kill()
}

// Pause freezes the server (SIGSTOP): connections stay, answers do not come. Where that can be seen, it returns once all of the
// server's threads stand still, which they do one after the other.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	Eventually(t, "the server stands still", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.running.Process.Pid))
		return !slices.ContainsFunc(threads, runs)
	})
}

// runs reports whether a thread is not stopped, by its file in /proc: "17 (redis-server) T ...".
func runs(file string) bool {
	text, err := os.ReadFile(file)
	_, state, _ := bytes.Cut(text, []byte(") "))
	return err == nil && !bytes.HasPrefix(state, []byte("T"))
}

// Resume ends a Pause.
func (s *Server) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

// Restart stops the server if it runs, and starts it again on the same port and the same files.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.kill()
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
}

// Client returns a plain client of the server, closed with the test, to look behind the store's back.
func (s *Server) Client(t testing.TB) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(s.url)
	if err != nil {
		t.Fatalf("%s is not a URL of a Redis server", Environment)
	}
	options.DialerRetries, options.ContextTimeoutEnabled = 1, true
	c := redis.NewClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if s.running == nil {
		t.Fatalf("the %s server does not run, or is not ours", s.Kind)
	}
	if err := s.running.Process.Signal(sig); err != nil {
		t.Fatalf("signal %s to the %s server: %v", sig, s.Kind, err)
	}
}

func (s *Server) kill() {
	if s.running != nil {
		s.running.Kill()
		s.running = nil
	}
}

// launch starts a server on a free port. Another process may take the port first: then it tries another.
func launch(kind, binary string, settings []string) (*Server, error) {
	var failed error
	for range 3 {
		addr, err := proctest.FreeAddress()
		if err != nil {
			return nil, err
		}
		s := &Server{Kind: kind, addr: addr, url: "redis://" + addr, binary: binary, settings: settings}
		if err := s.run(); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		return s, nil
	}
	return nil, failed
}

// run starts the server's process and waits until it answers.
func (s *Server) run() error {
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return err
	}
	config := "bind 127.0.0.1\nport " + port + "\nsave \"\"\nappendonly no\nrepl-diskless-sync-delay 0\n"
	for _, line := range s.settings {
		config += line + "\n"
	}
	p, err := start(s.binary, config, "-")
	if err != nil {
		return fmt.Errorf("start %s: %w", s.binary, err)
	}
	if err := s.await(p); err != nil {
		p.Kill()
		return fmt.Errorf("on %s: %w", s.addr, err)
	}
	s.running = p
	return nil
}

// start starts the binary of a server.
func start(binary, stdin string, arguments ...string) (*proctest.Program, error) {
	command := exec.Command(binary, arguments...)
	command.Stdin = strings.NewReader(stdin)
	return proctest.Start(command)
}

// await waits until p, and no other process on its port, answers and has loaded its data.
func (s *Server) await(p *proctest.Program) error {
	c := redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true})
	defer c.Close()
	return p.Await(func() bool { return proctest.Listens(s.addr) && s.answers(c, p) })
}

// answers reports whether the server that c reaches is p and ready. A server that demands a
// password is taken at its word.
func (s *Server) answers(c *redis.Client, p *proctest.Program) bool {
	info, err := c.InfoMap(context.Background(), "server", "persistence").Result()
	if err != nil {
		return redis.IsAuthError(err)
	}
	return info["Server"]["process_id"] == strconv.Itoa(p.Process.Pid) &&
		(info["Persistence"]["loading"] == "0" || info["Persistence"] == nil)
}
