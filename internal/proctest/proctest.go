// Package proctest starts programs for tests and for the bench, waits until they are ready, and ends them. It needs the standard library
// alone, so that the modules under e2e have it without a dependency.
package proctest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long Await waits, on however busy a machine.
const patience = time.Minute

// Program is a program that was started. It ends when it is killed, and with this process, however that ends.
type Program struct {
	*exec.Cmd
	said  tail
	ended chan struct{}
}

// Start starts command, together with which all that it starts in turn can be killed. What it writes is kept, to explain failures,
// unless the command says where that goes. Wait is not for the caller: Ended says when it has ended.
func Start(command *exec.Cmd) (*Program, error) {
	p := &Program{Cmd: command, ended: make(chan struct{})}
	if command.Stdout == nil {
		command.Stdout = &p.said
	}
	if command.Stderr == nil {
		command.Stderr = &p.said
	}
	command.SysProcAttr = asGroup()
	started := make(chan error, 1)
	go func() { // the kernel ties the process to the life of this thread
		defer close(p.ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Ended returns a channel that is closed once the process has ended.
func (p *Program) Ended() <-chan struct{} { return p.ended }

// Said returns the last of what the process wrote, as far as it is kept.
func (p *Program) Said() string { return p.said.String() }

// Kill ends the process, and what it started, at once, and waits until it is gone.
func (p *Program) Kill() {
	select {
	case <-p.ended: // its number may be somebody else's by now
	default:
		killGroup(p.Process)
		<-p.ended
	}
}

// Await waits, for at most a minute, until the process is ready. Its error says what the process wrote.
func (p *Program) Await(ready func() bool) error {
	for deadline := time.Now().Add(patience); !ready(); {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %s", p.Path, p.Said())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready: %s", p.Path, p.Said())
		}
	}
	return nil
}

// Listens reports whether somebody listens on an address.
func Listens(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// The ports of FreeAddress. Sockets that ask for any port are given one from 32,768 on: what is free here stays so while the one who is to
// listen starts, or is away, but for other processes that call FreeAddress, and those begin elsewhere and leave out what this one reserves.
const lowestPort, ports = 11_000, 10_000

var (
	firstPort = rand.Uint32N(ports)
	portsUsed atomic.Uint32
)

// FreeAddress returns a loopback address that nobody listens on, and that this process was not given before. The port 10,000 above, which the
// bus of a Redis cluster takes, is as good as free.
func FreeAddress() (string, error) {
	var failed error
	for range 100 {
		port := lowestPort + int((firstPort+portsUsed.Add(1))%ports)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			address := l.Addr().String()
			if err = errors.Join(l.Close(), reserve(port)); err == nil {
				return address, nil
			}
		}
		failed = err
	}
	return "", fmt.Errorf("find a free port: %w", failed)
}

// Test is what Free needs of a testing.TB. The bench, which is no test, does not link package testing so.
type Test interface {
	Helper()
	Fatal(args ...any)
}

// Free is FreeAddress for a test.
func Free(t Test) string {
	t.Helper()
	address, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// tail keeps the last of what is written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-3000):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
