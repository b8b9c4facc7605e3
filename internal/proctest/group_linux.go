package proctest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
)

// asGroup has a process begin a group of its own, and the kernel kill it when the thread that started it ends, however it ends.
func asGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup kills a process and those that it started.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

// reserved keeps what reserve has listened on until this process ends.
var reserved struct {
	sync.Mutex
	names []net.Listener
}

// reserve keeps a port from other processes that call FreeAddress, by a socket in the abstract namespace, where there may be such.
// It fails where another has it.
func reserve(port int) error {
	name, err := net.Listen("unix", fmt.Sprintf("@postern-proctest-%d", port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	if err != nil {
		return nil
	}
	reserved.Lock()
	defer reserved.Unlock()
	reserved.names = append(reserved.names, name)
	return nil
}
