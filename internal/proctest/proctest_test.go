package proctest_test

import (
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/proctest"
)

// start runs a line of shell until the test ends.
func start(t *testing.T, line string) *proctest.Program {
	t.Helper()
	p, err := proctest.Start(exec.Command("sh", "-c", line))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// TestProcess waits for what a program says, and kills it with what it started.
func TestProcess(t *testing.T) {
	p := start(t, "sleep 600 & echo started; wait")
	if err := p.Await(func() bool { return strings.Contains(p.Said(), "started") }); err != nil {
		t.Fatal(err)
	}
	p.Kill() // waits for the end of its output, which the sleeper has too
	select {
	case <-p.Ended():
	default:
		t.Error("a process that was killed has not ended")
	}
}

// TestProcessEnds tells why a program is not ready that ended instead.
func TestProcessEnds(t *testing.T) {
	if err := start(t, "echo no such setting >&2").Await(func() bool { return false }); err == nil || !strings.Contains(err.Error(), "no such setting") {
		t.Errorf("Await = %v; want what the program said", err)
	}
	if _, err := proctest.Start(exec.Command("/nonexistent")); err == nil {
		t.Error("a program that is not there was started")
	}
}

// TestFree asks for many addresses, of which none is listened on meanwhile: each is another, and none is one that a socket may get by chance.
func TestFree(t *testing.T) {
	given := map[string]bool{}
	for range 100 {
		address := proctest.Free(t)
		_, text, _ := net.SplitHostPort(address)
		if port, err := strconv.Atoi(text); given[address] || err != nil || port+10_000 >= 32_768 {
			t.Errorf("Free = %s, given before: %t; want another port, that has 10,000 above it below 32768", address, given[address])
		}
		given[address] = true
	}
}

// TestListens looks for somebody at an address that is free.
func TestListens(t *testing.T) {
	if address := proctest.Free(t); proctest.Listens(address) {
		t.Errorf("somebody listens on %s, which is free", address)
	}
}
