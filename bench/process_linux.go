package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/postern-auth/postern/internal/proctest"
)

// process is a program that was started. It ends with the bench, however that ends.
type process struct {
	*proctest.Program
	name string
}

// pinned reports whether processes can be given a core of their own.
func pinned() bool {
	_, err := exec.LookPath("taskset")
	return err == nil && runtime.NumCPU() > 1
}

// anyCore pins a process to no core.
const anyCore = -1

// launch starts a program on one core, or on any. Its output is kept to explain failures, unless stdout takes it.
func (b *bench) launch(core int, stdin io.Reader, stdout io.Writer, program string, arguments ...string) (*process, error) {
	name := filepath.Base(program)
	if core != anyCore && pinned() {
		arguments = append([]string{"-c", strconv.Itoa(core), program}, arguments...)
		program = "taskset"
	}
	command := exec.Command(program, arguments...)
	command.Dir = b.dir
	command.Env = append(os.Environ(), "HOME="+b.dir, "XDG_DATA_HOME="+b.dir, "XDG_CONFIG_HOME="+b.dir)
	command.Stdin, command.Stdout = stdin, stdout
	running, err := proctest.Start(command)
	if err != nil {
		return nil, err
	}
	p := &process{running, name}
	b.live = append(b.live, p)
	return p, nil
}

// play starts the bench's own program in a role that is played over its standard input and output.
func (b *bench) play(core int, role string) (p *process, in io.WriteCloser, out io.ReadCloser, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, nil, err
	}
	theirIn, ours, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	from, theirOut, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, err
	}
	p, err = b.launch(core, theirIn, theirOut, self, "-role", role)
	return p, ours, from, errors.Join(err, theirIn.Close(), theirOut.Close())
}

// stop asks the process to end, and insists after a while.
func (p *process) stop() {
	_ = p.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.Ended():
	case <-time.After(10 * time.Second):
		p.Kill()
	}
}

// cpu returns the time that the process's threads have run for.
func (p *process) cpu() time.Duration {
	var sum time.Duration
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.Process.Pid))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		ran, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(ran, 10, 64)
		sum += time.Duration(n)
	}
	return sum
}

// resident returns the process's resident memory in MB (10^6 bytes).
func (p *process) resident() float64 { return p.memory("VmRSS:") }

// anonymous returns the part of it that no file stands behind: heap, stacks and variables. How much of a program is mapped beside it
// depends on the sizes that the page cache happens to keep the file in, by several MB.
func (p *process) anonymous() float64 { return p.memory("RssAnon:") }

// memory returns what the kernel says in a line of the process's status, in MB.
func (p *process) memory(line string) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	_, after, _ := bytes.Cut(text, []byte(line))
	fields := strings.Fields(string(after))
	if len(fields) == 0 {
		return 0
	}
	kB, _ := strconv.ParseFloat(fields[0], 64)
	return kB * 1024 / 1e6
}

// await waits until a GET of url answers 200, for 30 s at most.
func (p *process) await(ctx context.Context, url, token string) error {
	begun, last := time.Now(), ""
	for time.Since(begun) < 30*time.Second {
		got, err := get(ctx, url, token)
		if err == nil && got == http.StatusOK {
			return nil
		}
		last = fmt.Sprint(got, " ", err)
		select {
		case <-p.Ended():
			return fmt.Errorf("%s ended: %s", p.name, p.Said())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not answer 200 but %s: %s", p.name, last, p.Said())
}

// plainClient keeps no connections.
var plainClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}

// get returns the status of a GET.
func get(ctx context.Context, url, token string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := plainClient.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, errors.Join(err, answer.Body.Close())
}
